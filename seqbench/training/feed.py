"""The data of the members on its way to the models: drawn for each seed, several steps at once, and encoded."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from seqbench.random import Keys
from seqbench.records.schema import Budget
from seqbench.tasks.base import Split, Task

NUMBERS_AT_ONCE = 2**18  # of input data drawn in one go: random numbers come cheaper in bulk
NUMBERS_ON_A_GPU = 2**22  # where the launch of a kernel costs more than what it does


@dataclass(frozen=True)
class Folded:
    """Sequences folded to members and batches: x ``(E, B, T, …)``, y ``(E, B, A, …)``, mask ``(E, B, A)``."""

    x: Shaped[Tensor, "E B T *D"]
    y: Shaped[Tensor, "E B A *C"]
    mask: Bool[Tensor, "E B A"]

    def rows(self, rows: Int[Tensor, " K"]) -> "Folded":
        """Return the data of these members."""
        return Folded(self.x[rows], self.y[rows], self.mask[rows])

    def columns(self, start: int, stop: int) -> "Folded":
        """Return these sequences of every member."""
        return Folded(self.x[:, start:stop], self.y[:, start:stop], self.mask[:, start:stop])


def draw(
    task: Task, split: Split, seeds: Sequence[int], start: int, stop: int, device: torch.device
) -> Folded:
    """Return the sequences ``start … stop - 1`` of each seed."""
    return draw_seeds(task, split, torch.tensor(seeds, device=device), start, stop)


def draw_seeds(task: Task, split: Split, seeds: Int[Tensor, " E"], start: int, stop: int) -> Folded:
    """Return the sequences ``start … stop - 1`` of each seed, on the device where the seeds lie."""
    shape = (len(seeds), stop - start)
    seed = seeds[:, None].expand(shape).flatten()
    index = torch.arange(start, stop, device=seeds.device).expand(shape).flatten()
    batch = task.sample(Keys(task.name, task.version, split, seed, index))
    return Folded(*(part.unflatten(0, shape) for part in (batch.x, batch.y, batch.mask)))


class Feed:
    """The training data of the members, several steps drawn at once."""

    def __init__(
        self, task: Task, seeds: Sequence[int], budget: Budget, device: torch.device
    ) -> None:
        self.task, self.seeds = task, torch.tensor(seeds, device=device)
        self.batch, self.steps = budget.batch, budget.steps
        one = draw_seeds(task, "train", self.seeds[:1], 0, 1).x.numel()
        numbers = NUMBERS_AT_ONCE if device.type == "cpu" else NUMBERS_ON_A_GPU
        self.chunk = max(1, numbers // (one * len(seeds) * self.batch))
        self.start = self.stop = 0

    def step(self, t: int) -> Folded:
        """Return the data of step t, counted from 0."""
        if not self.start <= t < self.stop:
            self.start, self.stop = t, min(t + self.chunk, self.steps)
            first, last = t * self.batch, self.stop * self.batch
            self.data = draw_seeds(self.task, "train", self.seeds, first, last)
        first = (t - self.start) * self.batch
        return self.data.columns(first, first + self.batch)

    def keep(self, rows: Int[Tensor, " K"]) -> None:
        """Let all members go but these."""
        self.seeds, self.data = self.seeds[rows], self.data.rows(rows)


def encode(
    task: Task, x: Shaped[Tensor, "E B T *D"], dtype: torch.dtype = torch.float32
) -> Float[Tensor, "E B T *V"]:
    """Return what a model reads: symbols become one-hot vectors, values stay what they are."""
    if x.is_floating_point():
        return x.to(dtype)
    assert isinstance(task.inputs, int)
    return torch.eye(task.inputs, dtype=dtype, device=x.device)[x]
