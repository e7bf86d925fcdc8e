"""Common parts of tasks on a finite set of real examples: a fixed order, and the example of each identity.

Training draws examples with replacement. Validation and test use theirs in a fixed order, for every seed, and start
again after the last one, so that every example is used once before any is used twice.
"""

from jaxtyping import Int
from torch import Tensor

from seqbench.random import Keys


def choose_examples(keys: Keys, examples: int) -> Int[Tensor, "N"]:
    """Return the index ``(N,)`` of each identity's example within its split."""
    if keys.split == "train":
        return keys.integers("example", 0, examples)
    return keys.index % examples


def shuffle(name: str, examples: int) -> Int[Tensor, " n"]:
    """Return the fixed random order of the examples of a data set."""
    return Keys.span(name, 1, "order", 0, 0, 1).permutation("examples", examples)[0]
