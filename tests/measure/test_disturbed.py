"""Runs that are disturbed: by user-defined classes that fail in any way, by workers that are killed, by full disks."""

import errno
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import user_defined

from seqbench import cli, machine
from seqbench.errors import BadInput, NotWritten
from seqbench.records.store import Store
from seqbench.training.checkpoint import Checkpoint

from .test_runs import Recorder, alone, same, smoke  # noqa: F401  a fixture for all of this file

# User-defined classes


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError


def half_a_letter():
    raise ValueError("half a letter: \ud800, and \x1b[31mred")


def unspeakable():
    raise Unspeakable


def leave():
    raise SystemExit(5)


def bad_input():
    raise BadInput("it is not what I wanted")


WAYS = {
    half_a_letter: r"ValueError: half a letter: \ud800, and \x1b[31mred",
    unspeakable: "Unspeakable: no more can be said of it",
    leave: "SystemExit: 5",
    bad_input: "BadInput: it is not what I wanted",
}


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_a_model_that_fails_in_any_way_is_recorded_and_stops_nobody(tmp_path, engine):
    kinds = []
    for fail in WAYS:
        name = fail.__name__.replace("_", "-")
        body = {"name": name, "misbehave": lambda self, fail=fail: fail()}
        kinds.append(type("Failing", (user_defined.Last,), body))
    store, heard = smoke(
        tmp_path / "out", tasks=["latch"], models=[*kinds, "rnn"], seeds=1, engine=engine, workers=1
    )
    found = {r.unit.model: r for r in store.records()}
    assert store.validate() == []
    assert found["rnn"].verdict in ("solved", "not_solved")
    for fail, reason in WAYS.items():
        record = found[fail.__name__.replace("_", "-")]
        assert (record.verdict, record.reason) == ("failed", reason)
    assert len(heard.jobs) == len(kinds) + 1


@dataclass(frozen=True)
class Raising(user_defined.Echo):
    """Can't be drawn."""

    name = "raising"

    def sample(self, keys):
        raise ZeroDivisionError("nothing to divide")


@dataclass(frozen=True)
class Leaving(user_defined.Echo):
    """Leaves when it is asked for data."""

    name = "leaving"

    def sample(self, keys):
        raise SystemExit


@dataclass(frozen=True)
class Boundless(user_defined.Echo):
    """Scores as no share can."""

    name = "boundless"

    def score(self, output, y, mask):
        return super().score(output, y, mask) + 3.5


def test_a_task_that_fails_in_any_way_is_recorded_and_stops_nobody(tmp_path):
    tasks = [Raising, Leaving, Boundless, user_defined.Echo]
    store, _ = smoke(tmp_path / "out", tasks=tasks, lags=[4], models=["rnn"], seeds=1)
    found = {r.unit.task: r for r in store.records()}
    assert {task: r.verdict for task, r in found.items()} == {
        "raising": "failed", "leaving": "failed", "boundless": "failed", "echo": "solved",
    }  # fmt: skip
    assert found["raising"].reason == "ZeroDivisionError: nothing to divide"
    assert "lies outside of its measure's range, 0 to 1" in found["boundless"].reason
    assert store.validate() == []


def test_a_task_that_cannot_be_made_is_told_before_anything_is_written(tmp_path):
    class Impossible(user_defined.Echo):
        name = "impossible"

        def __post_init__(self):
            raise KeyError("nothing there")

    with pytest.raises(BadInput, match="task 'impossible' can't be made at lag 4: KeyError"):
        smoke(tmp_path / "out", tasks=[Impossible], lags=[4], models=["rnn"])
    assert not (tmp_path / "out").exists()


