"""The trials of the ledger: kept one by one, never run twice, and what the table says of them."""

import json
from dataclasses import replace

import made
import pytest
from pydantic import ValidationError

from seqbench import cli, machine
from seqbench.errors import BadInput
from seqbench.ledger import trials
from seqbench.ledger.online import Outcome
from seqbench.ledger.rows import LEDGER, ONLINE
from seqbench.records.schema import LAYERS
from seqbench.records.store import Store
from seqbench.report.folder import check_tables, write_tables
from seqbench.report.page import Page
from seqbench.report.results import Results

ORDER = ONLINE["hs97-order-4"]


def trial(seed=0, row=ORDER, **changes):
    return made.trial(row, seed, **changes)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store").create(made.MANIFEST.model_copy(update={"profile": "ledger"}))
    store.add_system(made.SYSTEM)
    return store


@pytest.fixture
def ran(monkeypatch):
    """Replace the training; return which trials were asked for."""
    asked = []

    def stand_in(row, seeds, until, progress, checkpoint):
        asked.append((row.id, list(seeds)))
        progress(64, len(seeds))
        for seed in seeds:
            yield [Outcome(seed, seed != 1, row.budget - (seed != 1), 0, 2560, 156, 1.5)]

    monkeypatch.setattr(trials, "run_trials", stand_in)
    return asked


# Kept


def test_trials_are_added_to_those_that_are_there(store):
    store.add_trials(ORDER.id, [trial(0)])
    store.add_trials(ORDER.id, [trial(1), trial(2)])
    assert [t.seed for t in store.trials()] == [0, 1, 2]
    assert store.validate() == []
    assert [file.name for file in store.path.glob("trials/*")] == ["hs97-order-4.jsonl"]


def test_the_same_trial_twice_and_a_torn_line_are_found(store):
    file = store.path / "trials" / "hs97-order-4.jsonl"
    file.parent.mkdir()
    line = trial().canonical()
    file.write_text(f"{line}\n{line}\n{line[:40]}\n")
    wrong = "\n".join(store.validate())
    assert "line 2: the same measurement as" in wrong
    assert "line 3: Invalid JSON" in wrong
    file.write_text(trial(system="0" * 16).canonical() + "\n")
    assert "its system 0000000000000000 has no file" in store.validate()[0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sequences": ORDER.budget + 1}, "over the budget"),
        ({"success": False}, "can't be given up after 30000 of 125560"),
        ({"wrong": 2561}, "can't be wrong"),
        ({"seed": -1}, "seed"),
        ({"experiment": "a/b"}, "experiment"),
    ],
)
def test_what_can_not_be_is_no_trial(changes, why):
    with pytest.raises(ValidationError, match=why):
        trial(**changes)


# Run


def test_only_what_is_lacking_is_run(tmp_path, ran):
    out = tmp_path / "out"
    trials.run(["hs97-order-4"], trials=2, out=out)
    said = []
    store = trials.run(["hs97-order-4"], trials=3, out=out, say=said.append)
    assert ran == [("hs97-order-4", [0, 1]), ("hs97-order-4", [2])]
    assert said == [
        "hs97-order-4: 2 trials are there already and are skipped",
        "hs97-order-4: trial 2 succeeded after 125,559 sequences",
    ]
    assert [(t.seed, t.success, t.sequences) for t in store.trials()] == [
        (0, True, 125_559), (1, False, 125_560), (2, True, 125_559),
    ]  # fmt: skip
    assert store.trials()[0].commit == machine.read_commit()[0]
    assert store.validate() == []


def test_trials_of_another_protocol_do_not_count(store, ran):
    store.add_trials(ORDER.id, [trial(0, protocol="0" * 16)])
    trials.run(["hs97-order-4"], trials=1, out=store.path)
    assert ran == [("hs97-order-4", [0])]
    assert len(store.trials()) == 2
    row = next(r for r in Results.read(store).table("T10").rows if r["row"] == "hs97-order-4")
    assert row["runs"] == 1


def test_trials_lie_beside_what_becomes_an_edition_and_beside_nothing_else(tmp_path, ran):
    manifest = made.MANIFEST.model_copy(update={"profile": "paper", "citable": True})
    trials.run(["hs97-order-4"], trials=1, out=Store(tmp_path / "a").create(manifest).path)
    quick = Store(tmp_path / "b").create(made.MANIFEST)
    edition = manifest.model_copy(update={"edition": "2026.1", "files": {"facts.json": "0" * 64}})
    for store in (quick, Store(tmp_path / "c").create(edition)):
        with pytest.raises(BadInput, match="choose another folder with --out"):
            trials.run(["hs97-order-4"], trials=1, out=store.path)
        assert [file.name for file in store.path.iterdir()] == ["manifest.json"]
    assert len(ran) == 1


def test_without_a_name_all_are_run(tmp_path, ran):
    trials.run(trials=1, out=tmp_path / "out")
    assert [id_ for id_, _ in ran] == list(ONLINE)


@pytest.mark.parametrize(("what", "value"), [("trials", 0), ("budget", -1.0)])
def test_nothing_is_done_for_no_trial_and_in_no_time(tmp_path, what, value):
    with pytest.raises(BadInput, match=f"{what} must be greater than 0"):
        trials.run(["hs97-reber"], out=tmp_path / "out", **{what: value})
    assert not (tmp_path / "out").exists()


