r"""Linear recurrent unit: a diagonal recurrence of complex numbers without any gate, in residual blocks.

.. math::
    \lambda &= \exp(-e^{\nu} + \mathrm{i}\, e^{\theta}) \\
    h_t &= \lambda \odot h_{t-1} + e^{\gamma} \odot (x_t B) \\
    y_t &= \mathrm{Re}(h_t C) + D \odot x_t

x is the normalised stream of a block, and y is what the block adds to it (``residual.py``). B and C are complex, and h
has as many complex numbers as the stream has real ones. Since :math:`e^\nu` is positive, :math:`|\lambda| < 1`. What is
nonlinear is the feed-forward net of the block; in the paper it is a gated linear unit of one layer.

The recurrence starts with :math:`\lambda` spread evenly over a ring of the complex plane,
:math:`|\lambda|^2 \sim \mathcal{U}(r_\mathrm{min}^2, r_\mathrm{max}^2)` and
:math:`\arg \lambda \sim \mathcal{U}(0, \phi_\mathrm{max})` (``max_phase``), and with
:math:`e^\gamma = \sqrt{1 - |\lambda|^2}`, which keeps the size of h whatever :math:`\lambda` is. Real and imaginary
parts start as normal numbers of variance :math:`1 / (2H)` in B and :math:`1 / H` in C; D starts as standard normal
numbers.

Source: Orvieto et al. (2023), Resurrecting recurrent neural networks for long sequences.
"""

from math import pi
from typing import Annotated

import torch
from jaxtyping import Complex
from pydantic import Field
from torch import Tensor, nn

from seqbench.errors import BadInput
from seqbench.models.diagonal import Diagonal, Steps
from seqbench.models.residual import Place, Residual
from seqbench.models.starts import draw_normal
from seqbench.random import Keys

States = Complex[Tensor, "E T B H"]


class LRUMixer(Diagonal):
    """One recurrence; B is (E, H, H, 2) and C is (E, H, 2, H), with real and imaginary parts side by side.

    Parameters
    ----------
    r_min, r_max, max_phase
        The ring that the first λ are spread over.
    """

    def __init__(
        self,
        keys: Keys,
        place: Place,
        hidden: int,
        r_min: Annotated[float, Field(ge=0, lt=1, description="least first size of λ")] = 0.0,
        r_max: Annotated[float, Field(gt=0, le=1, description="largest first size of λ")] = 1.0,
        max_phase: Annotated[
            float, Field(gt=0, le=6.2832, description="largest first angle of λ, in radians")
        ] = 6.28,
    ) -> None:
        super().__init__(hidden)
        if not 0 <= r_min < r_max <= 1:
            raise BadInput(
                f"no λ lies between r_min {r_min} and r_max {r_max}; choose 0 <= r_min < r_max <= 1"
            )
        if not 0 < max_phase <= 2 * pi + 1e-3:
            raise BadInput(f"max_phase {max_phase} is no angle; choose from above 0 to 2π")
        square = r_min**2 + (r_max**2 - r_min**2) * draw_inside(
            keys, f"{place.name}/radius", hidden
        )
        self.nu = parameter((-square.log() / 2).log())
        self.theta = parameter((max_phase * draw_inside(keys, f"{place.name}/phase", hidden)).log())
        self.gamma = parameter((-square).log1p() / 2)
        self.B = parameter(
            draw_normal(keys, f"{place.name}/B", hidden, hidden, 2), (2 * hidden) ** -0.5
        )
        self.C = parameter(draw_normal(keys, f"{place.name}/C", hidden, 2, hidden), hidden**-0.5)
        self.D = parameter(draw_normal(keys, f"{place.name}/D", 1, 1, hidden))

    def project(self, x: Steps) -> States:
        """Return the input to each unit."""
        B = self.B * self.gamma.exp()[:, None, :, None]
        b = (x.flatten(1, 2) @ B.flatten(2)).unflatten(-1, (-1, 2))
        wide = b.to(torch.promote_types(b.dtype, torch.float32))  # no complex number is narrower
        return torch.view_as_complex(wide).unflatten(1, x.shape[1:3])

    def coefficients(self, k: States) -> tuple[Complex[Tensor, "E 1 1 H"], States]:
        """Return λ, and the input to each unit."""
        eigenvalues = torch.polar((-self.nu.exp()).exp(), self.theta.exp())
        return eigenvalues[:, None, None], k

    def read(self, h: States, x: Steps) -> Steps:
        """Return the real part of h C, and D x."""
        parts = torch.view_as_real(h).flatten(-2).flatten(1, 2)
        real, imaginary = self.C.unbind(dim=2)
        C = torch.stack([real, -imaginary], dim=2)
        return (parts @ C.flatten(1, 2)).unflatten(1, x.shape[1:3]) + self.D * x

    def start(self, B: int, T: int) -> Complex[Tensor, "E B H"]:
        """Return the state before the first step: zeros."""
        zeros = self.nu.new_zeros(len(self.nu), B, self.hidden)
        return torch.complex(zeros, zeros)


def draw_inside(keys: Keys, name: str, hidden: int) -> Tensor:
    """Return numbers (E, H) spread evenly between 0 and 1, neither of which is drawn, in float64."""
    return keys.uniform(name, hidden).double() + 2.0**-25  # in the middle of steps of 2**-24


def parameter(start: Tensor, factor: float = 1.0) -> nn.Parameter:
    """Return a parameter with these first values, rounded once."""
    return nn.Parameter((factor * start).float())


class LRU(Residual):
    """Linear recurrent unit, two blocks by default."""

    name = "lru"
    mixer = LRUMixer
    recurrent = True
