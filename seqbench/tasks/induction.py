r"""Induction: recall the symbol that followed the trigger the first time.

The sequence consists of symbols 0 to 15 drawn uniformly, with the trigger, symbol 16, once at a random place and again
at the end. The answer, due at the end, is the symbol that followed the trigger the first time. ::

    symbol   c  a  f  !  d  b  b  e  !             ->    y = d

Training and validation have 64 steps, the test has ``lag``, which may be fewer or more: a model that has learned the
rule rather than positions answers at any length. Training stops by the score on the training lengths: the validation
set has no others.

Every symbol is drawn uniformly and independently: a constant answer is right in 1/16, the *chance*. So is the symbol a
fixed number of steps ago, except in the 1 of T - 2 sequences in which the trigger came just before it.

Source: Gu and Dao (2023), who train on one length and test on others, after the induction heads that Olsson et al.
(2022) found in language models.
"""

from dataclasses import dataclass

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

SYMBOLS = 16
TRIGGER = 16
LENGTH = 64  # in training


@dataclass(frozen=True)
class Induction(Task):
    """Induction, tested on sequences of ``lag`` steps."""

    name = "induction"
    knob = "tested length"
    knob_unit = "steps"
    lags = range(3, 100_001)
    inputs = SYMBOLS + 1
    outputs = SYMBOLS
    chance = 1 / SYMBOLS
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, 1)``; T = 64, in the test T = lag."""
        T = self.lag if keys.split == "test" else LENGTH
        x = keys.integers("symbols", 0, SYMBOLS, T)
        place = keys.integers("place", 0, T - 2, 1)  # (N, 1): at least one symbol lies in between
        y = x.gather(1, place + 1)
        x.scatter_(1, place, TRIGGER)
        x[:, -1] = TRIGGER
        return Batch.all_due(x, y)
