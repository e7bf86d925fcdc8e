"""What the trainer costs over a bare loop, making data, and what a second worker is worth: paired ratios.

    python benchmarks/goals/overhead.py                      # all of it, a few minutes on a quiet machine
    python benchmarks/goals/overhead.py --part trainer --rounds 30 --json overhead.json

Both sides of a ratio are timed in every round, in alternating order, so that whatever else the machine does falls on
both; what is printed is the median of the rounds' ratios with a 95 % bootstrap interval.
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

from benchmarks.goals.paired import Median, in_turns, seconds
from seqbench import machine
from seqbench.cli import answer, obey
from seqbench.errors import DataMissing, unknown
from seqbench.measure import runs
from seqbench.measure.executors import processes
from seqbench.measure.job import Job, build
from seqbench.protocol.profiles import QUICK
from seqbench.protocol.settings import Condition, Setting
from seqbench.records.schema import Budget, Member, Provenance, Unit
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.training.loop import Feed, train

T = 100
PARAMETERS = 10_000
RATE = 1e-3
STEPS = 60  # of training in one timing
CPU = torch.device("cpu")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Ratio:
    """A median of paired ratios, and what it should be."""

    name: str
    median: Median
    goal: str
    note: str = ""


def briefly(unit: Unit, steps: int) -> Unit:
    """Return the unit with so many steps, validated once, at its end, on one sequence."""
    once = {"steps": steps, "validate_every": steps, "validation_size": 1, "test_size": 1}
    return unit.model_copy(update={"budget": unit.budget.model_copy(update=once)})


def unit_of(model: str, steps: int) -> Unit:
    """Return a unit on the adding problem."""
    cell = Condition(Setting("adding", (T,), steps, RATE), T, model)
    return briefly(runs.unit_of(cell, replace(QUICK, parameters=PARAMETERS)), steps)


def bare(task: Task, net: torch.nn.Module, seed: int, budget: Budget) -> None:
    """Train one member as one would by hand: the same network, kernels and data, nothing else."""
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    data = Feed(task, [seed], budget, next(net.parameters()).device)
    for t in range(budget.steps):
        batch = data.step(t)
        loss = F.mse_loss(net(batch.x, 1), batch.y)
        optimiser.zero_grad()
        loss.backward()
        clip_grad_norm_(net.parameters(), budget.clip)
        optimiser.step()


def train_once(unit: Unit, task: Task, members: Sequence[Member], device: torch.device) -> float:
    """Return the time that the trainer takes."""
    net, _ = build(unit, task, [member.seed for member in members], device)
    return seconds(lambda: train(task, net, members, unit.budget, device))


def train_bare(unit: Unit, task: Task, members: Sequence[Member], device: torch.device) -> float:
    """Return the time that the bare loop takes, for one member after the other."""
    nets = [build(unit, task, [member.seed], device)[0] for member in members]

    def one_by_one() -> None:
        for net, member in zip(nets, members, strict=True):
            bare(task, net, member.seed, unit.budget)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return seconds(one_by_one)


def make_data(unit: Unit, task: Task, members: Sequence[Member]) -> float:
    """Return the time that making the data of a training takes."""
    feed = Feed(task, [member.seed for member in members], unit.budget, CPU)
    return seconds(lambda: [feed.step(t) for t in range(unit.budget.steps)])


def trainer(rounds: int, device: torch.device = CPU) -> Iterator[Ratio]:
    """Compare the trainer with the bare loop: one member with one, three members with three one by one."""
    for model, E in product(("lstm", "gru", "rnn"), (1, 3)):
        unit = unit_of(model, STEPS)
        what = unit, TASKS["adding"](lag=T), members_of(E), device
        timings = in_turns([partial(train_once, *what), partial(train_bare, *what)], rounds)
        step = median(ours for ours, _ in timings) / STEPS
        ratios = [ours / theirs for ours, theirs in timings]
        name = f"trainer / bare loop, {model}, E = {E}"
        yield Ratio(name, Median.of(ratios), "<= 1.05", f"a step takes {step * 1e3:.2f} ms")


def data(rounds: int) -> Iterator[Ratio]:
    """Compare making the data with all of the training, for every task of ``quick`` and its quickest model."""
    for setting in QUICK.settings:
        model = "lstm" if "lstm" in setting.models else setting.models[0]
        lag = setting.lags[-1]
        task, name = (
            TASKS[setting.task](lag=lag),
            f"data / training, {setting.task} {lag}, {model}, E = 3",
        )
        unit = briefly(runs.unit_of(Condition(setting, lag, model), QUICK), STEPS)
        what = unit, task, members_of(3)
        try:
            timings = in_turns([partial(make_data, *what), partial(train_once, *what, CPU)], rounds)
        except DataMissing:
            continue
        step = median(whole for _, whole in timings) / STEPS
        ratios = [making / whole for making, whole in timings]
        yield Ratio(name, Median.of(ratios), "<= 0.10", f"a step takes {step * 1e3:.2f} ms")


def members_of(E: int) -> list[Member]:
    """Return so many members."""
    return [Member(seed=seed, learning_rate=RATE) for seed in range(E)]


def workers(rounds: int, jobs: int = 6, steps: int = 250) -> Iterator[Ratio]:
    """Compare two workers of one thread with one, on the same jobs."""
    commit, dirty = machine.commit()
    provenance = Provenance(
        commit=commit,
        dirty=dirty,
        profile="overhead",
        specification="0" * 16,
        system=machine.system("cpu").id,
        device="cpu",
        threads=1,
        deterministic=True,
        flush_denormal=True,
    )
    unit = unit_of("lstm", steps)
    singles = [Job(unit, (member,), provenance) for member in members_of(jobs)]
    one_two = in_turns(
        [partial(seconds_a_job, singles, 1), partial(seconds_a_job, singles, 2)], rounds
    )
    note = f"{median(one for one, _ in one_two):.2f} s a job with one"
    yield Ratio("one worker / two workers", Median.of([a / b for a, b in one_two]), ">= 1.8", note)


def seconds_a_job(jobs: Sequence[Job], count: int) -> float:
    """Return the time a job from when every worker has ended its first: their start, an import of torch, is no part."""
    ends = [perf_counter() for _ in processes(jobs, count, lambda job, step: None)]
    return (ends[-1] - sum(ends[:count]) / count) / (len(jobs) - count)


PARTS: dict[str, Callable[[int], Iterator[Ratio]]] = {
    "trainer": trainer, "data": data, "workers": workers,
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
    """Print what the trainer and its data cost, and what a second worker is worth."""
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
