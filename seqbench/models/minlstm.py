r"""Minimal LSTM: forget and input gate see the input alone and share out 1, in residual blocks.

.. math::
    f_t &= \sigma(x_t W_f + b_f), \qquad i_t = \sigma(x_t W_i + b_i) \\
    f'_t &= \frac{f_t}{f_t + i_t}, \qquad i'_t = \frac{i_t}{f_t + i_t} \\
    \tilde h_t &= g(x_t W_h + b_h), \qquad
    g(k) = k + \tfrac12 \text{ for } k \ge 0, \text{ else } \sigma(k) \\
    h_t &= f'_t \odot h_{t-1} + i'_t \odot \tilde h_t

x is the normalised stream of a block, and h is what the block adds to it (``residual.py``); :math:`h_0` is zero, and a
state that is carried on enters the next step as it is. The shares are computed as :math:`f' = \sigma(\ln f - \ln i)`
and :math:`i' = \sigma(\ln i - \ln f)`, so that two gates that are nearly shut do not divide zero by zero.

Source: Feng et al. (2024), Were RNNs all we needed? Weights start as those of torch's linear maps.
"""

from torch import Tensor
from torch.nn import functional as F

from seqbench.models.base import Linear
from seqbench.models.diagonal import Diagonal, Projected, Steps
from seqbench.models.mingru import g
from seqbench.models.residual import Place, Residual
from seqbench.random import Keys
from seqbench.scan.minimal import MinLSTMGates


class MinLSTMMixer(Diagonal):
    """One recurrence; the columns of the weights are f, i, and the candidate."""

    gates = MinLSTMGates()

    def __init__(self, keys: Keys, place: Place, hidden: int) -> None:
        super().__init__(hidden)
        self.map = Linear(keys, f"{place.name}/map", hidden, 3 * hidden)

    def project(self, x: Steps) -> Projected:
        """Return x W + b for f, i and the candidate."""
        k: Tensor = self.map(x)
        return k

    def coefficients(self, k: Projected) -> tuple[Steps, Steps]:
        """Return f', and i' times the candidate."""
        k_f, k_i, k_h = k.chunk(3, dim=-1)
        ratio = F.logsigmoid(k_f) - F.logsigmoid(k_i)  # ln f - ln i
        return ratio.sigmoid(), (-ratio).sigmoid() * g(k_h)


class MinLSTM(Residual):
    """Minimal LSTM, two blocks by default."""

    name = "minlstm"
    mixer = MinLSTMMixer
    recurrent = True
