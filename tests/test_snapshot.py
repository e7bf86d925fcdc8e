"""A job that was killed in the middle goes on with the same bits."""

from pathlib import Path

import pytest
import torch

from seqbench.measure import build
from seqbench.records import Budget, Member, Unit
from seqbench.snapshot import Snapshot
from seqbench.tasks import TASKS
from seqbench.train import Outcome, train

BUDGET = Budget(steps=200, batch=8, clip=1.0, validate_every=20, validation_size=32, test_size=64)
MEMBERS = [Member(seed=0, learning_rate=1e-3), Member(seed=1, learning_rate=3e-2)]


class Killed(Exception):
    pass


def run(snapshot: Snapshot, killed_at: int | None = None) -> list[Outcome]:
    task = TASKS["latch"](lag=6)
    unit = Unit(
        task="latch", task_version=1, lag=6, model="lstm", model_version=1,
        parameters=1_000, layers=1, budget=BUDGET,
    )  # fmt: skip

    def progress(step: int) -> None:
        if step == killed_at:
            raise Killed

    cpu = torch.device("cpu")
    model, _ = build(unit, task, [member.seed for member in MEMBERS], cpu)
    return train(task, model, MEMBERS, BUDGET, cpu, progress, snapshot)


@pytest.mark.parametrize("killed_at", [40, 140])  # with both members inside, and with one
def test_a_killed_job_goes_on_where_it_was(tmp_path: Path, killed_at: int) -> None:
    undisturbed = run(Snapshot())
    file = tmp_path / "job.pt"
    with pytest.raises(Killed):
        run(Snapshot(file, every=0.0), killed_at)
    state = Snapshot(file).load()
    assert state is not None
    assert state["step"] == killed_at - BUDGET.validate_every
    assert len(state["rows"]) == (2 if killed_at == 40 else 1)
    taken_up = run(Snapshot(file))
    for outcome in (*undisturbed, *taken_up):
        outcome.seconds = 0.0
    assert taken_up == undisturbed


def test_a_short_job_leaves_nothing(tmp_path: Path) -> None:
    run(Snapshot(tmp_path / "job.pt"))
    assert not list(tmp_path.iterdir())


def test_what_is_cleared_is_gone(tmp_path: Path) -> None:
    snapshot = Snapshot(tmp_path / "job.pt", every=0.0)
    run(snapshot)
    snapshot.clear()
    assert snapshot.load() is None
