"""Search for the fastest launch of each kernel of the scan ``fused`` on this GPU (docs/adr/0019).

A launch is a tile width, a number of warps, a number of pipeline stages, and the sequences of one program. Each is
first compared with the same pass in float64, then timed. Its row is written at once, one JSON object a line, so that a
search that was interrupted continues where it stopped. At the end the fastest launch of each kernel is printed, and how
much slower the shipped one is (``SHIPPED`` in ``seqbench/scan/fused.py``).
"""

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from seqbench.scan import fused
from seqbench.scan.specs import CellSpec, GRUSpec, LSTMSpec, RNNSpec

SPECS: dict[str, tuple[CellSpec, int]] = {  # and the blocks of columns in the weights
    "rnn": (RNNSpec(), 1),
    "lstm": (LSTMSpec(), 4),
    "lstm_peephole": (LSTMSpec(peepholes=True), 4),
    "lstm_1997": (LSTMSpec(forget=False), 3),
    "gru": (GRUSpec(), 3),
    "gru, reset before": (GRUSpec("before"), 3),
}
DEVICE = "cuda"
HIDDEN = (16, 32, 64, 128, 256)
ERROR = {"bf16": 1e-1, "tf32": 4e-2, "fp32": 1e-4}  # ||out - ref|| / ||ref||
KEY = ("spec", "hidden", "precision", "pass")
HOW = ("width", "warps", "stages", "BB")


