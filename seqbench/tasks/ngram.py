r"""Character n-grams, interpolated after Witten and Bell: the baseline of the language models.

The probability of a symbol :math:`a` after a context :math:`h` is its relative frequency in the training text, mixed
with the probability after the context shortened by one symbol, :math:`h'`; the more different symbols have followed
:math:`h`, the larger the weight of the latter:

.. math::
    p(a \mid h) = \frac{c(h a) + t(h)\, p(a \mid h')}{c(h) + t(h)}

:math:`c(h a)` is the number of times :math:`a` follows :math:`h`, :math:`c(h)` the number of times any symbol does, and
:math:`t(h)` the number of different symbols that do. For an unseen :math:`h` it is :math:`p(a \mid h')`; the empty
context is mixed with the uniform distribution.

An n-gram has the same context as a network: windows of the same length, starting at their first character.

Source: Witten and Bell (1991) for the estimate; Chen and Goodman (1999) for its interpolated form.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from math import log2

ORDERS = (1, 2, 3, 5)


class NGram:
    """The counts of a text, and the probabilities of the next symbol.

    Parameters
    ----------
    n
        The order: n - 1 symbols of context and the one that follows.
    symbols
        The size of the alphabet.
    """

    def __init__(self, text: str, n: int, symbols: int) -> None:
        self.n, self.symbols = n, symbols
        self.count: Counter[str] = Counter()  # c(h a)
        for k in range(1, n + 1):
            self.count.update(text[i : i + k] for i in range(len(text) - k + 1))
        self.followed: Counter[str] = Counter()  # c(h)
        self.followers: Counter[str] = Counter()  # t(h)
        for piece, times in self.count.items():
            self.followed[piece[:-1]] += times
            self.followers[piece[:-1]] += 1

    def probability(self, a: str, h: str) -> float:
        """Return p(a | h)."""
        p = 1 / self.symbols
        for start in range(len(h), -1, -1):  # from no context to all of it
            c, t = self.followed[h[start:]], self.followers[h[start:]]
            if not c:
                break
            p = (self.count[h[start:] + a] + t * p) / (c + t)
        return p

    def bits(self, windows: Iterable[str]) -> float:
        """Return the bits per symbol of these windows; the first symbol of each is not predicted."""
        costs = [
            -log2(self.probability(window[t], window[max(0, t + 1 - self.n) : t]))
            for window in windows
            for t in range(1, len(window))
        ]
        return sum(costs) / len(costs)


@cache
def count(text: str, n: int, symbols: int) -> NGram:
    """Return the counts of a text."""
    return NGram(text, n, symbols)


@cache
def bits(train: str, test: str, lag: int, n: int, symbols: int) -> float:
    """Return the bits per character of an n-gram on the adjacent windows of ``lag`` characters of a text."""
    starts = range(0, (len(test) - 1) // lag * lag, lag)
    return count(train, n, symbols).bits(test[start : start + lag + 1] for start in starts)


def baselines(train: str, test: str, lag: int, symbols: int) -> dict[str, float]:
    """Return the bits per character of n-grams of several orders."""
    return {f"{n}-gram": bits(train, test, lag, n, symbols) for n in ORDERS}
