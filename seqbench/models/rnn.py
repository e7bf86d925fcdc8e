r"""The plain recurrent network of Elman.

.. math::
    h_t = \phi(x_t W_x + h_{t-1} W_h + b), \qquad \phi = \tanh \text{ or } \max(0, \cdot)

Source: Elman (1990), Finding structure in time. With ReLU it can start from the identity, as in Le, Jaitly and Hinton
(2015): ``activation="relu", start="identity"``. With ``start="orthogonal"`` W_h keeps the length of every h, so that a
gradient neither grows nor vanishes by it (Saxe, McClelland and Ganguli, 2014).
"""

from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import Field

from seqbench.axes import Gates, Hidden
from seqbench.errors import unknown
from seqbench.models.base import Cell, Recurrent, affine
from seqbench.models.starts import draw_orthogonal
from seqbench.random import Keys
from seqbench.scan.specs import CellSpec, RNNSpec
from seqbench.values.options import OneOf

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}
KERNELS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}
STARTS = ("uniform", "identity", "orthogonal")


class RNNCell(Cell):
    """One layer; a single block of columns."""

    gates = 1

    def __init__(
        self,
        keys: Keys,
        layer: str,
        inputs: int,
        hidden: int,
        activation: Annotated[
            str, OneOf("tanh", "relu"), Field(description="what h goes through")
        ] = "tanh",
        start: Annotated[
            str,
            OneOf("uniform", "identity", "orthogonal"),
            Field(description="the first weights from h to h"),
        ] = "uniform",
    ) -> None:
        super().__init__(keys, layer, inputs, hidden)
        if activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        if start not in STARTS:
            raise unknown("start", start, STARTS)
        self.activation, self.phi = activation, ACTIVATIONS[activation]
        if start == "identity":
            with torch.no_grad():
                self.W_h.zero_().diagonal(dim1=1, dim2=2).fill_(1)
                self.b.zero_()
        if start == "orthogonal":
            self.W_h.detach().copy_(draw_orthogonal(keys, f"{layer}/W_h", hidden))

    def torch_kernel(self) -> Callable[..., Any]:
        """Return torch's kernel."""
        return KERNELS[self.activation]

    def kernel_spec(self) -> CellSpec:
        """Return what the scans know it as."""
        return RNNSpec(self.activation)

    def step(self, a: Gates, h: Hidden) -> tuple[Hidden]:
        """Return h_t."""
        return (self.phi(affine(h, self.W_h, a)),)


class RNN(Recurrent):
    """Plain recurrent network, tanh by default."""

    name = "rnn"
    cell = RNNCell
