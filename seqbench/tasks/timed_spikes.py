r"""Timed spikes: after one input spike, produce a spike every F steps.

The input is zero except for one spike, at a step drawn uniformly from the first F. From then on the answer at every
step is whether to produce a spike: F steps after the input's spike, F steps after that, and so on, five times in all; F
is ``lag``, and T = 6 F has room for exactly five at every start. Before the input spike no answer is due. For F = 4 and
two spikes::

    input    0  0  1  0  0  0  0  0  0  0  0  0
    y        .  .  0  0  0  0  1  0  0  0  1  0

The period F is the same in all sequences and has to be learned; the phase is given by the input. The network has to
count F steps without input, reset its count, and not drift. There are only F different sequences, so the test has none
that are new: the question is whether the task can be solved at all.

The score is the share of sequences in which every step from the input's spike on is right. A constant answer is never
right. The best answer that depends on the time step but not on the input is a spike train of one phase, which is right
in the sequences of that phase only: 1/F, the *chance*.

Source: generating timed spikes, experiment 2 of Gers, Schraudolph and Schmidhuber (2002). There the input is constant
and gives the length of each interval, the intervals vary, and one endless stream is learned online with the squared
error; here the period is fixed, the input only sets the phase, and the answers are two classes learned from batches
with the cross-entropy.
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
    knob = "period"
    knob_unit = "steps"
    lags = range(2, 100_001)
    inputs = 1
    outputs = 2
    measure = "share of sequences with every step right"
    threshold = 0.9

    @property
    def chance(self) -> float:
        """Return the probability of one phase."""
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
