r"""Diagonal recurrences: every unit for itself, with coefficients that do not depend on the state.

.. math::
    h_t &= a_t \odot h_{t-1} + b_t, \qquad h_0 = 0 \\
    \bar h_t &\leftarrow \bar h_t + a_{t+1}^* \odot \bar h_{t+1}, \qquad
    \bar a_t = \bar h_t \odot h_{t-1}^*, \qquad \bar b_t = \bar h_t

A bar is the derivative of the loss, a star the complex conjugate: the numbers may be complex. All coefficients are
known before the first step, so that their products with weights and their gates are taken for all steps at once; what
is left to a step is one multiplication and one addition a unit, forward and back. Time and memory grow linearly with
the length.

``reference``
    The loop over the steps, with torch's gradient.
``ensemble``
    Torch's operations on all members at once, with the backward pass written out.
``auto``
    ``ensemble``, on every device.

Gates that have their derivatives written out, too (:class:`DiagonalGates`), are computed chunk by chunk, so that what
is passed from one operation to the next still lies in a cache, and once more on the way back: only their input and h
are kept.
"""

from abc import ABC, abstractmethod
from typing import Any, get_args

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from seqbench.errors import BadInput, unknown
from seqbench.scan import Scan
from seqbench.scan.recurrence import NUMBERS

States = Inexact[Tensor, "E T B H"]
Coefficients = Inexact[Tensor, "E #T #B H"]


def choose_diagonal_scan(how: str) -> str:
    """Return the scan that runs a diagonal recurrence: what ``auto`` stands for, or ``how`` itself.

    Raises
    ------
    BadInput
        Where a diagonal recurrence can't be run in that way.
    """
    if how not in get_args(Scan):
        raise unknown("scan", how, get_args(Scan))
    if how in ("native", "fused"):
        raise BadInput(
            f"a diagonal recurrence has no scan '{how}'; choose from: auto, ensemble, reference"
        )
    return "ensemble" if how == "auto" else how


def scan_diagonal(a: Coefficients, b: States, how: str = "auto") -> States:
    """Return h at every step, computed in float32 or wider.

    Parameters
    ----------
    a, b
        The coefficients; a may be the same at all steps, or for all sequences of a member.
    how
        The scan.
    """
    kind = torch.promote_types(b.dtype, torch.float32)
    a, b = a.to(kind), b.to(kind)
    if choose_diagonal_scan(how) == "reference":
        return loop(a, b)
    h: Tensor = DiagonalScan.apply(a, b)  # type: ignore[no-untyped-call]
    return h


def loop(a: Coefficients, b: States) -> States:
    """Return h at every step, as the equation says it."""
    h, hs = torch.zeros_like(b[:, 0]), []
    for a_t, b_t in zip(a.expand_as(b).unbind(dim=1), b.unbind(dim=1), strict=True):
        h = a_t * h + b_t
        hs.append(h)
    return torch.stack(hs, dim=1)


def walk(a: Coefficients, b: States, h: States, before: Tensor) -> None:
    """Write h at every step of a chunk, from the state before it."""
    a_t, b_t, h_t = a.expand_as(b).unbind(dim=1), b.unbind(dim=1), h.unbind(dim=1)
    for t in range(len(h_t)):
        before = torch.addcmul(b_t[t], a_t[t], before, out=h_t[t])


def walk_back(a: Coefficients, d: States) -> None:
    """Add to the derivative by h at every step of a chunk, in place, what comes back from the steps after it."""
    a_t, d_t = a.expand_as(d).unbind(dim=1), d.unbind(dim=1)
    for t in reversed(range(len(d_t) - 1)):
        d_t[t].addcmul_(a_t[t + 1], d_t[t + 1])


class DiagonalScan(torch.autograd.Function):
    """All h from all coefficients."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        """Return h at every step."""
        h = torch.empty_like(b, memory_format=torch.contiguous_format)
        walk(a, b, h, torch.zeros_like(b[:, 0]))
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the derivatives by a and b."""
        a, h = ctx.saved_tensors
        d = dh.clone(memory_format=torch.contiguous_format)
        walk_back(a.conj().resolve_conj(), d)
        if not ctx.needs_input_grad[0]:
            return None, d
        da = torch.zeros_like(d)  # h before the first step is zero
        torch.mul(d[:, 1:], h[:, :-1].conj(), out=da[:, 1:])
        return da.sum_to_size(a.shape), d


class DiagonalGates(ABC):
    """How real coefficients follow from k, the numbers that the gates are made of, and the derivatives of that.

    Attributes
    ----------
    blocks
        How many blocks of H columns k has.
    """

    blocks: int

    @abstractmethod
    def forward(
        self, k: Float[Tensor, "E K B GH"]
    ) -> tuple[States, States, tuple[Float[Tensor, "E K B _"], ...]]:
        """Return a and b for the steps of a chunk, and what the backward pass is computed from."""

    @abstractmethod
    def backward(
        self,
        a: States,
        kept: tuple[Float[Tensor, "E K B _"], ...],
        da: States,
        db: States,
        dk: Float[Tensor, "E K B GH"],
    ) -> None:
        """Write the derivative by k, from those by a and b."""


def scan_gates(gates: DiagonalGates, k: Float[Tensor, "E T B GH"]) -> Float[Tensor, "E T B H"]:
    """Return h at every step by the scan ``ensemble``, computed in float32 or wider."""
    wide = k.to(torch.promote_types(k.dtype, torch.float32))
    h: Tensor = GatedScan.apply(gates, wide)  # type: ignore[no-untyped-call]
    return h


class GatedScan(torch.autograd.Function):
    """All h from what the gates are made of, chunk by chunk."""

    @staticmethod
    def forward(ctx: Any, gates: DiagonalGates, k: Tensor) -> Tensor:
        """Return h at every step."""
        E, T, B, GH = k.shape
        h = k.new_empty(E, T, B, GH // gates.blocks)
        before = torch.zeros_like(h[:, 0])
        for chunk in split(k):
            a, b, _ = gates.forward(k[:, chunk])
            walk(a, b, h[:, chunk], before)
            before = h[:, chunk.stop - 1]
        ctx.save_for_backward(k, h)
        ctx.gates = gates
        return h

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dh: Tensor) -> tuple[None, Tensor]:
        """Return the derivative by k."""
        k, h = ctx.saved_tensors
        dk = torch.empty_like(k, memory_format=torch.contiguous_format)
        carry = torch.zeros_like(h[:, 0])
        for chunk in reversed(split(k)):
            a, _, kept = ctx.gates.forward(k[:, chunk])
            d = dh[:, chunk].clone(memory_format=torch.contiguous_format)
            d[:, -1] += carry
            walk_back(a, d)
            carry = a[:, 0] * d[:, 0]
            da = torch.empty_like(d)
            torch.mul(d[:, 1:], h[:, chunk][:, :-1], out=da[:, 1:])
            if chunk.start:
                torch.mul(d[:, 0], h[:, chunk.start - 1], out=da[:, 0])
            else:
                da[:, 0] = 0
            ctx.gates.backward(a, kept, da, d, dk[:, chunk])
        return None, dk


def split(k: Float[Tensor, "E T B GH"]) -> list[slice]:
    """Return the chunks of T steps, none of which has more numbers than stay in a cache."""
    T = k.shape[1]
    steps = max(1, NUMBERS * T // max(1, k.numel()))
    return [slice(start, min(start + steps, T)) for start in range(0, T, steps)]
