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
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import on_cpu
import on_gpu
from goals import Row
from seqbench import machine
from seqbench.cli import answer, obey
from seqbench.errors import unknown

ROUNDS = 15
FEWER = {"cpu-workers": 3}  # rounds, where one takes long

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    goal: Annotated[str | None, typer.Option(help="Which goals; all if not given.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    rounds: Annotated[int, typer.Option(help="How often each side is timed.")] = ROUNDS,
    file: Annotated[Path | None, typer.Option("--json", help="Write the rows here, too.")] = None,
) -> None:
    """Print the goals with what was measured, and whether they are met."""
    device = machine.device(device)
    here, elsewhere = (on_gpu.PARTS, {}) if device == "cuda" else (on_cpu.PARTS, on_gpu.AIMS)
    names = goal.split(",") if goal else list(here)
    for name in names:
        if name not in here:
            raise unknown("goal", name, here)
    machine.settle()
    commit, dirty = machine.commit()
    system = machine.system(device)
    about = {"commit": commit, "dirty": dirty, "device": device, "threads": torch.get_num_threads()}
    about["system"] = system.model_dump(mode="json")
    missing = [
        Row(name, what, aim, note="not yet measured on a GPU")
        for name, (what, aim) in elsewhere.items()
    ]
    found: list[Row] = []
    for name in names:
        for row in here[name](min(rounds, FEWER.get(name, rounds))):
            found.append(row)
            print(shown(row), file=sys.stderr, flush=True)
            if file:
                written(file, about | {"rows": [asdict(each) for each in [*found, *missing]]})
    found += missing
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
