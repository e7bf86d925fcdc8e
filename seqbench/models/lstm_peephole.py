r"""Long short-term memory whose gates see the cell through peepholes.

.. math::
    i_t &= \sigma(x_t W_{xi} + h_{t-1} W_{hi} + p_i \odot c_{t-1} + b_i) \quad\text{and likewise } f_t \\
    g_t &= \tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    o_t &= \sigma(x_t W_{xo} + h_{t-1} W_{ho} + p_o \odot c_t + b_o) \\
    h_t &= o_t \odot \tanh(c_t)

A gate of the plain LSTM is told of the cell only by h, and a closed output gate hides even that. Here each gate looks
at its own cell: i and f at the old value, o at the new one.

Source: Gers and Schmidhuber (2000); Gers, Schraudolph and Schmidhuber (2002). The peepholes start at zero, so that the
network starts as the plain LSTM; c has no bound, and a random peephole on a large c would shut its gate before
anything is learned. The gradient is the whole one: the papers cut it off behind the peepholes.
"""

from typing import Any

from torch import Tensor, nn

from seqbench.axes import Gates, Hidden
from seqbench.models.base import Recurrent, affine
from seqbench.models.lstm import LSTMCell
from seqbench.random import Keys
from seqbench.scan.specs import CellSpec, LSTMSpec


class PeepholeCell(LSTMCell):
    """One layer; the columns of the weights are i, f, g, o, the rows of p are i, f, o; options as the LSTM's."""

    def __init__(self, keys: Keys, layer: str, inputs: int, hidden: int, **options: Any) -> None:
        super().__init__(keys, layer, inputs, hidden, **options)
        self.p = nn.Parameter(self.b.new_zeros(len(keys), 3, hidden))

    def kernel_spec(self) -> CellSpec:
        """Return what the scans know it as."""
        return LSTMSpec(peepholes=True)

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return W_x, b, W_h and p."""
        return self.W_x, self.b, self.W_h, self.p

    def step(self, a: Gates, h: Hidden, c: Hidden) -> tuple[Hidden, Hidden]:
        """Return h_t and c_t."""
        i, f, g, o = affine(h, self.W_h, a).chunk(4, dim=-1)
        p_i, p_f, p_o = self.p[:, :, None].unbind(dim=1)  # (E, 1, H)
        c = (f + p_f * c).sigmoid() * c + (i + p_i * c).sigmoid() * g.tanh()
        h = (o + p_o * c).sigmoid() * c.tanh()
        return h, c


class PeepholeLSTM(Recurrent):
    """LSTM with a forget gate and peepholes."""

    name = "lstm_peephole"
    cell = PeepholeCell
