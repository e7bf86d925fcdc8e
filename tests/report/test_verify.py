"""Reruns made by hand, against an edition made by hand."""

import json
from pathlib import Path

import made
import pytest

from seqbench import cli
from seqbench.errors import BadInput, SpecificationDiffers
from seqbench.protocol.profiles import PROFILES
from seqbench.protocol.settings import TUNING_SEEDS
from seqbench.records.schema import Curve, Planned, Rung
from seqbench.records.store import Store
from seqbench.report.compare import Pair
from seqbench.report.verify import find_edition, verify

TASKS = [f"task-{i}" for i in range(10)]
MODELS = ("rnn", "lstm", "gru")
SEEDS = 3


def runs(task, model, solved=SEEDS, seeds=SEEDS, loss=0.012, verdict="not_solved", **unit):
    """Return the runs of a cell, of which so many solved."""
    unit = made.UNIT.model_copy(update={"task": task, "model": model, **unit})
    bad = {"verdict": verdict, "score": 0.1, "steps_to_solve": None}
    if verdict == "failed":
        none = Curve(step=[], loss=[], score=[])
        bad |= {"reason": "why", "score": None, "test_loss": None, "steps": 0, "curve": none}
    good = {"test_loss": loss}
    return [made.record(s, unit=unit, **(good if s < solved else good | bad)) for s in range(seeds)]


@pytest.fixture
def make(tmp_path):
    """Return a maker of results folders from the runs of cells."""

    def folder(name, *cells, steps=(), **manifest):
        store = Store(tmp_path / name).create(made.MANIFEST.model_copy(update=manifest))
        store.add_system(made.SYSTEM)
        for cell in cells:
            store.append(cell)
        if steps:
            store.add_throughput("all", steps)
        return store

    return folder


def table(loss=0.012, broken=(), **changes):
    """Return the runs of thirty cells; the LSTM fails in the broken tasks."""
    return [
        runs(task, model, 0 if model == "lstm" and task in broken else SEEDS, loss=loss, **changes)
        for task in TASKS
        for model in MODELS
    ]


def test_the_same_records_are_reproduced_bit_for_bit_whenever_they_were_made(make):
    later = made.PROVENANCE.model_copy(update={"commit": "1" * 40})
    again = [
        [r.model_copy(update={"provenance": later, "cost": r.cost.model_copy(update={"seconds": 9.0})}) for r in cell]
        for cell in table()
    ]  # fmt: skip
    found = verify(make("mine", *again), make("2026.1", *table(), edition="2026.1"))
    assert (found.verdict, found.exit_code) == ("reproduced", 0)
    assert all(cell.same for cell in found.conditions)
    assert "30 of 30 conditions of edition '2026.1'" in found.sentence
    assert "bit for bit" in found.sentence
    assert found.list_condition_rows(everything=False) == []


def test_other_bits_with_the_same_outcomes_are_reproduced_by_the_mean(make):
    found = verify(make("mine", *table(loss=0.013)), make("preview", *table()))
    assert found.exit_code == 0
    assert not any(cell.same for cell in found.conditions)
    assert {j.verdict for j in found.judgement.conditions} == {"inconclusive"}
    assert "within ±0.05" in found.sentence


def test_a_broken_model_is_named(make):
    found = verify(make("mine", *table(loss=0.013, broken=TASKS[:5])), make("preview", *table()))
    assert (found.verdict, found.exit_code) == ("contradicted", 1)
    assert "lstm (mean -0.500" in found.sentence
    assert "gru" not in found.sentence
    rows = found.list_condition_rows(everything=False)
    assert [(r["task"], r["edition"], r["rerun"]) for r in rows] == [
        (t, "3/3", "0/3") for t in TASKS[:5]
    ]
    assert len(found.list_condition_rows(everything=True)) == 30


def test_a_cell_that_is_not_reproduced_is_named(make):
    found = verify(
        make("mine", runs("a", "lstm", 0, 10), runs("b", "lstm", 10, 10)),
        make("preview", runs("a", "lstm", 10, 10), runs("b", "lstm", 10, 10)),
    )
    assert found.conditions[0].pair == Pair(10, 10, 0, 10)
    assert "lstm on a at lag 8 (10/10 became 0/10)" in found.sentence


def test_too_few_cells_are_inconclusive_and_what_is_missing_is_counted(make):
    rerun = [*table(loss=0.013)[:3], runs("more", "lstm")]
    found = verify(make("mine", *rerun), make("preview", *table()))
    assert (found.verdict, found.exit_code) == ("inconclusive", 4)
    assert (found.edition_only, found.rerun_only) == (27, 1)
    assert "3 of 30 conditions" in found.sentence
    nothing = verify(make("other", runs("more", "lstm")), make("again", *table()))
    assert nothing.exit_code == 4
    assert "no condition in common" in nothing.sentence


