r"""Bucket sort: repeat the symbols of a string in sorted order.

The input is a string of digits 0 to 4, drawn uniformly; at the blanks that follow it, symbol 5, the same digits are due
from the smallest to the largest. Five counters suffice. ::

    symbol   3  0  4  0  _  _  _  _  _  _
    y        .  .  .  .  0  0  3  4  .  .

Strings have 1 to ``lag`` digits, every length equally often, in training, validation and test; the score weighs all
lengths the same. A trained model is then tested at other lengths: ``task.at(80)`` has test strings of exactly 80
digits.

Any constant digit is right in 1/5 of the answers. But a model that only counts the digits, without reading them, does
far better: among n digits the a-th smallest (from 0) is at least c if at most a of them are below c,

.. math::
    P(y_a \ge c) = P(\mathrm{Binomial}(n, c/5) \le a),

and the most probable digit is right in .78 of the answers for n = 41, and in .94 for n = 500, since in long strings
each digit has nearly its expected share. Its mean over the lengths of the test is the *chance* here: .65 for 1 to 40. A
score near it shows that only the length was used; from 20,000 digits on it reaches the threshold, so that a test there
says nothing.

Source: Delétang et al. (2023), bucket sort: five symbols, lengths 1 to 40 in training, 41 to 500 in the test.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Int
from scipy.special import bdtr
from torch import Tensor

from seqbench.tasks.strings import Rewriting

DIGITS = 5


@dataclass(frozen=True)
class BucketSort(Rewriting):
    """Sorting of strings of 1 to ``lag`` digits."""

    name = "bucket-sort"
    inputs = DIGITS + 1
    outputs = DIGITS

    @property
    def chance(self) -> float:
        """Return the share of answers that can be given from the lengths of the test alone."""
        low, high = self.get_limits("test")
        return float(np.mean([compute_likeliest_share(n) for n in range(low, high + 1)]))

    def rewrite(
        self, string: Int[Tensor, "N L"], length: Int[Tensor, "N 1"], a: Int[Tensor, "N T"]
    ) -> Int[Tensor, "N T"]:
        """Return the a-th smallest digit; blanks are larger than all digits."""
        return string.sort(dim=1).values.gather(1, a)


@cache
def compute_likeliest_share(n: int) -> float:
    """Return the share of right answers of the most probable digit at each place of n sorted digits."""
    a = np.arange(n)[:, None]
    at_least = bdtr(a, n, np.arange(DIGITS + 1) / DIGITS)  # (n, 6): 1 for c = 0, 0 for c = 5
    return float((at_least[:, :-1] - at_least[:, 1:]).max(axis=1).mean())
