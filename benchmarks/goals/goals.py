"""A goal, a row that says whether it was met, and two implementations that are timed in turns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch

from benchmarks.goals.implementations import Step
from benchmarks.goals.paired import Median, time_in_turns
from seqbench import machine
from seqbench.records.schema import Comparison, Side
from seqbench.text import shorten

SAMPLE = 0.05  # seconds that one timing takes at least, in as many steps as it needs
WARM_UP = 5  # steps before timing; a CUDA graph is captured after three


@dataclass(frozen=True)
class Goal:
    """A ratio that should be at least, or at most, a number."""

    name: str
    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, value: float) -> bool | None:
        """Return whether a median meets the goal; None where the goal has no bounds."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        low = "" if self.at_least is None else f">= {self.at_least:.3g}"
        high = "" if self.at_most is None else f"<= {self.at_most:.3g}"
        return " and ".join(bound for bound in (low, high) if bound)


@dataclass
class Row:
    """The result for one goal; the fields are those of the record that is kept of it."""

    goal: str
    what: str
    aim: str
    measured: float | None = None
    interval: tuple[float, float] | None = None
    rounds: int = 0
    met: bool | None = None
    ours: Side | None = None
    theirs: Side | None = None
    note: str = ""
    id: str | None = None  # where a claim asks for the row

    @classmethod
    def of(cls, goal: Goal, what: str, found: Median, **more: Any) -> "Row":
        """Return the row of a measurement; ``more`` are further fields, each of its own type."""
        interval, met = (found.low, found.high), goal.is_met(found.value)
        return cls(goal.name, what, str(goal), found.value, interval, found.rounds, met, **more)

    def record(self, **origin: Any) -> Comparison:
        """Return the record; ``origin`` are its fields for machine and code, each of its own type."""
        return Comparison(**vars(self), **origin)


@dataclass(frozen=True)
class Peer:
    """A training step of ours against one of theirs."""

    goal: Goal
    what: str
    ours: Callable[[], Step]
    theirs: Callable[[], Step]
    precisions: tuple[str, str] = ("float32", "float32")
    device: str = "cpu"

    def measure(self, rounds: int) -> Iterator[Row]:
        """Yield one row: how many times as fast as theirs our step is."""
        sides = [TimedStep.of(make, self.device) for make in (self.ours, self.theirs)]
        times = time_in_turns([side.measure for side in sides], rounds)
        ratios = [theirs / ours for ours, theirs in times]
        ours, theirs = (
            summarise([side], [each], precision)
            for side, each, precision in zip(
                sides, zip(*times, strict=True), self.precisions, strict=True
            )
        )
        yield Row.of(self.goal, self.what, Median.of(ratios), ours=ours, theirs=theirs)


@dataclass(frozen=True)
class TimedStep:
    """A step, how often it is repeated in one timing, and the bytes it adds at its peak."""

    step: Step
    device: str
    repeats: int
    memory: int

    @classmethod
    def of(cls, make: Callable[[], Step], device: str = "cpu") -> "TimedStep":
        """Make a step, take it a few times, and measure its memory and how many repeats a timing needs."""
        peak = machine.Peak(device)
        before = peak.read()
        step = make()
        for _ in range(WARM_UP):
            step()
        memory = max(0, peak.read() - before)
        single = cls(step, device, 1, memory)
        return cls(step, device, 1 + int(SAMPLE / single.measure()), memory)

    def measure(self) -> float:
        """Return the seconds that one step takes, its kernels included."""
        self.wait()
        since = perf_counter()
        for _ in range(self.repeats):
            self.step()
        self.wait()
        return (perf_counter() - since) / self.repeats

    def wait(self) -> None:
        """Wait until the device has finished."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def summarise(
    sides: Sequence[TimedStep], times: Sequence[Sequence[float]], precision: str = "float32"
) -> Side:
    """Return the median seconds and the memory of what was timed."""
    return Side(
        seconds=tuple(median(each) for each in times),
        peak_memory=tuple(side.memory for side in sides),
        precision=precision,
    )


def take_once(value: float) -> Median:
    """Return a value that was measured once; its interval is the value."""
    return Median(value, value, value, 1)


def compare_peers(peers: Callable[[], Iterator[Peer]], rounds: int) -> Iterator[Row]:
    """Yield a row for each peer; where a peer can't be run here, the row says why."""
    for peer in peers():
        try:
            yield from peer.measure(rounds)
        except Exception as error:
            reason = shorten(f"not measured: {type(error).__name__}: {error}".partition("\n")[0])
            yield Row(peer.goal.name, peer.what, str(peer.goal), note=reason)
