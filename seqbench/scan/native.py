"""Torch's own kernels under the parameters of a cell, one member after the other."""

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.scan.reference import Steps


def native(
    cell: Steps, x: Float[Tensor, "E B T D"], recompute: bool = False
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step, as torch's kernel computes it."""
    assert cell.native is not None
    start = [part.unbind() for part in cell.start(x)]
    members = []
    for e, (x_e, weights) in enumerate(zip(x.unbind(), cell.native_weights(), strict=True)):
        state = tuple(part[e][None] for part in start)
        # (input, h_0 or (h_0, c_0), weights, biases, layers, dropout, training, both ways, batch first)
        hx = state if len(state) > 1 else state[0]
        h, *_ = cell.native(x_e, hx, weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        members.append(h)
    return torch.stack(members)
