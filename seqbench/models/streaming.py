r"""A sequence as it comes: one step of it at a time, with a state that is carried along.

.. math::
    s_0 = \mathrm{start}(B, T), \qquad (y_t, s_t) = \mathrm{advance}(x_t, s_{t-1})

For a recurrence the state is that of its cells; for a transformer it is the keys and values of the steps so far. What
comes out is what ``forward`` gives for the whole sequence at once, to rounding. A model says by ``streams`` whether it
can be given a sequence so; one that looks both ways can't.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.axes import Sequences
from seqbench.models.base import Model


def stream(model: Model, x: Sequences) -> Iterator[Float[Tensor, "E B C"]]:
    """Yield the outputs step by step, without a graph; raise ``BadInput`` where the model can't be streamed."""
    state = model.start(*x.shape[1:3])
    for x_t in x.unbind(dim=2):
        with torch.no_grad():
            y_t, state = model.advance(x_t, state)
        yield y_t
