"""What is reached without a network: computed, kept in the folder, and shown beside the runs."""

import json
from dataclasses import dataclass

import made
import pytest
import user_defined
from made import baseline

from seqbench import machine
from seqbench.errors import BadInput, DataMissing
from seqbench.measure import baselines
from seqbench.protocol.settings import Setting
from seqbench.records.schema import Scale
from seqbench.records.store import Store
from seqbench.report.results import Results
from seqbench.tasks import TASKS
from seqbench.tasks.time_machine import TimeMachine


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "store").create(made.MANIFEST)
    store.add_system(made.SYSTEM)
    return store


def test_kept_once_a_name_in_place_of_the_older(store):
    store.add_baselines([baseline(), baseline(name="other")])
    store.add_baselines([baseline(score=0.25)])
    store.add_baselines([baseline(task_options={"k": 2})])
    assert sorted(b.score for b in store.baselines()) == [0.25, 0.5]
    assert store.validate() == []
    store.add_baselines([baseline(), baseline()])
    assert "the same measurement" in store.validate()[0]
    with pytest.raises(BadInput, match="the same measurement"):
        store.baselines()


def test_a_machine_that_is_not_described_is_found(store):
    store.add_baselines([baseline(system="2" * 16)])
    (wrong,) = store.validate()
    assert "2" * 16 in wrong


def test_beside_each_stand_the_runs_on_the_same_data(store):
    low = Scale(measure="error", higher_is_better=False, chance=1.0, threshold=0.1)
    for seed, score in enumerate((0.92, 0.95, 1.0)):
        store.append([made.record(seed, score=score)])
    store.append([made.record(1000, role="tuning")])
    store.add_baselines([baseline(score=0.95), baseline(name="zero", score=0.0)])
    error = {"lag": 9, "scale": low}
    store.add_baselines([baseline(score=0.2, **error), baseline(name="z", score=0.3, **error)])
    worst, best, *unpaired = Results.read(store).table("T7").values
    assert [worst["baseline"], best["baseline"]] == ["zero", "guess"]
    assert (best["score_median"], best["score_best"], best["best_model"]) == (0.95, 1.0, "lstm")
    assert (best["beaten"], best["runs"], worst["beaten"]) == (1, 3, 3)
    assert [row["baseline"] for row in unpaired] == ["z", "guess"]  # lower is better here
    assert {row["runs"] for row in unpaired} == {None}


def test_without_any_there_is_no_table(store):
    assert not Results.read(store).table("T7")


def test_missing_data_skips_a_task_with_a_line(tmp_path, monkeypatch):
    def missing(self):
        raise DataMissing("it is not there")

    monkeypatch.setattr(TimeMachine, "baselines", missing)
    said = []
    store = baselines.run(
        "paper", tasks=["time-machine", "latch"], lags=[50], out=tmp_path / "a", say=said.append
    )
    assert said == ["time-machine is skipped: it is not there"]
    assert store.baselines() == []


def test_what_a_task_says_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(TimeMachine, "baselines", lambda self: {"count": 2.0 + self.lag})
    monkeypatch.setattr(TimeMachine, "chance", 4.0)
    monkeypatch.setattr(TimeMachine, "threshold", 3.0)
    store = baselines.run("paper", tasks=["time-machine"], lags=[50], out=tmp_path / "a")
    (found,) = store.baselines()
    assert (found.name, found.score, found.lag) == ("count", 52.0, 50)
    assert json.loads(found.canonical())["scale"]["threshold"] == 3.0
    assert store.validate() == []
    with pytest.raises(BadInput, match="unknown task 'latsch'"):
        baselines.run("quick", tasks=["latsch"], out=tmp_path / "b")


