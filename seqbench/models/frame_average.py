r"""A convolution sees each frame, and what it saw is averaged: video without time.

.. math::
    u_t &= \max(0, \mathrm{flat}(\mathrm{conv}_2(\mathrm{conv}_1(x_t))) W_u + b_u) \\
    m_t &= \frac{1}{t} \sum_{s \le t} u_s, \qquad y_t = m_t W + b

The eye is that of ``cnn_lstm``. The mean is the same in whatever order the frames come, so that an answer that hangs on
their order is a guess; what can be seen in single frames, however few of them, is found.

Source: the single-frame networks of Karpathy et al. (2014) and Donahue et al. (2015), who average the answers over the
frames; here it is the features.
"""

from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqbench.axes import Hidden, Outputs, Sequences
from seqbench.models.base import Linear, Model
from seqbench.models.cnn_lstm import Eye, Maps
from seqbench.models.dropout import Dropout
from seqbench.random import Keys


class FrameAverage(Model):
    """Mean of the features of frames.

    Parameters
    ----------
    keys
        The identities of the E members; all weights are drawn from them.
    inputs, outputs, hidden
        Channels, height and width of a frame; C; and the length of u.
    layers
        That of u, and dense ones between the mean and the readout, with a ReLU.
    causal
        Taken for the sake of one signature for all models: the mean is that of the frames so far.
    maps
        How many maps each convolution makes.
    dropout
        The share of m that is dropped in training on its way up (``dropout.py``).
    """

    name = "frame_average"
    reads = "video"
    streams = True

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: tuple[int, int, int],
        outputs: int,
        hidden: int,
        layers: int = 1,
        causal: bool = True,
        maps: Maps = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.eye = Eye(keys, inputs, maps, hidden)
        self.drops: Any = nn.ModuleList(Dropout(keys, f"layer {k}", dropout) for k in range(layers))
        self.layers: Any = nn.ModuleList(
            Linear(keys, f"layer {k}", hidden, hidden, scale=sqrt(6)) for k in range(1, layers)
        )
        self.readout = Linear(keys, "readout", hidden, outputs)

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` frames."""
        T = x.shape[2]
        t = torch.arange(T - answers + 1, T + 1, device=x.device)[:, None]
        sums = self.eye(x).cumsum(dim=2)
        return self.answer(sums[:, :, -answers:] / t)

    def answer(self, m: Float[Tensor, "E B A H"]) -> Outputs:
        """Return the outputs from means."""
        m = self.drops[0](m)
        for layer, drop in zip(self.layers, self.drops[1:], strict=True):
            m = drop(layer(m).relu())
        return self.readout(m)

    def start(self, B: int, T: int) -> tuple[int, Hidden]:
        """Return the number of frames seen, and the sum of their features: none, and zeros."""
        E, H = self.readout.W.shape[:2]
        return 0, self.readout.W.new_zeros(E, B, H)

    def advance(
        self, x: Float[Tensor, "E B channels h w"], state: tuple[int, Hidden]
    ) -> tuple[Float[Tensor, "E B C"], tuple[int, Hidden]]:
        """Return the outputs at the next frame, and the sum with it."""
        t, before = state
        now = before + self.eye(x[:, :, None])[:, :, 0]
        return self.answer(now[:, :, None] / (t + 1))[:, :, 0], (t + 1, now)
