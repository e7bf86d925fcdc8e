"""Step times: which steps of a profile are timed, and the rows that are written of them.

``step.py`` times a step and says what is measured. Here a profile and the axes asked for become a list of steps, and
their times become rows of a results folder; steps that the folder already holds for this code on this machine are
skipped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from math import prod
from pathlib import Path
from statistics import median, quantiles
from typing import Any, get_args

import torch

from seqbench import machine
from seqbench.errors import BadInput, unknown
from seqbench.measure.folder import open_profile, write_into
from seqbench.measure.step import (
    PHASES,
    Case,
    Say,
    Step,
    Subject,
    Timed,
    compute_roofline,
    is_compiled,
    time_steps,
)
from seqbench.models import MODELS
from seqbench.models.sizing import count
from seqbench.protocol.profiles import TIMINGS, Timing, find_profile
from seqbench.records.schema import Phase, Roofline, Throughput
from seqbench.records.store import Store
from seqbench.scan import Scan
from seqbench.tasks.moving_shapes import MOVING
from seqbench.text import shorten
from seqbench.values.arguments import check_arguments, show

IDENTITY = "model", "phase", "scan", "precision", "device", "members", "batch", "length", "hidden"
MOST_TOKENS = 2**24  # in one step
WORDS = ("scans", "phases", "precisions")  # the axes whose values are words, not numbers
Facts = dict[str, Any]


# Which steps are timed


def plan(
    models: Iterable[str],
    timing: Timing,
    parameters: int,
    device: str,
    say: Say = lambda line: None,
) -> dict[Step, Facts]:
    """Return all steps, each with the fields of its row that are known beforehand; say which can't be timed, and why.

    The same step is listed once, even if two scans name it: a model without scans, or ``auto`` beside the scan that
    it stands for.
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
            about = describe_step(tried, case, phase)
            found.setdefault(identify(about), ((case, phase), about))
    return dict(found.values())


def try_out(small: Case, parameters: int, device: str) -> Subject:
    """Return the subject of a case after one step; raise ``BadInput`` if it can't be built or a user's model fails."""
    try:
        tried = Subject(small, parameters, device)
        if not is_compiled(tried.name_scan("inference"), device):  # its first step is timed
            tried.infer_once()
        if MODELS.is_user_defined(small.model):
            tried.train_once()
    except BadInput:
        raise
    except Exception as error:
        if MODELS.is_user_defined(small.model):
            raise BadInput(f"{type(error).__name__}: {error}".partition("\n")[0]) from error
        raise
    return tried


def describe_step(subject: Subject, case: Case, phase: Phase) -> Facts:
    """Return the fields of a row that describe a step of a case; the subject is a small example of it."""
    return {
        "model": case.model,
        "model_version": subject.unit.model_version,
        "phase": phase,
        "scan": subject.name_scan(phase),
        "precision": subject.unit.precision,
        "device": subject.on.type,
        "members": case.members,
        "batch": case.batch,
        "length": case.length,
        "parameters": count(subject.model),
        "hidden": case.hidden,
        "sizes": subject.sizes,
    }


def identify(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the fields that identify a step on a machine."""
    return tuple(facts[name] for name in IDENTITY)


def measure_steps(
    steps: Mapping[Step, Facts],
    device: str,
    parameters: int,
    rounds: int = 9,
    say: Say = lambda line: None,
) -> Iterator[Throughput]:
    """Yield a row for each step of a plan."""
    origin = describe_machine(device)
    for step, timed in time_steps(list(steps), device, parameters, rounds, say):
        yield make_row(steps[step], timed, origin, compute_roofline(step, parameters, device))


def make_row(facts: Facts, timed: Timed, origin: Facts, floor: Roofline) -> Throughput:
    """Return the row of a step: its description, its measurements, and the machine and code (``origin``)."""
    each = timed.seconds
    low, _, high = quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Throughput(
        **facts,
        **origin | {"dirty": is_uncommitted(facts["model"], origin)},
        seconds_per_token=median(each),
        quartiles=(low, high),
        rounds=len(each),
        peak_memory=timed.memory,
        floor=floor,
        compile_seconds=timed.compiling,
    )


def describe_machine(device: str) -> Facts:
    """Return the fields of a row that describe the machine and the code."""
    commit, dirty = machine.read_commit()
    return {
        "commit": commit,
        "dirty": dirty,
        "system": machine.describe_system(device).id,
        "threads": torch.get_num_threads(),
    }


def is_uncommitted(model: str, origin: Facts) -> bool:
    """Return whether a step runs code that the commit does not contain."""
    return origin["dirty"] or MODELS.is_user_defined(model)


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
        Values that replace those of the profile, by the field names of ``Timing``.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    chosen = find_profile(profile)
    check_axes(models, axes)
    timing = replace(TIMINGS[chosen.name], **axes)
    device = machine.choose_device(device)
    for precision in timing.precisions:
        machine.check_precision(precision, device)
    store = open_profile(out, chosen)
    machine.make_deterministic()
    steps = plan(models or MODELS, timing, chosen.parameters, device, say)
    if not steps:
        raise BadInput("no step is left that could be timed")
    with write_into(store, chosen.make_manifest(), device):
        there = set() if force else list_timed(store, device)
        for length, batch in product(timing.lengths, timing.batches):
            lacking = {
                (case, phase): about
                for (case, phase), about in steps.items()
                if (case.length, case.batch) == (length, batch) and identify(about) not in there
            }
            if not lacking:
                say(f"steps of {length} x {batch} tokens were timed already and are skipped")
                continue
            say(f"timing steps of {batch} sequences of length {length} on {device}")
            rows = measure_steps(lacking, device, chosen.parameters, timing.rounds, say)
            write_rows(store, list(rows))
    return store


def check_axes(models: Iterable[str], axes: Mapping[str, Any]) -> None:
    """Raise ``BadInput`` for the first unknown model or axis, and for a value out of range."""
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


def list_timed(store: Store, device: str) -> set[tuple[Any, ...]]:
    """Return the identities of the steps that the store holds of this code on this machine."""
    now = describe_machine(device)
    return {
        identify(dict(r))
        for r in store.throughput()
        if (r.commit, r.system) == (now["commit"], now["system"])
        and r.dirty == is_uncommitted(r.model, now)
    }


def write_rows(store: Store, rows: Sequence[Throughput]) -> None:
    """Write rows into the store; they replace older rows of the same step on the same machine."""
    for system in {r.system for r in rows}:
        new = {identify(dict(r)): r for r in rows if r.system == system}
        old = [r for r in store.throughput() if r.system == system and identify(dict(r)) not in new]
        store.add_throughput(system, [*old, *new.values()])
