r"""The time of one step: what a training step and a forward pass of a model cost, by length, batch and members.

A training step is the trainer's own: forward, loss, backward, clipping, Adam. Data is drawn beforehand and not timed. A
token is one step of one sequence of one member, so a step takes

.. math::
    \text{seconds per token} = \frac{\text{seconds per step}}{E \cdot B \cdot T}

Models at one length and batch are timed in turns, round by round, so that a machine that is busy for a while is busy
for all of them; what is kept is the median over the rounds and its quartiles. Memory is what the process (on a GPU: the
device) holds at its peak beyond what it held before the model was built.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Literal, NamedTuple, get_args

import torch

from seqbench import machine
from seqbench.errors import unknown
from seqbench.measure import build
from seqbench.models import MODELS
from seqbench.models.base import count
from seqbench.profiles import TIMINGS, Cell, Profile, Setting, find_profile
from seqbench.records import Throughput, Unit
from seqbench.scan import Scan
from seqbench.store import Store
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.tasks.moving_shapes import MOVING
from seqbench.train import Stack, draw, encoded, losses

Phase = Literal["training", "inference"]
PHASES: tuple[Phase, ...] = ("training", "inference")
RATE = 1e-4  # small: what is timed is not what the weights become
CLIP = 1.0
SAMPLE = 0.02  # seconds that one timing takes at least, in as many steps as it needs
WARM_UP = 2  # steps that nobody counts
Say = Callable[[str], Any]


@dataclass(frozen=True)
class Case:
    """A model at a length, with so many sequences and members."""

    model: str
    length: int
    batch: int
    members: int

    @property
    def tokens(self) -> int:
        """Return how many tokens one step works on."""
        return self.members * self.batch * self.length

    def task(self) -> Task:
        """Return the task whose data is stepped over: numbers, or frames for a model that reads video."""
        if getattr(MODELS[self.model], "reads", "sequence") == "video":
            return TASKS["moving-shapes"](lag=self.length - MOVING)
        return TASKS["adding"](lag=self.length)

    def unit(self, task: Task, parameters: int) -> Unit:
        """Return the unit of which this is a step; it says how large the model is."""
        setting = Setting(task.name, (task.lag,), steps=1, batch=self.batch, clip=CLIP)
        return Unit(
            task=task.name,
            task_version=task.version,
            lag=task.lag,
            model=self.model,
            model_version=getattr(MODELS[self.model], "version", 1),
            parameters=parameters,
            layers=Cell(setting, task.lag, self.model).layers,
            budget=setting.budget(),
        )


class Subject:
    """A model with its data, ready to be stepped."""

    def __init__(self, case: Case, parameters: int, device: str, scan: str = "auto") -> None:
        self.case, self.on = case, torch.device(device)
        self.task = case.task()
        seeds = range(case.members)
        self.unit = case.unit(self.task, parameters)
        self.model, self.sizes = build(self.unit, self.task, seeds, self.on)
        self.model.scan = scan
        self.data = draw(self.task, "train", seeds, 0, case.batch, self.on)
        self.stack = Stack(self.model, [RATE] * case.members)
        self.steps = 0

    def forward(self) -> torch.Tensor:
        """Return the outputs."""
        return self.model(encoded(self.task, self.data.x), self.data.y.shape[2])

    def training(self) -> None:
        """Take one step of training, as the trainer does."""
        loss = losses(self.task, self.forward(), self.data.y, self.data.mask)
        self.steps += 1
        self.stack.step(self.stack.gradient(loss), self.steps, CLIP)

    @torch.no_grad()
    def inference(self) -> None:
        """Go forward once."""
        self.forward()

    def seconds(self, phase: Phase, repeats: int) -> float:
        """Return the time of one step, from so many in a row."""
        step = self.training if phase == "training" else self.inference
        self.wait()
        since = perf_counter()
        for _ in range(repeats):
            step()
        self.wait()
        return (perf_counter() - since) / repeats

    def wait(self) -> None:
        """Let the device finish what it was given."""
        if self.on.type == "cuda":
            torch.cuda.synchronize(self.on)


class Timed(NamedTuple):
    """What was measured of a step: seconds per token in every round, and bytes."""

    case: Case
    phase: Phase
    seconds: list[float]
    memory: int
    facts: dict[str, Any]


def measure_steps(
    models: Sequence[str],
    lengths: Sequence[int],
    batches: Sequence[int],
    members: Sequence[int],
    device: str,
    *,
    parameters: int,
    phases: Sequence[Phase] = PHASES,
    rounds: int = 9,
    scan: str = "auto",
    say: Say = lambda line: None,
) -> Iterator[Throughput]:
    """Yield a row for each combination, all of one length and batch as soon as they are known.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    parameters
        The count that every model is matched to.
    rounds
        How often each is timed; one timing takes at least ``SAMPLE`` seconds.
    say
        Who is told how it goes on, and what did not fit into memory.
    """
    whence = here(device)
    for length, batch in product(lengths, batches):
        say(f"timing steps of {batch} sequences of length {length} on {device}")
        cases = [Case(model, length, batch, E) for model, E in product(models, members)]
        for timed in time_steps(cases, device, parameters, phases, rounds, scan, say):
            yield row(timed, whence)


def time_steps(
    cases: Iterable[Case],
    device: str,
    parameters: int,
    phases: Sequence[Phase] = PHASES,
    rounds: int = 9,
    scan: str = "auto",
    say: Say = lambda line: None,
) -> Iterator[Timed]:
    """Time the steps of all cases in turns, and yield what was measured of each."""
    subjects: dict[Case, Subject] = {}
    memory: dict[tuple[Case, Phase], int] = {}
    for case in cases:
        try:
            for _ in range(2):  # the first time also fills what torch keeps for good
                memory |= {
                    (case, phase): held for phase, held in footprint(case, device, parameters, scan)
                }
            subjects[case] = Subject(case, parameters, device, scan)
        except (torch.OutOfMemoryError, MemoryError):
            say(
                f"{case.model}, {case.members} members of length {case.length}: no memory left, not timed"
            )
    repeats = {
        (case, phase): 1 + int(SAMPLE / subjects[case].seconds(phase, WARM_UP))
        for phase in phases
        for case in subjects
    }
    seconds: dict[tuple[Case, Phase], list[float]] = {step: [] for step in repeats}
    for _ in range(rounds):
        for (case, phase), n in repeats.items():
            seconds[case, phase].append(subjects[case].seconds(phase, n) / case.tokens)
    for (case, phase), each in seconds.items():
        yield Timed(case, phase, each, memory[case, phase], facts(subjects[case]))


def footprint(case: Case, device: str, parameters: int, scan: str) -> Iterator[tuple[Phase, int]]:
    """Yield each phase with the bytes that a model, its data and one step add to what is held already."""
    peak = machine.Peak(device)
    before = peak.bytes()
    subject = Subject(case, parameters, device, scan)
    for phase in reversed(PHASES):  # inference first: it needs less, and a peak never sinks
        subject.seconds(phase, 1)
        yield phase, max(0, peak.bytes() - before)


def facts(subject: Subject) -> dict[str, Any]:
    """Return what a row says of a model that was stepped, apart from its times."""
    case = subject.case
    return {
        "model": case.model,
        "model_version": subject.unit.model_version,
        "scan": getattr(subject.model, "scanned", "none"),
        "precision": subject.unit.precision,
        "device": subject.on.type,
        "members": case.members,
        "batch": case.batch,
        "length": case.length,
        "parameters": count(subject.model),
        "sizes": subject.sizes,
    }


def here(device: str) -> dict[str, Any]:
    """Return what a row says of the machine and the code."""
    commit, dirty = machine.commit()
    return {
        "commit": commit,
        "dirty": dirty,
        "system": machine.system(device).id,
        "threads": torch.get_num_threads(),
    }


def row(timed: Timed, whence: dict[str, Any]) -> Throughput:
    """Return a row of what was measured, and where."""
    each = timed.seconds
    low, _, high = quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Throughput(
        **timed.facts,
        **whence,
        phase=timed.phase,
        seconds_per_token=median(each),
        quartiles=(low, high),
        rounds=len(each),
        peak_memory=timed.memory,
    )


# Into the store


def run(
    profile: str = "quick",
    *,
    models: Sequence[str] = (),
    device: str = "auto",
    scan: str = "auto",
    out: str | Path | None = None,
    force: bool = False,
    say: Say = lambda line: None,
) -> Store:
    """Time the steps of a profile that the store lacks for this code on this machine; return the store.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    chosen = find_profile(profile)
    for name in models:
        if name not in MODELS:
            raise unknown("model", name, MODELS)
    if scan not in get_args(Scan):
        raise unknown("scan", scan, get_args(Scan))
    device = machine.device(device)
    machine.settle()
    timing = TIMINGS[chosen.name]
    store = folder(chosen, out)
    store.create(chosen.manifest())
    with store.lock():
        store.add_system(machine.system(device))
        for length, batch in product(timing.lengths, timing.batches):
            wanted = cases_of(chosen, models, length, batch)
            there = set() if force else measured(store, device, scan)
            lacking = {
                case.model for case in wanted if not there.issuperset(product([case], PHASES))
            }
            if not lacking:
                say(f"steps of {length} x {batch} tokens were timed already and are skipped")
                continue
            rows = measure_steps(
                [model for model in models or MODELS if model in lacking],
                [length],
                [batch],
                timing.members,
                device,
                parameters=chosen.parameters,
                rounds=timing.rounds,
                scan=scan,
                say=say,
            )
            keep(store, list(rows))
    return store


