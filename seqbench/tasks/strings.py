r"""Tasks on strings of varying length: trained on short ones, and then tested at any length.

Training, validation and test strings have 1 to ``lag`` symbols, every length equally often. The literature trains on 1
to 40. A trained model is then tested, as it is, at other lengths: ``task.at(80)`` is the same task with test strings of
exactly 80 symbols. Lengths beyond ``lag`` are new to the model, and solutions memorised per length do not help.

``Rewriting`` is the base of tasks whose answer is a string. The input comes first; the answers are due one by one at
the blanks that follow it, and further blanks pad the sequence to the common length T. The score is the mean over
strings of the share of right answers: every length has the same weight, which is the mean of the accuracies over
lengths.

Source: Delétang et al. (2023).
"""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from seqbench.axes import Outputs, PerMember
from seqbench.errors import BadInput
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.knobs import Knob

LONGEST_TESTED = 100_000


@dataclass(frozen=True)
class StringTask(Task):
    """A task on strings of 1 to ``lag`` symbols.

    Attributes
    ----------
    tested
        The length of all test strings; None for 1 to ``lag``, as in training. It is set by ``at`` and is not an option.
    """

    tested: int | None = None

    knob = "length"
    knob_unit = "symbols"
    lags = range(1, 10_001)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tested is not None and not 1 <= self.tested <= LONGEST_TESTED:
            raise BadInput(
                f"{self.name} can't be tested at lag {self.tested} "
                f"({Knob(self.knob, self.knob_unit).label}); choose from 1 to {LONGEST_TESTED}"
            )

    def at(self, lag: int) -> Task:
        """Return the same task, trained on the same strings, with test strings of exactly ``lag`` symbols."""
        return replace(self, tested=lag)

    def get_limits(self, split: str) -> tuple[int, int]:
        """Return the shortest and the longest length of a split, both included."""
        if split == "test" and self.tested is not None:
            return self.tested, self.tested
        return 1, self.lag


@dataclass(frozen=True)
class Rewriting(StringTask):
    """Rewriting of strings of 1 to ``lag`` symbols; the blank is the symbol after the alphabet.

    Attributes
    ----------
    times
        The length of the answer, as a multiple of the input length.
    """

    version = 2
    measure = "mean over strings of the share of symbols right"
    threshold = 0.99
    times: ClassVar[int] = 1

    @abstractmethod
    def rewrite(
        self, string: Int[Tensor, "N L"], length: Int[Tensor, "N 1"], a: Int[Tensor, "N T"]
    ) -> Int[Tensor, "N T"]:
        """Return the a-th symbol of the answer, from 0; the string is padded with blanks."""

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = (1 + times) lag, or (1 + times) tested."""
        low, high = self.get_limits(keys.split)
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
