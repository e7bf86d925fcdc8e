r"""A small transformer, normalised before each sublayer.

.. math::
    x &\leftarrow x + \mathrm{Attention}(\mathrm{norm}(x)), \qquad
    \mathrm{Attention}(x) = \Big[\mathrm{softmax}\Big(\frac{Q K^\top}{\sqrt{d}} + M\Big) V\Big] W_o + b_o, \quad
    Q, K, V = x W_{qkv} + b_{qkv} \\
    x &\leftarrow x + \mathrm{MLP}(\mathrm{norm}(x)), \qquad
    \mathrm{MLP}(x) = \mathrm{gelu}(x W_1 + b_1) W_2 + b_2

d is the width of a head; the mask M is :math:`-\infty` where a step would look ahead, and absent where the model may
look both ways. The input map stands for the embedding: a one-hot symbol picks its row of W.

Source: Vaswani et al. (2017), with the norm before the sublayer and GELU as in Radford et al. (2019). Where a step
stands is told by rotating Q and K (Su et al., 2021; ``rotary``), by adding sines to the input (``sinusoidal``), or not
at all (``none``: only the mask of a causal model gives order away). None of them has parameters or a longest length.
"""

from math import inf, log, sqrt
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqbench.axes import Sequences
from seqbench.errors import BadInput, unknown
from seqbench.models.base import Linear
from seqbench.models.residual import Mixer, Place, Residual, ResidualState
from seqbench.random import Keys
from seqbench.values.options import OneOf

POSITIONS = ("rotary", "sinusoidal", "none")
LONGEST = 10_000  # the longest wavelength, over 2π, in steps


def angles(T: int, width: int, like: Tensor, first: int = 0) -> Float[Tensor, "T half"]:
    """Return t / LONGEST^(2k / width) for T steps t from the first, and every pair k of features."""
    dtype = torch.promote_types(like.dtype, torch.float32)  # bfloat16 can't tell step 257 from 256
    t = torch.arange(first, first + T, device=like.device, dtype=dtype)
    k = torch.arange(0, width, 2, device=like.device, dtype=dtype)
    return torch.outer(t, torch.exp(k * (-log(LONGEST) / width)))


