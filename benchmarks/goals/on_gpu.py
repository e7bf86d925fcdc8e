"""The goals that need a GPU, most important first; all of them are meant to take less than 8 minutes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from math import isfinite, log
from pathlib import Path
from statistics import linear_regression
from typing import Any

import torch
from torch import nn

from benchmarks.goals import overhead
from benchmarks.goals.goals import Goal, Peer, Row, Timed, compared, figures, once
from benchmarks.goals.implementations import (
    Shape,
    Step,
    compiled,
    in_a_graph,
    loop,
    members,
    module,
    on_streams,
    one_by_one,
    torchrl,
    under,
)
from benchmarks.goals.paired import Median, in_turns, seconds
from seqbench.models import MODELS
from seqbench.random import Keys
from seqbench.scan import scan

ROOT = Path(__file__).parents[2]
AIMS = {  # what stands in the table where there is no GPU
    "gpu-correct": ("fused / float64: relative error of h and of every gradient", "<= 1e-4, 4e-2, 1e-1"),
    "gpu-ensemble": ("LSTM with peepholes, 32 members, T = 1000: fused / 32 times nn.LSTM", ">= 10 and >= 3"),
    "gpu-flat": ("LSTM with peepholes, H = 64: 32 members / one", "<= 2"),
    "gpu-single": ("LSTM with peepholes, 1 member: fused / nn.LSTM, and the eager loop", ">= 1 and >= 40"),
    "gpu-latency": ("nn.LSTM: microseconds a time step", ""),
    "gpu-overhead": ("trainer / bare loop", "<= 1.03"),
    "gpu-scaling": ("slope of log time by log T, and the price of recompute", ">= 0.95 and <= 1.05"),
    "gpu-others": ("GRU, RNN, torch.compile, torchrl", ""),
    "gpu-suite": ("minutes of the profile paper, tuned and with ten seeds", "<= 30"),
}  # fmt: skip
RECURRENT = ("rnn", "lstm", "lstm_peephole", "lstm_1997", "gru")
PEEPHOLES = partial(members, "lstm_peephole", scan="fused")
# What cuDNN rounds to: under autocast its recurrences are in float16, whatever autocast is told.
THEIRS = {"float32": "float32", "tf32": "tf32", "bfloat16": "float16"}


def on_gpu(E: int, T: int, H: int, B: int = 64) -> Shape:
    """Return a shape on the GPU."""
    return Shape(E=E, B=B, T=T, H=H, device="cuda")


def versus(
    goal: Goal,
    what: str,
    ours: Callable[[], Step],
    theirs: Callable[[], Step],
    precision: str = "tf32",
) -> Peer:
    """Return a peer with both sides in a precision."""
    other = THEIRS[precision]
    what = f"{what} ({precision} / {other})"
    sides = under(precision, ours), under(other, theirs)
    return Peer(goal, what, *sides, (precision, other), "cuda")


# Correct first

CASES: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {}),
    ("rnn", {"activation": "relu"}),
    ("lstm", {}),
    ("lstm_peephole", {}),
    ("lstm_1997", {}),
    ("gru", {}),
    ("gru", {"reset": "before"}),
]
ERRORS = {"float32": 1e-4, "tf32": 4e-2, "bfloat16": 1e-1}  # at most; docs/performance.md says why


def correct(rounds: int) -> Iterator[Row]:
    """Yield the greatest relative error of h and the gradients, on fresh numbers; unwritten memory is NaN."""
    filled = torch.utils.deterministic
    before = filled.fill_uninitialized_memory
    filled.fill_uninitialized_memory = True
    try:
        for precision, most in ERRORS.items():
            for model, options in CASES:
                for H in (46, 64, 128, 200):
                    name = " ".join([model, *options.values()])
                    what = f"{name}, H = {H}, {precision}: fused / float64, relative error"
                    goal = Goal("gpu-correct", at_most=most)
                    try:
                        worst = error(model, H, precision, **options)
                    except Exception as fault:
                        yield Row(goal.name, what, str(goal), met=False, note=str(fault)[:200])
                        continue
                    if isfinite(worst):
                        yield Row.of(goal, what, once(worst))
                    else:
                        yield Row(goal.name, what, str(goal), met=False, note="not finite")
    finally:
        filled.fill_uninitialized_memory = before


def error(model: str, H: int, precision: str, **options: Any) -> float:
    """Return the worst of ‖ours - float64‖ / ‖float64‖ over h and all gradients; infinite where one is not finite."""
    E, B, T, D = 3, 19, 50, 5
    keys = Keys.span(model, 1, "weights", 0, 0, E).to("cuda")
    cell = MODELS[model].cell(keys, "layer 0", D, H, **options)
    with torch.no_grad():
        for p in cell.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)  # peepholes start at zero
    x = torch.randn(E, B, T, D, device="cuda")
    weights = torch.randn(E, B, T, H, device="cuda")

    def found(how: str) -> list[torch.Tensor]:
        leaves = [x.to(cell.W_x.dtype).requires_grad_(), *cell.parameters()]
        h = scan(cell, leaves[0], how)
        return [h.detach(), *torch.autograd.grad((h * weights).sum(), leaves)]

    ours = under(precision, lambda: partial(found, "fused"))()()
    cell.double()
    wanted = found("reference")
    ratios = [float((o.double() - w).norm() / w.norm()) for o, w in zip(ours, wanted, strict=True)]
    return max(r if r == r else float("inf") for r in ratios)


# The goals


def ensemble() -> Iterator[Peer]:
    """Yield 32 members at once against 32 of cuDNN's, one by one, on streams, in a graph."""
    for H, precision, goals in (
        (64, "tf32", (10, 3)),
        (64, "bfloat16", (10, 3)),
        (128, "bfloat16", (6, None)),
    ):
        shape = on_gpu(32, 1000, H)
        ours = partial(PEEPHOLES, shape)
        sides = {
            "one by one": partial(one_by_one, module(nn.LSTM), shape),
            "on 8 streams": partial(on_streams, nn.LSTM, shape),
            "in a CUDA graph": partial(in_a_graph, nn.LSTM, shape),
            "in a CUDA graph on 8 streams": partial(in_a_graph, nn.LSTM, shape, 8),
        }
        for k, (how, theirs) in enumerate(sides.items()):
            goal = Goal("gpu-ensemble", at_least=goals[k > 0])
            what = f"LSTM with peepholes, 32 members, H = {H}: fused / nn.LSTM {how}"
            yield versus(goal, what, ours, theirs, precision)


