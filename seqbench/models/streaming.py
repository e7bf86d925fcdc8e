r"""A sequence as it comes: one step of it at a time, with a state that is carried along.

.. math::
    s_0 = \mathrm{start}(B, T), \qquad (y_t, s_t) = \mathrm{advance}(x_t, s_{t-1})

For a recurrence the state is that of its cells; for a transformer it is the keys and values of the steps so far. What
comes out is what ``forward`` gives for the whole sequence at once, to rounding. A model that lacks the two methods, or
that looks both ways, can't be streamed.
"""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.axes import Sequences


@runtime_checkable
class Streamed(Protocol):
    """A model that can be given its input step by step."""

    def start(self, B: int, T: int) -> Any:
        """Return the state before the first of at most T steps, for B sequences a member."""

    def advance(self, x: Float[Tensor, "E B *D"], state: Any) -> tuple[Float[Tensor, "E B C"], Any]:
        """Return the outputs at the next step, and the state after it; the old state is not used again."""


def stream(model: Streamed, x: Sequences) -> Iterator[Float[Tensor, "E B C"]]:
    """Yield the outputs step by step, without a graph."""
    state = model.start(*x.shape[1:3])
    for x_t in x.unbind(dim=2):
        with torch.no_grad():
            y_t, state = model.advance(x_t, state)
        yield y_t
