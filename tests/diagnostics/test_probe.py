"""From cells to probes: the members of a run, looked at before and after, once."""

from dataclasses import dataclass, replace

import pytest
import torch
from made import PROVENANCE

from seqbench.diagnostics import INSTRUMENTS, Instrument, probe
from seqbench.errors import BadInput, DataMissing
from seqbench.measure import runs
from seqbench.measure.job import Job, build, measure
from seqbench.measure.select import unit_of
from seqbench.models import MODELS
from seqbench.models.lstm import LSTM
from seqbench.protocol.profiles import PROFILES, SMOKE
from seqbench.records.schema import Member
from seqbench.records.spec import RunSpec
from seqbench.tasks import TASKS
from seqbench.training.feed import draw
from seqbench.training.loop import evaluate, train

CPU = torch.device("cpu")
LATCH = SMOKE.select(["latch"], ["lstm"])[0]
UNIT = unit_of(LATCH, SMOKE)
ONE = 1 / UNIT.budget.test_size  # a sequence: rounding may decide one that is near the edge
WHO = [Member(seed=s, learning_rate=r) for s, r in ((0, 1e-2), (1, 1e-2), (2, 1e-5))]


@pytest.fixture
def scored(monkeypatch):
    """An instrument that writes down the score on the whole test set."""

    def look(task, model, data):
        test = draw(task, "test", [0], 0, UNIT.budget.test_size, CPU)
        found = evaluate(task, model, test, len(next(model.parameters())))
        return [{"score": [score]} for score in found[1]]

    monkeypatch.setattr(probe, "INSTRUMENTS", {"scored": Instrument(lambda *_: True, look)})


def test_the_members_are_those_of_a_run_with_their_last_weights(scored):
    """Members leave at different steps; what is looked at scores what the run wrote down."""
    unit = UNIT.model_copy(
        update={"budget": UNIT.budget.model_copy(update={"steps": 200, "validate_every": 10})}
    )
    records = measure(Job(unit, tuple(WHO), PROVENANCE))
    assert len({r.steps for r in records}) > 1
    outcomes, seen = probe.train_and_look(unit, WHO, ["scored"], CPU)
    for record, outcome in zip(records, outcomes, strict=True):
        assert (outcome.member, outcome.verdict) == (record.member, record.verdict)
        (score,) = seen["end"][record.member]["scored"]["score"]
        assert score == pytest.approx(record.score, abs=ONE)
    start = [seen["start"][member]["scored"]["score"][0] for member in WHO]
    assert start != [record.score for record in records]


def test_weights_are_held_before_they_leave():
    task = TASKS["latch"](lag=6)
    held = {}
    model, _ = build(UNIT, task, [m.seed for m in WHO], CPU)
    train(
        task, model, WHO, UNIT.budget, CPU, on_finish=lambda m, w: held.setdefault(m, []).append(w)
    )
    assert {m: len(times) for m, times in held.items()} == dict.fromkeys(WHO, 1)
    for name, table in build(UNIT, task, [0], CPU)[0].state_dict().items():
        assert {weights[name].shape for (weights,) in held.values()} == {table.shape[1:]}


def test_a_member_that_diverged_has_nothing_to_be_seen_at_its_end(scored):
    who = [WHO[0], Member(seed=1, learning_rate=1e38)]
    outcomes, seen = probe.train_and_look(UNIT, who, ["scored"], CPU)
    assert [o.verdict == "diverged" for o in outcomes] == [False, True]
    assert seen["end"][who[1]] == {"scored": {}}
    assert seen["start"][who[1]]["scored"]["score"]
    (alone,), alone_seen = probe.train_and_look(UNIT, who[:1], ["scored"], CPU)
    (score,), (alone_score,) = (s["end"][who[0]]["scored"]["score"] for s in (seen, alone_seen))
    assert score == pytest.approx(alone_score, abs=ONE)
    assert outcomes[0].score == pytest.approx(alone.score, abs=ONE)


def test_a_store_holds_every_instrument_that_suits(tmp_path):
    store = probe.run("smoke", out=tmp_path / "r", models=["rnn", "transformer"], seeds=2)
    found = {(p.unit.task, p.unit.model, p.instrument) for p in store.probes()}
    assert found == {
        ("adding", "rnn", "gradient"),
        ("adding", "transformer", "gradient"),
        ("adding", "transformer", "attention"),
        ("latch", "rnn", "gradient"),
        ("latch", "transformer", "gradient"),
        ("latch", "transformer", "attention"),
    }
    assert len(store.probes()) == len(found) * 2 * 2  # seeds and moments
    assert store.validate() == []
    for seen in store.probes():
        assert seen.series
        assert all(number is not None for numbers in seen.series.values() for number in numbers)


def test_what_is_there_is_skipped_and_the_rest_is_added(tmp_path, monkeypatch):
    def run(**what):
        lines = []
        store = probe.run(
            "smoke", tasks=["latch"], models=["lstm"], out=tmp_path, say=lines.append, **what
        )
        return store, lines

    store, lines = run(instruments=["gradient"], seeds=1)
    assert lines == ["latch lag 6 lstm: gradient of seeds 0"]
    before = {file: file.read_bytes() for file in store.path.glob("probes/*")}
    _, lines = run(seeds=2)
    assert lines == [
        "latch lag 6 lstm: gradient of seeds 1",
        "latch lag 6 lstm: gates of seeds 0,1",
    ]
    assert len(store.probes()) == 2 * 2 * 2
    assert store.validate() == []
    for file, content in before.items():
        assert file.read_bytes() == content
    monkeypatch.setattr(probe, "train", None)
    _, lines = run(seeds=2)
    assert lines == ["latch lag 6 lstm: nothing is left to look at"]


