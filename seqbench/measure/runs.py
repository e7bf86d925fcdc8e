"""From a profile to records in a store: what to measure, what is there already, and running the rest.

A plan lists the jobs whose records the store lacks. A profile that tunes is planned twice: first every learning rate
on the tuning seeds; then, with the rate that did best on validation, the reporting seeds.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import chdir, closing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil, inf, nan
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, get_args

from seqbench import machine
from seqbench.catalogue import Catalogue
from seqbench.errors import BadInput, DataMissing, NotWritten, describe, unknown
from seqbench.measure.executors import ENGINES, Engine
from seqbench.measure.job import Job, scale, scan_in
from seqbench.measure.progress import Listener, listener
from seqbench.measure.user_defined import is_user_defined, name_code, pickle_classes
from seqbench.models import MODELS
from seqbench.models.sizing import common_size
from seqbench.protocol.profiles import find_profile
from seqbench.protocol.settings import (
    GRID,
    SEQUENCE_MODELS,
    TUNING_SEEDS,
    Condition,
    Profile,
    best_rate,
)
from seqbench.random import Keys
from seqbench.records.schema import LAYERS, Member, Planned, Provenance, Record, Unit
from seqbench.records.store import Store
from seqbench.scan import Scan
from seqbench.tasks import TASKS
from seqbench.tasks.base import LOSSES, Task
from seqbench.text import cut
from seqbench.values.arguments import Count, Lag, Rate, Seconds, Workers, checked
from seqbench.values.options import check_options
from seqbench.values.variants import bare, parsed

MEMBERS_AT_ONCE = {"cpu": 8, "cuda": 64}  # more on a CPU, and what a step works on leaves the cache


@dataclass
class Plan:
    """What a run would do.

    Attributes
    ----------
    jobs
        What is to be measured now, longest first.
    there
        How many members were measured before.
    later
        How many members wait for the tuning to end.
    skipped
        A line for each task whose data is missing.
    """

    jobs: list[Job] = field(default_factory=list)
    there: int = 0
    later: int = 0
    skipped: list[str] = field(default_factory=list)


def reads(condition: Condition) -> tuple[str, str]:
    """Return what the task of a condition is and what its model reads: ``video`` or ``sequence``."""
    kind = "video" if isinstance(task_of(condition).inputs, tuple) else "sequence"
    return kind, getattr(MODELS[condition.net[0]], "reads", "sequence")


def peeks(condition: Condition) -> bool:
    """Return whether the model would see what comes after an answer that is due."""
    task, model = TASKS[condition.task[0]], MODELS[condition.net[0]]
    return task.causal and getattr(model, "both_ways", False)


def suits(condition: Condition) -> bool:
    """Return whether the model can read the task."""
    return len(set(reads(condition))) == 1 and not peeks(condition)


def unit_of(condition: Condition, chosen: Profile) -> Unit:
    """Return the unit that measures a condition; raise where the task can't have the lag or the model can't read it."""
    try:
        return _unit_of(condition, chosen)
    except BadInput:
        raise
    except (Exception, SystemExit) as error:  # in a user-defined class
        what = f"{condition.setting.task} at lag {condition.lag} with {condition.model}"
        raise BadInput(f"{what} can't be measured: {describe(error)}") from None


def _unit_of(condition: Condition, chosen: Profile) -> Unit:
    (name, task_options), (net, layers, model_options) = condition.task, condition.net
    kind, wanted = reads(condition)
    if kind != wanted:
        raise BadInput(f"model '{condition.model}' reads {wanted}, but task '{name}' is {kind}")
    if peeks(condition):
        raise BadInput(
            f"model '{condition.model}' reads both ways, but task '{name}' asks step by step"
        )
    task = task_of(condition)
    task_options = check_options("task", name, TASKS[name], task_options)
    model_options = check_options("model", net, MODELS[net], model_options)
    if layers != LAYERS.get(net, 1):
        check_options("model", net, MODELS[net], {"layers": layers})
    if layers != LAYERS.get(net, 1) or model_options or net not in MODELS.builtin:
        try_model(condition.model, net, task, {"layers": layers} | model_options)
    return Unit(
        task=name,
        task_version=task.version,
        lag=condition.lag,
        task_options=task_options,
        model=net,
        model_version=getattr(MODELS[net], "version", 1),
        parameters=size(task, chosen.parameters),
        layers=layers,
        model_options=model_options,
        budget=condition.setting.budget(chosen.tuned),
        precision=chosen.precision,
    )


def task_of(condition: Condition) -> Task:
    """Return the task of a condition; raise where its class can't make it, or does not say how it is scored."""
    name, options = condition.task
    options = check_options("task", name, TASKS[name], options)
    try:
        task: Task = TASKS[name](lag=condition.lag, **options)
        if name not in TASKS.builtin:
            scale(task)
            if task.loss not in LOSSES:
                raise unknown(f"loss of task '{name}'", str(task.loss), LOSSES)
        return task
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        why = describe(error)
        raise BadInput(f"task '{name}' can't be made at lag {condition.lag}: {why}") from None


