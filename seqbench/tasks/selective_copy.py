r"""Selective copying: repeat sixteen symbols, or any number of them, that are scattered among noise.

The symbols, drawn uniformly from sixteen, are at random places of the first ``lag`` steps; all other steps have the
noise symbol 16. Then comes a query symbol 17 for each of them, at which they are due in order. With three::

    symbol   .  c  .  .  a  .  .  .  c  ?  ?  ?
    y                                   c  a  c

There are sixteen symbols; ``symbols=4`` asks for four, and so on. With S symbols, T = lag + S, and ``lag`` is at least
S. The places differ from sequence to sequence, so a fixed delay, which solves plain copying, does not help: the symbols
to remember have to be selected by content.

The symbols are drawn independently: a constant answer is right in 1/16, the *chance*, and so is any answer from the
other symbols alone.

Source: Gu and Dao (2023), with sixteen symbols.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

SYMBOLS = 16  # kinds of symbols
LENGTH = 16  # symbols, if nobody says
NOISE, ASK = 16, 17


@dataclass(frozen=True)
class SelectiveCopy(Task):
    """Selective copying of S ``symbols`` from ``lag`` steps of noise."""

    symbols: Annotated[int, Field(ge=1, le=1000, description="symbols to be repeated")] = LENGTH

    name = "selective-copy"
    knob = "length"
    knob_unit = "steps"
    lags = range(LENGTH, 100_001)
    inputs = SYMBOLS + 2
    outputs = SYMBOLS
    chance = 1 / SYMBOLS
    threshold = 0.95

    def list_lags(self) -> range:
        """Return the lags that have room for the symbols."""
        return range(self.symbols, self.lags.stop)

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, S)``; T = lag + S."""
        symbols = keys.integers("symbols", 0, SYMBOLS, self.symbols)  # (N, S)
        places = keys.permutation("places", self.lag)[:, : self.symbols].sort(dim=1).values
        noise = symbols.new_full((len(keys), self.lag), NOISE)
        ask = symbols.new_full(symbols.shape, ASK)
        x = torch.cat([noise.scatter(1, places, symbols), ask], dim=1)
        return Batch.all_due(x, symbols)
