r"""A net that reads symbols through a learned embedding.

.. math::
    u_t = x_t W, \qquad y_t = \mathrm{net}(u_1, \ldots, u_t)

x is one-hot, V numbers a step, of which one is 1: it picks its row of W, the W features of its symbol. A matrix that
reads V symbols is then the same small table for every net, and the net's own first weights do not grow with V.

A row starts with a length of about 1, as a one-hot vector has: its numbers are spread evenly within
:math:`\pm\sqrt{3 / W}`, whose squares are 1 / W in the mean.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput
from seqbench.models.base import Cell, Model, uniform
from seqbench.random import Keys
from seqbench.scan.reference import Step


class Embedding(nn.Module):
    """A table of features, a row for each symbol."""

    def __init__(self, keys: Keys, symbols: int, width: int) -> None:
        super().__init__()
        self.W = uniform(keys, "embedding/W", symbols, width, bound=sqrt(3 / width))

    def forward(self, x: Float[Tensor, "E *K V"]) -> Float[Tensor, "E *K W"]:
        """Return the rows of one-hot symbols, whatever lies between the last axis and the member axis."""
        return (x.flatten(1, -2) @ self.W).unflatten(1, x.shape[1:-1])


class Embedded(Model):
    """An embedding, and a net that reads its features in place of the symbols.

    Where a net trains its readout alone, as an echo state network does, the embedding is frozen, too. The model is what
    its net is, with the net's name, version and abilities; instruments look at the net. The model is not in
    the catalogue: whoever builds a model puts it around one whose ``inputs`` are ``width``. Its own parameter is
    ``embedding.W``, those of the net begin with ``net.``.

    Parameters
    ----------
    keys
        The identities of the E members, those that the net was built from.
    net
        A model that reads sequences of ``width`` features.
    symbols
        V, the number of symbols.
    width
        W, the features of a symbol.

    Raises
    ------
    BadInput
        Where the net reads video, which has no symbols, or symbols or width are below 1.
    """

    def __init__(self, keys: Keys, net: Model, *, symbols: int, width: int) -> None:
        super().__init__()
        if net.reads != "sequence":
            raise BadInput(f"{net.name} reads {net.reads}, which has no symbols to embed")
        if symbols < 1 or width < 1:
            raise BadInput(
                f"an embedding of {symbols} symbols in {width} features is empty; choose 1 or more of both"
            )
        self.embedding = Embedding(keys, symbols, width)
        inner = net.list_inner()
        self.embedding.requires_grad_(not inner or any(p.requires_grad for p in inner))
        self.net = net
        self.name, self.version = net.name, net.version
        self.both_ways, self.recurrent = net.both_ways, net.recurrent
        self.attends, self.streams = net.attends, net.streams
        self.outer = ("embedding", *(f"net.{name}" for name in net.outer))

    @property
    def forward_dtype(self) -> torch.dtype | None:
        """Return the type in which net and embedding compute: a row is rounded to it before the net reads it."""
        return self.net.forward_dtype

    @forward_dtype.setter
    def forward_dtype(self, dtype: torch.dtype | None) -> None:
        self.net.forward_dtype = dtype

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs of the net at the last ``answers`` steps."""
        return self.net(self.embedding(x), answers)

    def start(self, B: int, T: int) -> Any:  # as the net's
        """Return the state of the net before the first step."""
        return self.net.start(B, T)

    def advance(self, x: Float[Tensor, "E B V"], state: Any) -> tuple[Float[Tensor, "E B C"], Any]:
        """Return the outputs at the next step, and the state of the net after it."""
        return self.net.advance(self.embedding(x), state)

    def state_size(self, T: int) -> int | None:
        """Return the size of the net's state."""
        return self.net.state_size(T)

    def use_scan(self, how: str, recompute: bool = False) -> None:
        """Run the recurrences of the net by this scan from now on."""
        super().use_scan(how, recompute)
        self.net.use_scan(how, recompute)

    @property
    def scan_name(self) -> str:
        """Return the scan that runs the net."""
        return self.net.scan_name

    @property
    def cells(self) -> list[Cell]:
        """Return the layers of recurrence of the net."""
        return self.net.cells

    def record_steps(self, x: Sequences, answers: int) -> tuple[Outputs, list[Step]]:
        """Return the outputs, and every step of the net's first cell."""
        return self.net.record_steps(self.embedding(x), answers)

    def forward_with_states(
        self, x: Sequences, answers: int
    ) -> tuple[Outputs, dict[str, Sequence[Tensor]]]:
        """Return the outputs, and what a gradient passes through within the net; its input is the embedded one."""
        return self.net.forward_with_states(self.embedding(x), answers)

    def attend(self, x: Sequences, answers: int) -> Float[Tensor, "E B M A T"]:
        """Return the attention weights of the net."""
        return self.net.attend(self.embedding(x), answers)
