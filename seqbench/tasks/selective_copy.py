r"""Selective copying: repeat sixteen symbols that are scattered among noise.

Sixteen symbols, drawn uniformly from sixteen, are at random places of the first ``lag`` steps; all other steps have the
noise symbol 16. Then come sixteen query symbols 17, at which the sixteen symbols are due in order. With three of them::

    symbol   .  c  .  .  a  .  .  .  c  ?  ?  ?
    y                                   c  a  c

T = lag + 16. The places differ from sequence to sequence, so a fixed delay, which solves plain copying, does not help:
the symbols to remember have to be selected by content.

The symbols are drawn independently: a constant answer is right in 1/16, the *chance*, and so is any answer from the
other symbols alone.

Source: Gu and Dao (2023).
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

SYMBOLS = 16
LENGTH = 16
NOISE, ASK = 16, 17


@dataclass(frozen=True)
class SelectiveCopy(Task):
    """Selective copying from ``lag`` steps of noise."""

    name = "selective-copy"
    knob = "steps of symbols and noise"
    lags = range(LENGTH, 10_001)
    inputs = SYMBOLS + 2
    outputs = SYMBOLS
    chance = 1 / SYMBOLS
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, 16)``; T = lag + 16."""
        symbols = keys.integers("symbols", 0, SYMBOLS, LENGTH)  # (N, 16)
        places = keys.permutation("places", self.lag)[:, :LENGTH].sort(dim=1).values
        noise = symbols.new_full((len(keys), self.lag), NOISE)
        ask = symbols.new_full(symbols.shape, ASK)
        x = torch.cat([noise.scatter(1, places, symbols), ask], dim=1)
        return Batch.all_due(x, symbols)
