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
from typing import TYPE_CHECKING, Annotated, Any

import typer

import step_times
from processes import end_children
from seqbench.cli.options import (
    AskedDevice,
    AskedProfile,
    Budget,
    Out,
    Seeds,
    SpecFile,
    Workers,
    ask,
    name_results,
    parse_duration,
    parse_numbers,
    split_names,
)
from seqbench.cli.terminal import answer, complain, obey
from seqbench.errors import BadInput
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store

if TYPE_CHECKING:
    from seqbench.measure.execute import Resources
    from seqbench.measure.select import Selection

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "book" / "notebooks"
BRIEF = ("task", "lag", "model", "solved", "runs", "score_median", "score_min", "score_max")
TOLD = {"profile", "tasks", "models", "seeds", "device"}  # what a notebook can be told
Words = list[str]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: nox -s bench -- --tasks adding,copy --models lstm,gru --seeds 5")
def bench(
    spec: SpecFile = None,
    profile: AskedProfile = None,
    device: AskedDevice = None,
    out: Out = None,
    tasks: Annotated[Words, typer.Option(help="Only these tasks; repeat it or use commas.")] = [],  # noqa: B006
    models: Annotated[Words, typer.Option(help="Only these models.")] = [],  # noqa: B006
    lags: Annotated[Words, typer.Option(help="Only these lags; without notebooks.")] = [],  # noqa: B006
    seeds: Seeds = None,
    workers: Workers = None,
    budget: Budget = None,
    force: Annotated[bool, typer.Option("--force", help="Time the steps again.")] = False,
) -> None:
    """Measure what a profile asks for and the results folder lacks: accuracy, throughput, tables."""
    since = time()
    asked = ask(
        spec, profile=profile, tasks=split_names(tasks), models=split_names(models), lags=parse_numbers(lags, "lag"),
        seeds=seeds, device=device,
    )  # fmt: skip

    from seqbench import machine
    from seqbench.measure.execute import allot
    from seqbench.measure.runs import prepare

    given = allot("processes", workers, parse_duration(budget), machine.choose_device(asked.device))
    selection, store = prepare(
        asked, name_results(spec, out)
    )  # raises what is wrong, and writes nothing
    store = Store(store.path.absolute()).create(selection.profile.make_manifest())
    wrong = measure_accuracy(selection, store, given)
    if given.in_time:
        wrong += step_times.time_missing_steps(
            selection.profile, store, asked.models, asked.device, force
        )
    else:
        complain("the time is up; run again to go on")
    print_tables(store)
    complain(
        f"build the book from them with: python -m nox -s book -- --results {shorten(store.path)}"
    )
    if failed := sum(record.verdict == "failed" for record in store.records()):
        complain(f"{failed} runs failed; seqbench report runs {shorten(store.path)} says why")
        wrong.append(1)
    complain(
        f"this took {time() - since:.0f} s" + (f"; {len(wrong)} parts failed" if wrong else "")
    )
    wrong += compare(store)
    raise typer.Exit(max(wrong, default=0))


def print_tables(store: Store) -> None:
    """Write the tables of a folder, and print the accuracy."""
    from seqbench.report.folder import write_tables
    from seqbench.report.results import Results

    files = write_tables(store)
    accuracy = Results.read(store).table("T1")
    rows = [{k: row[k] for k in BRIEF} for row in accuracy.values if row.get("solved") is not None]
    answer({accuracy.title: rows}, as_json=False)
    complain(f"{len(files)} files of tables are in {shorten(store.path / 'tables')}")


