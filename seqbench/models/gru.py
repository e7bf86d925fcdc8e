r"""Gated recurrent unit; z keeps the old state, the reset comes after the product or before it.

.. math::
    r_t &= \sigma(x_t W_{xr} + h_{t-1} W_{hr} + b_r) \quad\text{and likewise } z_t \\
    n_t &= \tanh(x_t W_{xn} + b_n + r_t \odot (h_{t-1} W_{hn} + b_{hn})) &&\text{reset after the product} \\
    n_t &= \tanh(x_t W_{xn} + b_n + (r_t \odot h_{t-1}) W_{hn}) &&\text{reset before the product} \\
    h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

Source: Cho et al. (2014), who reset before the product and let z keep the old state. Resetting after the product is
cuDNN's and torch's variant; it alone has the second bias of n, which r multiplies. In Chung et al. (2014) z lets the
new state in: their z is our 1 - z.

The biases start at random, those of z higher by ``forget_bias``. With ``start="chrono"`` (Tallec and Ollivier, 2018;
``starts.py``) those of z start as those of a forget gate, since z keeps the old state: :math:`b_z = \log u` with
:math:`u \sim \mathcal{U}(1, T_\mathrm{max} - 1)`.
"""

from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from seqbench.axes import Gates, Hidden
from seqbench.errors import unknown
from seqbench.models.base import Cell, Recurrent, affine, uniform
from seqbench.models.starts import ForgetBias, Start, check_start, draw_chrono
from seqbench.random import Keys
from seqbench.scan.specs import CellSpec, GRUSpec
from seqbench.values.options import OneOf

RESETS = ("after", "before")


class GRUCell(Cell):
    """One layer; the columns of the weights are r, z, n.

    Parameters
    ----------
    reset
        ``"after"`` or ``"before"`` the product with W_h.
    forget_bias
        What is added to the first biases of z, which keeps the old state.
    start, longest
        ``"chrono"`` sets the first biases of z by the steps that the model has to bridge, ``longest``; then
        ``forget_bias`` must be left out.
    """

    gates = 3

    def __init__(
        self,
        keys: Keys,
        layer: str,
        inputs: int,
        hidden: int,
        reset: Annotated[
            str,
            OneOf("after", "before"),
            Field(description="whether r acts after the product with W_h"),
        ] = "after",
        forget_bias: ForgetBias = 0.0,
        start: Start = "uniform",
        longest: int | None = None,
    ) -> None:
        super().__init__(keys, layer, inputs, hidden)
        if reset not in RESETS:
            raise unknown("reset", reset, RESETS)
        self.reset = reset
        if reset == "after":
            self.b_hn = uniform(keys, f"{layer}/b_hn", 1, hidden, bound=hidden**-0.5)
        _, b_z, _ = self.b.detach().chunk(3, dim=-1)  # a view: the cell's own biases
        bridge = check_start(start, longest, forget_bias=forget_bias != 0)
        if bridge is None:
            b_z += forget_bias
        else:
            b_z.copy_(draw_chrono(keys, layer, hidden, bridge))

    def torch_kernel(self) -> Callable[..., Any] | None:
        """Return torch's kernel, which resets after the product."""
        return torch.gru if self.reset == "after" else None

    def kernel_spec(self) -> CellSpec:
        """Return what the scans know it as."""
        return GRUSpec(self.reset)

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return W_x, b, W_h and b_hn, if there is one."""
        return self.W_x, self.b, self.W_h, self.b_hn if self.reset == "after" else None

    def step(self, a: Gates, h: Hidden) -> tuple[Hidden]:
        """Return h_t."""
        H = h.shape[-1]
        W_hrz, W_hn = self.W_h.split((2 * H, H), dim=-1)
        a_rz, a_n = a.split((2 * H, H), dim=-1)
        r, z = affine(h, W_hrz, a_rz).sigmoid().chunk(2, dim=-1)
        if self.reset == "after":
            n = torch.tanh(a_n + r * affine(h, W_hn, self.b_hn))
        else:
            n = torch.tanh(affine(r * h, W_hn, a_n))
        return ((1 - z) * n + z * h,)

    def native_weights(self) -> list[list[Tensor]]:
        """Return each member's parameters as torch takes them; only n has a second bias."""
        H = self.W_h.shape[1]
        return [
            [W_ih, W_hh, b_ih, torch.cat([b_hh[: 2 * H], b_hn[0]])]
            for (W_ih, W_hh, b_ih, b_hh), b_hn in zip(
                super().native_weights(), self.b_hn.unbind(), strict=True
            )
        ]


class GRU(Recurrent):
    """GRU; reset after the product by default, as in torch."""

    name = "gru"
    cell = GRUCell