def test_fewer_seeds_are_not_the_same_bits(make):
    found = verify(make("mine", runs("a", "lstm", seeds=2)), make("preview", runs("a", "lstm")))
    assert not found.conditions[0].same
    assert found.verdict == "inconclusive"


def test_runs_that_failed_count_and_are_told(make):
    failed = runs("a", "lstm", 1, verdict="failed")
    found = verify(make("mine", failed), make("preview", runs("a", "lstm")))
    assert found.conditions[0].pair == Pair(3, 3, 1, 3)
    assert found.ended == 2
    assert any("failed" in line and line.endswith(": 2") for line in found.list_counts())


def test_tuning_runs_are_not_compared(make):
    tuning = [made.record(1000, role="tuning", unit=runs("a", "lstm")[0].unit)]
    found = verify(make("mine", runs("a", "lstm"), tuning), make("preview", runs("a", "lstm")))
    assert found.conditions[0].pair == Pair(3, 3, 3, 3)


def test_another_specification_is_refused_with_both(make):
    with pytest.raises(SpecificationDiffers, match=r"under f{16}.*under 0{16}"):
        verify(make("mine", specification="0" * 16), make("preview"))


def test_a_cell_that_was_measured_otherwise_is_refused_with_both_units(make):
    old, new = runs("a", "lstm"), runs("a", "lstm", model_version=2)
    with pytest.raises(SpecificationDiffers, match="lstm on a at lag 8") as told:
        verify(make("mine", new), make("preview", old))
    assert old[0].unit_id in str(told.value)
    assert new[0].unit_id in str(told.value)
    # other options make another cell
    other = runs("a", "lstm", model_options={"layers": 2})
    assert verify(make("third", other), make("fourth", old)).edition_only == 1


# Step times


def step(seconds, system=made.SYSTEM.id, spread=0.02, **changes):
    quartiles = (seconds * (1 - spread), seconds * (1 + spread))
    return made.throughput(seconds_per_token=seconds, quartiles=quartiles, system=system, **changes)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (step(1.05e-6), "equivalent"),
        (step(1.5e-6), "different"),
        (step(0.5e-6), "different"),
        (step(1.25e-6), "inconclusive"),
        (step(1e-6, spread=0.0, rounds=1), "inconclusive"),
        (step(1e-6, system="0" * 16), "not comparable"),
    ],
)
def test_step_times_are_compared_on_one_machine_and_do_not_bear_on_the_verdict(
    make, after, verdict
):
    found = verify(
        make("mine", *table(), steps=[after]), make("preview", *table(), steps=[step(1e-6)])
    )
    (row,) = found.list_step_rows()
    assert row["verdict"] == verdict
    assert found.verdict == "reproduced"


def test_steps_that_were_not_timed_again_are_left_out(make):
    found = verify(make("mine"), make("preview", steps=[step(1e-6)]))
    assert found.list_step_rows() == []


# The edition


def test_the_newest_edition_of_the_same_specification_is_taken(make, tmp_path):
    for name in ("preview", "2026.9", "2026.10"):
        make(f"results/{name}", edition=name)
    make("results/2027.1", edition="2027.1", specification="0" * 16)
    rerun = make("mine")
    assert find_edition(rerun, tmp_path / "results").path.name == "2026.10"
    assert (
        find_edition(Store(tmp_path / "results" / "2026.10"), tmp_path / "results").path.name
        == "2026.9"
    )
    with pytest.raises(SpecificationDiffers, match=r"under 1{16}.*2027\.1 under 0{16}"):
        find_edition(make("other", specification="1" * 16), tmp_path / "results")
    with pytest.raises(BadInput, match="no edition"):
        find_edition(rerun, tmp_path / "nowhere")