def sinusoids(angle: Float[Tensor, "T half"]) -> Float[Tensor, "T H"]:
    """Return sines in the even features, cosines in the odd ones."""
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def rotate(q: Float[Tensor, "... T d"], angle: Float[Tensor, "T half"]) -> Float[Tensor, "... T d"]:
    """Turn each pair of features by the angle of its step, so that q · k knows only the distance."""
    a, b = q.chunk(2, dim=-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Cache(NamedTuple):
    """What attention keeps of the steps so far: their keys and values, with room for T steps."""

    k: Float[Tensor, "N heads T d"]
    v: Float[Tensor, "N heads T d"]

    def write(self, t: int, k: Tensor, v: Tensor) -> "Cache":
        """Write down step t; return it and all before it."""
        self.k[:, :, t : t + 1], self.v[:, :, t : t + 1] = k, v
        return Cache(self.k[:, :, : t + 1], self.v[:, :, : t + 1])


class Attention(Mixer):
    """Attention with several heads; the columns of W_qkv are Q, K, V, and within each the heads."""

    dropout_name = "attention"

    def __init__(
        self,
        keys: Keys,
        place: Place,
        hidden: int,
        *,
        heads: int,
        masked: bool,
        rotary: bool,
    ) -> None:
        super().__init__()
        self.heads, self.masked, self.rotary = heads, masked, rotary
        self.qkv = Linear(keys, f"{place.name}/qkv", hidden, 3 * hidden)
        self.out = Linear(keys, f"{place.name}/out", hidden, hidden, place.scale)

    def forward(self, x: Float[Tensor, "E B T H"], answers: int) -> Float[Tensor, "E B A H"]:
        """Return what each of the last steps gathers from those that it may look at."""
        E, B, T, H = x.shape
        q, k, v = self.split(x)
        q = q[:, :, -answers:]
        mask = None
        if self.masked and 1 < answers < T:  # torch aligns its own causal mask with the first step
            mask = torch.ones(answers, T, dtype=torch.bool, device=x.device).tril(T - answers)
        y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=self.masked and answers == T)
        return self.out(y.transpose(1, 2).reshape(E, B, answers, H))

    def split(
        self, x: Float[Tensor, "E B T H"], first: int = 0
    ) -> tuple[Float[Tensor, "EB heads T d"], ...]:
        """Return queries, keys and values of T steps from the first; members are more sequences."""
        E, B, T, H = x.shape
        heads = self.qkv(x).view(E * B, T, 3, self.heads, H // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        if not self.rotary:
            return q, k, v
        angle = angles(T, H // self.heads, x, first)
        return rotate(q, angle), rotate(k, angle), v

    def weights(self, x: Float[Tensor, "E B T H"], answers: int) -> Float[Tensor, "EB heads A T"]:
        """Return the weights with which each of the last steps gathers from each step; 0 where it may not look."""
        T = x.shape[2]
        q, k, _ = self.split(x)
        scores = q[:, :, -answers:] @ k.mT / sqrt(q.shape[-1])
        if self.masked:
            later = torch.ones(answers, T, dtype=torch.bool, device=x.device).triu(T - answers + 1)
            scores = scores.masked_fill(later, -inf)
        return scores.softmax(dim=-1)

    def start(self, B: int, T: int) -> Cache:
        """Return a cache with room for T steps."""
        E, H = self.out.W.shape[:2]
        shape = (E * B, self.heads, T, H // self.heads)
        return Cache(self.out.W.new_empty(shape), self.out.W.new_empty(shape))

    def advance(
        self, x: Float[Tensor, "E B 1 H"], t: int, state: Cache
    ) -> tuple[Float[Tensor, "E B 1 H"], Cache]:
        """Return what step t gathers from itself and those before it; the cache keeps its key and value."""
        q, k, v = self.split(x, first=t)
        y = F.scaled_dot_product_attention(q, *state.write(t, k, v))
        return self.out(y.transpose(1, 2).reshape(x.shape)), state


class Transformer(Residual):
    """Transformer of two blocks by default.

    Parameters
    ----------
    keys
        The identities of the E members; all weights are drawn from them.
    inputs, outputs, hidden, layers
        D, C, the width of the stream, and the number of blocks.
    causal
        Whether a step sees only itself and what came before.
    heads, feedforward
        The number of heads, and the width of the feed-forward net: half of ``hidden`` if not given, since a wide
        stream is what recall is learned with when parameters are few; ``match_sizes`` sets it to what is left.
    positions
        ``"rotary"``, ``"sinusoidal"`` or ``"none"``.
    dropout
        The share of what a sublayer adds that is dropped in training (``dropout.py``).
    """

    name = "transformer"
    mixer = Attention
    default_layers = 2  # recall is not learned with one
    attends = True

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: int,
        outputs: int,
        hidden: int,
        layers: int = 2,
        causal: bool = True,
        heads: Annotated[int, Field(ge=1, le=64, description="heads of each attention")] = 2,
        feedforward: int | None = None,
        positions: Annotated[
            str,
            OneOf("rotary", "sinusoidal", "none"),
            Field(description="how a step's place is told"),
        ] = "rotary",
        dropout: float = 0.0,
    ) -> None:
        if positions not in POSITIONS:
            raise unknown("positions", positions, POSITIONS)
        step = self.size_options(heads=heads, positions=positions)["hidden"]
        if hidden % step:
            raise BadInput(
                f"hidden width {hidden} does not suit {heads} heads with {positions} positions; "
                f"choose a multiple of {step}"
            )
        super().__init__(
            keys,
            inputs=inputs,
            outputs=outputs,
            hidden=hidden,
            layers=layers,
            feedforward=feedforward,
            dropout=dropout,
            heads=heads,
            masked=causal,
            rotary=positions == "rotary",
        )
        self.positions, self.causal = positions, causal
        self.streams = causal

    @classmethod
    def size_options(
        cls, layers: int = 2, heads: int = 2, positions: str = "rotary", **options: object
    ) -> dict[str, int]:
        """Return what sets the size; the feed-forward net takes up what the heads leave."""
        per_head = 1 if positions == "none" else 2
        return {"hidden": per_head * heads, "feedforward": 1}

    def attend(self, x: Sequences, answers: int) -> Float[Tensor, "E B M A T"]:
        """Return the weights of each head, those of the first block first."""
        E, B, T = x.shape[:3]
        x = self.place(self.embed(x))
        weights = []
        for block in self.blocks:
            weights.append(block.mixer.weights(block.norm_1(x), answers))
            x = block(x, T)
        return torch.cat(weights, dim=1).unflatten(0, (E, B))

    def place(self, x: Float[Tensor, "E B T H"], first: int = 0) -> Float[Tensor, "E B T H"]:
        """Return the stream of T steps from the first, with sines added if they tell the places."""
        if self.positions != "sinusoidal":
            return x
        T, H = x.shape[2:]
        return x + sinusoids(angles(T, H, x, first))

    def state_size(self, T: int) -> int:
        """Return the numbers in the keys and values of T steps, whether or not it may look both ways."""
        return 2 * len(self.blocks) * T * self.readout.W.shape[1]

    def start(self, B: int, T: int) -> ResidualState:
        """Return the number of steps so far, and for each block a cache with room for T."""
        if not self.causal:
            raise BadInput(
                f"{self.name} that looks both ways can't be given a sequence step by step"
            )
        return super().start(B, T)
