"""The loop over time, as the equations say it; every other scan must agree with this one."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.axes import Gates, Hidden, Projected


@runtime_checkable
class Steps(Protocol):
    """What a scan needs to know of a cell."""

    native: Callable[..., Any] | None
    native_on_cpu: bool

    def project(self, x: Float[Tensor, "E B T D"]) -> Projected:
        """Return x_t W_x + b for every t."""

    def start(self, a: Projected) -> tuple[Hidden, ...]:
        """Return the state before the first step."""

    def step(self, a: Gates, *state: Hidden) -> tuple[Hidden, ...]:
        """Return the state after one step."""

    def native_weights(self, e: int) -> list[Tensor]:
        """Return member e's parameters as torch's kernels take them."""


def reference(cell: Steps, x: Float[Tensor, "E B T D"]) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step, from one step after the other."""
    a = cell.project(x)
    state = cell.start(a)
    h = []
    for a_t in a.unbind(dim=2):
        state = cell.step(a_t, *state)
        h.append(state[0])
    return torch.stack(h, dim=2)