def try_model(spelling: str, net: str, task: Task, options: dict[str, Any]) -> None:
    """Raise where the model can't be made for the task with its options, before anything is measured."""
    model: Any = MODELS[net]
    shape: dict[str, Any] = {"inputs": task.inputs, "outputs": task.outputs, "causal": task.causal}
    shape |= options
    try:
        least = model.size_options(**shape) if hasattr(model, "size_options") else {"hidden": 1}
        model(Keys.span(net, 1, "weights", 0, 0, 0), **(least | shape))
    except BadInput:
        raise
    except (Exception, SystemExit) as error:
        raise BadInput(f"model '{spelling}' can't be made: {describe(error)}") from None


def size(task: Task, parameters: int) -> int:
    """Return the count that the models of a task are matched to."""
    if isinstance(task.inputs, tuple):
        return parameters
    return common_size(
        SEQUENCE_MODELS, parameters, inputs=task.inputs, outputs=task.outputs, causal=task.causal
    )


def members_of(
    unit: Unit, condition: Condition, chosen: Profile, seeds: int | None, records: Iterable[Record]
) -> tuple[list[Member], int]:
    """Return the members of a unit that can be measured now, and the number of those that wait for the tuning."""
    reporting = range(chosen.seeds if seeds is None else seeds)
    if not chosen.tuned:
        return [Member(seed=s, learning_rate=condition.setting.learning_rate) for s in reporting], 0
    tuning = [Member(seed=s, learning_rate=r, role="tuning") for r in GRID for s in TUNING_SEEDS]
    tuned = [r for r in records if r.unit_id == unit.id and r.member.role == "tuning"]
    waiting = len(tuned) < len(tuning)
    tuning += [
        Member(seed=s, learning_rate=r, role="search")
        for r in condition.setting.finer
        for s in TUNING_SEEDS
    ]
    if waiting:
        return tuning, len(reporting)
    rate = best_rate(tuned)
    return tuning + [Member(seed=s, learning_rate=rate) for s in reporting], 0


def plan(
    conditions: Iterable[Condition],
    chosen: Profile,
    records: Sequence[Record],
    provenance: Provenance,
    seeds: int | None = None,
    scan: str = "auto",
    pickled: bytes = b"",
    aside: Path | None = None,
) -> Plan:
    """Return what is to be measured beside these records."""
    result = Plan()
    there = {record.key for record in records}
    usable: dict[str, bool] = {}
    for unit, condition in {
        unit_of(condition, chosen): condition for condition in conditions
    }.items():
        if unit.task not in usable:
            missing = missing_data(unit)
            usable[unit.task] = missing is None
            if missing:
                result.skipped.append(f"{unit.task} is skipped: {missing}")
        if not usable[unit.task]:
            continue
        members, later = members_of(unit, condition, chosen, seeds, records)
        lacking = [m for m in members if (unit.id, m.seed, m.learning_rate) not in there]
        result.there += len(members) - len(lacking)
        result.later += later
        theirs = is_user_defined(unit)
        by = provenance.model_copy(update={"dirty": provenance.dirty or theirs})
        classes = pickled if theirs else b""
        code = name_code(unit, classes)
        folder = str(aside / unit.task) if aside else ""
        for part in shares(lacking, MEMBERS_AT_ONCE[provenance.device]):
            result.jobs.append(Job(unit, part, by, scan, classes, code, folder))
    result.jobs.sort(key=work, reverse=True)  # so that no long job is left for the end
    return result


