"""A published edition is judged by what it carries: a change of the code is no change of what it says."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from seqbench.errors import BadInput
from seqbench.protocol.profiles import PROFILES
from seqbench.records.facts import Facts
from seqbench.records.schema import LAYERS
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store
from seqbench.report.facts import EARLIER, collect_facts, read_facts
from seqbench.report.folder import check_tables, write_tables
from seqbench.report.page import Page
from seqbench.report.results import Results

from .conftest import RECORDS, TUNING

ROOT = Path(__file__).parents[2]

Edit = tuple[str, str, str]  # a file, a text of it, and what stands there instead
ADDING = '        "adding": ("seqbench.tasks.adding:Adding", Knob("length", "steps")),\n'
ORDER = '        "temporal-order": ("seqbench.tasks.temporal_order:TemporalOrder", Knob("length", "steps")),\n'
RNN = '        "rnn": ("seqbench.models.rnn:RNN", RECURRENT),\n'
LSTM = '        "lstm": ("seqbench.models.lstm:LSTM", RECURRENT),\n'
CHANGES: dict[str, list[Edit]] = {
    "a rate is added to the grid": [
        ("protocol/settings.py", "3e-3, 1e-2)", "3e-3, 1e-2, 3e-2)"),
        ("protocol/settings.py", "5.5e-3, 1.7e-2)", "5.5e-3, 1.7e-2, 5.5e-2)"),
        ("protocol/settings.py", "(1000, 1001, 1002)", "(1000, 1001, 1002, 1003)"),
    ],
    "a model and a task are added, others change places": [
        ("tasks/__init__.py", ADDING + ORDER, ADDING.replace("adding", "echo", 1) + ORDER + ADDING),
        ("models/__init__.py", RNN + LSTM, RNN.replace("rnn", "elman", 1) + LSTM + RNN),
        ("models/__init__.py", "ModelFacts()", 'ModelFacts(reads="video")'),
    ],
    "a docstring is reworded": [
        ("report/claims/memory.py", "Say of each task: it holds if the plain", "Said of the plain"),
        ("report/claims/memory.py", "learn short dependencies and", "learn short memories and"),
        ("tasks/latch.py", '"""', '"""Reworded. '),
    ],
    "a column is described in other words": [
        ("report/tables/accuracy.py", "runs, one a seed", "runs of all seeds"),
    ],
    "a table is added": [
        (
            "report/tables/__init__.py",
            '    "T14"',
            '    "T99": ("again", "seqbench.report.tables.runs:runs"),\n    "T14"',
        ),
    ],
    "a row of the ledger has another figure": [
        ("ledger/rows.py", "5.3e-5", "6.3e-5"),
        ("ledger/rows.py", "bound=0.2", "bound=0.3"),
    ],
}


def validated(tmp_path: Path, edits: Iterable[Edit], *editions: str) -> str:
    """Return what a changed copy of the code prints when it validates published editions."""
    shutil.copytree(ROOT / "seqbench", tmp_path / "seqbench", ignore=lambda *_: ["__pycache__"])
    (tmp_path / "results").mkdir()
    for folder in (ROOT / "results" / "2026.1", ROOT / "tests" / "editions" / "preview"):
        (tmp_path / "results" / folder.name).symlink_to(folder)
    for name, before, after in edits:
        file = tmp_path / "seqbench" / name
        text = file.read_text("utf-8")
        assert before in text, f"{name} is another by now: change this test"
        file.write_text(text.replace(before, after), "utf-8")
    code = (
        "import sys; from seqbench import cli; assert cli.__file__.startswith(sys.argv[1]);"
        "[cli.app(['validate', f'results/{e}'], standalone_mode=False) for e in sys.argv[2:]]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *editions],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_code_makes_nothing_wrong_with_an_edition(change, tmp_path):
    edition = "2026.1" if "ledger" in change else "preview"  # which is small, and has no T10
    said = validated(tmp_path, CHANGES[change], edition)
    assert said == f"results/{edition}: nothing is wrong\n"


def test_all_changes_together_make_nothing_wrong_with_any_edition(tmp_path):
    edits = [edit for change in CHANGES.values() for edit in change]
    said = validated(tmp_path, edits, "2026.1", "preview")
    assert said == "results/2026.1: nothing is wrong\nresults/preview: nothing is wrong\n"


def test_the_facts_of_earlier_editions_are_never_changed():
    (file,) = set(EARLIER.values())
    assert sha256(file.read_bytes()).hexdigest() == (
        "e2e2a2641e2ad28abdcdf97791dc9748705849e0c783dfe4546028a75eed888a"
    )
    assert LAYERS["transformer"] == 2  # of every edition of this schema


def test_one_s_own_results_are_judged_by_the_code_of_today(store):
    assert read_facts(store) == collect_facts() == Results.read(store).facts


def test_an_edition_of_a_form_that_held_no_facts_has_those_of_its_form(make_store):
    for form in EARLIER:
        edition = make_store(edition="2025.1", form=form, name=f"form-{form}")
        assert read_facts(edition) == Facts.model_validate_json(EARLIER[form].read_bytes())


def changed(store: Store, **facts: object) -> Store:
    """Return the folder with facts of its own."""
    store.write_facts(collect_facts().model_copy(update=facts))
    return store


def test_tables_and_pages_are_made_of_what_the_folder_says(make_store):
    today = collect_facts()
    claim = today.claims[0].model_copy(update={"sentence": "Once *said* so.", "rule": "As it was."})
    store = changed(
        make_store(RECORDS + TUNING),
        rates=(1e-4, 1e-2, 1e-1),
        models=("lstm", "rnn"),
        video_models=("rnn",),
        tables=("T1", "T3", "T14"),
        claims=(claim, today.claims[2]),
    )
    results = Results.read(store)
    assert [table.id for table in results.tables] == ["T1", "T3", "T14"]
    models = dict.fromkeys(row["model"] for row in results.table("T1").rows)
    assert list(models) == ["lstm", "rnn", "cnn_lstm"]
    assert {row["chosen"] for row in results.table("T3").rows} == {"yes", "no"}  # of no edge
    first, second = results.table("T14").rows
    assert (first["sentence"], first["rule"]) == ("Once *said* so.", "As it was.")
    assert second["claim"] == today.claims[2].id
    page = Page(store.path)
    assert page.machines() is None
    assert r"*Once \*said\* so\.*" in page.evidence().markdown
    with pytest.raises(BadInput, match="unknown table 'machines'"):
        results.find_table("machines", "")
    write_tables(store)
    assert {file.name for file in (store.path / "tables").iterdir()} == {
        *("T1.csv", "T3.csv", "T14.csv", "index.json")
    }
    assert check_tables(store) == []


def test_a_claim_that_this_code_does_not_have_is_named(make_store, call):
    strange = collect_facts().claims[0].model_copy(update={"id": "short-memry"})
    store = changed(make_store(), claims=(strange,))
    code, out = call("report", "claims", store.path)
    assert code == 2
    assert out.startswith("unknown claim 'short-memry' in facts.json; did you mean 'short-memory'?")


def test_facts_that_are_none_are_found(store, call):
    changed(store)
    assert "facts.json" not in call("validate", store.path)[1]
    file = store.path / "facts.json"
    file.write_text(file.read_text().replace('"rates":[', '"rates":[-1.0,'))
    code, out = call("validate", store.path)
    assert code == 1
    assert "facts.json: rates.0: Input should be greater than 0" in out


def test_a_folder_of_a_profile_is_judged_by_the_grid_of_the_profile(make_store):
    """Until it says otherwise itself: its runs may have been asked to be tuned over another."""
    profile = PROFILES["edition"]
    store = make_store([], profile="edition")
    assert read_facts(store).rates == profile.grid != collect_facts().rates
    store.add_spec(RunSpec.of({"profile": "edition", "grid": [1e-3, 1e-2]}))
    assert read_facts(store).rates == (1e-3, 1e-2)


def test_facts_of_editions_without_ladders_have_no_rule_of_climbing():
    text = EARLIER[1].read_text()
    facts = Facts.model_validate_json(text)
    assert facts.climbing is None
    assert facts.canonical() == text.strip()
