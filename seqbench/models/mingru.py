r"""Minimal GRU: gate and candidate see the input alone, in residual blocks.

.. math::
    z_t &= \sigma(x_t W_z + b_z) \\
    \tilde h_t &= g(x_t W_h + b_h), \qquad
    g(k) = k + \tfrac12 \text{ for } k \ge 0, \text{ else } \sigma(k) \\
    h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot \tilde h_t

x is the normalised stream of a block, and h is what the block adds to it (``residual.py``); :math:`h_0` is zero. Since
no gate waits for the state, all of them are computed at once, and a step is left with a product and a sum a unit
(``scan/diagonal.py``). g keeps the states positive: the paper computes their logarithms, here they are computed
themselves.

Source: Feng et al. (2024), Were RNNs all we needed? Weights start as those of torch's linear maps.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.models.base import Linear
from seqbench.models.diagonal import Diagonal, Projected, Steps
from seqbench.models.residual import Place, Residual
from seqbench.random import Keys
from seqbench.scan.minimal import MinGRUGates


def g(k: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return k + 1/2 where k is positive, and its sigmoid elsewhere: a positive number that grows with k."""
    return torch.relu(k) + k.clamp(max=0).sigmoid()


class MinGRUMixer(Diagonal):
    """One recurrence; the columns of the weights are z, and the candidate."""

    gates = MinGRUGates()

    def __init__(self, keys: Keys, place: Place, hidden: int) -> None:
        super().__init__(hidden)
        self.map = Linear(keys, f"{place.name}/map", hidden, 2 * hidden)

    def project(self, x: Steps) -> Projected:
        """Return x W + b for z and the candidate."""
        k: Tensor = self.map(x)
        return k

    def coefficients(self, k: Projected) -> tuple[Steps, Steps]:
        """Return 1 - z and z times the candidate."""
        k_z, k_h = k.chunk(2, dim=-1)
        z = k_z.sigmoid()
        return 1 - z, z * g(k_h)


class MinGRU(Residual):
    """Minimal GRU, two blocks by default."""

    name = "mingru"
    mixer = MinGRUMixer
    recurrent = True
