r"""Tasks on strings of varying length: short ones for training, longer ones for the test.

Training and validation strings have 1 to 40 symbols, every length equally often; test strings 41 to ``lag``, both
included. So the test lengths are new to the model, and solutions memorised per length do not help.

``Rewriting`` is the base of tasks whose answer is a string. The input comes first; the answers are due one by one at
the blanks that follow it, and further blanks pad the sequence to the common length T. The score is the mean over
strings of the share of right answers: every length has the same weight, which is the mean of the accuracies over
lengths.

Source: Delétang et al. (2023).
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

LONGEST = 40  # in training


def get_limits(split: str, lag: int) -> tuple[int, int]:
    """Return the shortest and the longest length of a split, both included."""
    return (LONGEST + 1, lag) if split == "test" else (1, LONGEST)


@dataclass(frozen=True)
class Rewriting(Task):
    """Rewriting of strings, tested on up to ``lag`` symbols; the blank is the symbol after the alphabet.

    Attributes
    ----------
    times
        The length of the answer, as a multiple of the input length.
    """

    knob = "longest tested length"
    knob_unit = "symbols"
    lags = range(LONGEST + 1, 1001)
    measure = "mean over strings of the share of symbols right"
    threshold = 0.99
    times: ClassVar[int] = 1

    @abstractmethod
    def rewrite(
        self, string: Int[Tensor, "N L"], length: Int[Tensor, "N 1"], a: Int[Tensor, "N T"]
    ) -> Int[Tensor, "N T"]:
        """Return the a-th symbol of the answer, from 0; the string is padded with blanks."""

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = (1 + times) 40, in the test (1 + times) lag."""
        low, high = get_limits(keys.split, self.lag)
        length = keys.integers("length", low, high + 1, 1)  # (N, 1), both ends included
        symbols = keys.integers("symbols", 0, self.outputs, high)
        t = torch.arange((1 + self.times) * high, device=symbols.device)
        blank = self.outputs
        x = F.pad(symbols, (0, self.times * high)).where(t < length, blank)
        a = t - length  # (N, T)
        due = (a >= 0) & (a < self.times * length)
        y = self.rewrite(x[:, :high], length, a.where(due, 0))
        return Batch(x, y.where(due, 0), due)

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's mean over strings of the share of right answers."""
        right = (self.right(output, y) & mask).sum(dim=2)
        return (right / mask.sum(dim=2)).mean(dim=1)
