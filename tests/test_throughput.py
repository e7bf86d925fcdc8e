"""The time of a step: what is counted, what is compared with what, and what is kept."""

import itertools

import pytest
import torch
from made import SYSTEM

from seqbench import machine, throughput
from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.profiles import SMOKE, TIMINGS
from seqbench.records import Throughput
from seqbench.store import Store
from seqbench.throughput import PHASES, Case, Subject, keep, measure_steps, time_steps
from seqbench.train import Stack, losses

QUICKLY = {"parameters": 1_000, "rounds": 2}


@pytest.fixture(autouse=True)
def unsettled():
    """Take back what settling does to this process."""
    yield
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def clock(monkeypatch):
    """Let every look at the clock be a second after the one before."""
    ticks = itertools.count()
    monkeypatch.setattr(throughput, "perf_counter", lambda: float(next(ticks)))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_gives_a_row_for_each_step(model):
    rows = list(measure_steps([model], [12], [3], [1, 2], "cpu", **QUICKLY))
    assert all(isinstance(row, Throughput) for row in rows)
    assert len({row.key for row in rows}) == len(rows)
    assert {(r.phase, r.members) for r in rows} == set(itertools.product(PHASES, (1, 2)))
    for row in rows:
        assert (row.model, row.length, row.batch, row.device) == (model, 12, 3, "cpu")
        assert row.quartiles[0] <= row.seconds_per_token <= row.quartiles[1]
        assert row.rounds == 2
        assert abs(row.parameters - 1_000) < 150
        assert row.system == machine.system("cpu").id


def test_a_token_is_a_step_of_a_sequence_of_a_member(clock):
    """A step takes a second of this clock, whatever it does."""
    rows = list(measure_steps(["lstm"], [10, 20], [3], [1, 2], "cpu", **QUICKLY))
    assert len(rows) == 8
    for row in rows:
        tokens = row.length * row.batch * row.members
        assert row.seconds_per_token == pytest.approx(1 / tokens)


def test_frames_are_the_tokens_of_video():
    subject = Subject(Case("cnn_lstm", 12, 3, 2), 1_000, "cpu")
    assert subject.data.x.shape == (2, 3, 12, 1, 12, 12)
    assert subject.case.tokens == 2 * 3 * 12


def test_a_training_step_is_the_trainers():
    subject = Subject(Case("lstm", 10, 4, 2), 1_000, "cpu")
    other = Subject(Case("lstm", 10, 4, 2), 1_000, "cpu")
    stack = Stack(other.model, [throughput.RATE] * 2)
    for t in (1, 2):
        subject.training()
        loss = losses(other.task, other.model(other.data.x, 1), other.data.y, other.data.mask)
        stack.step(stack.gradient(loss), t, throughput.CLIP)
    assert torch.equal(subject.stack.theta, stack.theta)
    subject.inference()
    assert torch.equal(subject.stack.theta, stack.theta)


def test_rounds_are_interleaved(monkeypatch):
    """Within a round every case has its turn, so that none is measured in a quiet hour alone."""
    turns = []
    seconds = Subject.seconds

    def noted(self, phase, repeats):
        turns.append((self.case.model, phase))
        return seconds(self, phase, repeats)

    monkeypatch.setattr(Subject, "seconds", noted)
    cases = [Case(model, 10, 2, 1) for model in ("rnn", "lstm")]
    list(time_steps(cases, "cpu", 1_000, rounds=3))
    one = list(itertools.product(("training", "inference"), ("rnn", "lstm")))
    assert turns[-12:] == [(model, phase) for phase, model in one] * 3


def test_what_finds_no_memory_is_said_and_left_out(monkeypatch):
    whole = Subject.__init__

    def hungry(self, case, *rest):
        if case.members > 1:
            raise torch.OutOfMemoryError("no more")
        whole(self, case, *rest)

    monkeypatch.setattr(Subject, "__init__", hungry)
    lines = []
    rows = list(measure_steps(["rnn"], [10], [2], [1, 8], "cpu", **QUICKLY, say=lines.append))
    assert {row.members for row in rows} == {1}
    assert any("rnn, 8 members of length 10: no memory left" in line for line in lines)


def test_memory_is_that_of_the_step():
    small, large = (
        dict(throughput.footprint(case, "cpu", 5_000, "auto"))
        for case in (Case("lstm", 10, 2, 1), Case("lstm", 400, 64, 2))
    )
    assert large["training"] > max(
        4 * 2**20, small["training"]
    )  # the saved activations alone are more
    assert large["training"] >= large["inference"]


def test_both_profiles_have_steps_to_time():
    for timing in TIMINGS.values():
        assert min(timing.lengths) > 8  # the shortest video
        assert timing.rounds >= 3


# In the store


def test_a_run_keeps_what_it_measured_and_measures_nothing_twice(tmp_path, monkeypatch):
    lines = []
    store = throughput.run("smoke", models=["rnn"], out=tmp_path / "out", say=lines.append)
    first = store.throughput()
    assert len(first) == 4
    assert store.validate() == []
    assert all(row.threads == 1 for row in first)

    assert (
        throughput.run("smoke", models=["rnn"], out=store.path, say=lines.append).throughput()
        == first
    )
    assert "were timed already" in lines[-1]

    both = throughput.run("smoke", models=["rnn", "lstm"], out=store.path).throughput()
    assert [row for row in both if row.model == "rnn"] == first  # only what was lacking
    assert len(both) == 8

    again = throughput.run("smoke", models=["rnn"], out=store.path, force=True).throughput()
    assert len(again) == 8
    assert [row for row in again if row.model == "rnn"] != first

    monkeypatch.setattr(machine, "commit", lambda: ("1" * 40, False))
    newer = throughput.run("smoke", models=["rnn"], out=store.path).throughput()
    assert {row.commit for row in newer if row.model == "rnn"} == {"1" * 40}  # other code: anew
    assert len(newer) == 8


def test_rows_of_other_machines_stay(tmp_path):
    from made import throughput as made

    store = Store(tmp_path).create(SMOKE.manifest())
    keep(store, [made(), made(members=1), made(system="other")])
    keep(store, [made(seconds_per_token=2e-6, quartiles=(1e-6, 3e-6), parameters=1_003)])
    found = {(row.system, row.members): row.seconds_per_token for row in store.throughput()}
    assert found == {(SYSTEM.id, 3): 2e-6, (SYSTEM.id, 1): 1e-6, ("other", 3): 1e-6}


def test_an_unknown_model_is_refused(tmp_path):
    with pytest.raises(BadInput, match="did you mean 'lstm'"):
        throughput.run("smoke", models=["lsm"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
