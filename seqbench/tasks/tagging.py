r"""Tagging: the tag of an ambiguous word depends on the next cue.

A step shows a word or a cue. Words are drawn uniformly from 0 to 7, cues from four, symbols 8 to 11; the first step is
a word, the last a cue, and any other is a cue with probability 1 / ``lag``, so that the next cue is about ``lag`` steps
ahead. Every word has one of four tags: the plain words 0 to 3 their own number; the ambiguous words 4 to 7, less 4,
plus that of the next cue, modulo 4. At a cue no answer is due. ::

    symbol   5  2  6  C1  0  7  C3
    y        2  2  3  .   0  2  .         5: 1 + 1        6: 2 + 1        7: 3 + 3 = 2

T = 4 lag. Tags are uniform over the four: a constant answer is right in 1/4, the *chance*.

The input up to a word is independent of the next cue, and a uniform cue makes every tag of an ambiguous word equally
probable. So a unidirectional model is right in all plain words and in a quarter of the others,
:math:`\frac{1}{2} + \frac{1}{2} \cdot \frac{1}{4} = \frac{5}{8}`: its *ceiling*. Bidirectional models are allowed here.

Source: made for this benchmark, for the claim of Schuster and Paliwal (1997) that future context helps.
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

TAGS = 4  # also the number of cues
WORDS = 2 * TAGS  # plain ones, then ambiguous ones


@dataclass(frozen=True)
class Tagging(Task):
    """Tags that depend on a cue about ``lag`` steps ahead."""

    name = "tagging"
    knob = "mean distance"
    knob_unit = "steps"
    lags = range(2, 25_001)
    inputs = WORDS + TAGS
    outputs = TAGS
    causal = False
    chance = 1 / TAGS
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = 4 lag."""
        T = 4 * self.lag
        word = keys.integers("words", 0, WORDS, T)
        cue = keys.integers("cues", 0, TAGS, T)
        is_cue = keys.integers("places of the cues", 0, self.lag, T) == 0
        is_cue[:, 0], is_cue[:, -1] = False, True
        t = torch.arange(T, device=word.device)
        following = t.where(is_cue, T).flip(1).cummin(dim=1).values.flip(1)  # (N, T): its step
        meant = (word + cue.gather(1, following)) % TAGS
        y = word.where(word < TAGS, meant)
        return Batch((WORDS + cue).where(is_cue, word), y, ~is_cue)