def test_a_real_trial_is_run_and_kept(tmp_path, monkeypatch):
    short = replace(ONLINE["hs97-reber-elman"], budget=20)
    monkeypatch.setitem(ONLINE, "hs97-reber-elman", short)
    store = trials.run(["hs97-reber-elman"], trials=2, out=tmp_path / "out")
    assert [(t.seed, t.success, t.sequences, t.parameters) for t in store.trials()] == [
        (0, False, 20, 435), (1, False, 20, 435),
    ]  # fmt: skip
    assert store.validate() == []
    assert not list(store.path.glob("unfinished/*"))


# The table


def rows(store):
    return {row["row"]: row for row in Results.read(store).table("T10").values}


def test_a_folder_without_trials_has_no_ledger(store):
    assert not Results.read(store).table("T10")
    assert "seqbench replicate" in Page(store.path).ledger().markdown


def test_a_row_by_hand(store):
    sequences = [20_000, 30_000, 30_000, 30_000, 31_000, 32_000, 33_000, 34_000, 90_000]
    mine = [trial(seed, sequences=n) for seed, n in enumerate(sequences)]
    store.add_trials(ORDER.id, [*mine, trial(9, success=False, sequences=ORDER.budget, wrong=2000)])
    found = rows(store)
    assert list(found) == [row.id for row in LEDGER]
    row = found["hs97-order-4"]
    assert (row["solved"], row["runs"], row["rate"]) == (9, 10, 0.9)
    assert (row["rate_low"], row["rate_high"]) == (0.596, 0.982)
    assert (row["sequences"], row["sequences_min"], row["sequences_max"]) == (
        31_000,
        20_000,
        90_000,
    )
    assert (row["published"], row["verdict"]) == ("31,390 sequences", "agrees")
    assert (row["wrong"], row["tested"], row["parameters"]) == (9 + 2000, 10 * 2560, 156)
    assert "mean over trials" in row["deviations"]
    assert found["hs97-adding-100"]["verdict"] == "not run"
    assert found["chung2014-music"]["deviations"] == "missing: data set not included"


def test_the_page_has_what_differs_as_a_list_and_not_as_a_column(store):
    assert Page(store.path).deviations() is None
    store.add_trials(ORDER.id, [trial()])
    page = Page(store.path)
    assert "deviations" not in [column.name for column in page.ledger().columns]
    line = f"- {ORDER.paper}, {ORDER.experiment}: {'; '.join(ORDER.deviations)}."
    assert line in repr(page.deviations()).splitlines()


def of(task, model, lag, score, seed):
    shape = {"task": task, "model": model, "lag": lag, "layers": LAYERS.get(model, 1)}
    unit = made.UNIT.model_copy(update=shape)
    solved = score >= 0.9
    return made.record(
        seed, unit=unit, score=score, verdict="solved" if solved else "not_solved",
        steps_to_solve=40 if solved else None,
    )  # fmt: skip


def test_the_benchmarks_own_runs_are_read(store):
    store.add_trials(ORDER.id, [trial()])
    for seed in range(10):
        store.append([of("adding", "gru", 600, 0.96875, seed)])
        store.append([of("adding", "lstm", 600, 0.5, seed)])
        store.append([of("adding", "rnn", 50, 0.95, seed)])  # of another length
        store.append([of("parity", "transformer", 40, 1.0, seed)])
        store.append([of("parity", "transformer", 100, 0.5 + seed / 100, seed)])
        store.append([of("timed-spikes", "lstm_peephole", 10, 1.0, seed)])
        store.append([of("timed-spikes", "lstm", 10, 0.0, seed)])
        store.append([of("timed-spikes", "lstm", 20, 1.0, seed)])  # of one of the two only
    found = rows(store)
    assert (found["bai2018-adding-gru"]["verdict"], found["bai2018-adding-gru"]["rate"]) == (
        "agrees",
        1,
    )
    assert (found["bai2018-adding-lstm"]["verdict"], found["bai2018-adding-lstm"]["rate"]) == (
        "agrees",
        0,
    )
    assert found["bai2018-adding-rnn"]["verdict"] == "not run"
    parity = found["deletang2023-parity-transformer"]
    assert (parity["verdict"], parity["score_best"], parity["score_median"]) == (
        "agrees",
        0.59,
        0.545,
    )
    timing = found["gers2002-timing"]
    assert (timing["verdict"], timing["rate"], timing["other_rate"]) == ("agrees", 1, 0)
    assert found["gers2002-delay"]["verdict"] == "not run"


def test_the_ledger_is_one_of_the_tables(store):
    store.add_trials(ORDER.id, [trial()])
    assert "T10" in [table.id for table in Results.read(store).tables]
    write_tables(store)
    assert check_tables(store) == []
    store.add_trials(ORDER.id, [trial(1)])
    assert any("T10.csv: differs" in wrong for wrong in check_tables(store))


# The command


@pytest.fixture
def call(capsys):
    def called(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.terminal.obey(cli.app, ["replicate", *arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return called


def test_the_command_prints_the_ledger(call, ran, tmp_path):
    code, out, err = call(
        "hs97-order-4,hs97-reber", "--trials", "2", "--out", str(tmp_path / "a"), "--json"
    )
    assert code == 0
    assert ran == [("hs97-order-4", [0, 1]), ("hs97-reber", [0, 1])]
    found = {row["row"]: row for row in json.loads(out)["ledger"]}
    assert (found["hs97-order-4"]["verdict"], found["hs97-order-4"]["runs"]) == ("not settled", 2)
    assert "hs97-reber: trial 1 was given up after 33,760 sequences" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hs97-rebr"], "did you mean 'hs97-reber'?"),
        (["--trials", "0"], "trials must be greater than 0"),
        (["--budget", "soon"], "90s, 9m or 1.5h"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(call, tmp_path, arguments, words):
    code, out, err = call(*arguments, "--out", str(tmp_path / "a"))
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
