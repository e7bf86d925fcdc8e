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
    members = []
    for e, x_e in enumerate(x.unbind(dim=0)):
        weights = cell.native_weights(e)
        start = tuple(part[e][None] for part in cell.start(x))
        # (input, h_0 or (h_0, c_0), weights, biases, layers, dropout, training, both ways, batch first)
        hx = start if len(start) > 1 else start[0]
        h, *_ = cell.native(x_e, hx, weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        members.append(h)
    return torch.stack(members)
