r"""Long short-term memory without an output gate: what the cell holds is always shown.

.. math::
    i_t &= \sigma(x_t W_{xi} + h_{t-1} W_{hi} + b_i) \quad\text{and likewise } f_t \\
    g_t &= \tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= \tanh(c_t)

It has as many gates as a GRU, so the two can be told apart: in a GRU one gate both forgets and lets in, another resets,
and no tanh stands between the state and what is shown of it.

Source: the variant NOG of Greff et al. (2017), but for their peepholes.

The scans run it as an LSTM whose output gate stands open: with a bias of 100 and no weights it is 1 to the last bit,
and its derivative 0. A step takes the time of an LSTM's, since a fourth block of columns is multiplied.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from seqbench.axes import Gates, Hidden
from seqbench.models.base import Recurrent, affine
from seqbench.models.lstm import LSTMCell
from seqbench.scan.specs import CellSpec, LSTMSpec

OPEN = 100.0  # σ(100) = 1 in float64, too


class NoOutputCell(LSTMCell):
    """One layer; the columns of the weights are i, f, g."""

    gates = 3

    def torch_kernel(self) -> Callable[..., Any]:
        """Return torch's kernel."""
        return torch.lstm

    def kernel_spec(self) -> CellSpec:
        """Return what the scans know it as."""
        return LSTMSpec()

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, None]:
        """Return W_x, b and W_h with the columns of an output gate that stands open."""
        H = self.W_h.shape[1]
        return pad(self.W_x, (0, H)), pad(self.b, (0, H), value=OPEN), pad(self.W_h, (0, H)), None

    def step(self, a: Gates, h: Hidden, c: Hidden) -> tuple[Hidden, Hidden]:
        """Return h_t and c_t."""
        i, f, g = affine(h, self.W_h, a).chunk(3, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return c.tanh(), c


class NoOutputLSTM(Recurrent):
    """LSTM with a forget gate and no output gate."""

    name = "lstm_no_output"
    cell = NoOutputCell
