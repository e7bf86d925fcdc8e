r"""Copy memory: repeat ten symbols, or any number of them, after a long delay.

The symbols, drawn uniformly from eight, come first; then blanks and a delimiter; then as many blanks as there are
symbols, at which these are due in order. Before that the answer is blank. ::

    symbol   3 1 4 1 5 0 2 6 5 3  _ _ _ _ :  _ _ _ _ _ _ _ _ _ _
    y        _ _ _ _ _ _ _ _ _ _  _ _ _ _ _  3 1 4 1 5 0 2 6 5 3

The delay, blanks and delimiter, is ``lag`` steps long. There are ten symbols; ``symbols=32`` asks for 32, and so on:
each is three bits to be held in the state. With S symbols, T = lag + 2 S, and there are :math:`8^S` sequences: with few
symbols the test has none that are new. All answers enter the loss; the score is the share of the symbols recalled, so
that blanks do not count. A constant answer recalls one symbol in eight, the *chance*.

The best model without memory answers blanks up to the delimiter and then the uniform distribution over the eight
symbols: S answers of T cost ln 8 nats each and the others nothing, a mean cross-entropy of :math:`S \ln 8 / T`.

Source: Arjovsky, Shah and Bengio (2016), after Hochreiter and Schmidhuber (1997); there with ten symbols.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Shaped
from pydantic import Field
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

SYMBOLS = 8  # kinds of symbols
BLANK, DELIMITER = 8, 9


@dataclass(frozen=True)
class Copy(Task):
    """Copy memory of S ``symbols`` over a delay of ``lag`` steps."""

    symbols: Annotated[int, Field(ge=1, le=1000, description="symbols to be repeated")] = 10

    name = "copy"
    knob = "delay"
    knob_unit = "steps"
    inputs = SYMBOLS + 2
    outputs = SYMBOLS + 1
    measure = "share of the symbols recalled"
    chance = 1 / SYMBOLS
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = lag + 2 S."""
        symbols = keys.integers("symbols", 0, SYMBOLS, self.symbols)  # (N, S)
        blanks = symbols.new_full((len(keys), self.lag + self.symbols), BLANK)
        x = torch.cat([symbols, blanks], dim=1)
        x[:, self.symbols + self.lag - 1] = DELIMITER
        return Batch.all_due(x, torch.cat([blanks, symbols], dim=1))

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of the symbols recalled."""
        last = slice(-self.symbols, None)
        return super().score(output[:, :, last], y[:, :, last], mask[:, :, last])
