r"""Long short-term memory that looks back at its own states, so that the last one need not hold everything.

.. math::
    e_{ts} &= v^\top \tanh(q_t W_q + b_q + h_s W_k), \qquad
    \alpha_{ts} = \frac{\exp e_{ts}}{\sum_{r} \exp e_{tr}}, \qquad
    m_t = \sum_s \alpha_{ts} h_s \\
    y_t &= [h_t;\, m_t]\, W + b

What is asked with, and what is looked at, is said by ``kind``:

.. math::
    q_t &= h_t, \quad s \le t &&\text{states: one LSTM, the states up to now} \\
    q_t &= h_{t-1}, \quad s \le T - A, \quad
        (h_t, c_t) = \mathrm{LSTM}'([x_t;\, m_t], h_{t-1}, c_{t-1}) &&\text{decoder, for } t > T - A

The encoder reads what comes before the answers. The decoder, an LSTM of its own that begins with the encoder's last h
and an empty cell, reads the A steps of the answers, and at each of them what it has looked up.

Source: Bahdanau, Cho and Bengio (2015) for additive scores and the decoder; theirs is a GRU behind an encoder that
reads both ways. Looking at one's own past states is Cheng, Dong and Lapata (2016), without their memory of cells. With
``score="dot"``, :math:`e_{ts} = (q_t W_q + b_q) \cdot (h_s W_k) / \sqrt{K}`: A T numbers a sequence in place of A T K,
near to the general score of Luong, Pham and Manning (2015).
"""

from math import sqrt
from typing import Annotated, Any, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput, unknown
from seqbench.models.base import Linear, Recurrent, uniform
from seqbench.models.dropout import Dropout
from seqbench.models.lstm import LSTMCell
from seqbench.random import Keys
from seqbench.values.options import OneOf

KINDS = ("states", "decoder")
SCORES = ("additive", "dot")


class Scores(nn.Module):
    """How well what is asked for suits what is there; K is the width in which the two are compared."""

    def __init__(self, keys: Keys, hidden: int, width: int, score: str) -> None:
        super().__init__()
        self.query = Linear(keys, "attention/query", hidden, width)
        self.W_k = uniform(keys, "attention/W_k", hidden, width, bound=1 / sqrt(hidden))
        if score == "additive":
            self.v = uniform(keys, "attention/v", width, 1, bound=1 / sqrt(width))
        self.score = score

    def keys(self, h: Float[Tensor, "E B T H"]) -> Float[Tensor, "E B T K"]:
        """Return h_s W_k for every s."""
        return (h.flatten(1, 2) @ self.W_k).unflatten(1, h.shape[1:3])

    def forward(
        self, q: Float[Tensor, "E B A H"], k: Float[Tensor, "E B T K"]
    ) -> Float[Tensor, "E B A T"]:
        """Return e for every query and key."""
        q = self.query(q)
        if self.score == "dot":
            return q @ k.mT / sqrt(k.shape[-1])
        pairs = torch.tanh(q[:, :, :, None] + k[:, :, None])  # (E, B, A, T, K)
        return (pairs.flatten(1, 3) @ self.v).view(pairs.shape[:-1])


class Memory(NamedTuple):
    """The states so far and their keys, with room for T steps."""

    h: Float[Tensor, "E B T H"]
    k: Float[Tensor, "E B T K"]


class Readings(NamedTuple):
    """What the answers are read from: h, what attention gathered, and its weights."""

    h: Float[Tensor, "E B A H"]
    m: Float[Tensor, "E B A H"]
    weights: Float[Tensor, "E B A T"]


