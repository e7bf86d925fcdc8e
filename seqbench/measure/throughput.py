r"""The time of one step: what it costs to train a model, to run it, and to give it a sequence as it comes.

A step is taken on B sequences of T steps by each of E members, in one of three phases:

``training``
    The trainer's own step: forward, loss, backward, clipping, Adam.
``inference``
    Forward over whole sequences, with the answers that the task asks for.
``streaming``
    Forward over whole sequences, one token of each at a time, with an answer to every one (``models/streaming.py``).

Data is drawn beforehand and not timed. Every model that can looks back only, so that the one that is trained can be
streamed. A token is one step of one sequence of one member:

.. math::
    \text{seconds per token} = \frac{\text{seconds per step}}{E \cdot B \cdot T}

Steps of one length and batch are timed in turns, round by round, so that a machine that is busy for a while is busy
for all of them; what is kept is the median over the rounds and its quartiles. Memory is what the process (on a GPU: the
device) holds at its peak beyond what it held before the model was built. Where a kernel is compiled, its time is that
of the very first step beyond the median; what this process or a cache on the disk has already is not compiled again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from itertools import product
from math import prod
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, NamedTuple, get_args

import torch

from seqbench import machine
from seqbench.errors import BadInput, unknown
from seqbench.machine import products_in
from seqbench.measure.folder import open_profile, write_into
from seqbench.measure.job import build, no_memory, scan_in
from seqbench.measure.roofline import UPDATED, Work, ceilings, work
from seqbench.models import MODELS
from seqbench.models.sizing import count
from seqbench.models.streaming import stream
from seqbench.protocol.profiles import TIMINGS, Timing, find_profile
from seqbench.protocol.settings import Setting
from seqbench.random import Keys
from seqbench.records.schema import Phase, Precision, Roofline, Throughput, Unit
from seqbench.records.store import Store
from seqbench.scan import Scan
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.tasks.moving_shapes import MOVING
from seqbench.text import shorten
from seqbench.training.cuda_graph import WARM_UP as UNCAPTURED
from seqbench.training.cuda_graph import CudaGraph
from seqbench.training.feed import draw, encode
from seqbench.training.loop import take_step
from seqbench.training.stack import Stack
from seqbench.values.arguments import check_arguments, show

PHASES: tuple[Phase, ...] = get_args(Phase)
IDENTITY = "model", "phase", "scan", "precision", "device", "members", "batch", "length", "hidden"
COMPILED = ("fused",)  # the scans that are compiled for a GPU before their first step
RATE = 1e-4  # small: what is timed is not what the weights become
CLIP = 1.0
MOST_TOKENS = 2**24  # in one step
WORDS = ("scans", "phases", "precisions")  # the axes that are no numbers
SAMPLE = 0.02  # seconds that one timing takes at least, in as many steps as it needs
WARM_UP = UNCAPTURED + 2  # steps that nobody counts; the first are those before a capture
Say = Callable[[str], Any]
Facts = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A model at a length, with so many sequences and members; H as given, or matched to the parameters."""

    model: str
    length: int
    batch: int
    members: int
    scan: str = "auto"
    hidden: int | None = None
    precision: Precision = "float32"

    @property
    def tokens(self) -> int:
        """Return how many tokens one step works on."""
        return self.members * self.batch * self.length

    @property
    def causal(self) -> bool:
        """Return whether the model looks back only."""
        return not MODELS.facts(self.model).both_ways

    def task(self) -> Task:
        """Return the task whose data is stepped over: numbers, or frames for a model that reads video."""
        if MODELS.facts(self.model).reads == "video":
            return TASKS["moving-shapes"](lag=self.length - MOVING)
        return TASKS["adding"](lag=self.length)

    def unit(self, task: Task, parameters: int) -> Unit:
        """Return the unit of which this is a step; it says how large the model is."""
        setting = Setting(task.name, (task.lag,), steps=1, batch=self.batch, clip=CLIP)
        known = MODELS.facts(self.model)
        options: dict[str, Any] = {"causal": self.causal}
        if self.hidden is not None:
            options["hidden"] = self.hidden
            parameters = self.size(task, known.layers)
        return Unit(
            task=task.name,
            task_version=task.version,
            lag=task.lag,
            model=self.model,
            model_version=known.version,
            parameters=parameters,
            layers=known.layers,
            model_options=options,
            precision=self.precision,
            budget=setting.budget(tuned=True),  # nothing is learned
        )

    def size(self, task: Task, layers: int) -> int:
        """Return how many parameters a member has whose H was given, all other sizes as the model has them then."""
        nobody = Keys.span(self.model, 1, "weights", 0, 0, 0)
        shape = {"inputs": task.inputs, "outputs": task.outputs, "hidden": self.hidden}
        return count(MODELS[self.model](nobody, **shape, layers=layers, causal=self.causal))


