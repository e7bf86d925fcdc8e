r"""Cycle navigation: track the position of a walk on a ring of five places.

The sequence is a string of steps, drawn uniformly from back, stay and forward (symbols 0, 1, 2), and the walk begins at
place 0. The answer, due once, at the last step, is the place; the blank symbol 3 pads the sequence to the common length
T. ::

    symbol   +  -  0  -  -  _  _                  ->    y = -2 = 3, at the fifth step
    y        1  0  0  4  3  3  3
    mask     .  .  .  .  x  .  .

Walks have 1 to ``lag`` steps, every length equally often, in training, validation and test. A trained model is then
tested at other lengths: ``task.at(80)`` has test walks of exactly 80 steps.

The most probable place is 0, where the walk began. After n steps it has the probability

.. math::
    \frac15 + \frac25 (\lambda_1^n + \lambda_2^n), \quad \lambda_k = \frac13 (1 + 2 \cos(2 \pi k / 5)),

with :math:`\lambda_1` = .54 and :math:`\lambda_2` = -.21. Its mean over the lengths of the test is the *chance*: .21
for 1 to 40 steps, and 1/5 to ten digits for 41 and more. A model that misses a few of the steps does no better.

Source: Delétang et al. (2023), who train on lengths 1 to 40 and test on 41 to 500.
"""

from dataclasses import dataclass

import numpy as np
import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch
from seqbench.tasks.strings import StringTask

PLACES = 5
BLANK = 3


@dataclass(frozen=True)
class Cycle(StringTask):
    """Cycle navigation on walks of 1 to ``lag`` steps."""

    name = "cycle"
    version = 2
    inputs = 4
    outputs = PLACES
    threshold = 0.99

    @property
    def chance(self) -> float:
        """Return the mean probability of place 0 over the lengths of the test."""
        low, high = self.get_limits("test")
        n = np.arange(low, high + 1)
        waves = (1 + 2 * np.cos(2 * np.pi * np.arange(PLACES) / PLACES)) / 3  # the first is 1
        return float((waves[:, None] ** n).mean())

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T)``; T = lag, or T = tested."""
        low, high = self.get_limits(keys.split)
        length = keys.integers("length", low, high + 1, 1)  # (N, 1), both ends included
        steps = keys.integers("steps", 0, 3, high)
        t = torch.arange(high, device=steps.device)
        x = steps.where(t < length, BLANK)
        y = (steps - 1).where(t < length, 0).cumsum(dim=1) % PLACES  # the place so far
        return Batch(x, y, t == length - 1)
