"""The goals that need a GPU, most important first; all together should take less than 8 minutes."""

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
from benchmarks.goals.goals import Goal, Peer, Row, TimedStep, compare_peers, summarise, take_once
from benchmarks.goals.implementations import (
    Shape,
    Step,
    build_compiled_loop,
    build_loop,
    build_module,
    build_torchrl,
    make_ensemble,
    make_in_graph,
    make_on_streams,
    make_one_by_one,
    use_precision,
)
from benchmarks.goals.paired import Median, time_call, time_in_turns
from seqbench.models import MODELS
from seqbench.random import Keys
from seqbench.scan import scan

ROOT = Path(__file__).parents[2]
AIMS = {  # the rows of the table where there is no GPU
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
PEEPHOLES = partial(make_ensemble, "lstm_peephole", scan="fused")
# The precision of cuDNN's side: under autocast its recurrences are in float16, also where autocast is set to bfloat16.
THEIRS = {"float32": "float32", "tf32": "tf32", "bfloat16": "float16"}


def make_shape(E: int, T: int, H: int, B: int = 64) -> Shape:
    """Return a shape on the GPU."""
    return Shape(E=E, B=B, T=T, H=H, device="cuda")


def pair(
    goal: Goal,
    what: str,
    ours: Callable[[], Step],
    theirs: Callable[[], Step],
    precision: str = "tf32",
) -> Peer:
    """Return a peer whose two sides use the same precision, or the nearest that cuDNN has."""
    other = THEIRS[precision]
    what = f"{what} ({precision} / {other})"
    sides = use_precision(precision, ours), use_precision(other, theirs)
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


def measure_errors(rounds: int) -> Iterator[Row]:
    """Yield the greatest relative error of h and the gradients, on random data; unwritten memory holds NaN."""
    setting = torch.utils.deterministic
    before = setting.fill_uninitialized_memory
    setting.fill_uninitialized_memory = True
    try:
        for precision, most in ERRORS.items():
            for model, options in CASES:
                for H in (46, 64, 128, 200):
                    name = " ".join([model, *options.values()])
                    what = f"{name}, H = {H}, {precision}: fused / float64, relative error"
                    goal = Goal("gpu-correct", at_most=most)
                    try:
                        worst = measure_error(model, H, precision, **options)
                    except Exception as fault:
                        yield Row(goal.name, what, str(goal), met=False, note=str(fault)[:200])
                        continue
                    if isfinite(worst):
                        yield Row.of(goal, what, take_once(worst))
                    else:
                        yield Row(goal.name, what, str(goal), met=False, note="not finite")
    finally:
        setting.fill_uninitialized_memory = before


def measure_error(model: str, H: int, precision: str, **options: Any) -> float:
    """Return the greatest ‖ours - float64‖ / ‖float64‖ over h and all gradients; infinite where one is not finite.

    The options are those of the model.
    """
    E, B, T, D = 3, 19, 50, 5
    keys = Keys.span(model, 1, "weights", 0, 0, E).to("cuda")
    cell = MODELS[model].cell(keys, "layer 0", D, H, **options)
    with torch.no_grad():
        for p in cell.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)  # peepholes start at zero
    x = torch.randn(E, B, T, D, device="cuda")
    weights = torch.randn(E, B, T, H, device="cuda")

    def run_scan(how: str) -> list[torch.Tensor]:
        leaves = [x.to(cell.W_x.dtype).requires_grad_(), *cell.parameters()]
        h = scan(cell, leaves[0], how)
        return [h.detach(), *torch.autograd.grad((h * weights).sum(), leaves)]

    ours = use_precision(precision, lambda: partial(run_scan, "fused"))()()
    cell.double()
    expected = run_scan("reference")
    ratios = [
        float((o.double() - w).norm() / w.norm()) for o, w in zip(ours, expected, strict=True)
    ]
    return max(r if r == r else float("inf") for r in ratios)


# The goals


def pair_ensemble() -> Iterator[Peer]:
    """Yield 32 members at once against 32 networks of cuDNN: one by one, on streams, in a CUDA graph."""
    for H, precision, goals in (
        (64, "tf32", (10, 3)),
        (64, "bfloat16", (10, 3)),
        (128, "bfloat16", (6, None)),
    ):
        shape = make_shape(32, 1000, H)
        ours = partial(PEEPHOLES, shape)
        sides = {
            "one by one": partial(make_one_by_one, build_module, nn.LSTM, shape),
            "on 8 streams": partial(make_on_streams, nn.LSTM, shape),
            "in a CUDA graph": partial(make_in_graph, nn.LSTM, shape),
            "in a CUDA graph on 8 streams": partial(make_in_graph, nn.LSTM, shape, 8),
        }
        for k, (how, theirs) in enumerate(sides.items()):
            goal = Goal("gpu-ensemble", at_least=goals[k > 0])
            what = f"LSTM with peepholes, 32 members, H = {H}: fused / nn.LSTM {how}"
            yield pair(goal, what, ours, theirs, precision)


def measure_flatness(rounds: int) -> Iterator[Row]:
    """Yield the time of 32 members / the time of one."""
    for precision in ("tf32", "bfloat16"):
        sides = [
            TimedStep.of(
                use_precision(precision, partial(PEEPHOLES, make_shape(E, 1000, 64))), "cuda"
            )
            for E in (32, 1)
        ]
        times = time_in_turns([side.measure for side in sides], rounds)
        found = Median.of([many / one for many, one in times])
        what = f"LSTM with peepholes, H = 64, {precision}: 32 members / one"
        yield Row.of(
            Goal("gpu-flat", at_most=2.0),
            what,
            found,
            ours=summarise(sides, [*zip(*times, strict=True)], precision),
        )