def flat(rounds: int) -> Iterator[Row]:
    """Yield how much longer 32 members take than one."""
    for precision in ("tf32", "bfloat16"):
        sides = [
            Timed.of(under(precision, partial(PEEPHOLES, on_gpu(E, 1000, 64))), "cuda")
            for E in (32, 1)
        ]
        times = in_turns([side.seconds for side in sides], rounds)
        found = Median.of([many / one for many, one in times])
        what = f"LSTM with peepholes, H = 64, {precision}: 32 members / one"
        yield Row.of(
            Goal("gpu-flat", at_most=2.0),
            what,
            found,
            ours=figures(sides, [*zip(*times, strict=True)], precision),
        )


def single() -> Iterator[Peer]:
    """Yield one member against cuDNN, and against the loop that one would write."""
    for H in (32, 64):
        shape = on_gpu(1, 1000, H)
        what, ours = f"LSTM with peepholes, 1 member, H = {H}: fused", partial(PEEPHOLES, shape)
        cudnn = partial(one_by_one, module(nn.LSTM), shape)
        eager = partial(one_by_one, loop(nn.LSTM), shape)
        for precision in ("tf32", "bfloat16"):
            goal = Goal("gpu-single", at_least=1.0)
            yield versus(goal, f"{what} / nn.LSTM", ours, cudnn, precision)
        yield versus(Goal("gpu-single", at_least=40.0), f"{what} / eager loop", ours, eager)


def latency(rounds: int) -> Iterator[Row]:
    """Yield the microseconds that cuDNN takes for a time step."""
    for H in (32, 64, 128, 256):
        T = 1000
        net = nn.LSTM(2, H, batch_first=True).cuda()
        x = torch.randn(64, T, 2, device="cuda")

        def forward(net: nn.Module = net, x: torch.Tensor = x) -> None:
            with torch.no_grad():
                net(x)

        def both(net: nn.Module = net, x: torch.Tensor = x) -> None:
            net(x)[0].sum().backward()

        for name, step in (("forward", forward), ("forward and backward", both)):
            side = Timed.of(under("tf32", lambda step=step: step), "cuda")
            found = Median.of([1e6 * side.seconds() / T for _ in range(rounds)])
            what = f"nn.LSTM, H = {H}, tf32, {name}: µs a time step"
            yield Row.of(Goal("gpu-latency"), what, found)


