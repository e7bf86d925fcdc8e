"""Measure everything: accuracy by the notebooks, throughput by asv, then the tables. ``nox -s bench`` runs this.

What is there already is skipped, so a run that was stopped, at whatever instant, goes on where it was. Exit codes are
those of the command line.
"""

import json
import os
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf, sqrt
from pathlib import Path
from subprocess import DEVNULL, Popen
from time import sleep, time
from typing import Annotated, Any

import typer

import collect
from seqbench.cli import Device, Out, ProfileName, answer, complain, duration, listed, numbers, obey
from seqbench.errors import BadInput, DataMissing
from seqbench.protocol.profiles import TIMINGS, find_profile
from seqbench.protocol.settings import Profile
from seqbench.records.store import Store
from seqbench.values.variants import strip_options

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "book" / "notebooks"
BRIEF = ("task", "lag", "model", "solved", "runs", "score_median", "score_min", "score_max")
Words = list[str]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: nox -s bench -- --tasks adding,copy --models lstm,gru --seeds 5")
def bench(
    profile: ProfileName = "quick",
    device: Device = "auto",
    out: Out = None,
    tasks: Annotated[Words, typer.Option(help="Only these tasks; repeat it or use commas.")] = [],  # noqa: B006
    models: Annotated[Words, typer.Option(help="Only these models.")] = [],  # noqa: B006
    lags: Annotated[Words, typer.Option(help="Only these lags; without notebooks.")] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="So many seeds, not the profile's.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; one a core.")] = None,
    budget: Annotated[str | None, typer.Option(help="Start nothing new after 90s, 9m, 1h.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Time the steps again.")] = False,
) -> None:
    """Measure what a profile asks for and the results folder lacks: accuracy, throughput, tables."""
    since = time()
    until = since + (duration(budget) or inf)
    chosen = find_profile(profile)
    asked: dict[str, Any] = {
        "tasks": listed(tasks), "models": listed(models), "lags": numbers(lags, "lag"), "seeds": seeds,
        "device": device, "workers": workers, "out": out,
    }  # fmt: skip

    from seqbench.measure import runs, throughput
    from seqbench.report.folder import write_tables
    from seqbench.report.results import Results

    # A dry run raises what is wrong, and writes nothing.
    runs.run(profile, **asked, dry_run=True, listen=Silent())
    store = Store(throughput.folder(chosen, out).path.absolute()).create(chosen.manifest())
    for part in chosen.parts[
        :-1
    ]:  # what is to come first must not wait for the notebook of its task
        if time() < until:
            left = until - time() if until < inf else None
            runs.run(profile, **asked | {"parts": [part], "out": store.path}, budget=left)
    plans = [
        plan
        for task in asked["tasks"]
        or dict.fromkeys(strip_options(setting.task) for setting in chosen.settings)
        if (plan := planned(task, chosen, store, asked))
    ]
    lessons = [plan for plan in plans if plan.notebook.is_file() and not asked["lags"]]
    wrong = taught(lessons, profile, asked, store, until)
    for plan in plans:
        if plan not in lessons and time() < until:
            left = until - time() if until < inf else None
            runs.run(profile, **asked | plan.part | {"out": store.path}, budget=left)
    if time() < until:
        wrong += timed(chosen, store, asked, force)
    else:
        complain("the time is up; run again to go on")
    files = write_tables(store)
    accuracy = Results.read(store).table("T1")
    rows = [{k: row[k] for k in BRIEF} for row in accuracy.values if row.get("solved") is not None]
    answer({accuracy.title: rows}, as_json=False)
    complain(f"{len(files)} files of tables are in {shown(store.path / 'tables')}")
    wrong += compared(store)
    complain(
        f"build the book from them with: python -m nox -s book -- --results {shown(store.path)}"
    )
    if failed := sum(record.verdict == "failed" for record in store.records()):
        complain(f"{failed} runs failed; seqbench report runs {shown(store.path)} says why")
        wrong.append(1)
    complain(
        f"this took {time() - since:.0f} s" + (f"; {len(wrong)} parts failed" if wrong else "")
    )
    raise typer.Exit(max(wrong, default=0))


class Silent:
    """Hears how a run goes on, and says nothing."""

    def say(self, *_: object) -> None:
        """Say nothing."""

    begin = step = done = end = say


