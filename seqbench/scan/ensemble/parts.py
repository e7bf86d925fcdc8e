"""What the loops have in common."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqbench.scan.recurrence import Chunk


def tanh_(x: Tensor) -> Tensor:
    """Return tanh x, in place."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)


def slope(s: Tensor) -> Tensor:
    """Return s (1 - s), the derivative of a sigmoid that is s."""
    return torch.addcmul(s, s, s, value=-1)


def columns(t: Tensor, H: int) -> list[Sequence[Tensor]]:
    """Return, block by block of H columns, the tensors of the steps."""
    return [block.unbind(dim=1) for block in t.split(H, dim=-1)]


def before(dh: Tensor) -> list[Tensor]:
    """Return what step k hands to step k - 1 from outside: nothing, at the first."""
    return [torch.zeros_like(dh[:, 0]), *dh.unbind(dim=1)[:-1]]


def through(h: Tensor, W: Tensor) -> Chunk:
    """Return h_{t-1} W for all steps of a chunk."""
    h = h[:, :-1]
    return (h.flatten(1, 2) @ W).unflatten(1, h.shape[1:3])


def product(h: Tensor, du: Chunk) -> Tensor:
    """Return the derivative by W of h_{t-1} W, over all steps of a chunk, from that by the product."""
    return h[:, :-1].flatten(1, 2).transpose(1, 2) @ du.flatten(1, 2)
