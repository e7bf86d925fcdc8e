r"""Multi-query associative recall: read pairs of key and value, then recall the value of each key.

``lag`` pairs come first, key and value in turn; then every key is queried once, in random order, and its value is
due at that step. The keys of a sequence are distinct, out of 64; its values are drawn uniformly and independently
from 16, so that two keys may share one. Keys are symbols 0 to 63, values 64 to 79. ::

    symbol   c  2  a  7  d  2  |  d  c  a
    y        .  .  .  .  .  .  |  2  2  7

A value is independent of everything else in the sequence: a constant answer is right 1/16 of the time, the *chance*. A
model that remembers the values but not their keys does best with the most frequent one, and scores more: .26 with 8
pairs, .15 with 32.

Source: Arora et al. (2023), Zoology. There the vocabulary has 8,192 symbols, half of them keys and half values, the
values of a sequence are distinct, too, and the questions come after gaps that follow a power law, filled with random
symbols. Here the alphabet is small and the questions follow at once, so that a small model on a CPU is tested on
the binding of keys to values alone.
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

KEYS = 64
VALUES = 16


@dataclass(frozen=True)
class Recall(Task):
    """Recall of ``lag`` pairs."""

    name = "recall"
    knob = "pairs"
    knob_unit = "pairs"
    lags = range(1, KEYS + 1)
    inputs = KEYS + VALUES
    outputs = VALUES
    chance = 1 / VALUES
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, A)``; T = 3 lag, A = lag."""
        key = keys.permutation("keys", KEYS)[:, : self.lag]  # (N, lag)
        value = keys.integers("values", 0, VALUES, self.lag)
        pairs = torch.stack([key, KEYS + value], dim=-1).flatten(1)  # (N, 2 lag)
        order = keys.permutation("order of the questions", self.lag)
        x = torch.cat([pairs, key.gather(1, order)], dim=1)
        return Batch.all_due(x, value.gather(1, order))
