"""The loop over time, as the equations say it; every other scan must agree with this one."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.axes import Gates, Hidden, Projected
from seqbench.scan.specs import CellSpec
from seqbench.scan.windows import windows


@runtime_checkable  # for the type checks of the tests
class RecurrentCell(Protocol):
    """What a scan needs to know of a cell."""

    native_on_cpu: ClassVar[bool]

    @property
    def native(self) -> Callable[..., Any] | None:  # torch's kernels have signatures of their own
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


class Step(NamedTuple):
    """One step of a cell: its projected input ``a``, and the state before and after it."""

    a: Gates
    before: tuple[Hidden, ...]
    after: tuple[Hidden, ...]


def iterate_steps(
    cell: RecurrentCell, x: Float[Tensor, "E B T D"], window: int = 0
) -> Iterator[Step]:
    """Run a cell over a sequence, and yield every step that it takes."""
    a = cell.project(x)
    state = cell.start(a)
    for first, last in windows(a.shape[2], window):
        if first:
            state = tuple(part.detach() for part in state)
        for a_t in a[:, :, first:last].unbind(dim=2):
            before, state = state, cell.step(a_t, *state)
            yield Step(a_t, before, state)


def run_reference(
    cell: RecurrentCell, x: Float[Tensor, "E B T D"], recompute: bool = False, window: int = 0
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step, from one step after the other."""
    return torch.stack([step.after[0] for step in iterate_steps(cell, x, window)], dim=2)
