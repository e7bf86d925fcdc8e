r"""The adding problem of 1997: two marked values among many, in sequences of varying length.

Each step shows a value in [-1, 1) and a mark. The first and the last step are marked -1; one of the next nine steps is
marked 1, and so is another one of the first half. The answer, due at the last step, is
:math:`\frac12 + \frac14 (X_1 + X_2)` for the two values marked 1. ::

    value   0.3 -0.6  0.1  0.8 -0.2  0.5  0.9 -0.4  0.2 -0.7  0.0
    mark     -1    1    0    1    0    0    0    0    0   -1    0
    y         .    .    .    .    .    .    .    .    . 0.55    .        0.5 + (-0.6 + 0.8) / 4

A sequence has ``lag`` steps and up to a tenth more, every length equally often; shorter ones are padded with zeros
after the answer. So the answer is due at one of the last ``lag // 10 + 1`` steps, given by the mask.

An answer is right when it lies within .04. The target is the mean of two numbers uniform on [0, 1): its density is a
triangle with the peak 2 at 1/2. The best constant answer is 1/2: it is right in a share of
:math:`1 - (1 - .08)^2 = .1536` of the sequences, the *chance*, and its mean squared error is
:math:`\frac{1}{16} (\frac13 + \frac13) = 1/24`.

Source: Hochreiter and Schmidhuber (1997), experiment 4. There the first step may also have one of the two
marks, and its value is then 0; here it never has. There training stops after 2,000 consecutive right answers.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from seqbench.axes import Mask, Outputs
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

TOLERANCE = 0.04
SHORTEST = 20  # so that the first ten steps lie in the first half


@dataclass(frozen=True)
class Adding1997(Task):
    """The adding problem of 1997 over ``lag`` steps and up to a tenth more."""

    name = "adding-1997"
    knob = "shortest length"
    knob_unit = "steps"
    lags = range(SHORTEST, 100_001)
    inputs = 2
    outputs = 1
    loss = "mse"
    measure = "share within .04 of the target"
    chance = 1 - (1 - 2 * TOLERANCE) ** 2
    threshold = 0.9

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 2)`` of values and marks, y ``(N, A, 1)``; T = lag + lag // 10, A = lag // 10 + 1."""
        x, marked, mask = draw_marked_values(keys, self.lag, low=-1.0)
        y = 0.5 + marked.sum(dim=1) / 4  # (N,)
        return Batch(x, y[:, None, None].expand(*mask.shape, 1), mask)

    def right(self, output: Outputs, y: Shaped[Tensor, "E B A C"]) -> Bool[Tensor, "E B A"]:
        """Return which outputs are within .04 of the target."""
        return ((output - y).abs() < TOLERANCE).squeeze(-1)


def draw_marked_values(
    keys: Keys, lag: int, low: float
) -> tuple[Float[Tensor, "N T 2"], Float[Tensor, "N 2"], Mask]:
    """Return x, the two values marked 1, and the mask of the last step; values are in [low, 1)."""
    length = keys.integers("length", lag, lag + lag // 10 + 1, 1)  # (N, 1)
    t = torch.arange(lag + lag // 10, device=length.device)
    value = keys.uniform("value", len(t), low=low).where(t < length, 0.0)  # (N, T)
    first = keys.integers("first mark", 1, 10)  # (N,)
    second = keys.integers("second mark", 1, lag // 2 - 1)
    second = second + (second >= first)  # any step of the first half except the first marked one
    where = torch.stack([first, second], dim=-1)  # (N, 2)
    mark = torch.zeros_like(value).scatter_(1, where, 1.0)
    ends = (t == 0) | (t == length - 1)
    mark = mark.masked_fill(ends, -1.0)
    return torch.stack([value, mark], dim=-1), value.gather(1, where), ends[:, lag - 1 :]
