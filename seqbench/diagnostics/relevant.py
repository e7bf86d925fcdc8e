"""Which steps an answer rests on, and which are there to distract.

Read off the data itself, for the tasks whose rule says it. Drawn for one sequence, ``R`` a step that an answer rests
on, ``d`` a distractor, ``.`` neither::

    latch            1 c a h h d                    R d d d d d
    adding           value with mark, or without    d R d d R d
    temporal-order   E b X d a a c Y b B            . d R d d d d R d .
    copy             3 1 4 _ _ : _ _ _              R R R d d d . . .     answer j rests on symbol j alone
    recall           c 2 a 7 | a c                  . R . R . .           an answer rests on the value of its key
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from seqbench.tasks.copy import SYMBOLS
from seqbench.tasks.latch import CUES
from seqbench.tasks.temporal_order import DISTRACTORS, X


class Relevance(NamedTuple):
    """What is known of N sequences of T steps with A answers.

    Attributes
    ----------
    steps
        ``steps[n, a, t]``: whether answer a rests on step t. An answer that rests on none (a blank) asks for nothing.
    distracting
        Whether a step is there to distract.
    """

    steps: Bool[Tensor, "N A T"]
    distracting: Bool[Tensor, "N T"]

    @property
    def asked(self) -> Bool[Tensor, "N A"]:
        """Return which answers rest on anything."""
        return self.steps.any(dim=-1)

    @property
    def relevant(self) -> Bool[Tensor, "N T"]:
        """Return the steps that any answer rests on."""
        return self.steps.any(dim=1)


def latch(x: Shaped[Tensor, "N T"]) -> Relevance:
    """Rest on the cue."""
    return Relevance((x < CUES)[:, None], x >= CUES)


def adding(x: Shaped[Tensor, "N T 2"]) -> Relevance:
    """Rest on the marked steps."""
    marked = x[..., 1] == 1
    return Relevance(marked[:, None], ~marked)


def temporal_order(x: Shaped[Tensor, "N T"]) -> Relevance:
    """Rest on every X and Y; E and B, which frame the sequence, are no distractors."""
    return Relevance((x >= X)[:, None], x < DISTRACTORS)


def copy(x: Shaped[Tensor, "N T"]) -> Relevance:
    """Let each of the last answers rest on its own symbol; what is waited through distracts."""
    N, T = x.shape
    symbols = int((x < SYMBOLS).sum(dim=1).max())  # of every sequence
    steps = torch.zeros(T, T, dtype=torch.bool, device=x.device)
    steps[-symbols:, :symbols].fill_diagonal_(True)
    t = torch.arange(T, device=x.device)
    return Relevance(steps.expand(N, T, T), (x >= SYMBOLS) & (t < T - symbols))


def recall(x: Shaped[Tensor, "N T"]) -> Relevance:
    """Let each answer rest on the step after its key was first shown; nothing distracts."""
    pairs = x.shape[1] // 3
    shown, asked = x[:, : 2 * pairs], x[:, 2 * pairs :]
    steps = torch.zeros(len(x), pairs, x.shape[1], dtype=torch.bool, device=x.device)
    steps[:, :, 1 : 2 * pairs] = (asked[:, :, None] == shown[:, None])[:, :, :-1]
    return Relevance(steps, torch.zeros_like(x, dtype=torch.bool))


RELEVANT: dict[str, Callable[[Any], Relevance]] = {
    "latch": latch,
    "adding": adding,
    "temporal-order": temporal_order,
    "copy": copy,
    "recall": recall,
}
