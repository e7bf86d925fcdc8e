"""The goals that a CPU can measure."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from math import log
from pathlib import Path
from statistics import linear_regression
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from torch import nn
from torch._inductor import config as inductor

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
    make_members_one_by_one,
    make_one_by_one,
)
from benchmarks.goals.paired import Median, time_call, time_in_turns
from seqbench.text import shorten

ROOT = Path(__file__).parents[2]
B, T = 32, 100
FIRST = (16, 64)  # steps of a sequence, whose first training step is timed
COMPILED = 32  # steps; torch.compile unrolls the loop, and takes long for more
LENGTHS = (250, 500, 1000, 2000, 4000)
RECURRENT = ("rnn", "lstm", "lstm_peephole", "lstm_1997", "gru")


def pair_cells() -> Iterator[Peer]:
    """Yield all members at once against members one by one."""
    for H in (16, 32, 64):
        eight = Shape(8, B, T, H)
        yield Peer(
            Goal("cpu-cells", at_least=1.7),
            f"GRU, 8 members, H = {H}: auto / nn.GRU one by one",
            partial(make_ensemble, "gru", eight),
            partial(make_one_by_one, build_module, nn.GRU, eight),
        )
    for H, least in ((32, 2.5), (64, 1.6)):
        eight = Shape(8, B, T, H)
        yield Peer(
            Goal("cpu-cells", at_least=least),
            f"LSTM with peepholes, 8 members, H = {H}: auto / the loop one by one",
            partial(make_ensemble, "lstm_peephole", eight),
            partial(make_members_one_by_one, "lstm_peephole", eight),
        )
    for E in (1, 3, 8):
        for H in (32, 64):
            shape = Shape(E, B, T, H)
            yield Peer(
                Goal("cpu-cells", at_least=0.95),
                f"LSTM, members: {E}, H = {H}: auto / nn.LSTM one by one",
                partial(make_ensemble, "lstm", shape),
                partial(make_one_by_one, build_module, nn.LSTM, shape),
            )


def pair_others() -> Iterator[Peer]:
    """Yield comparisons with other implementations, which have no goal."""
    aim = Goal("cpu-others")
    eight = Shape(8, B, T, 32)
    for model, kind in (("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)):
        ours, what = (
            partial(make_ensemble, model, eight),
            f"{model.upper()}, 8 members, H = 32: auto",
        )
        peers = {f"eager loop over nn.{model.upper()}Cell": build_loop}
        if model == "rnn":  # the others are above
            peers["nn.RNN one by one"] = build_module
        else:
            peers[f"torchrl's {model.upper()}"] = build_torchrl
        for name, build in peers.items():
            yield Peer(aim, f"{what} / {name}", ours, partial(make_one_by_one, build, kind, eight))
    for model, name, options in (
        ("lstm_1997", "LSTM of 1997", {}),
        ("gru", "GRU, reset before the product", {"reset": "before"}),
    ):
        yield Peer(
            aim,
            f"{name}, 8 members, H = 32: auto / the loop one by one",
            partial(make_ensemble, model, eight, **options),
            partial(make_members_one_by_one, model, eight, **options),
        )
    one = Shape(1, B, COMPILED, 32)
    for model, kind in (("lstm", nn.LSTM), ("gru", nn.GRU)):
        yield Peer(
            aim,
            f"{model.upper()}, 1 member, H = 32, T = {COMPILED}: auto / torch.compile of the loop",
            partial(make_ensemble, model, one),
            partial(make_one_by_one, build_compiled_loop, kind, one),
        )


def measure_scaling(rounds: int) -> Iterator[Row]:
    """Yield how time grows with T, how much is kept for the backward pass, and what it costs to keep less."""
    for model in RECURRENT:
        sides = [
            TimedStep.of(partial(make_ensemble, model, Shape(1, 16, length, 32)))
            for length in LENGTHS
        ]
        times = time_in_turns([side.measure for side in sides], min(rounds, 7))
        slopes = [
            linear_regression([log(length) for length in LENGTHS], [log(t) for t in each]).slope
            for each in times
        ]
        yield Row.of(
            Goal("scaling", at_least=0.95, at_most=1.05),
            f"{model}: slope of log time by log T, T = {LENGTHS[0]} to {LENGTHS[-1]}",
            Median.of(slopes),
            ours=summarise(sides, [*zip(*times, strict=True)]),
        )
    shape = Shape(3, B, 250, 32)
    for model in RECURRENT:
        for recompute, most in ((False, 6.5), (True, 2.5)):
            mode = "with recompute" if recompute else "with kept gates"
            what = f"{model}, ensemble, {mode}: numbers kept, per token and hidden unit"
            kept = count_saved(make_ensemble(model, shape, "ensemble", recompute), shape)
            yield Row.of(Goal("scaling", at_most=most), what, take_once(kept))
        yield from Peer(
            Goal("scaling", at_least=1 / 1.4),
            f"{model}, ensemble: with recompute / with kept gates",
            partial(make_ensemble, model, shape, "ensemble", True),
            partial(make_ensemble, model, shape, "ensemble"),
        ).measure(rounds)


def count_saved(step: Step, shape: Shape) -> float:
    """Return how many numbers a step keeps for its backward pass, per token and hidden unit; x and weights apart."""
    sizes: dict[int, int] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        if not isinstance(t, nn.Parameter) and t.numel() >= shape.tokens * shape.H:
            storage = t.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes() // t.element_size()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        step()
    return sum(sizes.values()) / (shape.tokens * shape.H)


def measure_overhead(part: str, goal: Goal, rounds: int) -> Iterator[Row]:
    """Yield a row for each ratio that ``overhead.py`` measures."""
    for ratio in overhead.PARTS[part](rounds):
        yield Row.of(goal, ratio.name, ratio.median, note=ratio.note)


def time_first_steps(rounds: int) -> Iterator[Row]:
    """Yield how much longer a first step takes than a later one: of the compiled loop, and of a scan, which needs no
    compiling.
    """
    goal = Goal("compile")
    for length, how in product(FIRST, ("loop", "scan")):
        shape = Shape(1, B, length, 32)
        what = (
            f"{how}, T = {length}: seconds of the first step of an LSTM, H = 32, beyond a later one"
        )
        torch.compiler.reset()
        # Without this, a cache on the disk would make compiling look faster than it is.
        with inductor.patch(force_disable_caches=True):
            try:
                step = (
                    make_ensemble("lstm", shape)
                    if how == "scan"
                    else make_one_by_one(build_compiled_loop, nn.LSTM, shape)
                )
                first, later = time_call(step), time_call(step)
            except Exception as error:  # no compiler
                reason = shorten(
                    f"not measured: {type(error).__name__}: {error}".partition("\n")[0]
                )
                yield Row(goal.name, what, str(goal), note=reason, id=f"{how}-{length}")
            else:
                seconds_more = take_once(max(0.0, first - later))
                yield Row.of(goal, what, seconds_more, id=f"{how}-{length}")


def time_kernel_tests(rounds: int) -> Iterator[Row]:
    """Yield the seconds of the tests that run every kernel under the interpreter, and compile it for a GPU."""
    for name, most in (("test_fused.py", 60.0), ("test_compile.py", None)):
        test = f"tests/scan/{name}"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
        since = perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
        took = take_once(perf_counter() - since)
        *_, last = (done.stdout or done.stderr).strip().splitlines() or [""]
        row = Row.of(Goal("no-gpu", at_most=most), f"{test}: seconds", took, note=last)
        row.met = done.returncode == 0 and row.met is not False
        yield row


def time_quick(rounds: int) -> Iterator[Row]:
    """Yield the minutes that the default benchmark takes, without making its environment."""
    with TemporaryDirectory() as folder:
        command = [
            sys.executable,
            str(ROOT / "tools" / "bench.py"),
            "--out",
            str(Path(folder, "quick")),
        ]
        took = time_call(lambda: subprocess.run(command, check=True, capture_output=True)) / 60
    yield Row.of(Goal("cpu-quick", at_most=10), "nox -s bench: minutes", take_once(took))


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "cpu-cells": partial(compare_peers, pair_cells),
    "overhead": partial(measure_overhead, "trainer", Goal("overhead", at_most=1.05)),
    "scaling": measure_scaling,
    "cpu-others": partial(compare_peers, pair_others),
    "cpu-workers": partial(measure_overhead, "workers", Goal("cpu-workers", at_least=1.8)),
    "compile": time_first_steps,
    "no-gpu": time_kernel_tests,
    "cpu-quick": time_quick,
}
