r"""Long short-term memory with a forget gate and no peepholes.

.. math::
    i_t &= \sigma(x_t W_{xi} + h_{t-1} W_{hi} + b_i) \quad\text{and likewise } f_t, o_t \\
    g_t &= \tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)

Source: Hochreiter and Schmidhuber (1997) with the forget gate of Gers, Schmidhuber and Cummins (2000). One bias a
gate; ``torch.nn.LSTM`` has two. The biases start at random, those of the forget gate higher by ``forget_bias``, or with
``start="chrono"`` by the steps that the model has to bridge (Tallec and Ollivier, 2018; ``starts.py``):
:math:`b_f = \log u` with :math:`u \sim \mathcal{U}(1, T_\mathrm{max} - 1)`, and :math:`b_i = -b_f`.
"""

from collections.abc import Callable
from typing import Any

import torch

from seqbench.axes import Gates, Hidden
from seqbench.models.base import Cell, Recurrent, affine
from seqbench.models.starts import ForgetBias, Start, check_start, draw_chrono
from seqbench.random import Keys
from seqbench.scan.specs import CellSpec, LSTMSpec

FORGET_BIAS = 1.0  # remember by default (Jozefowicz, Zaremba and Sutskever, 2015)


class LSTMCell(Cell):
    """One layer; the columns of the weights are i, f, g, o.

    Parameters
    ----------
    forget_bias
        What is added to the first biases of the forget gate.
    start, longest
        ``"chrono"`` sets the first biases of forget and input gate by the steps that the model has to bridge,
        ``longest``; then ``forget_bias`` must be left out.
    """

    gates = 4
    parts = 2
    native_on_cpu = True

    def __init__(
        self,
        keys: Keys,
        layer: str,
        inputs: int,
        hidden: int,
        forget_bias: ForgetBias = FORGET_BIAS,
        start: Start = "uniform",
        longest: int | None = None,
    ) -> None:
        super().__init__(keys, layer, inputs, hidden)
        b_i, b_f, *_ = self.b.detach().split(hidden, dim=-1)  # views: the cell's own biases
        bridge = check_start(start, longest, forget_bias=forget_bias != FORGET_BIAS)
        if bridge is None:
            b_f += forget_bias
        else:
            b_f.copy_(draw_chrono(keys, layer, hidden, bridge))
            b_i.copy_(-b_f)

    def torch_kernel(self) -> Callable[..., Any] | None:
        """Return torch's kernel."""
        return torch.lstm

    def kernel_spec(self) -> CellSpec:
        """Return what the scans know it as."""
        return LSTMSpec()

    def step(self, a: Gates, h: Hidden, c: Hidden) -> tuple[Hidden, Hidden]:
        """Return h_t and c_t."""
        i, f, g, o = affine(h, self.W_h, a).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, c


class LSTM(Recurrent):
    """LSTM with a forget gate, as in torch."""

    name = "lstm"
    cell = LSTMCell
