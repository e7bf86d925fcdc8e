r"""A stack of residual blocks, each a mixer and a feed-forward net, both normalised before.

.. math::
    x &\leftarrow x + \mathrm{Mixer}(\mathrm{norm}(x)) \\
    x &\leftarrow x + \mathrm{MLP}(\mathrm{norm}(x)), \qquad
    \mathrm{MLP}(x) = \mathrm{gelu}(x W_1 + b_1) W_2 + b_2

Before the first block stands an affine map of the input, after the last one a norm and an affine readout. The mixer is
the only part in which the steps of a sequence meet; the rest sees each step by itself. So models that differ in
nothing but the mixer show what the mixer contributes, apart from the block around it.

Source: Radford et al. (2019) for the block, which is that of a transformer with the norm before each sublayer.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seqbench.axes import Outputs, Sequences
from seqbench.models.base import Linear, Model
from seqbench.models.dropout import Dropout
from seqbench.random import Keys
from seqbench.values.variants import Value

ResidualState = tuple[int, list[Any]]  # the number of steps so far, and the state of each mixer


@dataclass(frozen=True)
class Place:
    """Where a block stands in its stack: which it is, counted from 0, and of how many."""

    number: int
    layers: int

    @property
    def name(self) -> str:
        """Return the name with which the names of all its draws begin."""
        return f"layer {self.number}"

    @property
    def depth(self) -> float:
        """Return 0 for the first block, 1 for the last, and what lies between for the others."""
        return self.number / max(1, self.layers - 1)

    @property
    def scale(self) -> float:
        """Return the factor by which the first weights of a map into the stream are smaller than those of others."""
        return 1 / sqrt(2 * self.layers)  # of 2 sublayers a block (Radford et al., 2019)


class Mixer(nn.Module, ABC):
    """The part of a block that mixes steps: attention, or a recurrence as wide as the block.

    It is built by ``MyMixer(keys, place, hidden, **options)``: all weights are drawn from ``keys``, under names that
    begin with ``place.name``, and ``hidden`` is H. Keyword arguments with a default are options of the model.

    Attributes
    ----------
    dropout_name
        The name, within the block, under which the dropout of what it adds to the stream is drawn.
    requested_scan, recompute
        What ``use_scan`` was given.
    """

    dropout_name: ClassVar[str] = "mixer"
    requested_scan: str = "auto"
    recompute: bool = False

    @abstractmethod
    def forward(self, x: Float[Tensor, "E B T H"], answers: int) -> Float[Tensor, "E B A H"]:
        """Return what is added to the stream at the last ``answers`` steps."""

    # The state is Any, since each mixer has one of its own kind.

    @abstractmethod
    def start(self, B: int, T: int) -> Any:
        """Return the state before the first of at most T steps, for B sequences a member."""

    @abstractmethod
    def advance(
        self, x: Float[Tensor, "E B 1 H"], t: int, state: Any
    ) -> tuple[Float[Tensor, "E B 1 H"], Any]:
        """Return what is added to the stream at step t, counted from 0, and the state after it."""

    def use_scan(self, how: str, recompute: bool) -> None:
        """Run the recurrence, if it is one, by this scan from now on (``Model.use_scan``)."""
        self.requested_scan, self.recompute = how, recompute

    @property
    def scan_name(self) -> str:
        """Return the scan that runs it on its device; ``"none"`` without a recurrence."""
        return "none"


class Norm(nn.Module):
    """Layer norm over the features, with each member's gain and shift."""

    def __init__(self, keys: Keys, hidden: int) -> None:
        super().__init__()
        shape = (len(keys), 1, 1, hidden)
        self.gain = nn.Parameter(torch.ones(shape, device=keys.seed.device))
        self.shift = nn.Parameter(torch.zeros(shape, device=keys.seed.device))

    def forward(self, x: Float[Tensor, "E B T H"]) -> Float[Tensor, "E B T H"]:
        """Return (x - mean) / deviation * gain + shift."""
        return torch.addcmul(self.shift, F.layer_norm(x, x.shape[-1:]), self.gain)


