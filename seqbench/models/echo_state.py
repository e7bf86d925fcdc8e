r"""An echo state network: a plain recurrent network that stays as it was drawn, under a readout that is trained.

.. math::
    h_t = (1 - \alpha)\, h_{t-1} + \alpha \tanh(x_t W_x + h_{t-1} W_h + b), \qquad
    W_h \leftarrow \frac{\rho}{\max_i |\lambda_i(W_h)|}\, W_h, \qquad y_t = h_t W + b_y

W_x, W_h and b are drawn as those of ``rnn`` and frozen; W and b_y alone are trained. W_h is scaled, so that its
largest eigenvalue has the size :math:`\rho` (``radius``): below 1 a state fades, and the closer to 1, the longer what
came in still echoes. With :math:`\alpha < 1` (``leak``) a state moves slowly; by default it is 1.

It is the baseline of what recurrence remembers that nobody trained. The frozen numbers count among the parameters to
which its size is matched, as they do its work.

Source: Jaeger (2001), The "echo state" approach to analysing and training recurrent neural networks, who solves for
the readout by least squares; here it is trained as the other models are. The leak is of Jaeger et al. (2007).
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from seqbench.axes import Gates, Hidden, Outputs, Sequences
from seqbench.errors import BadInput
from seqbench.models.base import Recurrent, affine
from seqbench.models.rnn import RNNCell
from seqbench.random import Keys
from seqbench.scan.specs import CellSpec


class EchoCell(RNNCell):
    """One layer, which is not trained.

    Parameters
    ----------
    radius
        The spectral radius of W_h, the size of its largest eigenvalue.
    leak
        The share of a state that is new at a step; below 1 only the loop over the steps runs it.
    """

    def __init__(
        self,
        keys: Keys,
        layer: str,
        inputs: int,
        hidden: int,
        radius: Annotated[
            float, Field(gt=0, le=100, description="size of the largest eigenvalue of W_h")
        ] = 0.95,
        leak: Annotated[
            float, Field(gt=0, le=1, description="share of a state that is new at a step")
        ] = 1.0,
    ) -> None:
        super().__init__(keys, layer, inputs, hidden)
        if radius <= 0:
            raise BadInput(f"radius {radius} is no size of an eigenvalue; choose one above 0")
        if not 0 < leak <= 1:
            raise BadInput(f"leak {leak} is no share of a state; choose from above 0 to 1")
        self.leak = leak
        self.requires_grad_(False)
        self.W_h.copy_(scale_radius(self.W_h, radius))

    def torch_kernel(self) -> Callable[..., Any] | None:
        """Return torch's kernel, which has no leak."""
        return super().torch_kernel() if self.leak == 1 else None

    def kernel_spec(self) -> CellSpec | None:
        """Return what the scans know it as: a plain network, if it has no leak."""
        return super().kernel_spec() if self.leak == 1 else None

    def step(self, a: Gates, h: Hidden) -> tuple[Hidden]:
        """Return h_t."""
        return ((1 - self.leak) * h + self.leak * affine(h, self.W_h, a).tanh(),)


def scale_radius(W_h: Tensor, radius: float) -> Tensor:
    """Return matrices (E, H, H) of this spectral radius, found in float64 on the CPU, whatever the device."""
    W = W_h.cpu().double()
    now = torch.linalg.eigvals(W).abs().amax(dim=-1)
    return (W * (radius / now)[:, None, None]).to(W_h)


class EchoState(Recurrent):
    """Echo state network: fixed recurrence, trained readout."""

    name = "echo_state"
    cell = EchoCell

    def forward_with_states(
        self, x: Sequences, answers: int
    ) -> tuple[Outputs, dict[str, Sequence[Tensor]]]:
        """Return the outputs and the states of the lowest layer, through which a gradient reaches the input alone."""
        return super().forward_with_states(x.clone().requires_grad_(), answers)
