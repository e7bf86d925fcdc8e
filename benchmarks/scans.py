"""Torch's kernels against the loop over steps: what ``auto`` should stand for, measured on this machine.

Both run the same network, forward and backward, one round each in turn; a ratio is the median over rounds of
native / reference, so that what slows the machine down slows down both. Above 1 the loop is faster.
"""

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Annotated, Any

import torch
import typer

from seqbench.models import MODELS
from seqbench.random import Keys

CELLS = ("rnn", "lstm", "gru")
MEMBERS = (1, 3, 8)
HIDDEN = (16, 32, 64, 128)
B, D = 32, 8
SCANS = ("reference", "native")


def main(
    length: Annotated[int, typer.Option(help="Steps of a sequence.")] = 100,
    rounds: Annotated[int, typer.Option(help="How often each is timed.")] = 15,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    file: Annotated[Path | None, typer.Option("--json", help="Write the numbers there.")] = None,
) -> None:
    """Time both scans of every cell that has both."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print("cell    E    H   reference ms   native ms   native / reference (quartiles)")
    rows = []
    for row in measured(length, rounds, device):
        print(
            "{cell:5s}  {members:2d}  {hidden:3d}   {reference:12.2f}   {native:9.2f}   "
            "{ratio:6.2f}   ({low:.2f} to {high:.2f})".format(**row),
            flush=True,
        )
        rows.append(row)
    if file:
        about = {
            "torch": torch.__version__,
            "device": device,
            "length": length,
            "batch": B,
            "rounds": rounds,
        }
        file.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", "utf-8")


def measured(length: int, rounds: int, device: str) -> Iterator[dict[str, Any]]:
    """Yield a row for every cell, number of members and width."""
    for cell, E, H in product(CELLS, MEMBERS, HIDDEN):
        step = steps(cell, E, H, length, device)
        seconds: dict[str, list[float]] = {how: [] for how in SCANS}
        for r in range(rounds + 1):
            for how in SCANS if r % 2 else SCANS[::-1]:
                seconds[how].append(timed(step, how, device))
        reference, native = (seconds[how][1:] for how in SCANS)  # the first round warms up
        ratios = [n / r for n, r in zip(native, reference, strict=True)]
        low, _, high = quantiles(ratios, n=4, method="inclusive")
        yield {
            "cell": cell, "members": E, "hidden": H,
            "reference": 1e3 * median(reference), "native": 1e3 * median(native),
            "ratio": median(ratios), "low": low, "high": high,
        }  # fmt: skip


def steps(cell: str, E: int, H: int, length: int, device: str) -> Callable[[str], None]:
    """Return a function that goes forward and backward once, by one scan or the other."""
    keys = Keys.span(cell, 1, "weights", 0, 0, E).to(device)
    model = MODELS[cell](keys, inputs=D, outputs=1, hidden=H)
    x = keys.uniform("input", B, length, D)

    def step(how: str) -> None:
        model.scan = how
        model.zero_grad()
        model(x, 1).square().mean(dim=(1, 2, 3)).sum().backward()

    return step


def timed(step: Callable[[str], None], how: str, device: str) -> float:
    """Return the seconds of one step, its kernels included."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = perf_counter()
    step(how)
    wait()
    return perf_counter() - start


if __name__ == "__main__":
    typer.run(main)
