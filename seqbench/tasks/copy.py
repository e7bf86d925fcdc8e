r"""Copy memory: repeat ten symbols after a long delay.

Ten symbols, drawn uniformly from eight, come first; then blanks and a delimiter; then ten more blanks, at which the ten
symbols are due in order. Before that the answer is blank. ::

    symbol   3 1 4 1 5 0 2 6 5 3  _ _ _ _ :  _ _ _ _ _ _ _ _ _ _
    y        _ _ _ _ _ _ _ _ _ _  _ _ _ _ _  3 1 4 1 5 0 2 6 5 3

The delay, blanks and delimiter, is ``lag`` steps long, T = lag + 20. All answers enter the loss; the score is the share
of the ten symbols recalled, so that blanks do not count. A constant answer recalls one symbol in eight, the *chance*.

The best model without memory answers blanks up to the delimiter and then the uniform distribution over the eight
symbols: 10 answers of T cost ln 8 nats each and the others nothing, a mean cross-entropy of :math:`10 \ln 8 / T`.

Source: Arjovsky, Shah and Bengio (2016), after Hochreiter and Schmidhuber (1997).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

SYMBOLS = 8
LENGTH = 10
BLANK, DELIMITER = 8, 9


@dataclass(frozen=True)
class Copy(Task):
    """Copy memory over a delay of ``lag`` steps."""

    name = "copy"
    knob = "steps between the last symbol and the first answer"
    inputs = SYMBOLS + 2
    outputs = SYMBOLS + 1
    measure = "share of the ten symbols recalled"
    chance = 1 / SYMBOLS
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = lag + 20."""
        symbols = keys.integers("symbols", 0, SYMBOLS, LENGTH)  # (N, 10)
        blanks = symbols.new_full((len(keys), self.lag + LENGTH), BLANK)
        x = torch.cat([symbols, blanks], dim=1)
        x[:, LENGTH + self.lag - 1] = DELIMITER
        return Batch.all_due(x, torch.cat([blanks, symbols], dim=1))

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of the ten symbols recalled."""
        return super().score(output[:, :, -LENGTH:], y[:, :, -LENGTH:], mask[:, :, -LENGTH:])