def shorten(path: Path) -> Path:
    """Return a path as one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def compare(store: Store) -> list[int]:
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


def measure_accuracy(selection: "Selection", store: Store, given: "Resources") -> list[int]:
    """Train what the store lacks; return an exit code for each notebook that failed.

    A task is measured by its notebook, if it has one and the notebook can be told all that is asked for.
    """
    from seqbench.measure.runs import run

    asked = selection.spec
    set_fields = {name for name, value in asked if value != RunSpec.model_fields[name].default}

    def measure(**fields: Any) -> None:
        if given.in_time:
            left = given.seconds_left if given.until < inf else None
            run(asked, out=store.path, workers=given.workers, budget=left, **fields)

    if selection.profile.is_open:  # no notebook shows an experiment
        measure()
        return []
    for part in selection.profile.parts[:-1]:  # what comes first must not wait for a notebook
        if part in selection.parts:
            measure(parts=[part])
    lacking = lacking_tasks(selection, store)
    told = [t for t in lacking if not asked.tasks or t.task in asked.tasks]  # with any options
    lessons = [t for t in told if t.notebook.is_file() and set_fields <= TOLD]
    wrong = execute_notebooks(lessons, asked, store, given)
    for task in lacking:
        if task not in lessons:
            measure(tasks=task.spellings, models=task.models)
    return wrong


@dataclass(frozen=True)
class Lacking:
    """A task of which something is not measured yet.

    Attributes
    ----------
    spellings
        The task, with each of its options that is asked for.
    work
        How much is to do, to sort by.
    """

    task: str
    spellings: tuple[str, ...]
    models: tuple[str, ...]  # empty: all
    work: int

    @property
    def notebook(self) -> Path:
        """Return where its notebook would be."""
        return NOTEBOOKS / f"{self.task}.md"


def lacking_tasks(selection: "Selection", store: Store) -> list[Lacking]:
    """Return the tasks of which the store lacks something that can be measured here; say so of each task."""
    from seqbench.measure.plan import plan

    records = store.records()
    found = []
    for task in selection.tasks:
        part = selection.of_task(task)
        ahead = plan(part, records)
        for why in ahead.skipped.values():
            complain(f"{task} is skipped: {why}")
        members = ahead.members + sum(ahead.waiting.values())
        if members:
            complain(f"{task}: {members} of {members + ahead.done} members are to be measured")
            models = tuple(dict.fromkeys(c.model for c in part.units.values()))
            models = models if selection.spec.models else ()  # each part of a profile has its own
            spellings = tuple(dict.fromkeys(c.setting.task for c in part.units.values()))
            found.append(Lacking(task, spellings, models, ahead.work))
        elif not ahead.skipped:
            complain(f"{task}: all {ahead.done} members are measured already")
    return found


def execute_notebooks(
    lessons: Iterable[Lacking], asked: RunSpec, store: Store, given: "Resources"
) -> list[int]:
    """Execute the notebooks; return an exit code for each that failed.

    Several run side by side with some workers each, so that one's start, its figures and its last job leave no core
    idle.
    """
    parameters = {
        "profile": asked.profile, "device": asked.device, "seeds": asked.seeds, "run": True,
        "results": str(store.path),
    }  # fmt: skip
    waiting = deque(sorted(lessons, key=lambda task: task.work))  # the longest goes first
    at_once = min(len(waiting), ceil(sqrt(given.workers)))
    running: dict[Popen[bytes], tuple[Lacking, float]] = {}
    wrong = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once and given.in_time:
                task = waiting.pop()
                its = parameters | {"models": task.models}
                running[start_notebook(task, its, given, at_once)] = task, time()
            for process in [p for p in running if p.poll() is not None]:
                task, since = running.pop(process)
                if process.returncode:
                    wrong.append(max(1, process.returncode))  # killed: below 0
                else:
                    complain(f"{task.task}: measured in {time() - since:.0f} s")
            if not running and not given.in_time:
                break
            sleep(0.1)
    finally:
        if running:
            end_children()  # kernels and their workers, too
    return wrong


def start_notebook(
    task: Lacking, parameters: dict[str, Any], given: "Resources", at_once: int
) -> Popen[bytes]:
    """Start a process that executes a notebook, one of so many at once; Ctrl-C is left to this process."""
    output = Path(parameters["results"], "notebooks", f"{task.task}.ipynb")
    words = [HERE / "notebook.py", task.notebook, output, json.dumps(parameters)]
    limits = {"SEQBENCH_WORKERS": str(max(1, given.workers // at_once))}
    if given.until < inf:
        limits["SEQBENCH_BUDGET"] = str(given.seconds_left)
    return Popen(
        [sys.executable, *map(str, words)],
        env=os.environ | limits,  # its kernel inherits it
        stdin=DEVNULL,
        start_new_session=True,
    )


if __name__ == "__main__":
    obey(app, sys.argv[1:])