def looked_at(**asked):
    """Return the conditions that are looked at."""
    return list(probe.select(RunSpec.of(asked)).units.values())


def test_without_a_task_the_longest_lags_of_those_that_are_known():
    found = looked_at(profile="paper", models=["lstm"])
    assert {(c.setting.task, c.lag) for c in found} == {
        ("latch", 50),
        ("adding", 50),
        ("temporal-order", 60),
        ("copy", 20),
        ("recall", 8),
    }
    (one,) = looked_at(profile="paper", tasks=["latch"], models=["lstm"], lags=[10])
    assert one.lag == 10


def test_a_later_part_of_a_profile_is_looked_at_only_when_asked_for():
    what = {"profile": "paper", "tasks": ["temporal-order"], "models": ["lstm"], "lags": [60]}
    (one,) = looked_at(**what)
    assert one.model == "lstm"
    assert {c.setting.part for c in looked_at(**what, parts=["claims"])} == {"claims"}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"instruments": ["gate"]}, "unknown instrument 'gate'; did you mean 'gates'?"),
        ({"tasks": ["ading"]}, "unknown task 'ading'"),
        ({"models": ["lsm"]}, "unknown model 'lsm'"),
        ({"seeds": 0}, "seeds must be greater than 0; got 0"),
        ({"models": ["cnn_lstm"]}, "no task here that these models can read"),
        ({"tasks": ["latch"], "models": ["cnn_lstm"]}, "reads video"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, what, words):
    with pytest.raises(BadInput, match=words.replace("?", r"\?")):
        probe.run("smoke", out=tmp_path / "r", **what)
    assert not (tmp_path / "r").exists()


def test_data_that_is_missing_is_told_before_anything_is_written(tmp_path, monkeypatch):
    def sample(self, keys):
        raise DataMissing("the data set 'latches' is missing")

    monkeypatch.setattr(TASKS["latch"], "sample", sample)
    with pytest.raises(DataMissing, match="the data set 'latches' is missing"):
        probe.run("smoke", out=tmp_path / "r", tasks=["latch"], models=["lstm"])
    assert not (tmp_path / "r").exists()


def test_what_a_class_of_ones_own_raises_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(MODELS, "added", {})

    class Leaves(LSTM):
        name = "leaves"

        def forward(self, x, answers):
            raise SystemExit("no more")

    with pytest.raises(BadInput, match="can't look into latch lag 6 leaves: SystemExit: no more"):
        probe.run("smoke", out=tmp_path / "r", tasks=["latch"], models=[Leaves])


@pytest.fixture
def tuned(monkeypatch):
    setting = replace(LATCH.setting, steps=20)
    profile = replace(
        SMOKE,
        name="tuned",
        tuned=True,
        settings=(setting,),
        grid=(1e-3, 1e-2),
        tuning_seeds=(1000,),
    )
    monkeypatch.setitem(PROFILES, "tuned", profile)


def test_a_tuned_profile_finds_its_rates_in_the_folder(tuned, tmp_path):
    where = {"tasks": ["latch"], "models": ["rnn"], "out": tmp_path / "r", "seeds": 1}
    with pytest.raises(BadInput, match="lacks the tuning of latch lag 6 rnn"):
        probe.run("tuned", **where)
    store = runs.run("tuned", engine="serial", **where)
    (reported,) = {r.member for r in store.records() if r.member.role == "reporting"}
    probe.run("tuned", instruments=["gradient"], **where)
    assert {p.member for p in store.probes()} == {reported}


@dataclass(frozen=True)
class Stranger(TASKS["latch"]):
    """A latch that is not known here."""

    name = "stranger"


def test_of_a_task_that_is_not_known_there_is_a_gradient_alone():
    task = Stranger(lag=6)
    model = probe.build_for(UNIT)[1]
    assert [name for name, i in INSTRUMENTS.items() if i.applies(task, model)] == ["gradient"]


@pytest.mark.parametrize("guest", [False, True])
def test_no_commit_names_the_code_of_a_guest(scored, monkeypatch, guest):
    monkeypatch.setattr(probe.machine, "read_commit", lambda: ("c" * 40, False))
    if guest:
        others = {name: where for name, where in MODELS.builtin.items() if name != "lstm"}
        monkeypatch.setattr(MODELS, "builtin", others)
        monkeypatch.setitem(MODELS.added, "lstm", LSTM)
    (rows,) = probe.probe_members(UNIT, WHO[:1], {"scored": WHO[:1]}, "cpu")
    assert {row.dirty for row in rows} == {guest}


def test_instruments_look_at_no_rung_and_say_so(tmp_path):
    with pytest.raises(BadInput, match=r"'smoke-climb' has only ladders here, .* 'experiment'"):
        probe.run("smoke-climb", out=tmp_path / "r", tasks=["latch"])
    assert not (tmp_path / "r").exists()
