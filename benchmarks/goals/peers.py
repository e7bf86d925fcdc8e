"""Measure the goals for speed: seqbench against what a user would take instead.

    python benchmarks/goals/peers.py                          # everything that this machine can measure
    python benchmarks/goals/peers.py --goal cpu-cells --rounds 30

A ratio says how many times as fast seqbench's training step is as the other's; both are timed in every round, on the
same data, in one process, and what is printed is the median with a 95 % bootstrap interval. Beside it stand the peak
memory of a step and the precision, of both sides. A goal that this machine can't measure is recorded as not measured.
The results folder is written after each row, so that a run that is stopped loses nothing; goals that are measured again
replace the old ones.
"""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from benchmarks.goals import on_cpu, on_gpu
from benchmarks.goals.goals import Row
from seqbench import machine
from seqbench.cli.options import AsJson, Device, Out
from seqbench.cli.terminal import answer, obey, select_columns
from seqbench.errors import unknown
from seqbench.measure import throughput
from seqbench.measure.folder import LOCAL, open_folder, write_into
from seqbench.protocol.profiles import PROFILES
from seqbench.records.schema import Comparison
from seqbench.records.store import Store
from seqbench.report.results import NO_GPU, Results

ROUNDS = 15
ON_DEMAND = ("gpu-suite", "compile")  # only by --goal: half an hour, some minutes
FEWER = {"cpu-workers": 3}  # rounds of a goal of which one round takes long

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    goal: Annotated[str | None, typer.Option(help="Which goals; all if not given.")] = None,
    device: Device = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="How often each side is timed.")] = ROUNDS,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Measure the goals, and print each with its result and whether it is met."""
    device = machine.choose_device(device)
    here, elsewhere = (on_gpu.PARTS, {}) if device == "cuda" else (on_cpu.PARTS, on_gpu.AIMS)
    names = goal.split(",") if goal else [name for name in here if name not in ON_DEMAND]
    for name in names:
        if name not in here:
            raise unknown("goal", name, here)
    machine.make_deterministic()
    store = Store(LOCAL / "quick" if out is None else out)  # of whatever profile
    manifest = store.manifest() if store.exists else PROFILES["quick"].make_manifest()
    with write_into(open_folder(store.path, manifest), manifest, device):
        system = machine.describe_system(device).id
        origin = throughput.describe_machine(device)
        missing = [
            Row(name, what, aim, note=NO_GPU).record(**origin, device="cuda")
            for name, (what, aim) in elsewhere.items()
        ]
        old = [r for r in store.comparisons() if r.system == system and r.goal not in elsewhere]
        for name in names:
            new: dict[str, Comparison] = {}
            for row in here[name](min(rounds, FEWER.get(name, rounds))):
                print(format_row(row), file=sys.stderr, flush=True)
                new[row.what] = row.record(**origin, device=device)
                kept = [r for r in old if r.goal != name or r.what not in new]
                store.add_comparisons(system, sort_rows([*kept, *new.values()], here) + missing)
            old = [*(r for r in old if r.goal != name), *new.values()]
            store.add_comparisons(system, sort_rows(old, here) + missing)
    answer({"goals": select_columns(Results.read(store).table("T6"), as_json)}, as_json)


def sort_rows(rows: Iterable[Comparison], goals: Iterable[str]) -> list[Comparison]:
    """Return rows in the order of the goals."""
    places = {name: place for place, name in enumerate(goals)}
    return sorted(rows, key=lambda row: places.get(row.goal, len(places)))


def format_row(row: Row) -> str:
    """Return a row as one line."""
    parts = [row.goal, row.what]
    if row.measured is not None:
        parts.append(f"{row.measured:.2f}")
    if row.interval is not None:
        parts.append("({:.2f} to {:.2f})".format(*row.interval))
    if row.aim:
        parts.append(f"aim {row.aim}" + {True: ", met", False: ", NOT met", None: ""}[row.met])
    return "  ".join([*parts, row.note] if row.note else parts)


if __name__ == "__main__":
    obey(app, sys.argv[1:], interrupted="the rows that were measured are kept")
