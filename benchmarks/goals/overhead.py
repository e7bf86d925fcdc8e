"""Paired ratios: the trainer / a bare loop, making data / training, one worker / two workers.

    python benchmarks/goals/overhead.py                      # all of it, a few minutes on a quiet machine
    python benchmarks/goals/overhead.py --part trainer --rounds 30 --json overhead.json

Both sides of a ratio are timed in every round, in alternating order, so that other load on the machine slows down both.
Printed is the median over rounds with a 95 % bootstrap interval.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated

import torch
import typer
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from benchmarks.goals.paired import Median, time_call, time_in_turns
from seqbench import machine
from seqbench.cli.terminal import answer, obey
from seqbench.errors import DataMissing, unknown
from seqbench.measure.executors import run_processes
from seqbench.measure.job import Job, build
from seqbench.measure.select import unit_of
from seqbench.protocol.profiles import QUICK
from seqbench.protocol.settings import Condition, Setting
from seqbench.records.schema import Budget, Member, Provenance, Unit
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.training.feed import Feed
from seqbench.training.loop import train

T = 100
PARAMETERS = 10_000
RATE = 1e-3
STEPS = 60  # training steps in one timing
CPU = torch.device("cpu")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Ratio:
    """A median of paired ratios, and what it should be."""

    name: str
    median: Median
    goal: str
    note: str = ""


def shorten(unit: Unit, steps: int) -> Unit:
    """Return the unit with this many steps, validated once, at the end, on one sequence."""
    once = {"steps": steps, "validate_every": steps, "validation_size": 1, "test_size": 1}
    return unit.model_copy(update={"budget": unit.budget.model_copy(update=once)})


def make_unit(model: str, steps: int) -> Unit:
    """Return a unit on the adding problem."""
    condition = Condition(Setting("adding", (T,), steps, RATE), T, model)
    return shorten(unit_of(condition, replace(QUICK, parameters=PARAMETERS)), steps)


def train_by_hand(task: Task, net: torch.nn.Module, seed: int, budget: Budget) -> None:
    """Train one member by a bare loop: the same network, kernels and data as the trainer, nothing else."""
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    data = Feed(task, [seed], budget, next(net.parameters()).device)
    for t in range(budget.steps):
        batch = data.step(t)
        loss = F.mse_loss(net(batch.x, 1), batch.y)
        optimiser.zero_grad()
        loss.backward()
        clip_grad_norm_(net.parameters(), budget.clip)
        optimiser.step()


def time_trainer(unit: Unit, task: Task, members: Sequence[Member], device: torch.device) -> float:
    """Return the seconds that the trainer takes."""
    net, _ = build(unit, task, [member.seed for member in members], device)
    return time_call(lambda: train(task, net, members, unit.budget, device))


def time_by_hand(unit: Unit, task: Task, members: Sequence[Member], device: torch.device) -> float:
    """Return the seconds that the bare loop takes, for one member after the other."""
    nets = [build(unit, task, [member.seed], device)[0] for member in members]

    def one_by_one() -> None:
        for net, member in zip(nets, members, strict=True):
            train_by_hand(task, net, member.seed, unit.budget)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return time_call(one_by_one)


def time_data(unit: Unit, task: Task, members: Sequence[Member]) -> float:
    """Return the seconds that making the data of a training takes."""
    feed = Feed(task, [member.seed for member in members], unit.budget, CPU)
    return time_call(lambda: [feed.step(t) for t in range(unit.budget.steps)])


def compare_trainer(rounds: int, device: torch.device = CPU) -> Iterator[Ratio]:
    """Compare the trainer with the bare loop: one member with one, three members with three one by one."""
    for model, E in product(("lstm", "gru", "rnn"), (1, 3)):
        unit = make_unit(model, STEPS)
        what = unit, TASKS["adding"](lag=T), make_members(E), device
        timings = time_in_turns(
            [partial(time_trainer, *what), partial(time_by_hand, *what)], rounds
        )
        step = median(ours for ours, _ in timings) / STEPS
        ratios = [ours / theirs for ours, theirs in timings]
        name = f"trainer / bare loop, {model}, E = {E}"
        yield Ratio(name, Median.of(ratios), "<= 1.05", f"a step takes {step * 1e3:.2f} ms")


def compare_data(rounds: int) -> Iterator[Ratio]:
    """Compare making the data with all of the training, for every task of ``quick`` and its quickest model."""
    for setting in QUICK.settings:
        model = "lstm" if "lstm" in setting.models else setting.models[0]
        lag = setting.lags[-1]
        task, name = (
            TASKS[setting.task](lag=lag),
            f"data / training, {setting.task} {lag}, {model}, E = 3",
        )
        unit = shorten(unit_of(Condition(setting, lag, model), QUICK), STEPS)
        what = unit, task, make_members(3)
        try:
            timings = time_in_turns(
                [partial(time_data, *what), partial(time_trainer, *what, CPU)], rounds
            )
        except DataMissing:
            continue
        step = median(whole for _, whole in timings) / STEPS
        ratios = [making / whole for making, whole in timings]
        yield Ratio(name, Median.of(ratios), "<= 0.10", f"a step takes {step * 1e3:.2f} ms")


def make_members(E: int) -> list[Member]:
    """Return E members."""
    return [Member(seed=seed, learning_rate=RATE) for seed in range(E)]


def compare_workers(rounds: int, jobs: int = 6, steps: int = 250) -> Iterator[Ratio]:
    """Compare two workers of one thread with one, on the same jobs."""
    commit, dirty = machine.read_commit()
    provenance = Provenance(
        commit=commit,
        dirty=dirty,
        profile="overhead",
        specification="0" * 16,
        system=machine.describe_system("cpu").id,
        device="cpu",
        threads=1,
        deterministic=True,
        flush_denormal=True,
    )
    unit = make_unit("lstm", steps)
    singles = [Job(unit, (member,), provenance) for member in make_members(jobs)]
    one_two = time_in_turns(
        [partial(time_a_job, singles, 1), partial(time_a_job, singles, 2)], rounds
    )
    note = f"{median(one for one, _ in one_two):.2f} s a job with one"
    yield Ratio("one worker / two workers", Median.of([a / b for a, b in one_two]), ">= 1.8", note)


def time_a_job(jobs: Sequence[Job], count: int) -> float:
    """Return the seconds per job, counted from the end of each worker's first job, since its start imports torch."""
    ends = [perf_counter() for _ in run_processes(jobs, count, lambda job, step: None)]
    return (ends[-1] - sum(ends[:count]) / count) / (len(jobs) - count)


PARTS: dict[str, Callable[[int], Iterator[Ratio]]] = {
    "trainer": compare_trainer, "data": compare_data, "workers": compare_workers,
}  # fmt: skip
ROUNDS = {"trainer": 15, "data": 5, "workers": 3}


@app.command()
def main(
    part: Annotated[
        str | None, typer.Option(help="trainer, data or workers; all if not given.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="How often each side is timed.")] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write the ratios here, too.")] = None,
) -> None:
    """Print the overhead of the trainer and of its data, and the gain by a second worker."""
    if part is not None and part not in PARTS:
        raise unknown("part", part, PARTS)
    machine.make_deterministic()
    found = [
        ratio
        for name in PARTS
        if part in (None, name)
        for ratio in PARTS[name](rounds or ROUNDS[name])
    ]
    answer({"paired ratios": [
        {"what": r.name, "ratio": f"{r.median.value:.3f}",
         "95 %": f"{r.median.low:.3f} to {r.median.high:.3f}",
         "goal": r.goal, "rounds": r.median.rounds, "note": r.note}
        for r in found
    ]}, as_json=False)  # fmt: skip
    if file:
        file.write_text(json.dumps([asdict(r) for r in found], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    obey(app, sys.argv[1:])
