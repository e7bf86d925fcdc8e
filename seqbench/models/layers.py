"""What the models are made of: parameters with a leading member axis, and affine maps.

A parameter is ``(E, …)`` and member e draws it from its own stream; one ``baddbmm`` multiplies all members at once. A
model file then reads like the equations of its paper.
"""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqbench.random import Keys


def uniform(keys: Keys, name: str, *shape: int, bound: float) -> nn.Parameter:
    """Return a parameter ``(E, *shape)``, each member's drawn from its own stream within ±bound."""
    return nn.Parameter(keys.uniform(name, *shape, low=-bound, high=bound))


def affine(
    x: Float[Tensor, "E K D"], W: Float[Tensor, "E D G"], b: Float[Tensor, "E #K G"]
) -> Float[Tensor, "E K G"]:
    """Return x W + b, member by member, in one product."""
    return torch.baddbmm(b, x, W)


class Linear(nn.Module):
    """An affine map of the last axis, whatever lies between it and the member axis."""

    def __init__(
        self, keys: Keys, name: str, inputs: int, outputs: int, scale: float = 1.0
    ) -> None:
        super().__init__()
        bound = 1 / sqrt(inputs)  # as torch.nn.Linear
        self.W = uniform(keys, f"{name}/W", inputs, outputs, bound=scale * bound)
        self.b = uniform(keys, f"{name}/b", 1, outputs, bound=bound)

    def forward(self, x: Float[Tensor, "E *K D"]) -> Float[Tensor, "E *K C"]:
        """Return x W + b."""
        y = affine(x.flatten(1, -2), self.W, self.b)
        return y.unflatten(1, x.shape[1:-1])
