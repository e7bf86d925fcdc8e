"""Every scan of every cell: what ``auto`` should stand for, measured on this machine.

All run the same network, forward and backward and the update, one round each in turn. Printed is how many times as long
as the scan that ``auto`` takes each of them needs: the median over rounds of paired ratios. Below 1 it would be faster.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer

from goals import Timed
from paired import Median, in_turns
from seqbench import machine
from seqbench.models import MODELS
from seqbench.random import Keys
from seqbench.scan import SCANS, choose_scan
from sides import Shape, members

CELLS: dict[str, tuple[str, dict[str, Any]]] = {
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
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers there.")] = None,
) -> None:
    """Time all scans of every cell."""
    machine.make_deterministic()
    commit, dirty = machine.commit()
    about = {
        "commit": commit, "dirty": dirty, "length": length, "batch": B,
        "system": machine.system(device).model_dump(mode="json"),
    }  # fmt: skip
    rows = []
    for row in measured(length, rounds, device):
        others = {
            how: f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
            for how, ratio in row["ratios"].items()
        }
        print(
            f"{row['cell']:18s} E = {row['members']}  H = {row['hidden']:3d}  "
            f"{row['auto']} {1e3 * row['seconds']:7.2f} ms",
            *(f"{how} {text}" for how, text in others.items()),
            sep="   ",
            flush=True,
        )
        rows.append(row)
        if file:
            file.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", "utf-8")


def measured(length: int, rounds: int, device: str) -> Iterator[dict[str, Any]]:
    """Yield a row for every cell, number of members and width."""
    for (cell, (model, options)), E, H in product(CELLS.items(), MEMBERS, HIDDEN):
        auto, *others = scans(model, device, **options)
        shape = Shape(E, B, length, H, device)
        steps = [members(model, shape, how, **options) for how in (auto, *others)]
        times = in_turns([Timed(step, device, 1, 0).seconds for step in steps], rounds)
        ours, *theirs = zip(*times, strict=True)
        found = [Median.of([t / o for t, o in zip(each, ours, strict=True)]) for each in theirs]
        yield {
            "cell": cell, "members": E, "hidden": H, "auto": auto, "seconds": median(ours),
            "ratios": {
                how: {"median": each.value, "low": each.low, "high": each.high}
                for how, each in zip(others, found, strict=True)
            },
        }  # fmt: skip


def scans(model: str, device: str, **options: Any) -> list[str]:
    """Return the scan that ``auto`` takes, then the others that there are."""
    keys = Keys.span(model, 1, "weights", 0, 0, 1)
    cell = MODELS[model].cell(keys, "layer 0", 1, 1, **options)
    on = torch.device(device)
    auto = choose_scan(cell, "auto", on)
    there = [how for how in SCANS if how != "native" or cell.native is not None]
    return [auto, *(how for how in there if how != auto and (how != "fused" or device == "cuda"))]


if __name__ == "__main__":
    typer.run(main)
