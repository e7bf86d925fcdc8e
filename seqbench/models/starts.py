r"""How gates and recurrent weights start, where they do not start as all other weights.

Gates, by the steps that the model has to bridge (``start="chrono"``):

.. math::
    u \sim \mathcal{U}(1, T_\mathrm{max} - 1), \qquad b_f = \log u, \qquad b_i = -b_f

A forget gate with this bias, and no input, keeps :math:`\sigma(b_f) = u / (1 + u)` of the state a step, and so
remembers for about 1 + u steps. The units of a layer then cover all times up to :math:`T_\mathrm{max}`, the steps that
the model has to bridge (``longest``). Where that is below 3 no times lie between 1 and :math:`T_\mathrm{max} - 1`:
the upper end is taken as 1, and every such bias is 0.

Recurrent weights, as an orthogonal matrix (``start="orthogonal"``): the Q of a matrix of normal numbers, its columns
turned so that the diagonal of R is positive. It is then any orthogonal matrix with equal chance (Mezzadri, 2007).

Source: Tallec and Ollivier (2018), Can recurrent neural networks warp time?, for gates; Saxe, McClelland and Ganguli
(2014) for orthogonal weights.
"""

from math import pi
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from seqbench.errors import BadInput, unknown
from seqbench.random import Keys
from seqbench.values.options import OneOf

STARTS = ("uniform", "chrono")

ForgetBias = Annotated[
    float,
    Field(
        ge=-100, le=100, description="added to the first biases of the gate that keeps the state"
    ),
]
Start = Annotated[
    str,
    OneOf("uniform", "chrono"),
    Field(description="the first biases of the gates; chrono: by the steps to bridge"),
]


def check_start(start: str, longest: int | None, **replaced: bool) -> int | None:
    """Return the steps to bridge, by which the biases start, or None where they start as the other weights do.

    Parameters
    ----------
    start, longest
        The options of a cell.
    replaced
        By name, whether an option that sets the same biases has another value than its default.

    Raises
    ------
    BadInput
        Where there is no such start, where ``chrono`` lacks ``longest``, and where another option sets the same biases.
    """
    if start not in STARTS:
        raise unknown("start", start, STARTS)
    if start == "uniform":
        return None
    if longest is None:
        raise BadInput("start 'chrono' needs 'longest', the steps that the model has to bridge")
    if longest < 1:
        raise BadInput(f"longest {longest} is no number of steps to bridge; choose 1 or more")
    for option in (name for name, given in replaced.items() if given):
        raise BadInput(f"start 'chrono' sets the biases that '{option}' is about; leave one out")
    return longest


def draw_chrono(keys: Keys, layer: str, hidden: int, longest: int) -> Float[Tensor, "E 1 H"]:
    """Return log u for every unit of a layer, each member's drawn from its own stream."""
    u = keys.uniform(f"{layer}/chrono", 1, hidden, low=1.0, high=float(max(longest - 1, 1)))
    return u.double().log().float()  # rounded once, so that it hardly depends on the machine


def draw_normal(keys: Keys, name: str, *shape: int) -> Float[Tensor, "E ..."]:
    """Return normal numbers in float64, by the method of Box and Muller."""
    u, v = keys.uniform(name, 2, *shape).double().unbind(dim=1)
    return (-2 * torch.log1p(-u)).sqrt() * (2 * pi * v).cos()


def draw_orthogonal(keys: Keys, name: str, hidden: int) -> Float[Tensor, "E H H"]:
    """Return an orthogonal matrix for each member, found in float64 on the CPU, whatever the device."""
    Q, R = torch.linalg.qr(draw_normal(keys.to("cpu"), name, hidden, hidden))
    signs = R.diagonal(dim1=1, dim2=2).sign()
    return (Q * signs[:, None]).float().to(keys.seed.device)
