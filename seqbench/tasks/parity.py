r"""Parity: is the number of ones odd? Learned on short strings, asked on longer ones.

The sequence is a string of even random bits. The answer, due once, at the last bit, is the parity of all of them;
what follows it, up to the common length T, is the blank symbol 2 and comes after the only answer that counts. ::

    symbol   1  0  1  1  2  2                  ->    y = 1, at the fourth step
    y        1  1  0  1  1  1
    mask     .  .  .  x  .  .

Strings of 1 to 40 bits, every length equally often, are for training and, drawn anew, for validation; the test asks
for 41 to ``lag`` bits, both included. The shortest recur (there are but two of one bit); those of the test are all new.
A run ends by what it reaches on the lengths of training: validation has no others.

One even bit makes the parity of a string even: a constant answer is right in half of them, the *chance*, whatever the
length.

Source: Delétang et al. (2023), who train on lengths 1 to 40 and test on 41 to 500 with the mean of the accuracies
over lengths; lengths are drawn evenly here, which is that mean.
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
    knob = "longest string of the test"
    lags = range(LONGEST + 1, 10_001)
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
