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

from collections.abc import Sequence
from math import inf, log, sqrt
from typing import Annotated, Any, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput, unknown
from seqbench.models.base import Linear, Model
from seqbench.models.dropout import Dropout
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


class Cache(NamedTuple):
    """What attention keeps of the steps so far: their keys and values, with room for T steps."""

    k: Float[Tensor, "N heads T d"]
    v: Float[Tensor, "N heads T d"]

    def write(self, t: int, k: Tensor, v: Tensor) -> "Cache":
        """Write down step t; return it and all before it."""
        self.k[:, :, t : t + 1], self.v[:, :, t : t + 1] = k, v
        return Cache(self.k[:, :, : t + 1], self.v[:, :, : t + 1])


class Attention(nn.Module):
    """Attention with several heads; the columns of W_qkv are Q, K, V, and within each the heads."""

    def __init__(
        self, keys: Keys, name: str, hidden: int, heads: int, causal: bool, scale: float
    ) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = Linear(keys, f"{name}/qkv", hidden, 3 * hidden)
        self.out = Linear(keys, f"{name}/out", hidden, hidden, scale)

    def forward(
        self, x: Float[Tensor, "E B T H"], angle: Float[Tensor, "T half"] | None, answers: int
    ) -> Float[Tensor, "E B A H"]:
        """Return what each of the last steps gathers from those that it may look at."""
        E, B, T, H = x.shape
        q, k, v = self.split(x, angle)
        q = q[:, :, -answers:]
        mask = None
        if self.causal and 1 < answers < T:  # torch aligns its own causal mask with the first step
            mask = torch.ones(answers, T, dtype=torch.bool, device=x.device).tril(T - answers)
        y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=self.causal and answers == T)
        return self.out(y.transpose(1, 2).reshape(E, B, answers, H))

    def split(
        self, x: Float[Tensor, "E B T H"], angle: Float[Tensor, "T half"] | None
    ) -> tuple[Float[Tensor, "EB heads T d"], ...]:
        """Return queries, keys and values; members are more sequences."""
        E, B, T, H = x.shape
        heads = self.qkv(x).view(E * B, T, 3, self.heads, H // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        return (q, k, v) if angle is None else (rotate(q, angle), rotate(k, angle), v)

    def weights(
        self, x: Float[Tensor, "E B T H"], angle: Float[Tensor, "T half"] | None, answers: int
    ) -> Float[Tensor, "EB heads A T"]:
        """Return the weights with which each of the last steps gathers from each step; 0 where it may not look."""
        T = x.shape[2]
        q, k, _ = self.split(x, angle)
        scores = q[:, :, -answers:] @ k.mT / sqrt(q.shape[-1])
        if self.causal:
            later = torch.ones(answers, T, dtype=torch.bool, device=x.device).triu(T - answers + 1)
            scores = scores.masked_fill(later, -inf)
        return scores.softmax(dim=-1)

    def advance(
        self,
        x: Float[Tensor, "E B 1 H"],
        angle: Float[Tensor, "1 half"] | None,
        t: int,
        cache: Cache,
    ) -> Float[Tensor, "E B 1 H"]:
        """Return what step t gathers from itself and those before it; the cache keeps its key and value."""
        q, k, v = self.split(x, angle)
        y = F.scaled_dot_product_attention(q, *cache.write(t, k, v))
        return self.out(y.transpose(1, 2).reshape(x.shape))


class Block(nn.Module):
    """Attention, then a feed-forward net for each step by itself."""

    def __init__(
        self,
        keys: Keys,
        name: str,
        hidden: int,
        feedforward: int,
        heads: int,
        causal: bool,
        scale: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = Norm(keys, hidden), Norm(keys, hidden)
        self.attention = Attention(keys, name, hidden, heads, causal, scale)
        self.up = Linear(keys, f"{name}/up", hidden, feedforward)
        self.down = Linear(keys, f"{name}/down", feedforward, hidden, scale)
        self.drop_1 = Dropout(keys, f"{name}/attention", dropout)
        self.drop_2 = Dropout(keys, f"{name}/down", dropout)

    def forward(
        self, x: Float[Tensor, "E B T H"], angle: Float[Tensor, "T half"] | None, answers: int
    ) -> Float[Tensor, "E B A H"]:
        """Return the stream at the last steps after both sublayers have added to it."""
        x = x[:, :, -answers:] + self.drop_1(self.attention(self.norm_1(x), angle, answers))
        return x + self.drop_2(self.down(F.gelu(self.up(self.norm_2(x)))))

    def advance(
        self,
        x: Float[Tensor, "E B 1 H"],
        angle: Float[Tensor, "1 half"] | None,
        t: int,
        cache: Cache,
    ) -> Float[Tensor, "E B 1 H"]:
        """Return the stream at step t."""
        x = x + self.attention.advance(self.norm_1(x), angle, t, cache)
        return x + self.down(F.gelu(self.up(self.norm_2(x))))


class Transformer(Model):
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
        super().__init__()
        if positions not in POSITIONS:
            raise unknown("positions", positions, POSITIONS)
        step = self.size_options(heads=heads, positions=positions)["hidden"]
        if hidden % step:
            raise BadInput(
                f"hidden width {hidden} does not suit {heads} heads with {positions} positions; "
                f"choose a multiple of {step}"
            )
        self.heads, self.positions, self.causal = heads, positions, causal
        self.streams = causal
        scale = 1 / sqrt(2 * layers)  # 2 layers sublayers add to one stream (Radford et al., 2019)
        # A symbol's row of W has deviation 1, as in torch.nn.Embedding; with less, recall is not learned.
        self.embed = Linear(keys, "embed", inputs, hidden, scale=sqrt(3 * inputs))
        self.blocks: Any = nn.ModuleList(
            Block(
                keys,
                f"layer {k}",
                hidden,
                feedforward or hidden // 2,
                heads,
                causal,
                scale,
                dropout,
            )
            for k in range(layers)
        )
        self.norm = Norm(keys, hidden)
        self.readout = Linear(keys, "readout", hidden, outputs)

    @classmethod
    def size_options(
        cls, layers: int = 2, heads: int = 2, positions: str = "rotary", **options: Any
    ) -> dict[str, int]:
        """Return what sets the size; the feed-forward net takes up what the heads leave."""
        per_head = 1 if positions == "none" else 2
        return {"hidden": per_head * heads, "feedforward": 1}

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps; the last block is spared all others."""
        return self.answer(self.embed(x), answers)

    def answer(self, embedded: Float[Tensor, "E B T H"], answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps, from the embedding of every step."""
        x, angle = self.place(embedded)
        for block in self.blocks[:-1]:
            x = block(x, angle, x.shape[2])
        x = self.blocks[-1](x, angle, answers)
        return self.readout(self.norm(x))

    def forward_with_states(
        self, x: Sequences, answers: int
    ) -> tuple[Outputs, dict[str, Sequence[Tensor]]]:
        """Return the outputs, and the embedding of every step."""
        rows = self.embed(x).unbind(dim=2)
        return self.answer(torch.stack(rows, dim=2), answers), {"embedding": rows}

    def attend(self, x: Sequences, answers: int) -> Float[Tensor, "E B M A T"]:
        """Return the weights of each head, those of the first block first."""
        E, B, T = x.shape[:3]
        x, angle = self.place(self.embed(x))
        weights = []
        for block in self.blocks:
            weights.append(block.attention.weights(block.norm_1(x), angle, answers))
            x = block(x, angle, T)
        return torch.cat(weights, dim=1).unflatten(0, (E, B))

    def place(
        self, x: Float[Tensor, "E B T H"], first: int = 0
    ) -> tuple[Float[Tensor, "E B T H"], Float[Tensor, "T half"] | None]:
        """Return the stream of T steps from the first with sines added, and the angles to rotate by."""
        T, H = x.shape[2:]
        if self.positions == "sinusoidal":
            x = x + sinusoids(angles(T, H, x, first))
        return x, angles(T, H // self.heads, x, first) if self.positions == "rotary" else None

    def state_size(self, T: int) -> int:
        """Return the numbers in the keys and values of T steps, whether or not it may look both ways."""
        return 2 * len(self.blocks) * T * self.readout.W.shape[1]

    def start(self, B: int, T: int) -> tuple[int, list[Cache]]:
        """Return the number of steps seen, and for each block a cache with room for T."""
        if not self.causal:
            raise BadInput(
                f"{self.name} that looks both ways can't be given a sequence step by step"
            )
        E, H = self.readout.W.shape[:2]
        shape = (E * B, self.heads, T, H // self.heads)
        empty = self.readout.W.new_empty
        return 0, [Cache(empty(shape), empty(shape)) for _ in self.blocks]

    def advance(
        self, x: Float[Tensor, "E B D"], state: tuple[int, list[Cache]]
    ) -> tuple[Float[Tensor, "E B C"], tuple[int, list[Cache]]]:
        """Return the outputs at the next step, and the caches with that step in them."""
        t, caches = state
        x, angle = self.place(self.embed(x[:, :, None]), first=t)
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block.advance(x, angle, t, cache)
        return self.readout(self.norm(x))[:, :, 0], (t + 1, caches)