def pair_single() -> Iterator[Peer]:
    """Yield one member against cuDNN, and against an eager loop over torch's cell."""
    for H in (32, 64):
        shape = make_shape(1, 1000, H)
        what, ours = f"LSTM with peepholes, 1 member, H = {H}: fused", partial(PEEPHOLES, shape)
        cudnn = partial(make_one_by_one, build_module, nn.LSTM, shape)
        eager = partial(make_one_by_one, build_loop, nn.LSTM, shape)
        for precision in ("tf32", "bfloat16"):
            goal = Goal("gpu-single", at_least=1.0)
            yield pair(goal, f"{what} / nn.LSTM", ours, cudnn, precision)
        yield pair(Goal("gpu-single", at_least=40.0), f"{what} / eager loop", ours, eager)


def measure_latency(rounds: int) -> Iterator[Row]:
    """Yield the microseconds that cuDNN takes for a time step."""
    for H in (32, 64, 128, 256):
        T = 1000
        net = nn.LSTM(2, H, batch_first=True).cuda()
        x = torch.randn(64, T, 2, device="cuda")

        def run_forward(net: nn.Module = net, x: torch.Tensor = x) -> None:
            with torch.no_grad():
                net(x)

        def run_both(net: nn.Module = net, x: torch.Tensor = x) -> None:
            net(x)[0].sum().backward()

        for name, step in (("forward", run_forward), ("forward and backward", run_both)):
            side = TimedStep.of(use_precision("tf32", lambda step=step: step), "cuda")
            found = Median.of([1e6 * side.measure() / T for _ in range(rounds)])
            what = f"nn.LSTM, H = {H}, tf32, {name}: µs a time step"
            yield Row.of(Goal("gpu-latency"), what, found)


LENGTHS = (250, 500, 1000, 2000, 4000)


def measure_scaling(rounds: int) -> Iterator[Row]:
    """Yield how time grows with T, and what recompute costs and saves."""
    for model in RECURRENT:
        sides = [
            TimedStep.of(
                use_precision(
                    "tf32", partial(make_ensemble, model, make_shape(8, T, 64, 32), "fused")
                ),
                "cuda",
            )
            for T in LENGTHS
        ]
        times = time_in_turns([side.measure for side in sides], min(rounds, 5))
        slopes = [
            linear_regression([log(T) for T in LENGTHS], [log(t) for t in each]).slope
            for each in times
        ]
        what = (
            f"{model}, fused, tf32: slope of log time by log T, T = {LENGTHS[0]} to {LENGTHS[-1]}"
        )
        goal = Goal("gpu-scaling", at_least=0.95, at_most=1.05)
        yield Row.of(
            goal,
            what,
            Median.of(slopes),
            ours=summarise(sides, [*zip(*times, strict=True)], "tf32"),
        )
    shape = make_shape(32, 1000, 64)
    yield from Peer(
        Goal("gpu-scaling", at_least=1 / 1.4),
        "LSTM with peepholes, 32 members: with recompute / with kept gates",
        use_precision("tf32", partial(make_ensemble, "lstm_peephole", shape, "fused", True)),
        use_precision("tf32", partial(PEEPHOLES, shape)),
        ("tf32", "tf32"),
        "cuda",
    ).measure(rounds)


def pair_others() -> Iterator[Peer]:
    """Yield the other cells, and comparisons with other implementations, which have no goal."""
    aim = Goal("gpu-others")
    many, one, short = make_shape(32, 1000, 64), make_shape(1, 1000, 64), make_shape(1, 32, 64)
    for model, kind in (("gru", nn.GRU), ("rnn", nn.RNN), ("lstm", nn.LSTM)):
        name = model.upper()
        ours, theirs = (
            partial(make_ensemble, model, many, "fused"),
            partial(make_one_by_one, build_module, kind, many),
        )
        what = f"{name}, 32 members, H = 64: fused / nn.{name} one by one"
        yield pair(aim, what, ours, theirs)
    for model, kind in (("lstm", nn.LSTM), ("gru", nn.GRU)):
        name = model.upper()
        for other, build, shape in (
            ("torchrl's, in Triton", build_torchrl, one),
            ("torch.compile of the loop", build_compiled_loop, short),
        ):
            ours, theirs = (
                partial(make_ensemble, model, shape, "fused"),
                partial(make_one_by_one, build, kind, shape),
            )
            what = f"{name}, 1 member, H = 64, T = {shape.T}: fused / {other}"
            yield pair(aim, what, ours, theirs)


def measure_trainer(rounds: int) -> Iterator[Row]:
    """Yield the time of the trainer / the time of a bare loop."""
    for ratio in overhead.compare_trainer(rounds, torch.device("cuda")):
        goal = Goal("gpu-overhead", at_most=1.03)
        yield Row.of(goal, ratio.name, ratio.median, note=ratio.note)


def time_suite(rounds: int) -> Iterator[Row]:
    """Yield the minutes that the whole profile ``paper`` takes; a run that was stopped continues."""
    command = [
        sys.executable,
        str(ROOT / "tools" / "bench.py"),
        "--profile",
        "paper",
        "--device",
        "cuda",
    ]
    took = time_call(lambda: subprocess.run(command, check=True, capture_output=True)) / 60
    yield Row.of(Goal("gpu-suite", at_most=30), "nox -s bench, paper: minutes", take_once(took))


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "gpu-correct": measure_errors,
    "gpu-ensemble": partial(compare_peers, pair_ensemble),
    "gpu-flat": measure_flatness,
    "gpu-single": partial(compare_peers, pair_single),
    "gpu-latency": measure_latency,
    "gpu-overhead": measure_trainer,
    "gpu-scaling": measure_scaling,
    "gpu-others": partial(compare_peers, pair_others),
    "gpu-suite": time_suite,
}