Step = tuple[Case, Phase]


class Subject:
    """A model with its data, ready to be stepped."""

    def __init__(self, case: Case, parameters: int, device: str) -> None:
        self.case, self.on = case, torch.device(device)
        self.task = case.task()
        seeds = range(case.members)
        self.unit = case.unit(self.task, parameters)
        self.model, sizes = build(self.unit, self.task, seeds, self.on)
        self.sizes = sizes if case.hidden is None else {"hidden": case.hidden} | sizes
        self.model.use_scan(scan_in(case.precision, case.scan))
        self.data = draw(self.task, "train", seeds, 0, case.batch, self.on)
        self.stack = Stack(self.model, [RATE] * case.members)
        self.x = encode(self.task, self.data.x, self.stack.theta.dtype)
        self.advance = CudaGraph(partial(take_step, self.task, self.stack, CLIP), self.on)
        self.steps = 0

    def forward(self) -> torch.Tensor:
        """Return the outputs."""
        return self.model(self.x, self.data.y.shape[2])

    def training(self) -> None:
        """Take one step of training, as the trainer does."""
        self.steps += 1
        self.advance(self.data.x, self.data.y, self.data.mask, self.steps)

    @torch.no_grad()
    def inference(self) -> None:
        """Go forward once."""
        self.forward()

    def streaming(self) -> None:
        """Go forward once, one token after the other."""
        for _ in stream(self.model, self.x):
            pass

    def step(self, phase: Phase) -> Callable[[], None]:
        """Return what takes one step of a phase."""
        steps: dict[Phase, Callable[[], None]] = {
            "training": self.training,
            "inference": self.inference,
            "streaming": self.streaming,
        }
        return steps[phase]

    def scan_name(self, phase: Phase) -> str:
        """Return by which scan a phase runs: ``step`` where a recurrence is streamed."""
        name = self.model.scan_name
        return "step" if phase == "streaming" and name != "none" else name

    def seconds(self, phase: Phase, repeats: int) -> float:
        """Return the time of one step, from so many in a row."""
        once = self.step(phase)
        with products_in(self.case.precision):
            self.wait()
            since = perf_counter()
            for _ in range(repeats):
                once()
            self.wait()
            return (perf_counter() - since) / repeats

    def wait(self) -> None:
        """Let the device finish what it was given."""
        if self.on.type == "cuda":
            torch.cuda.synchronize(self.on)


# What can be timed


def plan(
    models: Iterable[str],
    timing: Timing,
    parameters: int,
    device: str,
    say: Say = lambda line: None,
) -> dict[Step, Facts]:
    """Return all steps with what a row says of them beforehand; say which can't be taken, and why.

    A model that has no scans is there once, and so is one of which ``auto`` is a scan that is asked for, too.
    """
    found: dict[tuple[Any, ...], tuple[Step, Facts]] = {}
    ways = product(models, timing.hidden, timing.scans, timing.precisions)
    for model, hidden, scan, precision in ways:
        small = Case(model, MOVING + 2, 1, 1, scan, hidden, precision)
        try:
            tried = try_out(small, parameters, device)
        except BadInput as why:
            say(f"{model} is not timed by the scan '{scan}': {why}")
            continue
        streams = tried.model.streams and precision != "bfloat16"  # ``advance`` is not called in it
        phases = [phase for phase in timing.phases if phase != "streaming" or streams]
        shapes = product(timing.lengths, timing.batches, timing.members)
        for (length, batch, E), phase in product(shapes, phases):
            case = Case(model, length, batch, E, scan, hidden, precision)
            about = facts(tried, case, phase)
            found.setdefault(identity(about), ((case, phase), about))
    return dict(found.values())


