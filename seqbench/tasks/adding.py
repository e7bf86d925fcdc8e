r"""The adding problem: remember two marked numbers over a long sequence and add them.

Each step shows a value in [0, 1) and a mark; one step of each half is marked. The answer, due at the end, is the sum
of the two marked values. ::

    value   0.3  0.9  0.1  0.7  0.2  0.5
    mark     0    1    0    0    1    0        ->    y = 0.9 + 0.2 = 1.1

An answer is right when it lies within .04 of the sum, as in 1997. The best constant answer is 1, the peak of the
triangular density of the sum: it is right in a share of :math:`1 - (1 - .04)^2 = .0784` of the sequences, the
*chance*, and its mean squared error is :math:`\mathrm{Var}(U_1 + U_2) = 1/6`.

Source: Hochreiter and Schmidhuber (1997), experiment 4, with values and target as scaled by Le, Jaitly and Hinton
(2015). The places of the marks differ between papers: here one in each half, as in Arjovsky, Shah and Bengio
(2016).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from seqbench.axes import Outputs
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

TOLERANCE = 0.04


@dataclass(frozen=True)
class Adding(Task):
    """The adding problem over ``lag`` steps."""

    name = "adding"
    knob = "length"
    knob_unit = "steps"
    lags = range(2, 100_001)
    inputs = 2
    outputs = 1
    causal = False
    loss = "mse"
    measure = "share within .04 of the sum"
    chance = 1 - (1 - TOLERANCE) ** 2
    threshold = 0.9

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 2)`` of values and marks, y ``(N, 1, 1)``; T = lag."""
        value = keys.uniform("value", self.lag)  # (N, T)
        first = keys.integers("first mark", 0, self.lag // 2)  # (N,)
        second = keys.integers("second mark", self.lag // 2, self.lag)
        where = torch.stack([first, second], dim=-1)  # (N, 2)
        mark = torch.zeros_like(value).scatter_(1, where, 1.0)
        total = value.gather(1, where).sum(dim=-1)
        return Batch.all_due(torch.stack([value, mark], dim=-1), total[:, None, None])

    def right(self, output: Outputs, y: Shaped[Tensor, "E B A C"]) -> Bool[Tensor, "E B A"]:
        """Return which outputs are within .04 of the sum."""
        return ((output - y).abs() < TOLERANCE).squeeze(-1)