def test_no_commit_names_the_code_of_a_guest(monkeypatch):
    @dataclass(frozen=True)
    class Guessed(user_defined.Echo):
        name = "guessed"

        def baselines(self):
            return {"guess": 0.5}

    monkeypatch.setattr(machine, "read_commit", lambda: ("c" * 40, False))
    monkeypatch.setitem(TASKS.added, "guessed", Guessed)
    (row,) = baselines.compute_baselines("guessed", 4)
    assert row.dirty
    monkeypatch.setitem(TASKS.builtin, "guessed", "where it would be, were it the house's own")
    (row,) = baselines.compute_baselines("guessed", 4)
    assert not row.dirty


LADDER = "smoke-climb"  # latch at 2, 4, 8 and 300


@pytest.fixture(scope="module")
def guessed(tmp_path_factory) -> Store:
    """A folder with the baselines of a small ladder."""
    return baselines.run(LADDER, out=tmp_path_factory.mktemp("guessed") / "out")


def read_files(store: Store) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (store.path / "baselines").iterdir()}


def test_every_rung_of_a_ladder_has_a_row_of_weight_guessing(guessed):
    rows = sorted(guessed.baselines(), key=lambda row: row.lag)
    assert [(row.task, row.lag, row.name) for row in rows] == [
        ("latch", lag, "weight guessing") for lag in (2, 4, 8, 300)
    ]
    assert guessed.validate() == []
    table = Results.read(guessed).table("T7")
    assert [row["score"] for row in table.values] == [round(row.score, 4) for row in rows]
    assert {row["threshold"] for row in table.values} == {0.95}
    assert "none of them trained" in table.notes[0]


def test_the_threshold_is_not_in_tables_of_earlier_forms(guessed):
    for form, there in ((2, False), (3, True)):
        assert ("threshold" in Results.read(guessed, form).table("T7").values[0]) is there


def test_a_setting_has_no_guesses(tmp_path):
    assert baselines.run("smoke", tasks=["latch"], out=tmp_path / "a").baselines() == []


def test_an_interrupted_run_goes_on_where_it_was(guessed, tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        baselines.run(LADDER, out=tmp_path / "a", say=interrupt)
    (first,) = Store(tmp_path / "a").baselines()
    said = []
    store = baselines.run(LADDER, out=tmp_path / "a", say=said.append)
    assert [line for line in said if "skipped" in line] == [
        f"latch, lag {first.lag}, was computed already and is skipped"
    ]
    assert read_files(store) == read_files(guessed)


def test_what_is_there_is_kept_unless_forced(tmp_path, monkeypatch):
    monkeypatch.setattr(TimeMachine, "chance", 4.0)
    monkeypatch.setattr(TimeMachine, "threshold", 3.0)
    monkeypatch.setattr(TimeMachine, "baselines", lambda self: {"count": 2.0})
    ask = {"tasks": ["time-machine"], "lags": [50], "out": tmp_path / "a"}
    baselines.run("paper", **ask)
    monkeypatch.setattr(TimeMachine, "baselines", lambda self: {"count": 2.5})
    assert baselines.run("paper", **ask).baselines()[0].score == 2.0
    assert baselines.run("paper", force=True, **ask).baselines()[0].score == 2.5
    monkeypatch.setattr(TimeMachine, "version", 2)
    monkeypatch.setattr(TimeMachine, "baselines", lambda self: {"count": 3.0})
    assert [row.score for row in baselines.run("paper", **ask).baselines()] == [3.0]


def test_a_task_may_have_options_and_a_part_be_chosen(tmp_path):
    store = baselines.run("paper", tasks=["moving-shapes:label=shape"], out=tmp_path / "a")
    assert store.baselines() == []
    with pytest.raises(BadInput, match="unknown part 'lach'"):
        baselines.run(LADDER, parts=["lach"], out=tmp_path / "b")
    small = Setting("copy:symbols=2", (3,), steps=4, batch=8, validation_size=8, test_size=16)
    (row,) = baselines.compute_baselines("copy", 3, {"symbols": 2}, small)
    assert (row.name, row.task_options) == ("weight guessing", {"symbols": 2})
