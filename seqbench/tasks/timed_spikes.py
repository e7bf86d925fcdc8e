r"""Timed spikes: after one spike of the input, spike every F steps, with nothing more to go by.

The input is silent but for one spike, at a step drawn evenly from the first F. From then on the answer at every step
is whether to spike: F steps after the input's spike, F steps after that, and so on, five times in all; F is ``lag``,
and T = 6 F holds exactly five for every start. Before the input's spike nothing is asked. For F = 4 and two spikes::

    input    0  0  1  0  0  0  0  0  0  0  0  0
    y        .  .  0  0  0  0  1  0  0  0  1  0

The period F is the same in all sequences and is learned; the phase has to be read. So every answer follows from the
input up to its step. The network has to count F silent steps, start over by itself, and not drift. There are only F
different sequences, so the test holds none that training has not: asked is whether it can be done at all.

The score is the share of sequences in which every step from the input's spike on is right. A constant answer is never
right. One that ignores the input but not the clock can be a train of spikes of one phase, which is right in the
sequences of that phase and wrong in all others: 1/F, the *chance*.

Source: generating timed spikes, experiment 2 of Gers, Schraudolph and Schmidhuber (2002). There the input is constant
and says how long each interval is, the intervals differ, and one stream without an end is learned online with the
squared error; here the period is fixed, the input only sets the phase, and the answers are two classes learned from
batches with the cross-entropy.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

SPIKES = 5


@dataclass(frozen=True)
class TimedSpikes(Task):
    """Spikes every ``lag`` steps."""

    name = "timed-spikes"
    knob = "steps from spike to spike"
    lags = range(2, 1001)
    inputs = 1
    outputs = 2
    measure = "share of sequences with every step right"
    threshold = 0.9

    @property
    def chance(self) -> float:
        """Return the share of the phase that a fixed train has."""
        return 1 / self.lag

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 1)``, y ``(N, T)``; T = 6 lag."""
        start = keys.integers("start", 0, self.lag, 1)  # (N, 1)
        t = torch.arange((SPIKES + 1) * self.lag, device=start.device)
        since = t - start  # (N, T)
        x = (since == 0).float()[..., None]
        y = ((since > 0) & (since % self.lag == 0)).long()
        return Batch(x, y, since >= 0)

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of sequences without a wrong step."""
        return (self.right(output, y) | ~mask).all(dim=2).float().mean(dim=1)
