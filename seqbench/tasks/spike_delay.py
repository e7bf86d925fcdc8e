r"""Spike delay: count the steps between two spikes.

The input is zero except for two spikes, ``lag`` to ``lag`` + 9 steps apart. The answer, due at the second spike, is
which of these ten delays it was. For ``lag`` = 4::

    input    0  0  1  0  0  0  0  0  0  1  0  0
    y        .  .  .  .  .  .  .  .  .  3  .  .        4 + 3 steps

The second spike falls on a step drawn uniformly from ten, lag + 9 to lag + 18, so that T = lag + 19; the delay is drawn
uniformly and independently of it, which gives the place of the first spike. So only the distance determines the answer:
a model that sees only the last ``lag`` steps up to the second spike, even with a clock, sees a single spike. A constant
answer is right in 1/10 of the sequences, the *chance*. There are only 100 different sequences, so the test has none
that are new: the question is whether steps can be counted exactly.

Source: measuring spike delays, experiment 1 of Gers, Schraudolph and Schmidhuber (2002). There spikes come in one
stream that is learned online; here each sequence has one delay, and it is one of ten classes.
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

DELAYS = 10
PLACES = 10  # possible steps of the second spike


@dataclass(frozen=True)
class SpikeDelay(Task):
    """Classification of delays of ``lag`` to ``lag`` + 9 steps."""

    name = "spike-delay"
    knob = "shortest delay"
    knob_unit = "steps"
    inputs = 1
    outputs = DELAYS
    measure = "share of delays told to the step"
    chance = 1 / DELAYS
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 1)``, y ``(N, T)``; T = lag + 19."""
        delay = keys.integers("delay", 0, DELAYS, 1)  # (N, 1), beyond the shortest
        latest = self.lag + DELAYS - 1
        second = keys.integers("second spike", latest, latest + PLACES, 1)
        t = torch.arange(latest + PLACES, device=delay.device)
        first = second - self.lag - delay
        x = ((t == first) | (t == second)).float()  # (N, T)
        return Batch(x[..., None], delay.expand(x.shape), t == second)
