r"""A feed-forward net on the last few steps: the sequence models' baseline without a memory.

.. math::
    u_t &= [x_{t-k+1};\, \ldots;\, x_{t-1};\, x_t], \qquad x_s = 0 \text{ before the first step} \\
    v_t &= \max(0,\, u_t W_v + b_v), \qquad y_t = v_t W + b

What was k steps ago or more can't reach an answer, whatever is learned: where the lag is longer than the window, only
chance is left.

Source: the time-delay network in its simplest form, with all of the window in one layer (Waibel et al., 1989).
"""

from math import sqrt
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput
from seqbench.models.base import Linear, Model
from seqbench.models.dropout import Dropout
from seqbench.random import Keys


class WindowMLP(Model):
    """Multilayer perceptron on a window of steps.

    Parameters
    ----------
    keys
        The identities of the E members; all weights are drawn from them.
    inputs, outputs, hidden, layers
        D, C, the width of v, and how many such layers lie above each other.
    causal
        Taken for the sake of one signature for all models: the window ends at the step that answers.
    window
        k, the steps that are seen.
    dropout
        The share of v that is dropped in training on its way up (``dropout.py``).
    """

    name = "window_mlp"
    streams = True

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: int,
        outputs: int,
        hidden: int,
        layers: int = 1,
        causal: bool = True,
        window: Annotated[
            int, Field(ge=1, le=10_000, description="steps that are read at once")
        ] = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if window < 1:
            raise BadInput(f"window {window} has no step in it; choose 1 or more")
        self.window, self.inputs = window, inputs
        widths = [window * inputs] + [hidden] * layers
        self.layers: Any = nn.ModuleList(
            Linear(keys, f"layer {k}", widths[k], hidden, scale=sqrt(6)) for k in range(layers)
        )
        self.drops: Any = nn.ModuleList(Dropout(keys, f"layer {k}", dropout) for k in range(layers))
        self.readout = Linear(keys, "readout", hidden, outputs)

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps."""
        u = F.pad(x, (0, 0, self.window - 1, 0)).unfold(2, self.window, 1)  # (E, B, T, D, k)
        return self.answer(u[:, :, -answers:].transpose(-1, -2).flatten(3))

    def answer(self, v: Float[Tensor, "E B A kD"]) -> Outputs:
        """Return the outputs from windows."""
        for layer, drop in zip(self.layers, self.drops, strict=True):
            v = drop(layer(v).relu())
        return self.readout(v)

    def start(self, B: int, T: int) -> Float[Tensor, "E B k D"]:
        """Return the window before the first step."""
        return self.readout.W.new_zeros(len(self.readout.W), B, self.window, self.inputs)

    def advance(
        self, x: Float[Tensor, "E B D"], seen: Float[Tensor, "E B k D"]
    ) -> tuple[Float[Tensor, "E B C"], Float[Tensor, "E B k D"]]:
        """Return the outputs at the next step, and the window that ends there."""
        seen = torch.cat([seen[:, :, 1:], x[:, :, None]], dim=2)
        return self.answer(seen.flatten(2)[:, :, None])[:, :, 0], seen