# The command


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """Return a function that runs the command in the folder of the made-up results."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.terminal.obey(cli.app, ["verify", *arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return called


def test_the_command_says_the_verdict_and_exits_with_its_code(make, call):
    make("results/preview", *table(), edition="preview")
    make("results/local/quick", *table())
    make("broken", *table(broken=TASKS[:5]))
    make("few", *table(loss=0.013)[:3])
    make("other", specification="0" * 16)

    code, out, err = call()
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("reproduced: ")

    code, out, _ = call("results/preview", "--results", "broken")
    assert code == 1
    assert out.splitlines()[-1].startswith("contradicted: ")

    assert call("--results", "nowhere")[0] == 2
    assert call("nowhere", "--results", "few")[0] == 2

    code, out, err = call("--results", "other")
    assert (code, out) == (3, "")
    assert "f" * 16 in err
    assert "0" * 16 in err

    code, out, _ = call("--results", "few", "--json")
    document = json.loads(out)
    assert code == 4
    assert document["verdict"] == "inconclusive"
    assert len(document["cells"]) == 3
    assert document["only_in_edition"] == 27


def test_an_edition_is_named_without_its_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["seqbench", "verify", "2026.7"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert f"{Path('results', 'local', 'quick')} is no results folder" in capsys.readouterr().err
    Store(Path("results", "local", "quick")).create(made.MANIFEST)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert f"{Path('results', '2026.7')} is no results folder" in capsys.readouterr().err


# Experiments: compared where they meet


def fix_rate(unit, rate):
    """Return a unit whose learning rate is given, not tuned."""
    budget = unit.budget.model_copy(update={"learning_rate": rate})
    return unit.model_copy(update={"budget": budget})


EXPERIMENTS = {"profile": "experiment", "specification": "e" * 16}


def test_experiments_are_compared_in_the_conditions_that_both_have(make):
    steps = made.BUDGET.model_copy(update={"steps": 200})
    mine = make(
        "mine", runs("a", "lstm"), runs("b", "lstm", budget=steps), runs("c", "gru"), **EXPERIMENTS
    )
    edition = make(
        "2026.1", runs("a", "lstm"), runs("b", "lstm"), runs("d", "gru"), edition="2026.1"
    )
    found = verify(mine, edition)
    assert [unit.task for unit in found.units] == ["a"]
    assert (found.edition_only, found.rerun_only) == (2, 2)
    assert "1 of 3 conditions of edition '2026.1'" in found.sentence


def test_a_rate_that_is_given_meets_the_edition_that_chose_it(make):
    unit = made.UNIT

    def given(name, rate):
        fixed = fix_rate(unit, rate)
        return make(name, [made.record(s, rate, unit=fixed) for s in range(3)], **EXPERIMENTS)

    edition = make("2026.1", [made.record(s, 1e-2, unit=unit) for s in range(3)], edition="2026.1")
    found = verify(given("same", 1e-2), edition)
    assert found.conditions[0].same
    found = verify(given("other", 3e-3), edition)
    assert (found.verdict, found.exit_code) == ("inconclusive", 4)
    assert found.sentence == (
        "inconclusive: the rerun has no condition in common with edition '2026.1': lstm on adding at lag 8 differs "
        "in learning rate None, here 0.003; its chosen learning rate is 0.01"
    )


def test_experiments_find_the_newest_edition_that_has_a_condition_of_theirs(make, tmp_path):
    planned = Planned(unit=made.UNIT, part="core", seeds=3)
    make("2026.1", edition="2026.1").write_plan([planned])
    make("2027.1", edition="2027.1")
    mine = make("local/mine", [made.record(0, unit=fix_rate(made.UNIT, 1e-2))], **EXPERIMENTS)
    assert find_edition(mine, tmp_path).path.name == "2026.1"
    other = make("local/other", runs("z", "gru"), **EXPERIMENTS)
    assert find_edition(other, tmp_path).path.name == "2027.1"
    assert verify(other, find_edition(other, tmp_path)).sentence == (
        "inconclusive: the rerun has no condition in common with edition '2027.1'"
    )


def test_the_runs_that_decided_a_rung_are_compared(make):
    """Where all fail at the best rate, those at the second-best decide; the tuning is not compared."""
    rung = Planned(
        unit=made.UNIT,
        part="adding",
        seeds=5,
        rung=Rung(ladder="adding", knob="length", unit="steps", value=8),
    )
    bad = {"verdict": "not_solved", "score": 0.1, "steps_to_solve": None}
    rates = PROFILES["experiment"].grid
    tuning = [
        made.record(s, rate, role="tuning", **({} if rate in (1e-2, 3e-2) else bad))
        for rate in rates
        for s in TUNING_SEEDS
    ]
    best = [made.record(s, 1e-2, **bad) for s in range(5)]
    second = [made.record(s, 3e-2, role="second") for s in range(5)]
    folders = []
    for name, manifest in {"mine": EXPERIMENTS, "2027.1": {"edition": "2027.1", "form": 3}}.items():
        store = make(name, [*tuning, *best, *second], **({"profile": "edition"} | manifest))
        store.write_plan([rung])
        folders.append(store)
    found = verify(*folders)
    assert found.conditions[0].pair == Pair(5, 5, 5, 5)
    assert found.conditions[0].same


def test_quick_is_compared_with_the_edition_by_the_seeds_that_both_have(make):
    other = {"edition": "2026.2", "profile": "edition", "specification": "1" * 16}
    edition = make("2026.2", runs("a", "lstm", 5, 5), runs("b", "lstm", 0, 5), **other)
    same = make("same", runs("a", "lstm", 3, 3), runs("b", "lstm", 0, 3), profile="quick")
    found = verify(same, edition)
    assert found.sentence.startswith(
        "2 of 2 conditions of edition 2026.2 were reproduced on this machine"
    )
    assert [c.pair.n1 for c in found.conditions] == [3, 3]
    off = make("off", runs("a", "lstm", 3, 3), runs("b", "lstm", 3, 3), profile="quick")
    found = verify(off, edition)
    assert found.sentence.startswith("1 of 2 conditions of edition 2026.2 were reproduced")
    assert "(0/3 became 3/3)" in found.sentence
