r"""Counting: strings of n times a and n times b; predict at every step which symbols may come next.

Strings are :math:`a^n b^n`, and :math:`a^n b^n c^n` with ``symbols=3``, after a start symbol S. The answer at every
step is the set of symbols that may come next, the end T among them: after an a, another a or the first b may come; from
then on n is determined, and only one symbol is possible. For n = 2::

    symbol   S  a  a  b  b            S  a  a  b  b  c  c
    y        a  a  a  b  T            a  a  a  b  c  c  T
                b  b                     b  b

The strings have n = 1 to ``lag``, every n equally often, in training, validation and test, which share the same
strings: one for every n. A trained model is then tested at another n: ``task.at(80)`` has test strings of 80 a, which
all are the same one. Strings are padded with blanks to the common length.

A prediction is right when exactly the symbols of the set have outputs above 0, a probability of 1/2; the score is the
share of strings in which every prediction is right, and so 0 or 1 where the test has a single n.

A constant answer is never right. An answer that depends on the time step but not on the input is right for a single n:
in 1 / ``lag`` of the strings, the *chance*. If learned from the strings of training, it is right for none with a larger
n.

Source: Gers and Schmidhuber (2001), LSTM recurrent networks learn simple context-free and context-sensitive languages.
There strings are presented one at a time; here in batches, and every symbol of a set has its own output.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Bool, Shaped
from pydantic import Field
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch
from seqbench.tasks.strings import StringTask
from seqbench.values.options import OneOf

BLANK, START, A = 0, 1, 2  # b and c are A + 1 and A + 2


@dataclass(frozen=True)
class Counting(StringTask):
    """Strings of two or three ``symbols``, with n of 1 to ``lag``."""

    symbols: Annotated[int, OneOf(2, 3), Field(description="kinds of letters that are counted")] = 2

    name = "counting"
    version = 2
    knob = "repetitions"
    knob_unit = "repetitions"
    lags = range(2, 10_001)  # with a single n, an answer that ignores the input is always right
    inputs = 5  # of both languages
    loss = "binary_cross_entropy"
    measure = "share of strings with every prediction right"
    threshold = 0.99

    @property
    def chance(self) -> float:
        """Return the share of any one string of training."""
        return 1 / self.lag

    @property
    def outputs(self) -> int:
        """Return the number of symbols and the end."""
        return self.symbols + 1

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)``, y ``(N, T, C)`` of what may follow; T = 1 + symbols lag, or 1 + symbols tested."""
        low, high = self.get_limits(keys.split)
        n = keys.integers("n", low, high + 1, 1)  # (N, 1), both ends included
        t = torch.arange(self.symbols * high + 1, device=n.device)
        run = (t - 1) // n  # (N, T), the letter at t; -1 is the start
        inside = run < self.symbols
        x = (A + run).where(inside, BLANK)
        letter = torch.arange(self.outputs, device=n.device)
        comes = letter == (t // n)[..., None]  # (N, T, C)
        may = comes | (run == 0)[..., None] & (letter <= 1)
        return Batch(x, may.float(), inside)

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A C"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of strings without a wrong prediction."""
        return (self.right(output, y) | ~mask).all(dim=2).float().mean(dim=1)

    def right(self, output: Outputs, y: Shaped[Tensor, "E B A C"]) -> Bool[Tensor, "E B A"]:
        """Return where exactly the symbols of the set have outputs above 0."""
        return ((output > 0) == (y == 1)).all(dim=-1)
