r"""A recurrence by torch's operations, all members at once, with the backward pass written out.

What flows back through a step is linear: :math:`\bar h_t`, the derivative of the loss, times coefficients k that the
forward pass has settled. They are computed for all steps of a chunk at once, and the loop back is left with the few
operations that wait for each other. The equations stand in the files of the families; :math:`\bar y_t` is the part of
:math:`\bar h_t` that comes from outside the recurrence.

Torch's sigmoid is several times as fast as its tanh (docs/performance.md), so tanh x is taken as
:math:`2 \sigma(2x) - 1`, whose absolute error is no larger; where a gate has the factor 2 in its weights, all gates of
a step are one call.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.scan.ensemble.gru import GRUAfterLoops, GRUBeforeLoops
from seqbench.scan.ensemble.lstm import LSTMLoops
from seqbench.scan.ensemble.rnn import RNNLoops
from seqbench.scan.recurrence import Loops, recurrence
from seqbench.scan.reference import RecurrentCell
from seqbench.scan.specs import CellSpec, LSTMSpec, RNNSpec

__all__ = ["GRUAfterLoops", "GRUBeforeLoops", "LSTMLoops", "RNNLoops", "loops", "run_ensemble"]


def run_ensemble(
    cell: RecurrentCell, x: Float[Tensor, "E B T D"], recompute: bool = False, window: int = 0
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step, computed in the precision of the weights, under autocast as well."""
    assert cell.spec is not None
    weights = cell.weights
    with torch.autocast(x.device.type, enabled=False):
        return recurrence(loops(cell.spec), x.to(weights[0].dtype), weights, recompute, window)


def loops(spec: CellSpec) -> Loops:
    """Return the loops for a cell."""
    if isinstance(spec, RNNSpec):
        return RNNLoops(spec)
    if isinstance(spec, LSTMSpec):
        return LSTMLoops(spec)
    return GRUAfterLoops() if spec.reset == "after" else GRUBeforeLoops()
