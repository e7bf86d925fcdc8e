"""A job that was killed in the middle goes on with the same bits."""

import errno
import os
import pickle
import warnings
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from seqbench.measure.job import build
from seqbench.records.schema import Budget, Member, Unit
from seqbench.tasks import TASKS
from seqbench.training.checkpoint import Checkpoint
from seqbench.training.loop import Outcome, train

BUDGET = Budget(steps=200, batch=8, clip=1.0, validate_every=20, validation_size=32, test_size=64)
MEMBERS = [Member(seed=0, learning_rate=1e-3), Member(seed=1, learning_rate=3e-2)]


class Killed(Exception):
    pass


def run(checkpoint: Checkpoint, killed_at: int | None = None) -> list[Outcome]:
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
    return train(task, model, MEMBERS, BUDGET, cpu, progress, checkpoint)


@pytest.mark.parametrize("killed_at", [40, 140])  # with both members inside, and with one
def test_a_killed_job_goes_on_where_it_was(tmp_path: Path, killed_at: int) -> None:
    undisturbed = run(Checkpoint())
    file = tmp_path / "job.pt"
    with pytest.raises(Killed):
        run(Checkpoint(file, every=0.0), killed_at)
    state = Checkpoint(file).load()
    assert state is not None
    assert state["step"] == killed_at - BUDGET.validate_every
    assert len(state["rows"]) == (2 if killed_at == 40 else 1)
    taken_up = run(Checkpoint(file))
    for outcome in (*undisturbed, *taken_up):
        outcome.seconds = 0.0
    assert taken_up == undisturbed


def test_a_short_job_leaves_nothing(tmp_path: Path) -> None:
    run(Checkpoint(tmp_path / "job.pt"))
    assert not list(tmp_path.iterdir())


def test_what_is_cleared_is_gone(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "job.pt", every=0.0)
    run(checkpoint)
    checkpoint.clear()
    assert checkpoint.load() is None


# Damaged


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The file of a job that was killed after 140 steps."""
    file = tmp_path / "job.pt"
    with pytest.raises(Killed):
        run(Checkpoint(file, every=0.0), 140)
    return file


def bit_flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"no state at all",
        bit_flipped,
        lambda content: sha256(content[40:]).digest() + content[40:],  # whole, but no state
    ],
    ids=["empty", "torn", "foreign", "bit", "nonsense"],
)
def test_a_damaged_file_means_a_new_beginning_and_says_so(saved, damage):
    saved.write_bytes(damage(saved.read_bytes()))
    with pytest.warns(
        UserWarning, match=r"job\.pt can't be resumed, the job starts from the beginning: "
    ):
        again = run(Checkpoint(saved))
    undisturbed = run(Checkpoint())
    for outcome in (*undisturbed, *again):
        outcome.seconds = 0.0
    assert again == undisturbed


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"step": 10**6}, "another budget"),
        ({"rows": [0, 7]}, "another budget"),
        ({"tables": []}, "other shapes"),
        ({"outcomes": "[]"}, "other members"),
    ],
)
def test_the_state_of_another_job_is_not_taken_up(saved, change, why):
    state = Checkpoint(saved).load()
    Checkpoint(saved).save(state | change)
    with pytest.warns(UserWarning, match=f"from the beginning: ValueError: it.* {why}"):
        run(Checkpoint(saved))


def test_what_is_saved_is_flushed_to_the_disk(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    Checkpoint(tmp_path / "job.pt").save({"step": 1})
    assert len(flushed) == 2  # the file, and the folder that names it


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    checkpoint = Checkpoint(tmp_path / "job.pt")
    checkpoint.save({"step": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        checkpoint.save({"step": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["job.pt"]
    assert checkpoint.load() == {"step": 1}


def test_a_folder_in_its_place_stops_nothing(tmp_path):
    (tmp_path / "job.pt").mkdir()
    (tmp_path / "job.pt" / "mine.txt").write_text("mine")
    with warnings.catch_warnings(record=True, action="always") as told:
        outcomes = run(Checkpoint(tmp_path / "job.pt", every=0.0))
    assert "can't be resumed" in str(told[0].message)
    assert len(outcomes) == 2
    Checkpoint(tmp_path / "job.pt").clear()
    assert (tmp_path / "job.pt" / "mine.txt").read_text() == "mine"


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


def test_code_in_a_file_does_not_run(tmp_path):
    payload = pickle.dumps(Evil())
    (tmp_path / "job.pt").write_bytes(sha256(payload).digest() + payload)
    with warnings.catch_warnings(record=True, action="always") as told:
        assert Checkpoint(tmp_path / "job.pt").load() is None
    assert "from the beginning" in str(told[-1].message)
