r"""Parity: whether the number of ones is odd, trained on short strings and tested on longer ones.

The sequence is a string of uniform random bits. The answer, due once, at the last bit, is the parity of all of them;
the blank symbol 2 pads the sequence to the common length T. ::

    symbol   1  0  1  1  2  2                  ->    y = 1, at the fourth step
    y        1  1  0  1  1  1
    mask     .  .  .  x  .  .

Strings have 1 to ``lag`` bits, every length equally often, in training, validation and test. A trained model is then
tested at other lengths: ``task.at(80)`` has test strings of exactly 80 bits. The shortest strings recur (only two have
one bit); long ones are all new.

One uniform bit makes the parity uniform: a constant answer is right in half of the strings, the *chance*, at any
length.

Source: Delétang et al. (2023), who train on lengths 1 to 40 and report the mean accuracy over lengths 41 to 500; here
the accuracy at each length is a test of its own.
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch
from seqbench.tasks.strings import StringTask

BLANK = 2


@dataclass(frozen=True)
class Parity(StringTask):
    """Parity of strings of 1 to ``lag`` bits."""

    name = "parity"
    version = 2
    inputs = 3
    outputs = 2
    chance = 1 / 2
    threshold = 0.99

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = lag, or T = tested."""
        low, high = self.get_limits(keys.split)
        length = keys.integers("length", low, high + 1, 1)  # (N, 1), both ends included
        bits = keys.integers("bits", 0, 2, high)
        t = torch.arange(high, device=bits.device)
        x = bits.where(t < length, BLANK)
        y = bits.where(t < length, 0).cumsum(dim=1) % 2  # the parity so far
        return Batch(x, y, t == length - 1)