def main(
    file: Annotated[Path, typer.Argument(help="Rows are added to it.")] = Path("sweep.jsonl"),
    specs: Annotated[list[str], typer.Option("--spec", help="The cells.")] = [*SPECS],  # noqa: B006
    hidden: Annotated[list[int], typer.Option(help="The widths H.")] = [*HIDDEN],  # noqa: B006
    precision: Annotated[list[str], typer.Option(help="The precisions.")] = [*ERROR],  # noqa: B006
    members: Annotated[int, typer.Option(help="E.")] = 32,
    batch: Annotated[int, typer.Option(help="B.")] = 64,
    length: Annotated[int, typer.Option(help="T.")] = 200,
    rounds: Annotated[int, typer.Option(help="How often each is timed.")] = 10,
) -> None:
    """Time all launches of all kernels."""
    if not torch.cuda.is_available():
        print("The kernels are timed on a GPU, and this machine has none.")
        raise typer.Exit(2)
    shape = {"members": members, "batch": batch, "length": length}
    about = shape | {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []  # fmt: skip
    done = {identify(row, about) for row in rows}
    for name, H, how, which in product(specs, hidden, precision, ("forward", "backward")):
        key = about | dict(zip(KEY, (name, H, how, which), strict=True))
        left = [
            candidate
            for candidate in list_candidates(name, H, which, how)
            if identify(key | vars(candidate), about) not in done
        ]
        if not left:
            continue
        test = Pass(name, H, how, which, members, batch, length)
        for candidate in left:
            row = key | vars(candidate) | measure(test, candidate, ERROR[how], rounds)
            rows.append(row)
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
    show([row for row in rows if about.items() <= row.items()])


def identify(row: dict[str, Any], about: dict[str, Any]) -> tuple[Any, ...]:
    """Return the values by which one launch differs from all others."""
    return tuple(row.get(name) for name in (*about, *KEY, *HOW))


def list_candidates(name: str, H: int, which: str, precision: str) -> Iterator[fused.Configuration]:
    """Yield the launches to try, the shipped one first."""
    shipped = fused.configuration(SPECS[name][0], which, H, precision)
    yield shipped
    widths = [H] if H < 128 else [H, 64, 32]
    warps = (1, 2, 4) if H < 64 else (4, 8, 16)
    for width, w, stages, BB in product(widths, warps, (1, 2, 3), (16, 32)):
        candidate = fused.Configuration(width, w, stages, BB)
        if candidate != shipped:
            yield candidate


class Pass:
    """One pass over random data, computed by the kernels, and by torch in float64 for comparison."""

    def __init__(
        self, name: str, H: int, precision: str, which: str, E: int, B: int, T: int
    ) -> None:
        spec, G = SPECS[name]
        random = torch.Generator(DEVICE).manual_seed(0)

        def normal(*shape: int, scale: float = 1.0) -> Tensor:
            options = {"device": DEVICE, "dtype": torch.float64, "generator": random}
            return scale * torch.randn(shape, **options)

        self.which, self.low = which, torch.bfloat16 if precision == "bf16" else torch.float32
        self.loops = fused.FUSED[type(spec)](spec, precision)
        self.a, self.dy = normal(E, T, B, G * H).to(self.low), normal(E, T, B, H).to(self.low)
        self.W_h = normal(E, H, G * H, scale=0.5 * H**-0.5).float()
        rows = {"lstm_peephole": 3, "gru": 1}.get(name)
        self.extra = None if rows is None else normal(E, rows, H, scale=0.1).float()
        self.gates = normal(E, T, B, self.loops.blocks * H)
        self.states = [0 * normal(E, T + 1, B, H) for _ in range(self.loops.parts)]
        self.expected = self.prepare(self.loops.plain, torch.float64, torch.float64, "forward")()
        if which == "backward":
            self.gates, *self.states = self.expected  # what a backward pass reads
            self.expected = self.prepare(self.loops.plain, torch.float64, torch.float64, which)()

    def prepare_kernels(self) -> Callable[[], list[Tensor]]:
        """Return a function that runs the kernels, on memory of its own."""
        return self.prepare(self.loops, self.low, torch.float32, self.which)

    def prepare(
        self, loops: Any, low: torch.dtype, wide: torch.dtype, which: str
    ) -> Callable[[], list[Tensor]]:
        """Return a function that runs a pass; ``low`` is the type of what is stored, ``wide`` of what is summed."""
        a, dy, gates = (t.to(low, copy=True) for t in (self.a, self.dy, self.gates))
        W_h, extra = self.W_h.to(wide), None if self.extra is None else self.extra.to(wide)
        types = (low, wide)[: loops.parts]
        states = [part.to(t, copy=True) for part, t in zip(self.states, types, strict=True)]
        carry = [torch.zeros_like(part[:, 0], dtype=wide) for part in states]
        if which == "forward":
            for written in (gates, *(part[:, 1:] for part in states)):
                written.fill_(torch.nan)

        def run() -> list[Tensor]:
            if which == "forward":
                loops.forward(a, gates, states, W_h, extra)
                return [gates, *states]
            derivatives = loops.backward(dy, carry, gates, states, W_h, extra)
            return [t for t in (*derivatives, *carry) if t is not None]

        return run


def measure(test: Pass, how: fused.Configuration, limit: float, rounds: int) -> dict[str, Any]:
    """Return the milliseconds of a pass by this launch, or why the launch fails.

    A backward pass includes the product for the derivative by W_h, which torch computes.
    """
    shipped = fused.configuration
    fused.configuration = lambda *_: how
    try:
        run = test.prepare_kernels()
        error = max(
            float((found.double() - wanted).norm() / wanted.norm().clamp(min=1e-30))
            for found, wanted in zip(run(), test.expected, strict=True)
            if wanted.numel()
        )
        if not error < limit:  # NaN is not
            return {"error": error, "why": f"the error is {error:.1e}"}
        times = []
        for _ in range(rounds):
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            stop.record()
            stop.synchronize()
            times.append(start.elapsed_time(stop))
        return {"ms": median(times), "error": error}
    except torch.AcceleratorError:
        raise  # this process can't use the device any more: no later launch could be judged
    except Exception as e:  # for example too much shared memory, or too many threads
        return {"why": f"{type(e).__name__}: {str(e)[:200]}"}
    finally:
        fused.configuration = shipped


def show(rows: list[dict[str, Any]]) -> None:
    """Print the fastest launch of each kernel, and how much slower the shipped one is."""
    print(
        f"{'spec':18s} {'H':>4s} {'':5s} {'pass':9s}       ms  (width, warps, stages, BB)   shipped"
    )
    for key in dict.fromkeys(tuple(row[name] for name in KEY) for row in rows):
        of_key = [row for row in rows if tuple(row[name] for name in KEY) == key]
        timed = [row for row in of_key if "ms" in row]
        if not timed:
            print(*key, "nothing works:", of_key[0]["why"])
            continue
        best = min(timed, key=lambda row: row["ms"])
        name, H, precision, which = key
        shipped = vars(fused.configuration(SPECS[name][0], which, H, precision))
        ours = [row["ms"] / best["ms"] for row in timed if shipped.items() <= row.items()]
        times = f"{ours[0]:.2f} x" if ours else "fails"
        how = str(tuple(best[k] for k in HOW))
        print(f"{name:18s} {H:4d} {precision:5s} {which:9s} {best['ms']:8.3f}  {how:30s} {times}")


if __name__ == "__main__":
    typer.run(main)
