"""What tasks on a finite set of real examples share: a fixed order, and which example an identity stands for.

Training draws examples with replacement. Validation and test go through theirs in a fixed order, whatever the seed, and
begin again past the last one: so every example is met once before any is met twice.
"""

from jaxtyping import Int
from torch import Tensor

from seqbench.random import Keys


def choose_examples(keys: Keys, examples: int) -> Int[Tensor, "N"]:
    """Return the place ``(N,)`` of each identity's example among all those of its split."""
    if keys.split == "train":
        return keys.integers("example", 0, examples)
    return keys.index % examples


def shuffle(name: str, examples: int) -> Int[Tensor, " n"]:
    """Return the one order of all examples of a data set that is used wherever theirs means something."""
    return Keys.span(name, 1, "order", 0, 0, 1).permutation("examples", examples)[0]
