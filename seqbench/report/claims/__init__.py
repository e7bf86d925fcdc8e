"""What people write of recurrent networks, taken as hypotheses: T14 has a verdict on each, computed from the results.

``claim.py`` says what a verdict is and how findings are weighed, ``evidence.py`` what a claim can rest on, ``rates.py``
when a difference counts; then the claims, each with its rule.
"""

from seqbench.report.claims import applications, compared, cost, gates, memory
from seqbench.report.claims.claim import Claim

ORDER = (
    "short-memory", "vanishing", "long-memory", "displacement", "forget", "gates-readable", "peephole", "gru-cheaper",
    "gru-equal", "no-output-gate", "lstm-costly", "tbptt", "transformer-no-forgetting", "bidirectional", "attention",
    "cnn-lstm", "window", "overfit", "depth", "search", "gpu-needed", "loop-compile", "applications",
)  # fmt: skip
_BY_ID = {
    claim.id: claim
    for part in (memory, gates, compared, cost, applications)
    for claim in part.CLAIMS
}
CLAIMS: dict[str, Claim] = {name: _BY_ID[name] for name in ORDER}
