"""What people write of recurrent networks, taken as hypotheses: T14 has a verdict on each, computed from the results.

``claim.py`` says what a verdict is and how findings are weighed, ``evidence.py`` what a claim can rest on, ``rates.py``
when a difference counts; then the claims, each with its rule. A claim is added by a line here.
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
