"""Common parts of character language models: windows of a text, bits per character, and n-gram baselines.

The text is split into parts in order. Training windows begin anywhere in their part; those of validation and test are
adjacent, and start again after the last one.
"""

from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import inf, log, log2
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks import ngram
from seqbench.tasks.base import Batch, Task


@dataclass(frozen=True)
class LanguageModel(Task):
    """Predict the next character at every step of a window of ``lag`` characters."""

    alphabet: ClassVar[str]
    knob = "context"
    knob_unit = "characters"
    lags = range(1, 5001)
    measure = "bits a character"
    score_range = (0.0, inf)
    higher_is_better = False
    graded = True

    @staticmethod
    @abstractmethod
    def text(split: str) -> str:
        """Return one part of the text, in symbols of the alphabet."""

    @property
    def chance(self) -> float:
        """Return the bits per character of the character frequencies."""
        return bits_of_frequencies(self.text("train"))

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of characters and y ``(N, T)``, those that follow; T = lag."""
        symbols = encode(self.text(keys.split), self.alphabet, keys.seed.device)
        if keys.split == "train":
            start = keys.integers("start", 0, len(symbols) - self.lag)  # (N,)
        else:
            windows = (len(symbols) - 1) // self.lag
            start = keys.index % windows * self.lag
        t = torch.arange(self.lag + 1, device=start.device)
        window = symbols[start[:, None] + t]  # (N, T + 1)
        return Batch.all_due(window[:, :-1], window[:, 1:])

    def score(
        self, output: Outputs, y: Int[Tensor, "E B A"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's bits per character."""
        nats = -output.log_softmax(dim=-1).gather(-1, y[..., None]).squeeze(-1)
        return (nats * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2)) / log(2)

    def baselines(self) -> dict[str, float]:
        """Return the bits per character of n-grams on the windows of the test."""
        return ngram.baselines(self.text("train"), self.text("test"), self.lag, len(self.alphabet))


@cache
def encode(text: str, alphabet: str, device: torch.device) -> Int[Tensor, "characters"]:
    """Return the symbols of a text as integers."""
    place = {a: n for n, a in enumerate(alphabet)}
    return torch.tensor([place[a] for a in text], device=device)


@cache
def bits_of_frequencies(text: str) -> float:
    """Return the entropy of the characters of a text."""
    counts = Counter(text)
    return -sum(n / counts.total() * log2(n / counts.total()) for n in counts.values())
