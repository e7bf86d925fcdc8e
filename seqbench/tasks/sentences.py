r"""Common parts of sentence classification: characters, windows at the end of a sentence, and a bag-of-words baseline.

A sentence is lower-cased, digits become 0, whitespace becomes one blank, and any other character outside the alphabet
becomes ``*``. Its last ``lag`` characters are the input, so that the last step is the last character; shorter sentences
are padded on the left. ::

    lag = 16      o v e d _ t h i s _ p l a c e .     "Wow... Loved this place." has lost its beginning
                  ▁ ▁ ▁ ▁ ▁ ▁ g o o d _ c a s e .     "Good case." stands at the right

The input is characters rather than words because models are matched by all their parameters, including the input
weights, and a vocabulary of some hundred words would use them up. The alphabet is fixed in advance, so it contains no
information about the test.

The linear baseline is logistic regression on the tf-idf of the words of the same windows, with scikit-learn's default
settings. It uses which words occur, but not their order.
"""

import re
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.finite import choose_examples

PADDING, OTHER = "▁", "*"
ALPHABET = f"{PADDING}{OTHER} abcdefghijklmnopqrstuvwxyz0.,!?'-"

Sentences = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Classification(Task):
    """Classify a sentence from its last ``lag`` characters."""

    knob = "length"
    knob_unit = "characters"
    lags = range(16, 513)
    inputs = len(ALPHABET)
    causal = False
    graded = True
    classes: ClassVar[int]

    @staticmethod
    @abstractmethod
    def sentences(split: str) -> Sentences:
        """Return the sentences of a split, as ``normalise`` gives them, with their classes, in its fixed order."""

    @property
    def outputs(self) -> int:
        """Return the number of classes."""
        return self.classes

    @property
    def chance(self) -> float:
        """Return the share of the most frequent class of the test."""
        found = [label for _, label in self.sentences("test")]
        return max(map(found.count, set(found))) / len(found)

    @property
    def threshold(self) -> float:
        """Return the accuracy of logistic regression on the words of the windows."""
        return score_words(self.sentences("train"), self.sentences("test"), self.lag)

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, lag)`` of characters, y ``(N, 1)``."""
        x, y = encode(self.sentences(keys.split), self.lag, keys.seed.device)
        item = choose_examples(keys, len(y))
        return Batch.all_due(x[item], y[item][:, None])

    def baselines(self) -> dict[str, float]:
        """Return the accuracy of logistic regression on the words of the windows."""
        return {"logistic regression on tf-idf of words": self.threshold}


def normalise(sentence: str) -> str:
    """Return a sentence in symbols of the alphabet."""
    sentence = re.sub(r"\s+", " ", re.sub("[0-9]", "0", sentence.strip().lower()))
    return re.sub(r"[^ a-z0.,!?'-]", OTHER, sentence)


@cache
def encode(
    sentences: Sentences, lag: int, device: torch.device
) -> tuple[Int[Tensor, "n lag"], Int[Tensor, " n"]]:
    """Return the windows and the classes of sentences."""
    place = {a: n for n, a in enumerate(ALPHABET)}
    windows = [[place[a] for a in text[-lag:].rjust(lag, PADDING)] for text, _ in sentences]
    labels = [label for _, label in sentences]
    return torch.tensor(windows, device=device), torch.tensor(labels, device=device)


@cache
def score_words(train: Sentences, test: Sentences, lag: int) -> float:
    """Return the accuracy of logistic regression on the tf-idf of the words in the windows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    (x, y), (x_test, y_test) = (
        zip(*((text[-lag:], label) for text, label in part), strict=True) for part in (train, test)
    )
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1_000))
    return float(model.fit(x, y).score(x_test, y_test))
