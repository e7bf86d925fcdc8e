"""Time every scan of every cell on this machine, to decide which one ``auto`` takes (docs/adr/0008).

All scans train the same network (forward, backward and update), timed in turns, round by round. A ratio is the time
of a scan / the time of the one that ``auto`` takes, the median over rounds. Below 1 that scan is faster.
"""

from collections.abc import Iterator
from itertools import product
from statistics import median
from typing import Annotated

import torch
import typer

from benchmarks.decisions.rows import Device, File, Row, describe_origin, keep_rows
from benchmarks.goals.goals import TimedStep
from benchmarks.goals.implementations import Shape, make_ensemble
from benchmarks.goals.paired import Median, time_in_turns
from seqbench import machine
from seqbench.models import MODELS
from seqbench.random import Keys
from seqbench.scan import SCANS, choose_scan
from seqbench.values.variants import Value

CELLS: dict[str, tuple[str, dict[str, Value]]] = {
    "rnn": ("rnn", {}),
    "lstm": ("lstm", {}),
    "lstm_peephole": ("lstm_peephole", {}),
    "lstm_1997": ("lstm_1997", {}),
    "gru": ("gru", {}),
    "gru, reset before": ("gru", {"reset": "before"}),
}
MEMBERS = (1, 3, 8)
HIDDEN = (16, 32, 64, 128)
B = 32


def main(
    length: Annotated[int, typer.Option(help="Steps of a sequence.")] = 100,
    rounds: Annotated[int, typer.Option(help="How often each is timed.")] = 9,
    device: Device = "cpu",
    file: File = None,
) -> None:
    """Time all scans of every cell."""
    machine.make_deterministic()
    origin = describe_origin(device, length=length, batch=B)
    keep_rows(measure(length, rounds, device), format_row, origin, file)


def format_row(row: Row) -> str:
    """Return a row as one line."""
    auto = f"{row['cell']:18s} E = {row['members']}  H = {row['hidden']:3d}  "
    auto += f"{row['auto']} {1e3 * row['seconds']:7.2f} ms"
    others = [
        f"{how} " + "{median:.2f} ({low:.2f} to {high:.2f})".format_map(ratio)
        for how, ratio in row["ratios"].items()
    ]
    return "   ".join([auto, *others])


def measure(length: int, rounds: int, device: str) -> Iterator[Row]:
    """Yield a row for each cell, number of members and width."""
    for (cell, (model, options)), E, H in product(CELLS.items(), MEMBERS, HIDDEN):
        auto, *others = list_scans(model, device, **options)
        shape = Shape(E, B, length, H, device)
        steps = [make_ensemble(model, shape, how, **options) for how in (auto, *others)]
        times = time_in_turns([TimedStep(step, device, 1, 0).measure for step in steps], rounds)
        ours, *theirs = zip(*times, strict=True)
        found = [Median.of([t / o for t, o in zip(each, ours, strict=True)]) for each in theirs]
        yield {
            "cell": cell, "members": E, "hidden": H, "auto": auto, "seconds": median(ours),
            "ratios": {
                how: {"median": each.value, "low": each.low, "high": each.high}
                for how, each in zip(others, found, strict=True)
            },
        }  # fmt: skip


def list_scans(model: str, device: str, **options: Value) -> list[str]:
    """Return the scan that ``auto`` takes, then the others that the model has; the options are those of the model."""
    keys = Keys.span(model, 1, "weights", 0, 0, 1)
    cell = MODELS[model].cell(keys, "layer 0", 1, 1, **options)
    on = torch.device(device)
    auto = choose_scan(cell, "auto", on)
    there = [how for how in SCANS if how != "native" or cell.native is not None]
    return [auto, *(how for how in there if how != auto and (how != "fused" or device == "cuda"))]


if __name__ == "__main__":
    typer.run(main)
