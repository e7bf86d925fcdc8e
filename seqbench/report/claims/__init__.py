"""Common claims about recurrent networks, treated as hypotheses: T14 has a verdict on each, computed from the results.

``claim.py`` defines verdicts and how findings are weighed, ``evidence.py`` the measurements that a claim can need,
``rates.py`` when a difference counts. The other files hold the claims with their rules; a new claim is added to the
list below.
"""

from seqbench.report.claims import applications, compared, cost, gates, memory
from seqbench.report.claims.claim import Claim

CLAIMS: dict[str, Claim] = {
    claim.id: claim
    for claim in (
        memory.SHORT_MEMORY,
        memory.VANISHING,
        memory.LONG_MEMORY,
        memory.DISPLACEMENT,
        gates.FORGET,
        gates.GATES_READABLE,
        gates.PEEPHOLE,
        cost.GRU_CHEAPER,
        compared.GRU_EQUAL,
        gates.NO_OUTPUT_GATE,
        cost.LSTM_COSTLY,
        memory.TBPTT,
        compared.TRANSFORMER_NO_FORGETTING,
        compared.BIDIRECTIONAL,
        compared.ATTENTION,
        compared.CNN_LSTM,
        memory.WINDOW,
        compared.OVERFIT,
        compared.DEPTH,
        cost.SEARCH,
        cost.GPU_NEEDED,
        cost.LOOP_COMPILE,
        applications.APPLICATIONS,
    )
}
