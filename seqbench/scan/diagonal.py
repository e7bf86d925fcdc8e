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
"""

from typing import Any, get_args

import torch
from jaxtyping import Inexact
from torch import Tensor

from seqbench.errors import BadInput, unknown
from seqbench.scan import Scan

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


class DiagonalScan(torch.autograd.Function):
    """The loop in place, and its derivatives."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        """Return h at every step."""
        h = torch.empty_like(b, memory_format=torch.contiguous_format)
        a_t, b_t, h_t = (t.unbind(dim=1) for t in (a.expand_as(b), b, h))
        h_t[0].copy_(b_t[0])
        for t in range(1, len(h_t)):
            torch.addcmul(b_t[t], a_t[t], h_t[t - 1], out=h_t[t])
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor | None, Tensor]:
        """Return the derivatives by a and b."""
        a, h = ctx.saved_tensors
        d = dh.clone(memory_format=torch.contiguous_format)
        a_t, d_t = a.conj().resolve_conj().expand_as(d).unbind(dim=1), d.unbind(dim=1)
        for t in reversed(range(len(d_t) - 1)):
            d_t[t].addcmul_(a_t[t + 1], d_t[t + 1])
        if not ctx.needs_input_grad[0]:
            return None, d
        da = torch.zeros_like(d)  # h before the first step is zero
        torch.mul(d[:, 1:], h[:, :-1].conj(), out=da[:, 1:])
        return da.sum_to_size(a.shape), d
