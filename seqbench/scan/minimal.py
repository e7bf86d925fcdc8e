r"""The gates of minimal GRU and minimal LSTM, with their derivatives written out (``scan/diagonal.py``).

.. math::
    g(k) &= k + \tfrac12 \text{ for } k > 0, \text{ else } \sigma(k),
        &&g'(k) = 1 \text{ or } g (1 - g) \\
    \bar z &= \bar b \odot g - \bar a,
        &&\bar k_z = \bar z \odot z\, (1 - z), \quad \bar k_h = \bar b \odot z \odot g'(k_h) \\
    \bar r &= (\bar a - \bar b \odot g) \odot f' i',
        &&\bar k_f = \bar r\, (1 - \sigma(k_f)), \quad \bar k_i = -\bar r\, (1 - \sigma(k_i)), \quad
        \bar k_h = \bar b \odot i' \odot g'(k_h)

The second line is of the minimal GRU, :math:`a = 1 - z` and :math:`b = z g(k_h)`; the third is of the minimal LSTM,
:math:`a = f' = \sigma(r)` and :math:`b = i' g(k_h)`, where :math:`r = \ln \sigma(k_f) - \ln \sigma(k_i)` and
:math:`i' = 1 - f'`.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from seqbench.scan.diagonal import DiagonalGates
from seqbench.scan.ensemble.parts import slope


def positive(k: Tensor) -> Tensor:
    """Return g(k)."""
    return k.clamp(max=0).sigmoid_().add_(k.relu())


def positive_slope(k: Tensor, g: Tensor) -> Tensor:
    """Return the derivative of g(k), from k and g(k)."""
    return slope(g).masked_fill_(k > 0, 1.0)


class MinGRUGates(DiagonalGates):
    """Minimal GRU: the columns of k are z, and the candidate."""

    blocks = 2

    def forward(self, k: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return 1 - z and z times the candidate."""
        k_z, k_h = k.chunk(2, dim=-1)
        z, g = k_z.sigmoid(), positive(k_h)
        return 1 - z, z * g, (z, g, k_h)

    def backward(
        self, a: Tensor, kept: tuple[Tensor, ...], da: Tensor, db: Tensor, dk: Tensor
    ) -> None:
        """Write the derivative by k."""
        z, g, k_h = kept
        dk_z, dk_h = dk.chunk(2, dim=-1)
        torch.mul(torch.addcmul(da, db, g, value=-1), slope(z).neg_(), out=dk_z)
        torch.mul(positive_slope(k_h, g).mul_(z), db, out=dk_h)


class MinLSTMGates(DiagonalGates):
    """Minimal LSTM: the columns of k are f, i, and the candidate."""

    blocks = 3

    def forward(self, k: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return f', and i' times the candidate."""
        k_f, k_i, k_h = k.chunk(3, dim=-1)
        share = (F.logsigmoid(k_f) - F.logsigmoid(k_i)).sigmoid_()
        rest, g = 1 - share, positive(k_h)
        return share, rest * g, (rest, g, k)

    def backward(
        self, a: Tensor, kept: tuple[Tensor, ...], da: Tensor, db: Tensor, dk: Tensor
    ) -> None:
        """Write the derivative by k."""
        rest, g, k = kept
        H = g.shape[-1]
        dk_f, dk_i, dk_h = dk.chunk(3, dim=-1)
        dr = torch.addcmul(da, db, g, value=-1).mul_(a).mul_(rest)
        shut_f, shut_i = k[..., : 2 * H].neg().sigmoid_().chunk(2, dim=-1)
        torch.mul(dr, shut_f, out=dk_f)
        torch.mul(dr.neg_(), shut_i, out=dk_i)
        torch.mul(positive_slope(k[..., 2 * H :], g).mul_(rest), db, out=dk_h)
