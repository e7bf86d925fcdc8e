r"""The Time Machine, character by character: name the next one.

The text of H. G. Wells, lower-cased; whatever is not a letter becomes one space, so that 27 symbols are left, the
space 0 and a to z 1 to 26. A sequence is a window of ``lag`` characters, and the answer at every step is the
character that follows. ::

    x   t h e _ t i m e _ t r a v e l l e
    y   h e _ t i m e _ t r a v e l l e r

The text is cut once: the first 80 % are to train on, windows beginning anywhere; the next 10 % are for validation and
the last 10 % for the test, in windows side by side (past the last one they begin again).

The score is in bits a character, lower is better. *Chance* is what the frequencies of the characters alone give: the
entropy :math:`-\sum_a p(a) \log_2 p(a)` of the training text, 4.08 bits. The *threshold* is what one character of
context gives: a table of the pairs of the training text, each counted once more than it occurs, costs 3.26 bits a
character on the held-out text. A run that beats it uses more than one. Both are computed from the text, and so are the
n-grams among the ``baselines``.

Source: Zhang, Lipton, Li and Smola (2023), Dive into Deep Learning, whose text and symbols these are; they hold no
part of it out for a test.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import log2

from seqbench.tasks.language_model import LanguageModel
from seqbench.tasks.sources import locate

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
PARTS = {"train": (0, 80), "validation": (80, 90), "test": (90, 100)}  # in hundredths of the text


@cache
def text(split: str) -> str:
    """Return one part of the text, in the 27 symbols."""
    whole = locate("timemachine", "timemachine.txt").read_text("utf-8")
    whole = re.sub("[^a-z]+", " ", whole.lower())
    start, stop = (len(whole) * part // 100 for part in PARTS[split])
    return whole[start:stop]


@cache
def bits_of_pairs() -> float:
    """Return the cost of the held-out text under the pairs of the training text, each counted once more."""
    pairs = Counter(pairwise(text("train")))
    first = Counter(text("train")[:-1])
    held_out = list(pairwise(text("validation") + text("test")))
    bits = (log2((first[a] + len(ALPHABET)) / (pairs[a, b] + 1)) for a, b in held_out)
    return sum(bits) / len(held_out)


@dataclass(frozen=True)
class TimeMachine(LanguageModel):
    """Language model of The Time Machine in windows of ``lag`` characters."""

    name = "time-machine"
    inputs = len(ALPHABET)
    outputs = len(ALPHABET)
    alphabet = ALPHABET
    text = staticmethod(text)

    @property
    def threshold(self) -> float:
        """Return the bits a character of a table of pairs, on the held-out text."""
        return bits_of_pairs()
