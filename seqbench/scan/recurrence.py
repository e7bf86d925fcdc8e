r"""Backpropagation through time with a forward and a backward pass of one's own.

.. math::
    a_t &= x_t W_x + b, \qquad s_t = \mathrm{step}(a_t, s_{t-1}; W_h), \qquad h_t = \text{the first part of } s_t \\
    \bar W_x &= \sum_t x_t^\top \bar a_t, \qquad \bar b = \sum_t \bar a_t, \qquad \bar x_t = \bar a_t W_x^\top

A bar is the derivative of the loss. Autograd records every operation of every step and adds up the weights' gradient
step by step. Here the steps are walked over by a pair of loops, forward and backward, that only compute
:math:`h_t` and :math:`\bar a_t`; whatever does not wait for the step before it is one product for many steps.

A sequence is walked over in chunks of K steps, so that what is passed from one operation to the next still lies in a
cache. Of every chunk the backward pass needs the states and the gates. It finds the gates as the forward pass left
them, or computes them once more from the states, for all steps of the chunk at once: less memory for some time. A
window (``windows.py``) is cut into chunks by itself on the way back, and nothing is carried into the one before.

The weights may be wider than x, for example float32 and bfloat16. Then a, h, the gates and their derivatives are as
narrow as x, and what is summed over many steps is as wide as the weights: the rest of the state, what is carried back
from step to step, and the weights' gradients.

Who walks is a :class:`Loops`: ``ensemble`` (torch's operations) or ``fused`` (Triton kernels).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.axes import Hidden
from seqbench.scan.windows import windows

Chunk = Float[Tensor, "E K B GH"]
Kept = Float[Tensor, "E K B SH"]  # the gates of a chunk
# The states of K steps: row k is the state before step k, row K the last.
States = Sequence[Float[Tensor, "E K+1 B H"]]
Keep = Literal["nothing", "states", "gates"]  # of the forward pass, for the backward pass
NUMBERS = 2**18  # in the gates of a chunk: a few arrays of this size stay in a core's cache


class Loops(ABC):
    """The passes over the K steps of a chunk, for one spec of cell.

    Attributes
    ----------
    parts
        How many ``(E, B, H)`` tensors the state has; h is the first.
    blocks
        How many blocks of H gates a token has.
    """

    parts: int
    blocks: int

    def steps(self, E: int, B: int, T: int, H: int, keep: Keep) -> int:
        """Return K."""
        return min(T, max(1, NUMBERS // max(1, E * B * max(1, self.blocks) * H)))

    @abstractmethod
    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Walk from row 0 of the states to row K, and write both states and gates; ``a`` may be used up."""

    @abstractmethod
    def recompute_gates(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
        """Return the gates, from states that are known already."""

    @abstractmethod
    def backward(
        self,
        dh: Float[Tensor, "E K B H"],
        carry: Sequence[Hidden],
        gates: Kept,
        states: States,
        W_h: Tensor,
        extra: Tensor | None,
    ) -> tuple[Chunk, Tensor, Tensor | None]:
        """Walk back; return the derivatives by a, W_h and extra.

        ``dh`` is the derivative by h_t from outside the recurrence, ``carry`` that by the state after the chunk from
        later steps; when the walk is over, ``carry`` is the derivative by the state before the chunk.
        """


class Recurrence(torch.autograd.Function):
    """All h of a layer from its input and weights: ``x (E, B, T, D)`` to ``h (E, B, T, H)``."""

    @staticmethod
    def forward(
        ctx: Any,
        loops: Loops,
        keep: Keep,
        window: int,
        x: Tensor,
        W_x: Tensor,
        b: Tensor,
        W_h: Tensor,
        extra: Tensor | None,
    ) -> Tensor:
        """Return h at every step."""
        E, B, T, _ = x.shape
        H = W_h.shape[1]
        x = x.transpose(1, 2)  # (E, T, B, D): a step of all members and sequences at once
        K = loops.steps(E, B, T, H, keep)
        h = x.new_empty(E, T + 1, B, H)
        rows = (K if keep == "nothing" else T) + 1
        rest = [W_h.new_empty(E, rows, B, H) for _ in range(1, loops.parts)]
        gates = x.new_empty(E, T if keep == "gates" else K, B, loops.blocks * H)
        for part in (h, *rest):
            part[:, 0] = 0
        for start in range(0, T, K):
            stop = min(start + K, T)
            first = 0 if keep == "nothing" else start
            states = [h[:, start : stop + 1]]
            states += [part[:, first : first + stop - start + 1] for part in rest]
            here = gates[:, start:stop] if keep == "gates" else gates[:, : stop - start]
            loops.forward(project(x[:, start:stop], W_x, b), here, states, W_h, extra)
            if keep == "nothing":
                for part in rest:
                    part[:, 0] = part[:, stop - start]
        if keep != "nothing":
            ctx.save_for_backward(
                x, W_x, b, W_h, extra, gates if keep == "gates" else None, h, *rest
            )
            ctx.loops, ctx.K, ctx.window = loops, K, window
        return h[:, 1:].transpose(1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dh: Tensor) -> tuple[Any, ...]:
        """Return the derivatives by x, W_x, b, W_h and extra."""
        # Autocast is here what it is where backward was called.
        with torch.autocast(dh.device.type, enabled=False):
            return None, None, None, *derivatives(ctx, dh.transpose(1, 2))


def derivatives(ctx: Any, dh: Float[Tensor, "E T B H"]) -> tuple[Tensor | None, ...]:
    """Return the derivatives by x, W_x, b, W_h and extra, from those by h."""
    x, W_x, b, W_h, extra, gates, *whole = ctx.saved_tensors
    loops, K = ctx.loops, ctx.K
    dx = torch.empty_like(x) if ctx.needs_input_grad[3] else None
    dW_x, db, dW_h = torch.zeros_like(W_x), torch.zeros_like(b), torch.zeros_like(W_h)
    d_extra = None if extra is None else torch.zeros_like(extra)
    chunks = [
        (last, start, min(start + K, last))
        for first, last in windows(x.shape[1], ctx.window)
        for start in range(first, last, K)
    ]
    for last, start, stop in reversed(chunks):
        if stop == last:  # nothing comes back from a later window
            carry = [W_h.new_zeros(part[:, 0].shape) for part in whole]
        x_k, states = x[:, start:stop], [part[:, start : stop + 1] for part in whole]
        if gates is None:
            here = loops.recompute_gates(project(x_k, W_x, b), states, W_h, extra)
        else:
            here = gates[:, start:stop]
        da, *more = loops.backward(dh[:, start:stop], carry, here, states, W_h, extra)
        dW_h += more[0]
        if d_extra is not None:
            d_extra += more[1]
        rows = da.flatten(1, 2)  # (E, K B, GH)
        dW_x += x_k.flatten(1, 2).transpose(1, 2) @ rows
        db += rows.sum(dim=1, keepdim=True, dtype=db.dtype)
        if dx is not None:
            W = W_x.to(x.dtype).transpose(1, 2)
            dx[:, start:stop] = (rows @ W).unflatten(1, x_k.shape[1:3])
    return None if dx is None else dx.transpose(1, 2), dW_x, db, dW_h, d_extra


def recurrence(
    loops: Loops, x: Tensor, weights: Sequence[Tensor | None], recompute: bool, window: int = 0
) -> Float[Tensor, "E B T H"]:
    """Return h at every step; without gradients nothing is kept."""
    learns = any(t is not None and t.requires_grad for t in (x, *weights))
    keep: Keep = "nothing"
    if learns and torch.is_grad_enabled():
        keep = "states" if recompute and loops.blocks else "gates"
    return Recurrence.apply(loops, keep, window, x, *weights)  # type: ignore[no-untyped-call]


def project(x: Float[Tensor, "E K B D"], W_x: Tensor, b: Tensor) -> Chunk:
    """Return x_t W_x + b for the steps of a chunk."""
    W_x, b = W_x.to(x.dtype), b.to(x.dtype)
    return torch.baddbmm(b, x.flatten(1, 2), W_x).unflatten(1, x.shape[1:3])