class Block(nn.Module):
    """A mixer, then a feed-forward net for each step by itself."""

    def __init__(
        self,
        keys: Keys,
        place: Place,
        mixer: Mixer,
        hidden: int,
        feedforward: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = Norm(keys, hidden), Norm(keys, hidden)
        self.mixer = mixer
        self.up = Linear(keys, f"{place.name}/up", hidden, feedforward)
        self.down = Linear(keys, f"{place.name}/down", feedforward, hidden, place.scale)
        self.drop_1 = Dropout(keys, f"{place.name}/{mixer.dropout_name}", dropout)
        self.drop_2 = Dropout(keys, f"{place.name}/down", dropout)

    def forward(self, x: Float[Tensor, "E B T H"], answers: int) -> Float[Tensor, "E B A H"]:
        """Return the stream at the last steps after both sublayers have added to it."""
        x = x[:, :, -answers:] + self.drop_1(self.mixer(self.norm_1(x), answers))
        return x + self.drop_2(self.down(F.gelu(self.up(self.norm_2(x)))))

    def advance(
        self, x: Float[Tensor, "E B 1 H"], t: int, state: Any
    ) -> tuple[Float[Tensor, "E B 1 H"], Any]:
        """Return the stream at step t, and the state of the mixer after it."""
        y, state = self.mixer.advance(self.norm_1(x), t, state)
        x = x + y
        return x + self.down(F.gelu(self.up(self.norm_2(x)))), state


class Residual(Model):
    """One or more blocks of a mixer, between an embedding and a readout; two by default.

    A model of this kind is a mixer and a name, as a recurrent one is a cell and a name.

    Parameters
    ----------
    keys
        The identities of the E members; all weights are drawn from them.
    inputs, outputs, hidden, layers
        D, C, H, and the number of blocks.
    causal
        Taken for the sake of one signature for all models: a recurrence is always causal.
    feedforward
        The width of the feed-forward nets: half of ``hidden`` if not given.
    dropout
        The share of what a sublayer adds to the stream that is dropped in training (``dropout.py``).
    options
        What the mixer alone understands.
    """

    default_layers = 2
    streams = True
    mixer: ClassVar[type[Mixer]]

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: int,
        outputs: int,
        hidden: int,
        layers: int = 2,
        causal: bool = True,
        feedforward: int | None = None,
        dropout: float = 0.0,
        **options: Value,
    ) -> None:
        super().__init__()
        width = feedforward or max(1, hidden // 2)
        # A symbol's row of W has deviation 1, as in torch.nn.Embedding; with less, recall is not learned.
        self.embed = Linear(keys, "embed", inputs, hidden, scale=sqrt(3 * inputs))
        places = [Place(number, layers) for number in range(layers)]
        mixers = [self.mixer(keys, place, hidden, **options) for place in places]
        # Any: to a type checker the entries of a ModuleList are no more than Modules.
        self.blocks: Any = nn.ModuleList(
            Block(keys, place, mixer, hidden, width, dropout)
            for place, mixer in zip(places, mixers, strict=True)
        )
        self.norm = Norm(keys, hidden)
        self.readout = Linear(keys, "readout", hidden, outputs)

    @classmethod
    def size_options(cls, layers: int = 2, **options: object) -> dict[str, int]:
        """Return what sets the size; the feed-forward nets take up what whole units leave."""
        return {"hidden": 1, "feedforward": 1}

    @classmethod
    def option_sources(cls) -> list[Callable[..., object]]:
        """Return the model's class and its mixer's."""
        return [cls, cls.mixer]

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps; the last block is spared all others."""
        return self.answer(self.embed(x), answers)

    def answer(self, embedded: Float[Tensor, "E B T H"], answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps, from the embedding of every step."""
        x = self.place(embedded)
        for block in self.blocks[:-1]:
            x = block(x, x.shape[2])
        x = self.blocks[-1](x, answers)
        return self.readout(self.norm(x))

    def place(self, x: Float[Tensor, "E B T H"], first: int = 0) -> Float[Tensor, "E B T H"]:
        """Return the stream of T steps from the first, with what tells their places added: here nothing."""
        return x

    def forward_with_states(
        self, x: Sequences, answers: int
    ) -> tuple[Outputs, dict[str, Sequence[Tensor]]]:
        """Return the outputs, and the embedding of every step."""
        rows = self.embed(x).unbind(dim=2)
        return self.answer(torch.stack(rows, dim=2), answers), {"embedding": rows}

    def start(self, B: int, T: int) -> ResidualState:
        """Return the number of steps so far, and the state of each mixer with room for T steps."""
        return 0, [block.mixer.start(B, T) for block in self.blocks]

    def advance(
        self, x: Float[Tensor, "E B D"], state: ResidualState
    ) -> tuple[Float[Tensor, "E B C"], ResidualState]:
        """Return the outputs at the next step, and the states after it."""
        t, states = state
        x = self.place(self.embed(x[:, :, None]), first=t)
        after = []
        for block, before in zip(self.blocks, states, strict=True):
            x, mixed = block.advance(x, t, before)
            after.append(mixed)
        return self.readout(self.norm(x))[:, :, 0], (t + 1, after)

    def use_scan(self, how: str, recompute: bool = False) -> None:
        """Run the recurrences of the mixers by this scan from now on."""
        super().use_scan(how, recompute)
        for block in self.blocks:
            block.mixer.use_scan(how, recompute)

    @property
    def scan_name(self) -> str:
        """Return the scan that runs the mixers; ``"none"`` without a recurrence."""
        name: str = self.blocks[0].mixer.scan_name
        return name
