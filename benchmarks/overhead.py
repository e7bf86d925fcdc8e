"""What the trainer costs over a bare loop, and what a second worker is worth: paired ratios, measured in turns.

    python benchmarks/overhead.py                      # both, a few minutes
    python benchmarks/overhead.py --part trainer --rounds 30 --json overhead.json

Both sides of a ratio are timed in every round, in alternating order, so that whatever else the machine does falls on
both; what is printed is the median of the rounds' ratios with a 95 % bootstrap interval.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from seqbench import machine
from seqbench.cli import answer, obey
from seqbench.errors import unknown
from seqbench.measure import Job, build
from seqbench.models import MODELS
from seqbench.records import Budget, Member, Provenance, Unit
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.train import Feed, train
from seqbench.workers import processes

T = 100
PARAMETERS = 10_000
RATE = 1e-3
STEPS = 60  # of training in one timing
CPU = torch.device("cpu")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Ratio:
    """A median of paired ratios with its interval, and what it should be."""

    name: str
    ratio: float
    low: float
    high: float
    goal: str
    rounds: int
    note: str = ""

    @classmethod
    def of(cls, name: str, ratios: list[float], goal: str, note: str = "") -> "Ratio":
        """Return the median of the ratios, with a bootstrap interval."""
        draws = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
        low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
        return cls(name, median(ratios), float(low), float(high), goal, len(ratios), note)


def unit_of(model: str, steps: int) -> Unit:
    """Return a unit on the adding problem that is validated once, at its end, on one sequence."""
    task = TASKS["adding"](lag=T)
    budget = Budget(
        steps=steps, batch=32, clip=1.0, validate_every=steps, validation_size=1, test_size=1
    )
    return Unit(
        task=task.name,
        task_version=task.version,
        lag=T,
        model=model,
        model_version=MODELS[model].version,
        parameters=PARAMETERS,
        layers=1,
        budget=budget,
    )


def bare(task: Task, net: torch.nn.Module, seed: int, budget: Budget) -> None:
    """Train one member as one would by hand: the same network, kernels and data, nothing else."""
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    data = Feed(task, [seed], budget, CPU)
    for t in range(budget.steps):
        batch = data.step(t)
        loss = F.mse_loss(net(batch.x, 1), batch.y)
        optimiser.zero_grad()
        loss.backward()
        clip_grad_norm_(net.parameters(), budget.clip)
        optimiser.step()


def seconds(run: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    since = perf_counter()
    run()
    return perf_counter() - since


def trainer(rounds: int) -> Iterator[Ratio]:
    """Compare the trainer with the bare loop: one member with one, three members with three one by one."""
    task = TASKS["adding"](lag=T)
    for model in ("lstm", "gru", "rnn"):
        unit = unit_of(model, STEPS)
        for E in (1, 3):
            seeds = list(range(E))
            members = [Member(seed=seed, learning_rate=RATE) for seed in seeds]

            def ours(
                unit: Unit = unit, seeds: list[int] = seeds, members: list[Member] = members
            ) -> float:
                net, _ = build(unit, task, seeds, CPU)
                return seconds(lambda: train(task, net, members, unit.budget, CPU))

            def theirs(unit: Unit = unit, seeds: list[int] = seeds) -> float:
                nets = [build(unit, task, [seed], CPU)[0] for seed in seeds]
                return sum(
                    seconds(lambda: bare(task, net, seed, unit.budget))  # noqa: B023
                    for net, seed in zip(nets, seeds, strict=True)
                )

            def data(unit: Unit = unit, seeds: list[int] = seeds) -> float:
                feed = Feed(task, seeds, unit.budget, CPU)
                return seconds(lambda: [feed.step(t) for t in range(unit.budget.steps)])

            timings = in_turns([ours, theirs, data], rounds)
            share = median(c / a for a, _, c in timings)
            step = median(a for a, *_ in timings) / STEPS
            yield Ratio.of(
                f"trainer / bare loop, {model}, E = {E}",
                [a / b for a, b, _ in timings],
                "<= 1.05",
                f"step {step * 1e3:.2f} ms, {share:.1%} of it making data",
            )


def in_turns(sides: list[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Return every side's time in every round, after one that does not count."""
    found = []
    for turn in range(rounds + 1):
        order = range(len(sides)) if turn % 2 else reversed(range(len(sides)))
        times = {side: sides[side]() for side in order}
        found.append([times[side] for side in range(len(sides))])
    return found[1:]


def workers(rounds: int, jobs: int = 8, steps: int = 400) -> Iterator[Ratio]:
    """Compare two workers of one thread with one, on the same jobs, from the first that ends to the last."""
    commit, dirty = machine.commit()
    provenance = Provenance(
        commit=commit,
        dirty=dirty,
        profile="overhead",
        specification="none",
        system=machine.system("cpu").id,
        device="cpu",
        threads=1,
        deterministic=True,
        flush_denormal=True,
    )
    todo = [
        Job(unit_of("lstm", steps), (Member(seed=seed, learning_rate=RATE),), provenance)
        for seed in range(jobs)
    ]
    with_start: list[float] = []

    def rate(count: int) -> float:
        """Return seconds a job; the start of the processes, an import of torch, is left out."""
        since = perf_counter()
        ends = [perf_counter() - since for _ in processes(todo, count, lambda job, step: None)]
        whole.append(ends[-1])
        return (ends[-1] - sum(ends[:count]) / count) / (jobs - count)

    whole: list[float] = []
    timings = []
    for _ in range(rounds):
        timings.append((rate(1), rate(2)))
        with_start.append(whole[-2] / whole[-1])
    yield Ratio.of(
        "one worker / two workers",
        [one / two for one, two in timings],
        ">= 1.8",
        f"{median(one for one, _ in timings):.2f} s a job with one; {median(with_start):.2f} with their start",
    )


PARTS: dict[str, Callable[[int], Iterator[Ratio]]] = {"trainer": trainer, "workers": workers}
ROUNDS = {"trainer": 15, "workers": 3}


@app.command()
def main(
    part: Annotated[str | None, typer.Option(help="trainer or workers; both if not given.")] = None,
    rounds: Annotated[int | None, typer.Option(help="How often each side is timed.")] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write the ratios here, too.")] = None,
) -> None:
    """Print what the trainer costs over a bare loop, and what a second worker is worth."""
    if part is not None and part not in PARTS:
        raise unknown("part", part, PARTS)
    machine.settle()
    found = [
        ratio
        for name in PARTS
        if part in (None, name)
        for ratio in PARTS[name](rounds or ROUNDS[name])
    ]
    answer({"paired ratios": [
        {"what": r.name, "ratio": f"{r.ratio:.3f}", "95 %": f"{r.low:.3f} to {r.high:.3f}",
         "goal": r.goal, "rounds": r.rounds, "note": r.note}
        for r in found
    ]}, as_json=False)  # fmt: skip
    if file:
        file.write_text(json.dumps([asdict(r) for r in found], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    import sys

    obey(app, sys.argv[1:])
