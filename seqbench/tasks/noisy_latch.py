r"""The noisy latch: remember one marked symbol among many that look the same.

Every step shows a symbol, +1 or -1, and a mark: 1 at one of the first ten steps, the cue, and 0 at all others. Both
channels have Gaussian noise with a standard deviation of .2. The answer, due at the last step, is the sign of the cue:
class 1 for +1, class 0 for -1. ::

    symbol   0.9 -1.2 -0.8  1.1 -1.0  …  0.7           ->    y = 0
    mark     0.1 -0.2  1.3  0.0  0.2  … -0.1

The cue is followed by ``lag`` steps or by up to nine more: its place is uniform among the first ten steps, and
T = lag + 10. All symbols are drawn uniformly and independently, so that only the mark tells the cue from the
distractors. A model has to let the cue into its state and keep every later symbol out.

The sign of the cue is independent of the mark and of all other symbols: a constant answer is right in half of the
sequences, the *chance*, and so is any answer from the last ``lag`` steps. A model that sees no mark does best with the
majority of the first ten symbols: it is right in :math:`\frac12 + \frac12 \binom{10}{5} / 2^{10} = .623`. The noise
limits nobody: an answer that looks for the largest mark among the first ten steps is right in .999, at any lag.

The noise is one of 65,536 equally probable values, the quantiles of the normal distribution, and is looked up in a
table of them, which gives the same bits on every device; its largest value is 4.3 standard deviations.

Source: the latching problem of Bengio, Simard and Frasconi (1994), and experiment 3 of Hochreiter and Schmidhuber
(1997), the two-sequence problem. There the cue is the first step or the first few, what follows is noise around 0, and
the length varies; there is no mark. Here the distractors look like the cue, the mark tells them apart, and the length
is fixed.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import ndtri
from torch import Tensor

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

PLACES = 10  # possible steps of the cue
NOISE = 0.2  # the standard deviation
LEVELS = 2**16  # values of the noise


@dataclass(frozen=True)
class NoisyLatch(Task):
    """The noisy latch with at least ``lag`` steps after the cue."""

    name = "noisy-latch"
    knob = "delay"
    knob_unit = "steps"
    inputs = 2
    outputs = 2
    causal = False
    chance = 1 / 2
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 2)`` of symbols and marks, y ``(N, 1)``; T = lag + 10."""
        T = self.lag + PLACES
        sign = keys.integers("symbols", 0, 2, T)  # (N, T), 1 for +1
        place = keys.integers("place", 0, PLACES, 1)  # (N, 1)
        mark = torch.zeros_like(sign).scatter_(1, place, 1)
        noise = get_noise(sign.device)[keys.integers("noise", 0, LEVELS, T, 2)]
        x = torch.stack([2 * sign - 1, mark], dim=-1) + noise  # (N, T, 2)
        return Batch.all_due(x, sign.gather(1, place))


@cache
def get_noise(device: torch.device) -> Float[Tensor, " levels"]:
    """Return the values of the noise: the normal quantiles at the middles of equal parts of [0, 1]."""
    middles = (np.arange(LEVELS) + 0.5) / LEVELS
    return torch.from_numpy(NOISE * ndtri(middles)).to(torch.float32).to(device)
