r"""A convolution sees each frame, a long short-term memory remembers what it saw.

.. math::
    u_t &= \max(0, \mathrm{flat}(\mathrm{conv}_2(\mathrm{conv}_1(x_t))) W_u + b_u) \\
    (h_t, c_t) &= \mathrm{LSTM}(u_t, h_{t-1}, c_{t-1})

Both convolutions are 3 by 3 in steps of 2, with a ReLU: each halves the sides of the frame. They are the same for
every frame; nothing but the LSTM (that of ``lstm``) knows of time.

Source: Donahue et al. (2015), Long-term recurrent convolutional networks, with a small network in place of theirs,
which was trained on photographs, and all of it trained at once.
"""

from math import sqrt
from typing import Annotated, Any

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqbench.axes import Outputs, Sequences
from seqbench.models.base import LayerStates, Linear, Recurrent, uniform
from seqbench.models.lstm import LSTMCell
from seqbench.random import Keys

Maps = Annotated[int, Field(ge=1, le=1024, description="maps that each convolution makes")]


class Convolution(nn.Module):
    """A 3 by 3 convolution in steps of 2 of each member's frames, and a ReLU."""

    def __init__(self, keys: Keys, name: str, inputs: int, maps: int) -> None:
        super().__init__()
        bound = sqrt(6 / (9 * inputs))  # a ReLU halves the variance (He et al., 2015)
        self.W = uniform(keys, f"{name}/W", maps, inputs, 3, 3, bound=bound)
        self.b = nn.Parameter(self.W.new_zeros(len(keys), maps))

    def forward(self, x: Float[Tensor, "BT EM h w"]) -> Float[Tensor, "BT EN h2 w2"]:
        """Return the maps; members lie side by side, each a group of its own (docs/adr/0016)."""
        W, b = self.W.flatten(0, 1), self.b.flatten()
        return F.conv2d(x, W, b, stride=2, padding=1, groups=len(self.W)).relu()


class Eye(nn.Module):
    """From a frame to its features."""

    def __init__(self, keys: Keys, inputs: tuple[int, int, int], maps: int, features: int) -> None:
        super().__init__()
        channels, height, width = inputs
        quarter = -(-height // 4) * -(-width // 4)  # two halvings, each rounded up
        self.conv_1 = Convolution(keys, "conv 1", channels, maps)
        self.conv_2 = Convolution(keys, "conv 2", maps, maps)
        self.out = Linear(keys, "features", maps * quarter, features, scale=sqrt(6))

    def forward(self, x: Float[Tensor, "E B T channels h w"]) -> Float[Tensor, "E B T features"]:
        """Return u_t for every t."""
        E, B, T = x.shape[:3]
        frames = x.permute(1, 2, 0, 3, 4, 5).flatten(2, 3).flatten(0, 1)  # (BT, E channels, h, w)
        maps = self.conv_2(self.conv_1(frames))  # (BT, E maps, h / 4, w / 4)
        u = maps.view(B, T, E, -1).permute(2, 0, 1, 3)  # (E, B, T, maps h w / 16)
        return self.out(u).relu()


class FrameLSTM(Recurrent):
    """LSTM over the features that an eye finds in each frame; the eye is the model's own."""

    reads = "video"
    cell = LSTMCell
    eye: nn.Module

    @classmethod
    def size_options(cls, layers: int = 1, **options: Any) -> dict[str, int]:
        """Return what sets the size; the features take up what the hidden units leave."""
        return {"hidden": 1, "features": 1}

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` frames."""
        return super().forward(self.eye(x), answers)

    def advance(
        self, x: Float[Tensor, "E B channels h w"], state: LayerStates
    ) -> tuple[Float[Tensor, "E B C"], LayerStates]:
        """Return the outputs at the next frame, and the state after it."""
        return super().advance(self.eye(x[:, :, None])[:, :, 0], state)


class CNNLSTM(FrameLSTM):
    """LSTM over the features of frames.

    Parameters
    ----------
    inputs
        Channels, height and width of a frame.
    features
        The length of u: as ``hidden`` if not given.
    maps
        How many maps each convolution makes.
    options
        What a recurrence takes beside its inputs.
    """

    name = "cnn_lstm"

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: tuple[int, int, int],
        hidden: int,
        features: int | None = None,
        maps: Maps = 8,
        **options: Any,
    ) -> None:
        features = features or hidden
        super().__init__(keys, inputs=features, hidden=hidden, **options)
        self.eye = Eye(keys, inputs, maps, features)
