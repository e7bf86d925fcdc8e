r"""Long short-term memory as it was at first: no forget gate, the cell only adds.

.. math::
    i_t &= \sigma(x_t W_{xi} + h_{t-1} W_{hi} + b_i) \quad\text{and likewise } o_t \\
    g_t &= \tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g) \\
    c_t &= c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)

The derivative of c_t by c_{t-1} is 1, whatever the weights: the *constant error carousel*. Nothing ever leaves the
cell, so in a long stream c grows until tanh is flat.

Source: Hochreiter and Schmidhuber (1997). What differs here: tanh stands for the paper's squashing functions, g in
(-2, 2) and h in (-1, 1), which are scaled logistics; the gradient is the whole one, where the paper cuts it off
outside the carousel; each cell has gates of its own, where the paper's cells share them within a block; and the
biases start as the other models' do, where the paper starts some gates nearly shut: the output gates of its first
experiment at -1, -2 and -3, block by block, so that the net does not begin by using its cells as biases, and the input
gates of adding at -3 and -6, of temporal order at -2, -4 and so on, so that what is stored does not drift. Here
``output_bias=-2`` and ``input_bias=-3`` do that, with one value for all cells. With ``start="chrono"`` (``starts.py``)
the input gates start as those of an LSTM with a forget gate do, each cell's with a value of its own:
:math:`b_i = -\log u`, :math:`u \sim \mathcal{U}(1, T_\mathrm{max} - 1)`.
"""

from typing import Annotated

from pydantic import Field

from seqbench.axes import Gates, Hidden
from seqbench.models.base import Cell, Recurrent, affine
from seqbench.models.starts import Start, check_start, draw_chrono
from seqbench.random import Keys
from seqbench.scan.specs import CellSpec, LSTMSpec

Bias = Annotated[
    float,
    Field(
        ge=-100,
        le=100,
        description="added to the gate's first biases; below 0 it starts nearly shut",
    ),
]


class LSTM1997Cell(Cell):
    """One layer; the columns of the weights are i, g, o.

    Parameters
    ----------
    input_bias, output_bias
        What is added to the first biases of the input and of the output gates: below 0 they start nearly shut, as
        in Hochreiter and Schmidhuber (1997).
    start, longest
        ``"chrono"`` sets the first biases of the input gates by the steps that the model has to bridge, ``longest``;
        then ``input_bias`` must be left out.
    """

    gates = 3
    parts = 2

    def __init__(
        self,
        keys: Keys,
        layer: str,
        inputs: int,
        hidden: int,
        input_bias: Bias = 0.0,
        output_bias: Bias = 0.0,
        start: Start = "uniform",
        longest: int | None = None,
    ) -> None:
        super().__init__(keys, layer, inputs, hidden)
        b_i, _, b_o = self.b.detach().chunk(3, dim=-1)  # views: the cell's own biases
        bridge = check_start(start, longest, input_bias=input_bias != 0)
        if bridge is None:
            b_i += input_bias
        else:
            b_i.copy_(-draw_chrono(keys, layer, hidden, bridge))
        b_o += output_bias

    def kernel_spec(self) -> CellSpec:
        """Return what the scans know it as."""
        return LSTMSpec(forget=False)

    def step(self, a: Gates, h: Hidden, c: Hidden) -> tuple[Hidden, Hidden]:
        """Return h_t and c_t."""
        i, g, o = affine(h, self.W_h, a).chunk(3, dim=-1)
        c = c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, c


class LSTM1997(Recurrent):
    """LSTM without a forget gate."""

    name = "lstm_1997"
    cell = LSTM1997Cell
