r"""The plain recurrent network.

.. math::
    \bar a_t &= \bar h_t \odot k_t &&k_t = \phi'(a_t), \text{ which } h_t \text{ alone tells} \\
    \bar h_{t-1} &\leftarrow \bar y_{t-1} + \bar a_t W_h^\top
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqbench.axes import Hidden
from seqbench.scan.ensemble.parts import before, product
from seqbench.scan.recurrence import Chunk, Kept, Loops, States
from seqbench.scan.specs import RNNSpec


class RNNLoops(Loops):
    """The plain recurrent network; it has no gates."""

    parts, blocks = 1, 0

    def __init__(self, spec: RNNSpec) -> None:
        self.tanh = spec.activation == "tanh"

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h."""
        h = states[0].unbind(dim=1)
        if self.tanh:
            a, W_h = a.mul_(2), 2 * W_h
        minus_one, u = -a.new_ones(()), torch.empty_like(a[:, 0])
        for k, a_k in enumerate(a.unbind(dim=1)):
            torch.baddbmm(a_k, h[k], W_h, out=u)
            if self.tanh:
                torch.add(minus_one, u.sigmoid_(), alpha=2, out=h[k + 1])
            else:
                torch.clamp(u, min=0, out=h[k + 1])

    def recompute_gates(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
        """Return nothing: there are no gates."""
        return a[..., :0]

    def backward(
        self,
        dh: Tensor,
        carry: Sequence[Hidden],
        gates: Kept,
        states: States,
        W_h: Tensor,
        extra: Tensor | None,
    ) -> tuple[Chunk, Tensor, Tensor | None]:
        """Return the derivatives by a and W_h."""
        h = states[0][:, 1:]
        da = 1 - h * h if self.tanh else (h > 0).to(h.dtype)  # φ', then the derivative
        (d,) = carry
        d += dh[:, -1]
        outside, W = before(dh), W_h.transpose(1, 2)
        for k, da_k in reversed([*enumerate(da.unbind(dim=1))]):
            da_k *= d
            torch.baddbmm(outside[k], da_k, W, out=d)
        return da, product(states[0], da), None
