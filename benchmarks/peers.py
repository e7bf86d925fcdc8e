"""The goals for speed, each against what a user would take instead: paired ratios, met or not.

    python benchmarks/peers.py                          # everything that this machine can measure
    python benchmarks/peers.py --goal cpu-cells --rounds 30 --json peers.json

A ratio says how many times as fast seqbench's training step is as the other's; both are timed in every round, on the
same data, in one process, and what is printed is the median with a 95 % bootstrap interval. Beside it stand the peak
memory of a step and the precision, of both sides. A goal that this machine can't measure is written down as such. The
file is written anew after each row, so that a run which is stopped loses nothing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from math import log
from pathlib import Path
from statistics import linear_regression, median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import torch
import typer
from torch import nn

import overhead
from paired import Median, in_turns, seconds
from seqbench import machine
from seqbench.cli import answer, obey
from seqbench.errors import unknown
from sides import Shape, Step, compiled, in_turn, loop, members, module, one_by_one, torchrl

HERE = Path(__file__).parent
SAMPLE = 0.05  # seconds that one timing takes at least, in as many steps as it needs
ROUNDS = 15

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Goal:
    """What is aimed at: a ratio of at least, or at most, so much."""

    name: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value: float) -> bool | None:
        """Return whether a median meets it; None where nothing is aimed at."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    def __str__(self) -> str:
        low = "" if self.at_least is None else f">= {self.at_least:g}"
        high = "" if self.at_most is None else f"<= {self.at_most:g}"
        return " and ".join(bound for bound in (low, high) if bound)


@dataclass
class Row:
    """What came out for one goal."""

    goal: str
    what: str
    aim: str
    measured: float | None = None
    interval: tuple[float, float] | None = None
    rounds: int = 0
    met: bool | None = None
    ours: dict[str, Any] = field(default_factory=dict)
    theirs: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @classmethod
    def of(cls, goal: Goal, what: str, found: Median, **more: Any) -> "Row":
        """Return the row of a measurement."""
        between = (found.low, found.high)
        met = goal.met(found.value)
        return cls(goal.name, what, str(goal), found.value, between, found.rounds, met, **more)


@dataclass(frozen=True)
class Peer:
    """A step of ours against a step of theirs."""

    goal: Goal
    what: str
    ours: Callable[[], Step]
    theirs: Callable[[], Step]
    precision: str = "float32"

    def rows(self, rounds: int) -> Iterator[Row]:
        """Yield how many times as fast ours is."""
        sides = [Timed.of(make) for make in (self.ours, self.theirs)]
        times = in_turns([side.seconds for side in sides], rounds)
        ratios = [theirs / ours for ours, theirs in times]
        ours, theirs = (
            {"seconds": median(each), "peak_memory": side.memory, "precision": self.precision}
            for each, side in zip(zip(*times, strict=True), sides, strict=True)
        )
        yield Row.of(self.goal, self.what, Median.of(ratios), ours=ours, theirs=theirs)


@dataclass(frozen=True)
class Timed:
    """A step, how often it is repeated in one timing, and the bytes that it adds at its peak."""

    step: Step
    repeats: int
    memory: int

    @classmethod
    def of(cls, make: Callable[[], Step], device: str = "cpu") -> "Timed":
        """Make a side, take a few steps, and see what they need."""
        peak = machine.Peak(device)
        before = peak.bytes()
        step = make()
        step()
        memory = peak.bytes() - before
        step()
        return cls(step, 1 + int(SAMPLE / seconds(step)), max(0, memory))

    def seconds(self) -> float:
        """Return the time of one step."""
        since = perf_counter()
        for _ in range(self.repeats):
            self.step()
        return (perf_counter() - since) / self.repeats


# What a CPU can measure

CELLS = "cpu-cells"
COMPILED = 32  # steps; torch.compile unrolls the loop, and takes long for more