def shown(path: Path) -> Path:
    """Return a path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def compared(store: Store) -> list[int]:
    """Say whether the results reproduce the newest edition of their specification; return [1] if they contradict it."""
    from seqbench.report.verify import find_edition, verify

    try:
        found = verify(store, find_edition(store))
    except BadInput as none:  # that could be compared with
        complain(f"not compared with an edition: {none}")
        return []
    complain(found.sentence)
    return [1] if found.verdict == "contradicted" else []


# Accuracy, by the notebooks


@dataclass(frozen=True)
class Plan:
    """A task of which something is not measured yet."""

    task: str
    models: tuple[str, ...]
    work: int  # to sort by

    @property
    def notebook(self) -> Path:
        """Return where its notebook would be."""
        return NOTEBOOKS / f"{self.task}.md"

    @property
    def part(self) -> dict[str, Any]:
        """Return which part of a profile it is."""
        return {"tasks": [self.task], "models": list(self.models)}


def planned(name: str, chosen: Profile, store: Store, asked: dict[str, Any]) -> Plan | None:
    """Return what the store lacks of a task, or None if it lacks nothing or the task can't be measured here."""
    from seqbench.measure import runs

    conditions = chosen.select([name], asked["models"], asked["lags"])
    conditions = [condition for condition in conditions if runs.suits(condition)]
    if not conditions:
        complain(f"{name} is skipped: none of these models can read it")
        return None
    records = store.records()
    there = {record.key for record in records}
    members = lacking = work = 0
    for condition in conditions:
        task = runs.task_of(condition)
        try:
            length = task.sample(task.keys("train", 0, 0, 1)).x.shape[1]
        except DataMissing as missing:
            complain(f"{name} is skipped: {missing}")
            return None
        unit = runs.unit_of(condition, chosen)
        now, later = runs.members_of(unit, condition, chosen, asked["seeds"], records)
        more = later + sum((unit.id, m.seed, m.learning_rate) not in there for m in now)
        members += len(now) + later
        lacking += more
        work += more * unit.budget.steps * unit.budget.batch * length
    if not lacking:
        complain(f"{name}: all {members} members are measured already")
        return None
    complain(f"{name}: {lacking} of {members} members are to be measured")
    return Plan(name, tuple(dict.fromkeys(condition.model for condition in conditions)), work)


def taught(
    lessons: Iterable[Plan], profile: str, asked: dict[str, Any], store: Store, until: float
) -> list[int]:
    """Execute the notebooks; return an exit code for each that failed.

    Several run side by side with some workers each, so that one's start, its figures and its last job leave no core
    idle.
    """
    from seqbench import machine
    from seqbench.measure import runs

    told = {"profile": profile, "device": asked["device"], "seeds": asked["seeds"], "run": True}
    told["results"] = str(store.path)
    team = asked["workers"] or runs.default_workers(machine.device(asked["device"]))
    waiting = deque(
        sorted(lessons, key=lambda plan: plan.work)
    )  # the longest, at the end, goes first
    at_once = min(len(waiting), ceil(sqrt(team)))
    running: dict[Popen[bytes], tuple[Plan, float]] = {}
    wrong = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once and time() < until:
                plan = waiting.pop()
                process = start(plan, told | {"models": plan.models}, team // at_once, until)
                running[process] = plan, time()
            for process in [p for p in running if p.poll() is not None]:
                plan, since = running.pop(process)
                if process.returncode:
                    wrong.append(max(1, process.returncode))  # killed: below 0
                else:
                    complain(f"{plan.task}: measured in {time() - since:.0f} s")
            if not running and time() >= until:
                break
            sleep(0.1)
    finally:
        if running:
            collect.end_children()  # kernels and their workers, too
    return wrong


def start(plan: Plan, told: dict[str, Any], workers: int, until: float) -> Popen[bytes]:
    """Start a process that executes a notebook; Ctrl-C is left to this one."""
    output = Path(told["results"], "notebooks", f"{plan.task}.ipynb")
    words = [HERE / "notebook.py", plan.notebook, output, json.dumps(told)]
    limits = {"SEQBENCH_WORKERS": str(max(1, workers))}
    if until < inf:
        limits["SEQBENCH_BUDGET"] = str(until - time())
    return Popen(
        [sys.executable, *map(str, words)],
        env=os.environ | limits,  # its kernel inherits it
        stdin=DEVNULL,
        start_new_session=True,
    )


# Throughput, by asv


def timed(chosen: Profile, store: Store, asked: dict[str, Any], force: bool) -> list[int]:
    """Time the steps that the store lacks for this code on this machine; return exit codes of what failed."""
    from seqbench import machine
    from seqbench.measure import throughput
    from seqbench.models import MODELS

    machine.make_deterministic()
    device, models = machine.device(asked["device"]), asked["models"]
    timing, size = TIMINGS[chosen.name], chosen.parameters
    steps = throughput.plan(models or MODELS, timing, size, device, complain)
    there = throughput.measured(store, device)
    if not force and all(throughput.identity(facts) in there for facts in steps.values()):
        complain("steps: timed already")
        return []
    commit, _ = machine.commit()
    if commit == "unknown":
        complain("steps: asv needs a git commit and there is none here; they are timed without it")
        throughput.run(
            chosen.name, models=models, device=device, out=store.path, force=force, say=complain
        )
        return []
    complain("steps: asv times those of every model")
    system = machine.system(device)
    try:
        found = collect.steps(collect.run_asv(system.id, commit, chosen.name, device, models))
    except collect.AsvFailed as error:
        complain(f"steps: asv failed: {str(error).strip()[-2000:]}")
        return [1]
    whence = throughput.here(device)
    rows = []
    for (model, phase, scan, *shape), measured in found.items():
        step = throughput.Case(model, *shape[:3], scan, shape[3]), phase
        if step in steps:
            floor = throughput.floor(step, size, device)
            rows.append(throughput.row(steps[step], throughput.Timed(*measured), whence, floor))
    with store.lock():
        store.add_system(system)
        throughput.keep(store, rows)
    return []


if __name__ == "__main__":
    obey(app, sys.argv[1:])