LENGTHS = (250, 500, 1000, 2000, 4000)


def scaling(rounds: int) -> Iterator[Row]:
    """Yield the slope of log time by log T, and what recompute costs and saves."""
    for model in RECURRENT:
        sides = [
            Timed.of(under("tf32", partial(members, model, on_gpu(8, T, 64, 32), "fused")), "cuda")
            for T in LENGTHS
        ]
        times = in_turns([side.seconds for side in sides], min(rounds, 5))
        slopes = [
            linear_regression([log(T) for T in LENGTHS], [log(t) for t in each]).slope
            for each in times
        ]
        what = (
            f"{model}, fused, tf32: slope of log time by log T, T = {LENGTHS[0]} to {LENGTHS[-1]}"
        )
        goal = Goal("gpu-scaling", at_least=0.95, at_most=1.05)
        yield Row.of(
            goal, what, Median.of(slopes), ours=figures(sides, [*zip(*times, strict=True)], "tf32")
        )
    shape = on_gpu(32, 1000, 64)
    yield from Peer(
        Goal("gpu-scaling", at_least=1 / 1.4),
        "LSTM with peepholes, 32 members: with recompute / with kept gates",
        under("tf32", partial(members, "lstm_peephole", shape, "fused", True)),
        under("tf32", partial(PEEPHOLES, shape)),
        ("tf32", "tf32"),
        "cuda",
    ).rows(rounds)


def others() -> Iterator[Peer]:
    """Yield the other cells, and what else one might take; nothing is aimed at."""
    aim = Goal("gpu-others")
    many, one, short = on_gpu(32, 1000, 64), on_gpu(1, 1000, 64), on_gpu(1, 32, 64)
    for model, kind in (("gru", nn.GRU), ("rnn", nn.RNN), ("lstm", nn.LSTM)):
        name = model.upper()
        ours, theirs = (
            partial(members, model, many, "fused"),
            partial(one_by_one, module(kind), many),
        )
        what = f"{name}, 32 members, H = 64: fused / nn.{name} one by one"
        yield versus(aim, what, ours, theirs)
    for model, kind in (("lstm", nn.LSTM), ("gru", nn.GRU)):
        name = model.upper()
        for other, make, shape in (
            ("torchrl's, in Triton", torchrl(kind), one),
            ("torch.compile of the loop", compiled(kind), short),
        ):
            ours, theirs = partial(members, model, shape, "fused"), partial(one_by_one, make, shape)
            what = f"{name}, 1 member, H = 64, T = {shape.T}: fused / {other}"
            yield versus(aim, what, ours, theirs)


def trainer(rounds: int) -> Iterator[Row]:
    """Yield what the trainer costs over a bare loop."""
    for ratio in overhead.trainer(rounds, torch.device("cuda")):
        goal = Goal("gpu-overhead", at_most=1.03)
        yield Row.of(goal, ratio.name, ratio.median, note=ratio.note)


def suite(rounds: int) -> Iterator[Row]:
    """Yield the minutes that the whole of ``paper`` takes; it goes on where it was stopped."""
    command = [
        sys.executable,
        str(ROOT / "tools" / "bench.py"),
        "--profile",
        "paper",
        "--device",
        "cuda",
    ]
    took = seconds(lambda: subprocess.run(command, check=True, capture_output=True)) / 60
    yield Row.of(Goal("gpu-suite", at_most=30), "nox -s bench, paper: minutes", once(took))


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "gpu-correct": correct,
    "gpu-ensemble": partial(compared, ensemble),
    "gpu-flat": flat,
    "gpu-single": partial(compared, single),
    "gpu-latency": latency,
    "gpu-overhead": trainer,
    "gpu-scaling": scaling,
    "gpu-others": partial(compared, others),
    "gpu-suite": suite,
}
