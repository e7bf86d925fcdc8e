r"""Modular arithmetic: evaluate an expression of sums and products, modulo five.

The sequence is an expression without brackets: numbers 0 to 4, and between them operators +, -, * (symbols 5, 6, 7),
all drawn uniformly; multiplication takes precedence. The answer, due once, at the last number, is the value modulo 5;
the blank symbol 8 pads the sequence to the common length T. ::

    symbol   1  +  4  *  3  -  2  _  _          ->    y = 1 + 12 - 2 = 1, at the seventh step
    mask     .  .  .  .  .  .  x  .  .

An expression of n numbers has 2n - 1 symbols. Those of 1 to 39 symbols, every odd length equally often, are used for
training and validation; the test has 41 to ``lag`` symbols, or to lag - 1 if that is even. Training stops by the score
on the training lengths: the validation set has no others.

A term of one factor is uniform on 0 to 4, and so is every sum that contains one. Otherwise 0 is more frequent: a
product of k factors is 0 with probability :math:`1 - (4/5)^k`. The value is 0 in .206 of the training expressions and
in .2000 of the test expressions: the *chance* is 1/5.

Source: Delétang et al. (2023), modular arithmetic (simple), who train on lengths 1 to 40 and test on 41 to 500.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.strings import LONGEST, get_limits

MODULUS = 5
PLUS, MINUS, TIMES, BLANK = 5, 6, 7, 8


@dataclass(frozen=True)
class ModArithmetic(Task):
    """Arithmetic modulo 5, tested on expressions of up to ``lag`` symbols."""

    name = "mod-arithmetic"
    knob = "longest tested length"
    knob_unit = "symbols"
    lags = range(LONGEST + 1, 100_001)
    inputs = 9
    outputs = MODULUS
    chance = 1 / MODULUS
    threshold = 0.99

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = 39, in the test lag or lag - 1."""
        low, high = ((symbols + 1) // 2 for symbols in get_limits(keys.split, self.lag))
        count = keys.integers("count", low, high + 1, 1)  # (N, 1) of numbers, both ends included
        number = keys.integers("numbers", 0, MODULUS, high)
        operator = keys.integers("operators", PLUS, TIMES + 1, high)  # the one before each number
        operator[:, 0] = PLUS
        t = torch.arange(2 * high - 1, device=number.device)
        x = torch.stack([operator, number], dim=-1).flatten(1)[:, 1:]
        y = evaluate(number, operator, t[:high] < count)[:, None].expand(x.shape)
        return Batch(x.where(t < 2 * count - 1, BLANK), y, t == 2 * count - 2)


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
