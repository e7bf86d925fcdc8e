r"""Tiny Shakespeare: predict the next character.

A million characters of Shakespeare's plays, unchanged: 65 different ones, including capitals, punctuation and line
breaks. A sequence is a window of ``lag`` characters, and the answer at every step is the one that follows. ::

    x   F i r s t _ C i t i z e n :
    y   i r s t _ C i t i z e n : ⏎

The first 90 % of the text are for training, with windows beginning anywhere; the next 5 % are for validation and the
last 5 % for the test, in adjacent windows (after the last one they start again).

The score is in bits per character, lower is better. *Chance* is the entropy of the character frequencies,
:math:`-\sum_a p(a) \log_2 p(a)` in the training text. The *threshold* is that of one character of context, a 2-gram on
the test part; longer n-grams are among the ``baselines``. All are computed from the text.

Source: Karpathy (2015), The unreasonable effectiveness of recurrent neural networks, whose selection this is.
"""

from dataclasses import dataclass
from functools import cache

from seqbench.tasks import ngram
from seqbench.tasks.language_model import LanguageModel
from seqbench.tasks.sources import locate

ALPHABET = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PARTS = {"train": (0, 90), "validation": (90, 95), "test": (95, 100)}  # in hundredths of the text


@cache
def text(split: str) -> str:
    """Return one part of the text."""
    whole = locate("tinyshakespeare", "input.txt").read_text("utf-8")
    start, stop = (len(whole) * part // 100 for part in PARTS[split])
    return whole[start:stop]


@dataclass(frozen=True)
class Shakespeare(LanguageModel):
    """Language model of tiny Shakespeare in windows of ``lag`` characters."""

    name = "shakespeare"
    inputs = len(ALPHABET)
    outputs = len(ALPHABET)
    alphabet = ALPHABET
    text = staticmethod(text)

    @property
    def threshold(self) -> float:
        """Return the bits per character of a 2-gram, on the test part as one window."""
        test = text("test")
        return ngram.bits(text("train"), test, len(test) - 1, 2, len(ALPHABET))