def cells() -> Iterator[Peer]:
    """Yield the members side by side against members one by one."""
    for H in (16, 32, 64):
        shape = Shape(E=8, B=32, T=100, H=H)
        yield Peer(
            Goal(CELLS, at_least=1.7),
            f"GRU, 8 members, H = {H}: auto / nn.GRU one by one",
            partial(members, "gru", shape),
            partial(one_by_one, module(nn.GRU), shape),
        )
    for H, goal in ((32, 2.5), (64, 1.6)):
        shape = Shape(E=8, B=32, T=100, H=H)
        yield Peer(
            Goal(CELLS, at_least=goal),
            f"LSTM with peepholes, 8 members, H = {H}: auto / the loop one by one",
            partial(members, "lstm_peephole", shape),
            partial(in_turn, "lstm_peephole", shape),
        )
    for E in (1, 3, 8):
        for H in (32, 64):
            shape = Shape(E=E, B=32, T=100, H=H)
            yield Peer(
                Goal(CELLS, at_least=0.95),
                f"LSTM, {E} members, H = {H}: auto / nn.LSTM one by one",
                partial(members, "lstm", shape),
                partial(one_by_one, module(nn.LSTM), shape),
            )


def others() -> Iterator[Peer]:
    """Yield what else one might take, without a goal."""
    no_goal = Goal("cpu-others")
    shape = Shape(E=8, B=32, T=100, H=32)
    for model, kind in (("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
        ours = partial(members, model, shape)
        if model == "rnn":
            theirs = partial(one_by_one, module(kind), shape)
            yield Peer(no_goal, "RNN, 8 members, H = 32: auto / nn.RNN one by one", ours, theirs)
        name = model.upper()
        what = f"{name}, 8 members, H = 32: auto"
        theirs = partial(one_by_one, loop(kind), shape)
        yield Peer(no_goal, f"{what} / eager loop over nn.{name}Cell", ours, theirs)
        if model != "rnn":
            theirs = partial(one_by_one, torchrl(kind), shape)
            yield Peer(no_goal, f"{what} / torchrl's {name}", ours, theirs)
    for model, options in (("lstm_1997", {}), ("gru", {"reset": "before"})):
        name = "GRU, reset before the product" if options else "LSTM of 1997"
        ours = partial(members, model, shape, **options)
        theirs = partial(in_turn, model, shape, **options)
        yield Peer(no_goal, f"{name}, 8 members, H = 32: auto / the loop one by one", ours, theirs)
    short = Shape(E=1, B=32, T=COMPILED, H=32)
    for model, kind in (("lstm", nn.LSTM), ("gru", nn.GRU)):
        yield Peer(
            no_goal,
            f"{model.upper()}, 1 member, H = 32, T = {COMPILED}: auto / torch.compile of the loop",
            partial(members, model, short),
            partial(one_by_one, compiled(kind), short),
        )


LENGTHS = (250, 500, 1000, 2000, 4000)
RECURRENT = ("rnn", "lstm", "lstm_peephole", "lstm_1997", "gru")


def scaling(rounds: int) -> Iterator[Row]:
    """Yield the slope of log time by log T, and what a backward pass is kept for, and at which price."""
    for model in RECURRENT:
        shapes = [Shape(E=1, B=16, T=T, H=32) for T in LENGTHS]
        sides = [Timed.of(partial(members, model, shape)) for shape in shapes]
        times = in_turns([side.seconds for side in sides], min(rounds, 7))
        slopes = [
            linear_regression([log(T) for T in LENGTHS], [log(t) for t in each]).slope
            for each in times
        ]
        goal = Goal("scaling", at_least=0.95, at_most=1.05)
        what = f"{model}: slope of log time by log T, T = {LENGTHS[0]} to {LENGTHS[-1]}"
        ours = {"seconds": [median(each) for each in zip(*times, strict=True)]}
        ours["peak_memory"] = [side.memory for side in sides]
        yield Row.of(goal, what, Median.of(slopes), ours=ours)
    shape = Shape(E=3, B=32, T=250, H=32)
    for model in RECURRENT:
        if model == "lstm":  # runs on torch's kernel, which keeps what it likes
            scan = "ensemble"
        else:
            scan = "auto"
        for recompute, most in ((False, 6.5), (True, 2.5)):
            kept = saved(members(model, shape, scan, recompute), shape)
            mode = "with recompute" if recompute else "kept gates"
            what = f"{model}, {mode}: numbers kept for the backward pass, per token and hidden unit"
            yield Row.of(Goal("scaling", at_most=most), what, once(kept))
        yield from Peer(
            Goal("scaling", at_least=1 / 1.4),
            f"{model}: with recompute / with kept gates",
            partial(members, model, shape, scan, True),
            partial(members, model, shape, scan),
        ).rows(rounds)


def saved(step: Step, shape: Shape) -> float:
    """Return how many numbers a step keeps for its backward pass, per token and hidden unit, beyond x and weights."""
    sizes: dict[int, int] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        if not isinstance(t, nn.Parameter) and t.numel() >= shape.tokens * shape.H:
            storage = t.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes() // t.element_size()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        step()
    return sum(sizes.values()) / (shape.tokens * shape.H)


def from_overhead(part: str, goal: Goal, rounds: int) -> Iterator[Row]:
    """Yield the ratios of ``overhead.py``."""
    for ratio in overhead.PARTS[part](rounds):
        yield Row.of(goal, ratio.name, ratio.median, note=ratio.note)


def no_gpu(rounds: int) -> Iterator[Row]:
    """Yield the seconds of the tests that run every kernel under the interpreter, and compile it for a GPU."""
    for name, most in (("test_fused.py", 60.0), ("test_compile.py", None)):
        test = f"tests/scan/{name}"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
        since = perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE.parent)
        took = once(perf_counter() - since)
        *_, last = (done.stdout or done.stderr).strip().splitlines() or [""]
        row = Row.of(Goal("no-gpu", at_most=most), f"{test}: seconds", took, note=last)
        row.met = done.returncode == 0 and row.met is not False
        yield row


def once(value: float) -> Median:
    """Return what was measured once, and has no interval."""
    return Median(value, value, value, 1)


def quick(rounds: int) -> Iterator[Row]:
    """Yield the minutes that the default benchmark takes, its environment apart."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / "bench.py"), "--out", str(Path(folder, "quick"))]
        took = seconds(lambda: subprocess.run(command, check=True, capture_output=True)) / 60
    yield Row.of(Goal("cpu-quick", at_most=10), "nox -s bench: minutes", once(took))


def compared(peers: Callable[[], Iterator[Peer]], rounds: int) -> Iterator[Row]:
    """Yield a row for each peer; one that can't be had here says why."""
    for peer in peers():
        try:
            yield from peer.rows(rounds)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            yield Row(peer.goal.name, peer.what, str(peer.goal), note=f"not measured: {reason}")


CPU: dict[str, Callable[[int], Iterator[Row]]] = {
    CELLS: partial(compared, cells),
    "overhead": partial(from_overhead, "trainer", Goal("overhead", at_most=1.05)),
    "scaling": scaling,
    "cpu-others": partial(compared, others),
    "cpu-workers": partial(from_overhead, "workers", Goal("cpu-workers", at_least=1.8)),
    "no-gpu": no_gpu,
    "cpu-quick": quick,
}
GPU: dict[str, Callable[[int], Iterator[Row]]] = {}
FEWER = {"cpu-workers": 3}  # rounds, where one takes long


@app.command()
def main(
    goal: Annotated[str | None, typer.Option(help="Which goals; all if not given.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    rounds: Annotated[int, typer.Option(help="How often each side is timed.")] = ROUNDS,
    file: Annotated[Path | None, typer.Option("--json", help="Write the rows here, too.")] = None,
) -> None:
    """Print the goals with what was measured, and whether they are met."""
    device = machine.device(device)
    parts = GPU if device == "cuda" else CPU
    names = goal.split(",") if goal else list(parts)
    for name in names:
        if name not in parts:
            raise unknown("goal", name, parts)
    machine.settle()
    commit, dirty = machine.commit()
    system = machine.system(device)
    about = {"commit": commit, "dirty": dirty, "device": device, "threads": torch.get_num_threads()}
    about["system"] = system.model_dump(mode="json")
    found: list[Row] = []
    for name in names:
        for row in parts[name](min(rounds, FEWER.get(name, rounds))):
            found.append(row)
            print(shown(row), file=sys.stderr, flush=True)
            if file:
                written(file, about | {"rows": [asdict(each) for each in found]})
    answer({"goals": [table(row) for row in found]}, as_json=False)


def written(file: Path, document: dict[str, Any]) -> None:
    """Write a document in place of the old one, whole or not at all."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    aside.replace(file)


def table(row: Row) -> dict[str, str]:
    """Return a row as it is printed."""
    interval = "" if row.interval is None else "{:.2f} to {:.2f}".format(*row.interval)
    return {
        "goal": row.goal,
        "what": row.what,
        "aim": row.aim,
        "measured": "" if row.measured is None else f"{row.measured:.2f}",
        "95 %": interval,
        "met": {True: "yes", False: "NO", None: ""}[row.met],
        "note": row.note,
    }


def shown(row: Row) -> str:
    """Return a row as one line."""
    return "  ".join(text for text in table(row).values() if text)


if __name__ == "__main__":
    obey(app, sys.argv[1:])
