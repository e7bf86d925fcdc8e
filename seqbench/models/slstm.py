r"""sLSTM: a long short-term memory whose input gate is an exponential, in residual blocks.

.. math::
    \tilde i_t &= x_t W_{xi} + h_{t-1} W_{hi} + b_i \quad\text{and likewise } \tilde f_t, \tilde z_t, \tilde o_t \\
    m_t &= \max(\tilde i_t,\; \ln \sigma(\tilde f_t) + m_{t-1}) \\
    i_t &= e^{\tilde i_t - m_t}, \qquad f_t = e^{\ln \sigma(\tilde f_t) + m_{t-1} - m_t} \\
    c_t &= f_t \odot c_{t-1} + i_t \odot \tanh \tilde z_t \\
    n_t &= f_t \odot n_{t-1} + i_t \\
    h_t &= \sigma(\tilde o_t) \odot c_t / n_t

x is the normalised stream of a block, and h is what the block adds to it (``residual.py``). An input gate without an
upper end can outweigh all that was stored before. c / n is a mean of what was let in, weighted by the gates; m cancels
there, and keeps the exponentials from overflowing. It starts at :math:`-\infty`, the other parts of the state at 0.

W_h and all biases but one start at zero, W_x as normal numbers of variance :math:`2 / (5 D)`. That of the forget gate
falls from 5 to -7 over the H units, by a power of which the first block has .3 and the last one 1.6, with r from 0 to 1
over the blocks:

.. math::
    b_{f,j} = 5 - 12 \left(\frac{j}{H - 1}\right)^{.3 + 1.3 r}, \qquad j = 0, \ldots, H - 1

Source: Beck et al. (2024), whose cell has several heads, and around it a short convolution and a norm. Here it has one
head, and the block is that of the other models.
"""

from math import sqrt

import torch
from torch.nn import functional as F

from seqbench.axes import Gates, Hidden, Projected
from seqbench.models.base import Cell, affine
from seqbench.models.block import CellBlocks, CellMixer
from seqbench.models.residual import Place
from seqbench.models.starts import draw_normal
from seqbench.random import Keys


class SLSTMCell(Cell):
    """One layer; the columns of the weights are i, f, z, o, the parts of the state h, c, n, m.

    Parameters
    ----------
    depth
        0 in the first of several blocks, 1 in the last; the first biases of the forget gate depend on it.
    """

    gates = 4
    parts = 4

    def __init__(
        self, keys: Keys, layer: str, inputs: int, hidden: int, depth: float = 0.0
    ) -> None:
        super().__init__(keys, layer, inputs, hidden)
        W_x = draw_normal(keys, f"{layer}/W_x", inputs, 4 * hidden) * sqrt(2 / (5 * inputs))
        j = torch.arange(hidden, dtype=torch.float64, device=keys.seed.device)
        _, b_f, *_ = self.b.detach().split(hidden, dim=-1)  # a view: the cell's own biases
        with torch.no_grad():
            self.W_x.copy_(W_x)
            self.W_h.zero_()
            self.b.zero_()
        b_f.copy_(5 - 12 * (j / max(1, hidden - 1)) ** (0.3 + 1.3 * depth))

    def start(self, a: Projected) -> tuple[Hidden, ...]:
        """Return the state before the first step."""
        h, c, n, m = super().start(a)
        return h, c, n, torch.full_like(m, -torch.inf)

    def step(
        self, a: Gates, h: Hidden, c: Hidden, n: Hidden, m: Hidden
    ) -> tuple[Hidden, Hidden, Hidden, Hidden]:
        """Return h_t, c_t, n_t and m_t."""
        i, f, z, o = affine(h, self.W_h, a).chunk(4, dim=-1)
        kept = F.logsigmoid(f) + m
        m = torch.maximum(i, kept)
        i, f = (i - m).exp(), (kept - m).exp()
        c = f * c + i * z.tanh()
        n = f * n + i
        return o.sigmoid() * c / n, c, n, m


class SLSTMMixer(CellMixer):
    """One sLSTM cell."""

    def __init__(self, keys: Keys, place: Place, hidden: int) -> None:
        super().__init__(SLSTMCell(keys, place.name, hidden, hidden, place.depth))


class SLSTM(CellBlocks):
    """sLSTM, two blocks by default."""

    name = "slstm"
    mixer = SLSTMMixer
