"""The loop over time, as the equations say it; every other scan must agree with this one."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.axes import Gates, Hidden, Projected
from seqbench.scan.specs import CellSpec
from seqbench.scan.windows import windows


@runtime_checkable
class Steps(Protocol):
    """What a scan needs to know of a cell."""

    native_on_cpu: bool

    @property
    def native(self) -> Callable[..., Any] | None:
        """Return the function of torch that runs this cell with its own kernel."""

    @property
    def spec(self) -> CellSpec | None:
        """Return what the scans with a backward pass of their own know it as."""

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return W_x, b, W_h, and what else its spec has: peepholes, or the bias of n."""

    def project(self, x: Float[Tensor, "E B T D"]) -> Projected:
        """Return x_t W_x + b for every t."""

    def start(self, a: Projected) -> tuple[Hidden, ...]:
        """Return the state before the first step."""

    def step(self, a: Gates, *state: Hidden) -> tuple[Hidden, ...]:
        """Return the state after one step."""

    def native_weights(self) -> list[list[Tensor]]:
        """Return each member's parameters as torch's kernels take them."""


def reference(
    cell: Steps, x: Float[Tensor, "E B T D"], recompute: bool = False, window: int = 0
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step, from one step after the other."""
    a = cell.project(x)
    state = cell.start(a)
    h = []
    for first, last in windows(a.shape[2], window):
        if first:
            state = tuple(part.detach() for part in state)
        for a_t in a[:, :, first:last].unbind(dim=2):
            state = cell.step(a_t, *state)
            h.append(state[0])
    return torch.stack(h, dim=2)
