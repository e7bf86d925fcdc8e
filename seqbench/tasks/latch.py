r"""The latch problem: remember the first symbol through noise.

A cue, one of two symbols, opens the sequence; ``lag`` distractors follow, drawn uniformly from eight other symbols. The
answer, due at the last distractor, is the cue. Symbols 0 and 1 are the cues, 2 to 9 the distractors a to h. ::

    symbol   1  c  a  h  h  d                  ->    y = 1

The cue is drawn uniformly and the distractors do not depend on it: a model that ignores the first step is right in half
of the sequences, the *chance*.

Source: the latching problem of Bengio, Simard and Frasconi (1994), with symbols in place of real-valued noise, as in
experiment 2c of Hochreiter and Schmidhuber (1997). There a trigger symbol precedes the answer and the lag varies; here
the lag is fixed and no trigger is needed.
"""

from dataclasses import dataclass

import torch

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

CUES = 2
DISTRACTORS = 8


@dataclass(frozen=True)
class Latch(Task):
    """The latch problem with ``lag`` distractors."""

    name = "latch"
    knob = "delay"
    knob_unit = "steps"
    inputs = CUES + DISTRACTORS
    outputs = CUES
    causal = False
    chance = 1 / CUES
    threshold = 0.95

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, 1)``; T = 1 + lag."""
        cue = keys.integers("cue", 0, CUES, 1)  # (N, 1)
        distractors = keys.integers("distractors", CUES, CUES + DISTRACTORS, self.lag)  # (N, lag)
        return Batch.all_due(torch.cat([cue, distractors], dim=1), cue)
