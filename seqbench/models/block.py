r"""Residual blocks whose mixer is a recurrent cell: the block of a transformer with the memory of an LSTM.

.. math::
    x &\leftarrow x + \mathrm{Cell}(\mathrm{norm}(x)) \\
    x &\leftarrow x + \mathrm{MLP}(\mathrm{norm}(x)), \qquad
    \mathrm{MLP}(x) = \mathrm{gelu}(x W_1 + b_1) W_2 + b_2

Cell gives the h of an LSTM, a GRU or a plain recurrent network at every step, whose equations are on pages of their
own; h is as wide as the stream x. A recurrent network by itself is one such cell and a readout, a transformer is a
stream with norms and feed-forward nets: beside both, this model tells the effect of the block from that of the memory.

Source: Radford et al. (2019) for the block; its mixer is that of the page of the cell.
"""

from typing import Annotated, Any

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from seqbench.axes import Outputs, Sequences
from seqbench.errors import unknown
from seqbench.models.base import Cell
from seqbench.models.gru import GRUCell
from seqbench.models.lstm import LSTMCell
from seqbench.models.residual import Mixer, Place, Residual
from seqbench.models.rnn import RNNCell
from seqbench.random import Keys
from seqbench.scan import choose_scan, scan
from seqbench.scan.reference import Step, iterate_steps
from seqbench.values.options import OneOf

CELLS: dict[str, type[Cell]] = {"lstm": LSTMCell, "gru": GRUCell, "rnn": RNNCell}


class CellMixer(Mixer):
    """A recurrent cell as wide as the stream."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Float[Tensor, "E B T H"], answers: int) -> Float[Tensor, "E B A H"]:
        """Return h at the last ``answers`` steps."""
        return scan(self.cell, x, self.requested_scan, self.recompute)[:, :, -answers:]

    def start(self, B: int, T: int) -> tuple[Float[Tensor, "E B H"], ...]:
        """Return the state of the cell before the first step."""
        return self.cell.start(self.cell.W_x.new_empty(len(self.cell.W_x), B, 0, 0))

    def advance(
        self, x: Float[Tensor, "E B 1 H"], t: int, state: Any
    ) -> tuple[Float[Tensor, "E B 1 H"], Any]:
        """Return h at the next step, and the state of the cell after it."""
        h, *rest = self.cell.step(self.cell.project(x)[:, :, 0], *state)
        return h[:, :, None], (h, *rest)

    @property
    def scan_name(self) -> str:
        """Return the scan that runs the cell on its device."""
        return choose_scan(self.cell, self.requested_scan, self.cell.W_x.device)


class CellBlocks(Residual):
    """Residual blocks whose mixers are cells."""

    recurrent = True

    @property
    def cells(self) -> list[Cell]:
        """Return the cells, that of the first block first."""
        return [block.mixer.cell for block in self.blocks]

    def record_steps(self, x: Sequences, answers: int) -> tuple[Outputs, list[Step]]:
        """Return the outputs, and every step of the first cell, from a run of its own by the reference scan."""
        first = self.blocks[0]
        return self(x, answers), list(iterate_steps(first.mixer.cell, first.norm_1(self.embed(x))))


class ChosenCellMixer(CellMixer):
    """One of the cells that are models of their own.

    Parameters
    ----------
    mixer
        ``"lstm"``, ``"gru"`` or ``"rnn"``, with the first weights that it has in a model of its own.
    """

    def __init__(
        self,
        keys: Keys,
        place: Place,
        hidden: int,
        mixer: Annotated[
            str, OneOf("lstm", "gru", "rnn"), Field(description="the cell in which steps meet")
        ] = "lstm",
    ) -> None:
        if mixer not in CELLS:
            raise unknown("mixer", mixer, CELLS)
        super().__init__(CELLS[mixer](keys, place.name, hidden, hidden))


class ChosenCellBlocks(CellBlocks):
    """Residual blocks of an LSTM, a GRU or a plain network, two by default."""

    name = "block"
    mixer = ChosenCellMixer