def try_out(small: Case, parameters: int, device: str) -> Subject:
    """Return a case that was stepped once; raise where it can't be, for whatever fault of somebody else's model."""
    try:
        tried = Subject(small, parameters, device)
        if not compiles(tried.scan_name("inference"), device):  # its first step is timed
            tried.inference()
        if MODELS.is_user_defined(small.model):
            tried.training()
    except BadInput:
        raise
    except Exception as error:
        if MODELS.is_user_defined(small.model):
            raise BadInput(f"{type(error).__name__}: {error}".partition("\n")[0]) from error
        raise
    return tried


def facts(subject: Subject, case: Case, phase: Phase) -> Facts:
    """Return what a row says of a step of a case, of which the subject is a small one."""
    return {
        "model": case.model,
        "model_version": subject.unit.model_version,
        "phase": phase,
        "scan": subject.scan_name(phase),
        "precision": subject.unit.precision,
        "device": subject.on.type,
        "members": case.members,
        "batch": case.batch,
        "length": case.length,
        "parameters": count(subject.model),
        "hidden": case.hidden,
        "sizes": subject.sizes,
    }


def identity(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells a step from all others on a machine."""
    return tuple(facts[name] for name in IDENTITY)


def compiles(scan: str, device: str) -> bool:
    """Return whether something is compiled before the first step."""
    return scan in COMPILED and device == "cuda"


# What is timed


class Timed(NamedTuple):
    """What was measured of a step: seconds per token in every round, bytes, and seconds to compile it."""

    seconds: list[float]
    memory: int
    compiling: float | None = None


def time_steps(
    steps: Sequence[Step],
    device: str,
    parameters: int,
    rounds: int = 9,
    say: Say = lambda line: None,
) -> Iterator[tuple[Step, Timed]]:
    """Time steps in turns, and yield what was measured of each.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    parameters
        The count to which every model is matched whose H is not given.
    rounds
        How often each is timed; one timing takes at least ``SAMPLE`` seconds.
    say
        Called with a line for each step that is not timed, and why.
    """
    for precision in {case.precision for case, _ in steps}:
        ceilings(device, precision)  # wakes a GPU, too, which is no part of compiling for it
    subjects: dict[Case, Subject] = {}
    first: dict[Step, float] = {}
    memory: dict[Step, int] = {}
    for case in dict.fromkeys(case for case, _ in steps):
        phases = [phase for phase in reversed(PHASES) if (case, phase) in steps]
        try:
            for _ in range(2):  # the first time also fills what torch keeps for good
                for phase, seconds, held in footprint(case, phases, parameters, device):
                    first.setdefault((case, phase), seconds)
                    memory[case, phase] = held
            subjects[case] = Subject(case, parameters, device)
        except (RuntimeError, MemoryError) as error:
            if not no_memory(error):
                raise
            say(
                f"{case.model}, {case.members} members of length {case.length}: no memory left, not timed"
            )
        except BadInput as why:
            say(f"{case.model} is not timed: {why}")
    steps = [step for step in steps if step[0] in subjects]
    repeats = {
        (case, phase): 1 + int(SAMPLE / subjects[case].seconds(phase, WARM_UP))
        for case, phase in steps
    }
    each: dict[Step, list[float]] = {step: [] for step in steps}
    for _ in range(rounds):
        for (case, phase), n in repeats.items():
            each[case, phase].append(subjects[case].seconds(phase, n))
    for (case, phase), times in each.items():
        compiling = None
        if compiles(subjects[case].scan_name(phase), device):
            compiling = max(0.0, first[case, phase] - median(times))
        per_token = [time / case.tokens for time in times]
        yield (case, phase), Timed(per_token, memory[case, phase], compiling)


def footprint(
    case: Case, phases: Sequence[Phase], parameters: int, device: str
) -> Iterator[tuple[Phase, float, int]]:
    """Yield the time of a first step of each phase, and the bytes that a model, its data and that step add.

    A peak never sinks, so the phase that needs most comes last.
    """
    peak = machine.Peak(device)
    before = peak.bytes()
    subject = Subject(case, parameters, device)
    for phase in phases:
        seconds = subject.seconds(phase, 1)
        yield phase, seconds, max(0, peak.bytes() - before)


def measure_steps(
    steps: Mapping[Step, Facts],
    device: str,
    parameters: int,
    rounds: int = 9,
    say: Say = lambda line: None,
) -> Iterator[Throughput]:
    """Yield a row for each step of a plan."""
    whence = here(device)
    for step, timed in time_steps(list(steps), device, parameters, rounds, say):
        yield row(steps[step], timed, whence, floor(step, parameters, device))


def row(facts: Facts, timed: Timed, whence: Facts, floor: Roofline) -> Throughput:
    """Return a row of what was measured, and where."""
    each = timed.seconds
    low, _, high = quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Throughput(
        **facts,
        **whence | {"dirty": no_commit_holds(facts["model"], whence)},
        seconds_per_token=median(each),
        quartiles=(low, high),
        rounds=len(each),
        peak_memory=timed.memory,
        floor=floor,
        compile_seconds=timed.compiling,
    )


def here(device: str) -> Facts:
    """Return what a row says of the machine and the code."""
    commit, dirty = machine.commit()
    return {
        "commit": commit,
        "dirty": dirty,
        "system": machine.system(device).id,
        "threads": torch.get_num_threads(),
    }


def no_commit_holds(model: str, whence: Facts) -> bool:
    """Return whether a step is computed by code that is not all in the commit."""
    return whence["dirty"] or MODELS.is_user_defined(model)


# The floor (see ``floor.py``)


def floor(step: Step, parameters: int, device: str) -> Roofline:
    """Return what a step has to do, and what the device does at best."""
    case, phase = step
    on_a_cpu = case.precision if case.precision in machine.ON_A_CPU else "float32"
    one = replace(case, members=1, batch=1, scan="reference", precision=on_a_cpu)
    weights, inputs, needed = needs(one, phase, parameters)
    E, B = case.members, case.batch
    touched = UPDATED * weights if phase == "training" else weights
    saved = needed.saved // 2 if case.precision == "bfloat16" else needed.saved  # half a float32
    best = ceilings(device, case.precision)
    return Roofline(
        flops=E * B * needed.flops,
        bytes=E * (touched + B * (inputs + 2 * saved)),
        flops_per_second=best.flops,
        bytes_per_second=best.bytes,
    )


@cache
def needs(one: Case, phase: Phase, parameters: int) -> tuple[int, int, Work]:
    """Return the bytes of the parameters and of the input of one sequence of one member, and the work on it."""
    subject = Subject(one, parameters, "cpu")
    data = subject.data
    needed = work(subject.step(phase), [subject.stack.theta, subject.x, data.y, data.mask])
    return subject.stack.theta.nbytes, subject.x.nbytes, needed


# Into the store


@check_arguments
def run(
    profile: str = "quick",
    *,
    models: Sequence[str] = (),
    device: str = "auto",
    axes: Mapping[str, Any] = {},
    out: str | Path | None = None,
    force: bool = False,
    say: Say = lambda line: None,
) -> Store:
    """Time the steps of a profile that the store lacks for this code on this machine; return the store.

    Parameters
    ----------
    axes
        What takes the place of the profile's own, by the names that ``Timing`` has for them.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    chosen = find_profile(profile)
    check(models, axes)
    timing = replace(TIMINGS[chosen.name], **axes)
    device = machine.device(device)
    for precision in timing.precisions:
        machine.precision(precision, device)
    store = open_profile(out, chosen)
    machine.make_deterministic()
    steps = plan(models or MODELS, timing, chosen.parameters, device, say)
    if not steps:
        raise BadInput("no step is left that could be timed")
    with write_into(store, chosen.manifest(), device):
        there = set() if force else measured(store, device)
        for length, batch in product(timing.lengths, timing.batches):
            lacking = {
                (case, phase): about
                for (case, phase), about in steps.items()
                if (case.length, case.batch) == (length, batch) and identity(about) not in there
            }
            if not lacking:
                say(f"steps of {length} x {batch} tokens were timed already and are skipped")
                continue
            say(f"timing steps of {batch} sequences of length {length} on {device}")
            rows = measure_steps(lacking, device, chosen.parameters, timing.rounds, say)
            keep(store, list(rows))
    return store


def check(models: Iterable[str], axes: Mapping[str, Any]) -> None:
    """Raise at the first name that nobody knows, and at a number that can't be."""
    known = [field.name for field in fields(Timing)]
    for axis, values in axes.items():
        if axis not in known:
            raise unknown("axis", str(axis), known)
        if axis == "rounds":
            if type(values) is not int or not 1 <= values <= 1000:
                raise BadInput(f"rounds must be a whole number from 1 to 1,000; got {show(values)}")
        elif not isinstance(values, list | tuple) or not values:
            raise BadInput(f"{axis} must be a list or tuple, also of one; got {show(values)}")
        elif axis in WORDS and not all(isinstance(value, str) for value in values):
            raise BadInput(f"{axis} must be words; got {show(values)}")
    for name in models:
        if isinstance(name, str) and ":" in name:
            raise BadInput(f"steps are timed of models without options; got '{shorten(name, 60)}'")
    choices = {"model": MODELS, "scan": get_args(Scan), "phase": PHASES}
    names = {"model": models, "scan": axes.get("scans", ()), "phase": axes.get("phases", ())}
    for kind in choices:
        for name in names[kind]:
            if name not in choices[kind]:
                raise unknown(kind, name, choices[kind])
    ends = {  # a video moves, then stands
        "lengths": (MOVING + 1, 1_000_000), "batches": (1, 100_000), "members": (1, 10_000), "hidden": (1, 8192),
    }  # fmt: skip
    for axis, (least, most) in ends.items():
        for number in axes.get(axis, ()):
            if number is not None and not (type(number) is int and least <= number <= most):
                raise BadInput(
                    f"{axis} must be whole numbers from {least} to {most:,}; got {show(number)}"
                )
    tokens = prod(
        max(axes.get(axis, (1,)), default=1) for axis in ("lengths", "batches", "members")
    )
    if tokens > MOST_TOKENS:
        raise BadInput(
            f"a step of {tokens:,} tokens would not fit into memory; choose at most {MOST_TOKENS:,} (T x B x E)"
        )


def measured(store: Store, device: str) -> set[tuple[Any, ...]]:
    """Return the identities of the steps that the store holds of this code on this machine."""
    now = here(device)
    return {
        identity(dict(r))
        for r in store.throughput()
        if (r.commit, r.system) == (now["commit"], now["system"])
        and r.dirty == no_commit_holds(r.model, now)
    }


def keep(store: Store, rows: Sequence[Throughput]) -> None:
    """Put rows of one machine into the store, in place of older ones of the same step."""
    for system in {r.system for r in rows}:
        new = {identity(dict(r)): r for r in rows if r.system == system}
        old = [r for r in store.throughput() if r.system == system and identity(dict(r)) not in new]
        store.add_throughput(system, [*old, *new.values()])