def missing_data(unit: Unit) -> DataMissing | None:
    """Return why the data of a task is not to be had, if it is not; any other fault shows when it is measured."""
    try:
        task = TASKS[unit.task](lag=unit.lag, **unit.task_options)
        task.sample(task.keys("train", 0, 0, 1))
    except DataMissing as missing:
        return missing
    except KeyboardInterrupt:
        raise
    except BaseException:
        if not is_user_defined(unit):
            raise
    return None


def shares(members: Sequence[Member], most: int) -> list[tuple[Member, ...]]:
    """Return the members in as few parts as can be, all about as large and none larger than the most."""
    parts = ceil(len(members) / most)
    cuts = [len(members) * k // parts for k in range(parts + 1)] if parts else [0]
    return [tuple(members[a:b]) for a, b in pairwise(cuts)]


def work(job: Job) -> int:
    """Return a rough measure of how long a job may take, to sort by."""
    return job.unit.budget.steps * job.unit.budget.batch * (job.unit.lag + 1) * len(job.members)


@checked
def run(
    profile: str = "quick",
    *,
    tasks: Sequence[str | type[Task]] = (),
    models: Sequence[str | type[Any]] = (),
    lags: Sequence[Lag] = (),
    parts: Sequence[str] = (),
    seeds: Count | None = None,
    steps: Count | None = None,
    learning_rate: Rate | None = None,
    device: str = "auto",
    engine: str = "processes",
    workers: Workers | None = None,
    out: str | Path | None = None,
    scan: str = "auto",
    precision: str = "float32",
    budget: Seconds | None = None,
    force: bool = False,
    dry_run: bool = False,
    listen: Listener | None = None,
) -> Store:
    """Measure what a profile asks for and the store lacks; return the store.

    Parameters
    ----------
    profile
        ``smoke``, ``quick`` or ``paper``.
    tasks, models, lags, parts
        What to measure of it, by name; empty means all. A task or model may be given as a class, too, and need not be
        registered anywhere; by name it may have options (``lstm:layers=2``).
    seeds
        How many reporting seeds, instead of the profile's number.
    steps, learning_rate
        Of tasks that the profile does not have, instead of 2,000 and of the rate that it gives to such; a profile that
        tunes finds the rate itself. A task of its own has what it says.
    device
        ``cpu``, ``cuda``, or ``auto``: a GPU where there is one.
    engine, workers
        ``processes`` (of one thread each, one a core by default), ``serial`` or ``dask``.
    out
        The results folder; ``results/local/<profile>`` by default, with another precision than float32
        ``results/local/<profile>-<precision>``.
    scan
        How recurrences are run: ``auto``, ``reference``, ``native``, ``ensemble`` or ``fused``.
    precision
        ``float32`` or ``float64``; with CUDA also ``tf32`` (products) or ``bfloat16`` (the forward pass).
    budget
        Seconds after which no further job is started; ``SEQBENCH_BUDGET`` if not given.
    force
        Measure again what is there, and replace it.
    dry_run
        Only say what would be measured, and an estimate of the time from what was measured so far.
    listen
        Who is told how the run goes on.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices. Nothing was written then, or, where the disk is at
        fault, what was measured so far is kept.
    """
    if out is not None and not str(out):
        raise BadInput("out is empty; name a folder, or leave it out")
    chosen = find_profile(profile)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if scan not in get_args(Scan):
        raise unknown("scan", scan, get_args(Scan))
    scan_in(precision, scan)
    if seeds is not None and seeds > min(TUNING_SEEDS):
        raise BadInput(
            f"seeds must be at most {min(TUNING_SEEDS)}; the tuning has those that follow"
        )
    chosen = chosen.hosting(steps, learning_rate)
    conditions = chosen.select(names(TASKS, tasks), names(MODELS, models), lags, parts)
    own = [condition.task[0] for condition in conditions if condition.setting in chosen.settings]
    if own and (steps or learning_rate):
        raise BadInput(
            f"profile '{chosen.name}' says itself how task '{own[0]}' is measured; "
            "steps and learning_rate are for tasks that it does not have"
        )
    if not tasks:  # then those that the models can read are meant
        conditions = [condition for condition in conditions if suits(condition)]
    if not conditions:
        raise BadInput(
            f"profile '{chosen.name}' has nothing that these models can read at these lags"
        )
    pickled = pickle_classes(
        [task for task in tasks if not isinstance(task, str)],
        [model for model in models if not isinstance(model, str)],
    )
    device = machine.device(device)
    chosen = replace(chosen, precision=machine.precision(precision, device))
    system = machine.system(device)
    commit, dirty = machine.commit()
    provenance = Provenance(
        commit=commit,
        dirty=dirty,
        profile=chosen.name,
        specification=chosen.specification,
        system=system.id,
        device=device,
        threads=1,
        deterministic=True,
        flush_denormal=True,  # is asked of every worker; its records say whether it was so
        code=machine.code(),
    )
    folder = chosen.name if precision == "float32" else f"{chosen.name}-{precision}"
    store = Store(Path("results", "local", folder) if out is None else out)
    until = monotonic() + time_given(budget)
    listen = listen or listener()
    workers = workers or default_workers(device)
    measured: list[Record] = []  # in this run

    def planned(part: str = "") -> Plan:
        records = measured if force else store.records()  # what counts as there
        some = [condition for condition in conditions if part in ("", condition.setting.part)]
        with chdir("."):  # a user-defined class may go elsewhere
            return plan(some, chosen, records, provenance, seeds, scan, pickled, store.unfinished)

    def keep(job: Job, records: list[Record]) -> None:
        if not records:  # its worker was killed from outside: the next run tries again
            return
        if force:
            store.forget(job.unit, job.members)
            store.forget_others(job.unit)
        try:
            store.append(records)
        except NotWritten:  # what was measured is worth more than the way to it
            job.checkpoint.clear()
            try:
                store.append(records)
            except NotWritten as error:
                raise BadInput(f"{error}; what was measured so far is kept") from error
        job.checkpoint.clear()
        measured.extend(records)

    store.check(chosen.manifest())
    store.look_over()
    store.systems()  # each can be read
    if not force:
        refuse_another_row([unit_of(condition, chosen) for condition in conditions], store)
    ahead = planned()
    if dry_run:
        show(ahead, store, workers, listen)
        return store
    store.create(chosen.manifest())
    with store.lock(*{condition.task[0] for condition in conditions}):
        store.keep_plan(whole_plan(chosen))
        store.add_system(system)
        ahead = planned()  # anew: another run may have ended since
        for line in ahead.skipped:
            listen.say(line)
        if ahead.there:
            listen.say(f"{ahead.there} members are measured already and are skipped")
        for part in dict.fromkeys(condition.setting.part for condition in conditions):
            ahead = planned(part)
            while ahead.jobs:
                before = len(measured)
                _run(ahead.jobs, ENGINES[engine], workers, until, listen, keep)
                if not ahead.later or monotonic() >= until or len(measured) == before:
                    break
                ahead = planned(part)
    return store


def refuse_another_row(units: Iterable[Unit], store: Store) -> None:
    """Raise where the folder holds a row of a table that was measured under other conditions than are asked for now."""
    there = {record.unit.row: record.unit for record in store.records()} if store.exists else {}
    for unit in units:
        other = there.get(unit.row)
        if other and other.id != unit.id:
            task, lag, model = unit.row
            raise BadInput(
                f"{store.path} holds {task} at lag {lag} with {model} under other conditions "
                f"({differences(other, unit)}); --force replaces it, --out keeps both"
            )


def differences(there: Unit, asked: Unit) -> str:
    """Return in which fields two units differ: what is there, and what is asked for."""
    one, two = (unit.model_dump(mode="json") for unit in (there, asked))
    one, two = (whole | whole.pop("budget") for whole in (one, two))
    names = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    return "; ".join(
        f"{name.replace('_', ' ')} {one.get(name)}, asked for {two.get(name)}" for name in names
    )


def time_given(budget: float | None) -> float:
    """Return the seconds that a run is given, infinity if nobody says; ``SEQBENCH_BUDGET`` speaks second."""
    asked = os.environ.get("SEQBENCH_BUDGET", "")
    try:
        seconds = budget or float(asked or inf)
    except ValueError:
        seconds = nan
    if not seconds > 0:
        raise BadInput(f"SEQBENCH_BUDGET is a number of seconds; got '{cut(asked, 40)}'")
    return seconds


def whole_plan(chosen: Profile) -> list[Planned]:
    """Return all that a profile plans, whatever of it is measured now."""
    conditions = {
        unit_of(condition, chosen): condition.setting.part
        for condition in reversed(list(chosen.conditions()))
    }
    return [Planned(unit=u, part=p, seeds=chosen.seeds) for u, p in reversed(conditions.items())]


def _run(
    jobs: Sequence[Job],
    engine: Engine,
    workers: int,
    until: float,
    listen: Listener,
    keep: Callable[[Job, list[Record]], Any],
) -> None:
    """Run the jobs while there is time, and keep their records as they come."""
    left = deque(jobs)

    def in_time() -> Iterator[Job]:
        while left and monotonic() < until:
            yield left.popleft()

    listen.begin(len(jobs), sum(job.unit.budget.steps * len(job.members) for job in jobs))
    try:
        # Closed at once, whatever happens: no worker outlives a Ctrl-C or a full disk.
        with closing(engine(in_time(), min(workers, len(jobs)), listen.step)) as done:
            for job, records in done:
                keep(job, records)
                listen.done(job, records)
        if left:
            listen.say(f"the time is up: {len(left)} jobs were not started; run again to go on")
    finally:
        listen.end()


def default_workers(device: str) -> int:
    """Return one worker a core; on a GPU no more than four, since each takes some of its memory.

    ``SEQBENCH_WORKERS`` says otherwise where several runs share a machine, as the notebooks of ``nox -s bench`` do.
    """
    asked = os.environ.get("SEQBENCH_WORKERS", "")
    if asked:
        if not re.fullmatch(r"[1-9][0-9]{0,3}", asked):
            raise BadInput(f"SEQBENCH_WORKERS is a number of workers; got '{cut(asked, 40)}'")
        return int(asked)
    return min(machine.cores(), 4) if device == "cuda" else machine.cores()


def names(catalogue: Catalogue, entries: Sequence[Any]) -> list[str]:
    """Return the names of entries that are given by name or as objects; raise at an unknown one."""
    found = [entry if isinstance(entry, str) else catalogue.add(entry) for entry in entries]
    for name in found:
        if bare(name) in catalogue:
            check_options(catalogue.kind, bare(name), catalogue[bare(name)], parsed(name)[1])
            continue
        if "." in bare(name) and ":" in name:
            raise BadInput(
                f"'{name}' is the address of a {catalogue.kind}; one of your own is named by an entry point in the "
                f"group {catalogue.group}, or passed to seqbench.run as a class"
            )
        raise unknown(catalogue.kind, bare(name), catalogue)
    return list(dict.fromkeys(found))


def show(ahead: Plan, store: Store, workers: int, listen: Listener) -> None:
    """Say what a run would do, and how long that may take."""
    for line in ahead.skipped:
        listen.say(line)
    known = store.records() if store.exists else []
    seconds = {job: estimate(job, known) for job in ahead.jobs}
    for job, guess in seconds.items():
        listen.say(f"{job}: {'not known yet' if guess is None else f'about {guess:.0f} s'}")
    guesses = [guess for guess in seconds.values() if guess is not None]
    members = sum(len(job.members) for job in ahead.jobs)
    later = f", {ahead.later} more once the tuning is done" if ahead.later else ""
    listen.say(
        f"{members} members in {len(ahead.jobs)} jobs{later}; {ahead.there} are measured already. "
        f"About {sum(guesses) / workers:.0f} s in {workers} workers"
        + (
            f", and {len(seconds) - len(guesses)} jobs of unknown length"
            if len(guesses) < len(seconds)
            else ""
        )
    )


def estimate(job: Job, known: Iterable[Record]) -> float | None:
    """Return the seconds that a job may take, from records of its model: of the same task if there are any."""
    same = [r for r in known if r.unit.model == job.unit.model and r.steps]
    same = [r for r in same if r.unit.task == job.unit.task] or same
    if not same:
        return None
    rates = [r.cost.seconds / (r.steps * r.unit.budget.batch * (r.unit.lag + 1)) for r in same]
    return work(job) * median(rates)
