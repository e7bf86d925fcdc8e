r"""Cycle navigation: track the position of a walk on a ring of five places.

The sequence is a string of steps, drawn uniformly from back, stay and forward (symbols 0, 1, 2), and the walk begins at
place 0. The answer, due once, at the last step, is the place; the blank symbol 3 pads the sequence to the common length
T. ::

    symbol   +  -  0  -  -  _  _                  ->    y = -2 = 3, at the fifth step
    y        1  0  0  4  3  3  3
    mask     .  .  .  .  x  .  .

Strings of 1 to 40 steps, every length equally often, are used for training and validation; the test has 41 to ``lag``
steps, both included. Training stops by the score on the training lengths: the validation set has no others.

After n steps the probability of a place differs from 1/5 by at most :math:`\frac{2}{5}(\lambda_1^n + \lambda_2^n)`,
with :math:`\lambda_k = |1 + 2 \cos(2 \pi k / 5)| / 3`, .54 and .21: a constant answer is right in 1/5 of the test, the
*chance*, to ten digits, and the constant 0 in .21 of the short training strings. A model that misses a few of the steps
does no better.

Source: Delétang et al. (2023), who train on lengths 1 to 40 and test on 41 to 500.
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.strings import LONGEST, get_limits

PLACES = 5
BLANK = 3


@dataclass(frozen=True)
class Cycle(Task):
    """Cycle navigation, tested on walks of up to ``lag`` steps."""

    name = "cycle"
    knob = "longest tested length"
    knob_unit = "symbols"
    lags = range(LONGEST + 1, 100_001)
    inputs = 4
    outputs = PLACES
    chance = 1 / PLACES
    threshold = 0.99

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = 40, in the test T = lag."""
        low, high = get_limits(keys.split, self.lag)
        length = keys.integers("length", low, high + 1, 1)  # (N, 1), both ends included
        steps = keys.integers("steps", 0, 3, high)
        t = torch.arange(high, device=steps.device)
        x = steps.where(t < length, BLANK)
        y = (steps - 1).where(t < length, 0).cumsum(dim=1) % PLACES  # the place so far
        return Batch(x, y, t == length - 1)