def folder(chosen: Profile, out: str | Path | None) -> Store:
    """Return the results folder of a profile."""
    return Store(Path("results", "local", chosen.name) if out is None else out)


def cases_of(chosen: Profile, models: Sequence[str], length: int, batch: int) -> list[Case]:
    """Return the cases of a profile at one length and batch."""
    members = TIMINGS[chosen.name].members
    return [Case(model, length, batch, E) for model, E in product(models or MODELS, members)]


def measured(store: Store, device: str, scan: str = "auto") -> set[tuple[Case, Phase]]:
    """Return what the store holds of this code on this machine."""
    now = here(device)
    return {
        (Case(r.model, r.length, r.batch, r.members), r.phase)
        for r in store.throughput()
        if (r.commit, r.dirty, r.system) == (now["commit"], now["dirty"], now["system"])
        and scan in ("auto", r.scan)
    }


def keep(store: Store, rows: Sequence[Throughput]) -> None:
    """Put rows of one machine into the store, in place of older ones of the same step."""

    def step(r: Throughput) -> tuple[Any, ...]:
        return r.model, r.phase, r.scan, r.precision, r.device, r.members, r.batch, r.length

    for system in {r.system for r in rows}:
        new = {step(r): r for r in rows if r.system == system}
        old = [r for r in store.throughput() if r.system == system and step(r) not in new]
        store.add_throughput(system, [*old, *new.values()])
