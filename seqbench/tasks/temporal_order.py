r"""Temporal order: remember the order of two relevant symbols that are far apart.

The sequence opens with E and closes with B; between them lie distractors a, b, c, d, drawn uniformly, and two relevant
symbols, each X or Y. The answer, due at B, is one of four classes, XX, XY, YX and YY. With ``relevant=3`` there are
three symbols and eight classes. ::

    symbol   E  b  X  d  a  a  c  Y  b  B      ->    y = XY = 1

The relevant symbols are at random places, the first in [.10 T, .20 T), the second in [.50 T, .60 T); of three, the
second in [.33 T, .43 T) and the third in [.66 T, .76 T).

X and Y are drawn uniformly and independently of everything else: a constant answer is right in :math:`2^{-2}` of the
sequences (:math:`2^{-3}` of three), the *chance*. A model that remembers only one of the two symbols is right in half
of them.

Source: Hochreiter and Schmidhuber (1997), experiments 6a and 6b. There the length varies from 100 to 110; here it is
fixed, and the places scale with it.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.values.options import OneOf

DISTRACTORS = 4  # a, b, c, d are 0 to 3
OPEN, CLOSE, X = 4, 5, 6  # E, B, X, and Y is X + 1
PLACES = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}  # in hundredths of T


@dataclass(frozen=True)
class TemporalOrder(Task):
    """Temporal order over ``lag`` steps, of two or three relevant symbols."""

    relevant: Annotated[int, OneOf(2, 3), Field(description="symbols whose order is asked for")] = 2

    name = "temporal-order"
    knob = "length"
    knob_unit = "steps"
    lags = range(10, 100_001)
    inputs = 8
    causal = False
    threshold = 0.95

    @property
    def outputs(self) -> int:
        """Return the number of orders of X and Y."""
        return int(2**self.relevant)

    @property
    def chance(self) -> float:
        """Return the share of any one class."""
        return 1 / self.outputs

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, 1)``; T = lag."""
        places = [
            keys.integers(f"place {k}", low * self.lag // 100, high * self.lag // 100)
            for k, (low, high) in enumerate(PLACES[self.relevant])
        ]
        where = torch.stack(places, dim=-1)  # (N, relevant)
        bits = keys.integers("relevant", 0, 2, self.relevant)  # 0 is X, 1 is Y
        x = keys.integers("distractors", 0, DISTRACTORS, self.lag)  # (N, T)
        x.scatter_(1, where, X + bits)
        x[:, 0], x[:, -1] = OPEN, CLOSE
        weights = 2 ** torch.arange(self.relevant - 1, -1, -1, device=x.device)
        return Batch.all_due(x, (bits * weights).sum(dim=1, keepdim=True))
