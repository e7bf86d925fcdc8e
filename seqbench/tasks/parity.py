r"""Parity: whether the number of ones is odd, trained on short strings and tested on longer ones.

The sequence is a string of uniform random bits. The answer, due once, at the last bit, is the parity of all of them;
the blank symbol 2 pads the sequence to the common length T. ::

    symbol   1  0  1  1  2  2                  ->    y = 1, at the fourth step
    y        1  1  0  1  1  1
    mask     .  .  .  x  .  .

Strings of 1 to 40 bits, every length equally often, are used for training and validation; the test has 41 to ``lag``
bits, both included. The shortest strings recur (only two have one bit); those of the test are all new. Training stops
by the score on the training lengths: the validation set has no others.

One uniform bit makes the parity uniform: a constant answer is right in half of the strings, the *chance*, at any
length.

Source: Delétang et al. (2023), who train on lengths 1 to 40 and test on 41 to 500 and report the mean accuracy
over lengths; here lengths are drawn uniformly, which gives the same mean.
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.strings import LONGEST, get_limits

BLANK = 2


@dataclass(frozen=True)
class Parity(Task):
    """Parity, tested on strings of up to ``lag`` bits."""

    name = "parity"
    knob = "longest tested length"
    knob_unit = "symbols"
    lags = range(LONGEST + 1, 100_001)
    inputs = 3
    outputs = 2
    chance = 1 / 2
    threshold = 0.99

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = 40, in the test T = lag."""
        low, high = get_limits(keys.split, self.lag)
        length = keys.integers("length", low, high + 1, 1)  # (N, 1), both ends included
        bits = keys.integers("bits", 0, 2, high)
        t = torch.arange(high, device=bits.device)
        x = bits.where(t < length, BLANK)
        y = bits.where(t < length, 0).cumsum(dim=1) % 2  # the parity so far
        return Batch(x, y, t == length - 1)
