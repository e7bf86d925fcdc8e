r"""Modular arithmetic: evaluate an expression of sums and products, modulo five.

The sequence is an expression without brackets: numbers 0 to 4, and between them operators +, -, * (symbols 5, 6, 7),
all drawn uniformly; multiplication takes precedence. The answer, due once, at the last number, is the value modulo 5;
the blank symbol 8 pads the sequence to the common length T. ::

    symbol   1  +  4  *  3  -  2  _  _          ->    y = 1 + 12 - 2 = 1, at the seventh step
    mask     .  .  .  .  .  .  x  .  .

An expression of n numbers has 2n - 1 symbols. Expressions have 1 to ``lag`` symbols, every odd length equally often,
in training, validation and test. A trained model is then tested at other lengths: ``task.at(81)`` has test expressions
of exactly 81 symbols, and ``task.at(80)`` of 79.

A term of k factors is 0 with probability :math:`1 - (4/5)^k`, as if it were surely 0 with probability
:math:`1 - (4/5)^{k-1}` and else uniform on 0 to 4. A sum is uniform as soon as one of its terms is. So the value of n
numbers is surely 0 with a probability :math:`u_n`, the mean of the product of :math:`1 - (4/5)^{k-1}` over the terms,
and else uniform. The next number is another factor of the last term with probability 1/3, and opens a term with 2/3.
Let :math:`a_n` be the same mean with 1 for the last term, and :math:`b_n` with :math:`(4/5)^{k-1}` for it. Then

.. math::
    u_n &= a_n - b_n, \quad a_1 = b_1 = 1, \\
    a_{n+1} &= \tfrac13 a_n + \tfrac23 u_n, \\
    b_{n+1} &= \tfrac13 \cdot \tfrac45 b_n + \tfrac23 u_n.

The value is 0 with probability :math:`\frac15 + \frac45 u_n`. Its mean over the lengths of the test is the *chance*:
.206 for 1 to 40 symbols, and .2000 for 41 and more.

Source: Delétang et al. (2023), modular arithmetic (simple), who train on lengths 1 to 40 and test on 41 to 500.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import fsum

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from seqbench.random import Keys
from seqbench.tasks.base import Batch
from seqbench.tasks.strings import StringTask

MODULUS = 5
PLUS, MINUS, TIMES, BLANK = 5, 6, 7, 8


@dataclass(frozen=True)
class ModArithmetic(StringTask):
    """Arithmetic modulo 5 on expressions of 1 to ``lag`` symbols."""

    name = "mod-arithmetic"
    version = 2
    inputs = 9
    outputs = MODULUS
    threshold = 0.99

    @property
    def chance(self) -> float:
        """Return the mean probability of the value 0 over the lengths of the test."""
        low, high = self.get_counts("test")
        shares = list(islice(compute_zero_shares(), low - 1, high))
        return fsum(shares) / len(shares)

    def get_counts(self, split: str) -> tuple[int, int]:
        """Return the smallest and the largest count of numbers of a split, both included."""
        low, high = self.get_limits(split)
        return (low + 1) // 2, (high + 1) // 2

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T is lag or lag - 1, or the same of tested."""
        low, high = self.get_counts(keys.split)
        count = keys.integers("count", low, high + 1, 1)  # (N, 1) of numbers, both ends included
        number = keys.integers("numbers", 0, MODULUS, high)
        operator = keys.integers("operators", PLUS, TIMES + 1, high)  # the one before each number
        operator[:, 0] = PLUS
        t = torch.arange(2 * high - 1, device=number.device)
        x = torch.stack([operator, number], dim=-1).flatten(1)[:, 1:]
        y = evaluate(number, operator, t[:high] < count)[:, None].expand(x.shape)
        return Batch(x.where(t < 2 * count - 1, BLANK), y, t == 2 * count - 2)


def compute_zero_shares() -> Iterator[float]:
    """Yield the probability that the value is 0, for expressions of 1, 2, 3, … numbers."""
    a, b = 1.0, 1.0
    while True:
        u = a - b
        yield 1 / MODULUS + (1 - 1 / MODULUS) * u
        a, b = a / 3 + 2 / 3 * u, (1 - 1 / MODULUS) * b / 3 + 2 / 3 * u


def evaluate(
    number: Int[Tensor, "N L"], operator: Int[Tensor, "N L"], inside: Bool[Tensor, "N L"]
) -> Int[Tensor, " N"]:
    """Return the value modulo 5 of the numbers inside the expression, each with the operator before it.

    Products become sums: 1, 2, 4, 3 are 2 to the powers 0, 1, 2, 3 modulo 5, so a term without a zero is 2 to the sum
    of the discrete logarithms of its factors. That sum is a difference of cumulative sums.
    """
    k = torch.arange(number.shape[1], device=number.device)
    begins = operator != TIMES
    first = (begins * k).cummax(dim=1).values  # (N, L): where the term of each number begins
    ends = F.pad((begins | ~inside)[:, 1:], (0, 1), value=True)
    logarithm = (number == 2) + 2 * (number == 4) + 3 * (number == 3)
    zeros = sum_within_term((number == 0).long(), first)
    product = 2 ** (sum_within_term(logarithm, first) % 4) % MODULUS * (zeros == 0)
    sign = 1 - 2 * (operator.gather(1, first) == MINUS).long()
    return (sign * product * (ends & inside)).sum(dim=1) % MODULUS


def sum_within_term(part: Int[Tensor, "N L"], first: Int[Tensor, "N L"]) -> Int[Tensor, "N L"]:
    """Return the cumulative sum within each term."""
    total = part.cumsum(dim=1)
    return total - (total - part).gather(1, first)