class AttentionLSTM(Recurrent):
    """LSTM with attention.

    Parameters
    ----------
    kind
        ``"states"`` or ``"decoder"``; a decoder wants steps that come before all answers.
    score
        ``"additive"`` or ``"dot"``.
    width
        K, the width in which queries and keys are compared: half of ``hidden`` if not given.
    options
        What a recurrence takes beside these. Those of its cell are not passed on to the decoder.
    """

    name = "lstm_attention"
    attends = True
    cell = LSTMCell

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: int,
        outputs: int,
        hidden: int,
        kind: Annotated[
            str,
            OneOf("states", "decoder"),
            Field(description="what looks back: every state, or a decoder"),
        ] = "states",
        score: Annotated[
            str, OneOf("additive", "dot"), Field(description="how a query is compared with a key")
        ] = "additive",
        width: int | None = None,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        if kind not in KINDS:
            raise unknown("kind", kind, KINDS)
        if score not in SCORES:
            raise unknown("score", score, SCORES)
        super().__init__(
            keys, inputs=inputs, outputs=outputs, hidden=hidden, dropout=dropout, **options
        )
        self.readout = Linear(keys, "readout", 2 * hidden, outputs)
        self.scores = Scores(keys, hidden, width or max(1, hidden // 2), score)
        self.kind = kind
        self.streams = kind == "states"  # a decoder can't tell from a step whether it is to answer
        if kind == "decoder":
            self.decoder = LSTMCell(keys, "decoder", inputs + hidden, hidden)
            self.drop = Dropout(keys, "decoder", dropout)

    @classmethod
    def size_options(cls, layers: int = 1, **options: Any) -> dict[str, int]:
        """Return what sets the size; the width of the keys takes up what the hidden units leave."""
        return {"hidden": 1, "width": 1}

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps."""
        h, m, _ = self.gather(x, answers)
        return self.readout(torch.cat([h, m], dim=-1))

    def attend(self, x: Sequences, answers: int) -> Float[Tensor, "E B 1 A T"]:
        """Return the weights with which each of the last ``answers`` steps looks at each step; there is one head."""
        return self.gather(x, answers).weights[:, :, None]

    def gather(self, x: Sequences, answers: int) -> Readings:
        """Return h, m and the weights at the last ``answers`` steps."""
        return self.look_back(x, answers) if self.kind == "states" else self.decode(x, answers)

    def look_back(self, x: Sequences, answers: int) -> Readings:
        """Let each answer look at the states up to its step."""
        h = self.states(x)
        T, q = h.shape[2], h[:, :, -answers:]
        later = torch.ones(answers, T, dtype=torch.bool, device=h.device).triu(T - answers + 1)
        e = self.scores(q, self.scores.keys(h))
        weights = e.masked_fill(later, -torch.inf).softmax(dim=-1)
        return Readings(q, weights @ h, weights)

    def decode(self, x: Sequences, answers: int) -> Readings:
        """Let a second LSTM answer, which looks at the states of the first."""
        before, during = x.split((x.shape[2] - answers, answers), dim=2)
        if not before.shape[2]:
            raise BadInput(
                f"{self.name} has nothing to decode where every step has an answer; choose kind 'states'"
            )
        h = self.states(before)
        k, state = self.scores.keys(h), (h[:, :, -1], torch.zeros_like(h[:, :, -1]))
        steps = []
        for x_t in during.unbind(dim=2):
            weights = self.scores(state[0][:, :, None], k).softmax(dim=-1)
            m = weights @ h  # (E, B, 1, H)
            a = self.decoder.project(torch.cat([x_t[:, :, None], m], dim=-1))
            state = self.decoder.step(a[:, :, 0], *state)
            steps.append((state[0][:, :, None], m, F.pad(weights, (0, answers))))
        h_t, m_t, weights_t = (torch.cat(parts, dim=2) for parts in zip(*steps, strict=True))
        return Readings(self.drop(h_t), m_t, weights_t)

    def start(self, B: int, T: int) -> tuple[int, Memory, Any]:
        """Return the number of steps seen, room for T of them, and the state of every layer."""
        if self.kind == "decoder":
            raise BadInput(
                f"{self.name} with a decoder can't tell from a step whether it is to answer"
            )
        E, H = self.scores.W_k.shape[:2]
        empty = self.scores.W_k.new_empty
        room = Memory(empty(E, B, T, H), empty(E, B, T, self.scores.W_k.shape[2]))
        return 0, room, super().start(B, T)

    def advance(
        self, x: Float[Tensor, "E B D"], state: tuple[int, Memory, Any]
    ) -> tuple[Float[Tensor, "E B C"], tuple[int, Memory, Any]]:
        """Return the outputs at the next step, and the states up to there."""
        t, memory, before = state
        h, after = self.advance_layers(x, before)
        memory.h[:, :, t], memory.k[:, :, t] = h, self.scores.keys(h[:, :, None])[:, :, 0]
        weights = self.scores(h[:, :, None], memory.k[:, :, : t + 1]).softmax(dim=-1)
        m = (weights @ memory.h[:, :, : t + 1])[:, :, 0]
        return self.readout(torch.cat([h, m], dim=-1)), (t + 1, memory, after)
