r"""A long short-term memory that is given the pixels of each frame as a list, without a convolution.

.. math::
    u_t &= \max(0, \mathrm{flat}(x_t) W_u + b_u) \\
    (h_t, c_t) &= \mathrm{LSTM}(u_t, h_{t-1}, c_{t-1})

It is ``cnn_lstm`` with a dense layer in place of the convolutions: a shape has to be learned anew at every place where
it can stand. The layer is there so that the LSTM of both has much the same width at equal parameters; pixels that
enter the LSTM itself would have weights in each of its gates.

Source: the opposite of Donahue et al. (2015), made for this benchmark.
"""

from math import prod, sqrt
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from seqbench.models.base import Linear
from seqbench.models.cnn_lstm import FrameLSTM
from seqbench.random import Keys


class Retina(nn.Module):
    """From all pixels of a frame to its features."""

    def __init__(self, keys: Keys, inputs: tuple[int, int, int], features: int) -> None:
        super().__init__()
        self.out = Linear(keys, "features", prod(inputs), features, scale=sqrt(6))

    def forward(self, x: Float[Tensor, "E B T channels h w"]) -> Float[Tensor, "E B T features"]:
        """Return u_t for every t."""
        return self.out(x.flatten(3)).relu()


class PixelLSTM(FrameLSTM):
    """LSTM over the pixels of frames.

    Parameters
    ----------
    inputs
        Channels, height and width of a frame.
    features
        The length of u: as ``hidden`` if not given.
    options
        What a recurrence takes beside its inputs.
    """

    name = "pixel_lstm"

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: tuple[int, int, int],
        hidden: int,
        features: int | None = None,
        **options: Any,
    ) -> None:
        features = features or hidden
        super().__init__(keys, inputs=features, hidden=hidden, **options)
        self.eye = Retina(keys, inputs, features)