def test_a_run_in_which_something_failed_ends_with_1(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("seqbench.measure.job.train", lambda *_: 1 / 0)
    words = "run -p smoke --task latch --model rnn --seeds 2 --engine serial --device cpu"
    with pytest.raises(SystemExit) as ended:
        cli.terminal.obey(cli.app, [*words.split(), "--out", "b c"])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "2 failed (0.0 s): ZeroDivisionError: division by zero" in said
    assert "look at them with: seqbench report 'b c'" in said
    assert said.endswith("2 runs failed\n")


# Workers that are killed


class Struck(user_defined.Last):
    """Its first processes are killed from outside, as many as a file has letters."""

    name = "struck"

    def misbehave(self):
        mark = Path(os.environ["SEQBENCH_TEST_MARK"])
        if left := mark.read_text():
            mark.write_text(left[1:])
            os.kill(os.getpid(), signal.SIGKILL)


def struck(folder: Path, times: int) -> tuple[Store, Recorder]:
    """Return what comes of three seeds whose processes are killed so many times."""
    Path(os.environ["SEQBENCH_TEST_MARK"]).write_text("x" * times)
    what = {"tasks": ["latch"], "models": [Struck], "seeds": 3}
    return smoke(folder, **what, engine="processes", workers=1)


@pytest.fixture
def mark(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQBENCH_TEST_MARK", str(tmp_path / "mark"))


def test_a_job_whose_worker_was_killed_once_gives_the_same_bits(tmp_path, mark):
    undisturbed, _ = struck(tmp_path / "one", 0)
    disturbed, _ = struck(tmp_path / "two", 1)
    assert same(disturbed) == same(undisturbed)
    assert not any(r.regrouped for r in disturbed.records())


def test_members_that_were_measured_in_a_smaller_stack_say_so(tmp_path, mark):
    store, _ = struck(tmp_path / "out", 2)
    assert [r.regrouped for r in store.records()] == [True] * 3
    assert all('"regrouped":true' in r.canonical() for r in store.records())
    assert store.validate() == []


def test_who_is_always_killed_from_outside_is_not_recorded_and_is_tried_again(tmp_path, mark):
    store, heard = struck(tmp_path / "out", 10**3)
    assert store.records() == []
    assert len(heard.jobs) == 3  # each member alone, after the stack
    again, _ = struck(tmp_path / "out", 0)
    assert len(again.records()) == 3
    assert not any(r.regrouped for r in again.records())


# Folders


def test_a_folder_in_which_something_has_no_place_is_not_written_to(tmp_path):
    store, _ = smoke(tmp_path / "out", tasks=["latch"], models=["rnn"], seeds=1)
    (store.path / "records" / "adding").write_text("mine")
    before = sorted(store.path.rglob("*"))
    with pytest.raises(BadInput, match="records/adding: a results folder has no such file"):
        smoke(tmp_path / "out", tasks=["latch"], models=["rnn", "lstm"], seeds=1)
    assert sorted(store.path.rglob("*")) == before


def test_a_second_rate_of_one_condition_is_refused_or_replaces_the_first(tmp_path):
    what = {"tasks": [user_defined.Echo], "lags": [4], "models": ["rnn"], "seeds": 1, "steps": 20}
    smoke(tmp_path / "out", **what, learning_rate=0.01)
    told = r"holds echo at lag 4 with rnn under other conditions \(learning rate 0.01, asked for 0.02\)"
    with pytest.raises(BadInput, match=told):
        smoke(tmp_path / "out", **what, learning_rate=0.02)
    store, _ = smoke(tmp_path / "out", **what, learning_rate=0.02, force=True)
    assert [r.member.learning_rate for r in store.records()] == [0.02]


def test_a_full_disk_takes_the_record_in_the_place_of_the_way_to_it(tmp_path, monkeypatch):
    append, cleared = Store.append, []

    def full_until_cleared(self, records):
        if not cleared:
            raise NotWritten("can't write: no space left on the disk")
        append(self, records)

    monkeypatch.setattr(Store, "append", full_until_cleared)
    monkeypatch.setattr(Checkpoint, "clear", lambda self: cleared.append(self.path))
    store, _ = smoke(tmp_path / "out", tasks=["latch"], models=["rnn"], seeds=1)
    assert len(store.records()) == 1


def test_a_disk_that_stays_full_ends_the_run_and_leaves_no_file(tmp_path, monkeypatch):
    store, _ = smoke(tmp_path / "out", tasks=["latch"], models=["rnn"], seeds=1)
    before = {file: file.read_bytes() for file in store.path.rglob("*") if file.is_file()}

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(BadInput, match="no space left on the disk"):
            smoke(tmp_path / "out", tasks=["latch"], models=["rnn", "lstm"], seeds=1)
    after = {file: file.read_bytes() for file in store.path.rglob("*") if file.is_file()}
    assert {f: c for f, c in after.items() if not f.name.startswith(".lock")} == {
        f: c for f, c in before.items() if not f.name.startswith(".lock")
    }


def test_a_long_job_of_a_user_defined_class_is_taken_up_again(tmp_path):
    _, heard = smoke(tmp_path / "out", tasks=["latch"], models=[user_defined.Last], seeds=1)
    (job,) = heard.jobs
    assert job.code
    assert job.checkpoint.path.parent == (tmp_path / "out" / "unfinished" / "latch").absolute()
    assert job.provenance.code == machine.hash_code()


# What a class leaves behind


class Spoiling(user_defined.Last):
    """Changes what holds for all of its process."""

    name = "spoiling"

    def misbehave(self):
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(7)
        torch.use_deterministic_algorithms(False)
        torch.set_flush_denormal(False)


class Meddling(user_defined.Last):
    """Writes to every line of its process that is open."""

    name = "meddling"

    def misbehave(self):
        for descriptor in range(3, 30):
            with suppress(OSError):
                os.write(descriptor, b"\x00\x00\x00\x05hello")


def test_what_a_user_defined_class_changes_is_changed_for_nobody_else(tmp_path):
    what = {"tasks": ["latch"], "engine": "processes", "workers": 1, "seeds": 1}
    undisturbed, _ = smoke(tmp_path / "one", models=["rnn"], **what)
    beside, _ = smoke(tmp_path / "two", models=[Spoiling, "rnn"], **what)
    assert same(undisturbed) == [
        r.serialise_reproducible() for r in beside.records() if r.unit.model == "rnn"
    ]


def test_who_writes_to_the_line_of_its_worker_fails_alone(tmp_path):
    what = {"tasks": ["latch"], "engine": "processes", "workers": 1, "seeds": 1}
    store, _ = smoke(tmp_path / "out", models=[Meddling, "rnn"], **what)
    verdicts = {r.unit.model: r.verdict for r in store.records()}
    assert verdicts["meddling"] == "failed"
    assert verdicts["rnn"] in ("solved", "not_solved")


# Classes that can't be measured, and those that go elsewhere


class Interrupting(user_defined.Last):
    """Says that somebody pressed Ctrl-C."""

    name = "interrupting"

    def misbehave(self):
        raise KeyboardInterrupt("nobody did")


class Wandering(user_defined.Last):
    """Goes to another folder."""

    name = "wandering"

    def misbehave(self):
        os.chdir("/")


def test_who_says_that_it_was_interrupted_has_failed(tmp_path):
    what = {"tasks": ["latch"], "engine": "processes", "workers": 1, "seeds": 1}
    store, _ = smoke(tmp_path / "out", models=[Interrupting, "rnn"], **what)
    found = {r.unit.model: r for r in store.records()}
    assert "KeyboardInterrupt: nobody did" in found["interrupting"].reason
    assert found["rnn"].verdict in ("solved", "not_solved")


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_results_stay_where_they_were_asked_for(tmp_path, monkeypatch, engine):
    monkeypatch.chdir(tmp_path)
    what = {"tasks": ["latch"], "engine": engine, "workers": 1, "seeds": 1}
    store, _ = smoke("here", models=[Wandering, "rnn"], **what)
    assert Path.cwd() == tmp_path
    assert len(store.records()) == len(Store(tmp_path / "here").records()) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 0}, "task_version: Input should be greater than or equal to 1"),
        ({"version": True}, "task_version: Input should be a valid integer"),
        ({"inputs": 0}, "can't be measured"),
        ({"outputs": "4"}, "can't be measured"),
        ({"chance": "quarter"}, "chance: Input should be a valid number"),
        ({"threshold": float("nan")}, "threshold: Input should be a finite number"),
        ({"loss": "hinge"}, "unknown loss of task 'odd' 'hinge'; choose from: "),
        ({"name": "n" * 300}, "task: String should have at most 100 characters"),
        (
            {"__annotations__": {"depth": "Nowhere"}, "depth": 3},
            "the annotations of 'odd' can't be",
        ),
        ({"__post_init__": lambda self: leave()}, "SystemExit: 5"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_class_that_says_what_cannot_be_is_refused_in_a_sentence(tmp_path, change, why):
    odd = dataclass(frozen=True)(type("Odd", (user_defined.Echo,), {"name": "odd", **change}))
    with pytest.raises(BadInput) as caught:
        smoke(tmp_path / "out", tasks=[odd], lags=[4], models=["rnn"])
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_snapshots_of_the_parts_of_a_stack_are_cleared(tmp_path, monkeypatch):
    monkeypatch.setattr(Checkpoint, "every", 0.0)
    monkeypatch.setattr(Checkpoint, "due", property(lambda self: self.path is not None))

    class Choosy(user_defined.Last):
        name = "choosy"

        def forward(self, x, answers):
            if len(x) > 2 and not self.training:
                raise RuntimeError("too many")
            return super().forward(x, answers)

    store, _ = smoke(tmp_path / "out", tasks=["latch"], models=[Choosy], seeds=4)
    assert {r.regrouped for r in store.records()} == {True}
    assert not list(store.unfinished.rglob("*.pt"))
