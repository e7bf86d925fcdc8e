"""Torch's own kernels under the parameters of a cell, one member after the other."""

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.scan.reference import RecurrentCell
from seqbench.scan.windows import windows


def run_native(
    cell: RecurrentCell, x: Float[Tensor, "E B T D"], recompute: bool = False, window: int = 0
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step, as torch's kernel computes it."""
    assert cell.native is not None
    start = [part.unbind() for part in cell.start(x)]
    members = []
    for e, (x_e, weights) in enumerate(zip(x.unbind(), cell.native_weights(), strict=True)):
        state = [part[e][None] for part in start]
        parts = []
        for first, last in windows(x.shape[2], window):
            if first:
                state = [part.detach() for part in state]
            hx = tuple(state) if len(state) > 1 else state[0]
            # (input, h_0 or (h_0, c_0), weights, biases, layers, dropout, training, both ways, batch first)
            h, *state = cell.native(
                x_e[:, first:last], hx, weights, True, 1, 0.0, torch.is_grad_enabled(), False, True
            )
            parts.append(h)
        members.append(torch.cat(parts, dim=1) if len(parts) > 1 else parts[0])
    return torch.stack(members)
