r"""Bucket sort: say the symbols of a string again, in order of size.

The input is a string of digits 0 to 4, drawn evenly; at the blanks that follow it, symbol 5, the same digits are due
from the smallest to the largest. Five counters do it. ::

    symbol   3  0  4  0  _  _  _  _  _  _
    y        .  .  .  .  0  0  3  4  .  .

Strings of 1 to 40 digits are for training, of 41 to ``lag`` for the test; the score weighs all lengths the same. A run
ends by what it reaches on the lengths of training: validation has no others.

Any constant digit is right in 1/5 of the answers. But whoever counts the digits, and looks at none of them, does far
better: among n digits the a-th smallest is at least c where no more than a of them are below c,

.. math::
    P(y_a \ge c) = P(\mathrm{Binomial}(n, c/5) \le a),

and the likeliest digit by that is right in .78 of the answers for n = 41, in .94 for n = 500: of long strings the
shares are known. This is the *chance* here, with n from 41 to ``lag`` as in the test. A score near it says that the
length was read, and no more.

Source: Delétang et al. (2023), bucket sort: five symbols, lengths 1 to 40 in training, 41 to 500 in the test.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Int
from scipy.special import bdtr
from torch import Tensor

from seqbench.tasks.strings import Rewriting, get_limits

DIGITS = 5


@dataclass(frozen=True)
class BucketSort(Rewriting):
    """Sorting of strings of up to ``lag`` digits."""

    name = "bucket-sort"
    inputs = DIGITS + 1
    outputs = DIGITS

    @property
    def chance(self) -> float:
        """Return the share of answers that the lengths of the test give away."""
        low, high = get_limits("test", self.lag)
        return float(np.mean([compute_likeliest_share(n) for n in range(low, high + 1)]))

    def rewrite(
        self, string: Int[Tensor, "N L"], length: Int[Tensor, "N 1"], a: Int[Tensor, "N T"]
    ) -> Int[Tensor, "N T"]:
        """Return the a-th smallest digit; the blanks are larger than all."""
        return string.sort(dim=1).values.gather(1, a)


@cache
def compute_likeliest_share(n: int) -> float:
    """Return the share of n sorted digits that are what they most likely are."""
    a = np.arange(n)[:, None]
    at_least = bdtr(a, n, np.arange(DIGITS + 1) / DIGITS)  # (n, 6): 1 for c = 0, 0 for c = 5
    return float((at_least[:, :-1] - at_least[:, 1:]).max(axis=1).mean())
