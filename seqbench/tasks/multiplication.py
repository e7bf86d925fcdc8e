r"""The multiplication problem: remember two marked values and multiply them.

As in the adding problem of 1997, each step shows a value and a mark: -1 at the first and the last step, 1 at one of
the nine steps after the first and at another one of the first half. Values lie in [0, 1) here, and the answer, due at
the last step, is :math:`X_1 X_2`. ::

    value   0.3  0.6  0.1  0.5  0.2  0.9  0.4  0.8  0.7  0.1  0.0
    mark     -1    1    0    1    0    0    0    0    0   -1    0
    y         .    .    .    .    .    .    .    .    .  0.3    .        0.6 * 0.5

A sequence has ``lag`` steps and up to a tenth more, every length equally often; zeros follow up to the longest.

An answer is right when it lies within .04. The product of two uniform numbers has the density :math:`-\ln p` and the
distribution :math:`F(p) = p - p \ln p`. The density decreases, so the best constant answer is .04, whose window is [0,
.08): it is right in a share of :math:`F(.08) = .2821` of the sequences, the *chance*. The constant with the least
squared error is the mean 1/4, with the squared error :math:`\frac19 - \frac1{16} = 7/144`; it is right in fewer, .1112.

Source: Hochreiter and Schmidhuber (1997), experiment 5. There the first step may also have one of the two marks;
here it never has.
"""

from dataclasses import dataclass
from math import log

from jaxtyping import Bool, Shaped
from torch import Tensor

from seqbench.axes import Outputs
from seqbench.random import Keys
from seqbench.tasks.adding_1997 import SHORTEST, TOLERANCE, draw_marked_values
from seqbench.tasks.base import Batch, Task


@dataclass(frozen=True)
class Multiplication(Task):
    """The multiplication problem over ``lag`` steps and up to a tenth more."""

    name = "multiplication"
    knob = "shortest length"
    knob_unit = "steps"
    lags = range(SHORTEST, 100_001)
    inputs = 2
    outputs = 1
    loss = "mse"
    measure = "share within .04 of the product"
    chance = 2 * TOLERANCE * (1 - log(2 * TOLERANCE))
    threshold = 0.9

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 2)`` of values and marks, y ``(N, A, 1)``; T = lag + lag // 10, A = lag // 10 + 1."""
        x, marked, mask = draw_marked_values(keys, self.lag, low=0.0)
        y = marked.prod(dim=1)  # (N,)
        return Batch(x, y[:, None, None].expand(*mask.shape, 1), mask)

    def right(self, output: Outputs, y: Shaped[Tensor, "E B A C"]) -> Bool[Tensor, "E B A"]:
        """Return which outputs are within .04 of the product."""
        return ((output - y).abs() < TOLERANCE).squeeze(-1)
