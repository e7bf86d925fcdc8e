r"""The Time Machine: predict the next character.

The text of H. G. Wells, lower-cased; every run of other characters becomes one space, so that 27 symbols remain, the
space 0 and a to z 1 to 26. A sequence is a window of ``lag`` characters, and the answer at every step is the character
that follows. ::

    x   t h e _ t i m e _ t r a v e l l e
    y   h e _ t i m e _ t r a v e l l e r

The first 80 % of the text are for training, with windows beginning anywhere; the next 10 % are for validation and the
last 10 % for the test, in adjacent windows (after the last one they start again).

The score is in bits per character, lower is better. *Chance* is the entropy of the character frequencies,
:math:`-\sum_a p(a) \log_2 p(a)` in the training text, 4.08 bits. The *threshold* is that of one character of context: a
table of the character pairs of the training text with add-one smoothing has 3.26 bits per character on the held-out
text. A run that beats it uses more context. Both are computed from the text, like the n-grams among the ``baselines``.

Source: Zhang, Lipton, Li and Smola (2023), Dive into Deep Learning, whose text and symbols are used here; they hold
out no part of it for a test.
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
    """Return the bits per character of the held-out text under the training pairs, with add-one smoothing."""
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
        """Return the bits per character of a table of pairs, on the held-out text."""
        return bits_of_pairs()
