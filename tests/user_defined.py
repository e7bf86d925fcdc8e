"""Tasks and models of a caller's own, as passed to ``run`` as objects: some are well behaved."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from seqbench.errors import DataMissing
from seqbench.models.base import Linear, Model
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task


@dataclass(frozen=True)
class Echo(Task):
    """Say the last symbol again: learned in no time."""

    name = "echo"
    inputs = 2
    outputs = 2
    chance = 0.5
    threshold = 0.99

    def sample(self, keys: Keys) -> Batch:
        x = keys.integers("symbols", 0, 2, self.lag)
        return Batch.all_due(x, x[:, -1:])


@dataclass(frozen=True)
class Absent(Echo):
    """A task whose data is not there."""

    name = "absent"

    def sample(self, keys: Keys) -> Batch:
        raise DataMissing("nobody knows where it is")


@dataclass(frozen=True)
class Brief(Echo):
    """A task that has no lag above four, and says so by an error that is none of seqbench's."""

    name = "brief"

    def __post_init__(self) -> None:
        if self.lag > 4:
            raise ValueError("no lag above 4")


class Last(Model):
    """Reads the last step only."""

    name = "last"

    def __init__(self, keys: Keys, *, inputs, outputs, hidden, layers=1, causal=True) -> None:
        super().__init__()
        self.seeds = keys.seed
        self.hide = Linear(keys, "hide", inputs, hidden)
        self.readout = Linear(keys, "readout", hidden, outputs)

    def forward(self, x: Tensor, answers: int) -> Tensor:
        self.misbehave()
        return self.readout(self.hide(x[:, :, -answers:]).tanh())

    def misbehave(self) -> None:
        pass


class Chatty(Last):
    name = "chatty"

    def misbehave(self) -> None:
        print("spoils standard output")


class Faulty(Last):
    name = "faulty"

    def misbehave(self) -> None:
        raise ValueError("this never works\nand here is why")


class Hungry(Last):
    """There is memory for every seed but 1."""

    name = "hungry"
    error: type[Exception] = torch.OutOfMemoryError

    def misbehave(self) -> None:
        if 1 in self.seeds:
            raise self.error("no more memory")


class Starving(Hungry):
    name = "starving"
    error = MemoryError


class Huge(Hungry):
    """Asks for more than there is in earnest."""

    name = "huge"

    def misbehave(self) -> None:
        if 1 in self.seeds:
            torch.empty(2**60)


class Deadly(Last):
    """Seed 1 takes its process with it, always."""

    name = "deadly"

    def misbehave(self) -> None:
        if 1 in self.seeds:
            os._exit(3)


class Sleepy(Last):
    """Says that it is at work, and then nothing for a long time."""

    name = "sleepy"

    def misbehave(self) -> None:
        Path(os.environ["SEQBENCH_TEST_MARK"], str(os.getpid())).touch()
        time.sleep(600)


class Unlucky(Last):
    """The first process that trains it is killed from outside."""

    name = "unlucky"

    def misbehave(self) -> None:
        mark = Path(os.environ["SEQBENCH_TEST_MARK"])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Short(Last):
    """Can't read more than a few steps."""

    name = "short"

    def forward(self, x: Tensor, answers: int) -> Tensor:
        if x.shape[2] > 9:
            raise ValueError("at most 9 steps")
        return super().forward(x, answers)
