"""Publishing: an edition is whole, sealed, and never rewritten; each that is here is what its records give."""

import sys
from pathlib import Path

import made
import pytest

from seqbench.errors import BadInput
from seqbench.ledger.rows import ONLINE
from seqbench.protocol.profiles import PROFILES
from seqbench.records.schema import Planned
from seqbench.records.store import Store
from seqbench.report.facts import collect_facts
from seqbench.report.folder import check_tables

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import publish  # noqa: E402

FOLDERS = sorted(
    file.parent
    for pattern in ("results/*/manifest.json", "tests/editions/*/manifest.json")
    for file in ROOT.glob(pattern)
)
EDITIONS = [
    path for path in FOLDERS if Store(path).manifest().files
]  # the others are being measured


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    citable = made.MANIFEST.model_copy(update={"citable": True})
    store = Store(Path("results", "local", "smoke")).create(citable)
    store.add_system(made.SYSTEM)
    store.write_plan([Planned(unit=made.UNIT, part="core", seeds=2)])
    store.append([made.record(0), made.record(1)])
    return store


def test_an_edition_holds_all_and_is_sealed(source):
    edition = publish.publish(source, "2026.1")
    assert edition.path == Path("results", "2026.1")
    assert edition.records() == source.records()
    assert edition.plan() == source.plan()
    manifest = edition.manifest()
    assert (manifest.edition, manifest.citable) == ("2026.1", True)
    assert {"plan.jsonl", "facts.json", "tables/T1.csv"} < manifest.files.keys()
    assert edition.facts() == collect_facts()


def test_an_edition_is_not_rewritten(source):
    publish.publish(source, "2026.1")
    source.append([made.record(2)])
    for again in (source, Store(Path("results", "2026.1"))):
        with pytest.raises(BadInput, match=r"2026\.1 is there already and is not rewritten"):
            publish.publish(again, "2026.1")


def test_an_edition_is_measured_in_its_own_folder_and_sealed_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = publish.begin("2026.9")
    assert not store.manifest().citable
    with pytest.raises(BadInput, match="is there already"):
        publish.begin("2026.9")
    profile = PROFILES["edition"]
    store.create(profile.make_manifest())  # as a run into the folder does
    store.add_system(made.SYSTEM)
    provenance = made.PROVENANCE.model_copy(update={"specification": profile.specification})
    store.append([made.record(0, provenance=provenance)])
    sealed = publish.publish(store, "2026.9")
    assert sealed.path == store.path
    assert sealed.manifest().citable
    assert sealed.validate() == []
    with pytest.raises(BadInput, match=r"holds results of edition '2026\.9'"):
        sealed.create(profile.make_manifest())


def provenance(**changes):
    return made.PROVENANCE.model_copy(update=changes)


ROW = next(iter(ONLINE.values()))
PUT = {
    "records": lambda store, **code: store.append([made.record(3, provenance=provenance(**code))]),
    "step times": lambda store, **code: store.add_throughput("mine", [made.throughput(**code)]),
    "comparisons": lambda store, **code: store.add_comparisons("mine", [made.comparison(**code)]),
    "baselines": lambda store, **code: store.add_baselines([made.baseline(**code)]),
    "probes": lambda store, **code: store.add_probes("mine", [made.probe(0, **code)]),
    "trials": lambda store, **code: store.add_trials(ROW.id, [made.trial(ROW, **code)]),
}


@pytest.mark.parametrize("code", [{"dirty": True}, {"commit": "unknown"}], ids=str)
@pytest.mark.parametrize("kind", PUT)
def test_what_was_measured_by_uncommitted_code_is_not_published(source, kind, code):
    PUT[kind](source, **code)
    says = f"1 {kind} were measured by code that was not committed"
    with pytest.raises(BadInput, match=says):
        publish.publish(source, "2026.1")
    assert not Path("results", "2026.1").exists()


def test_all_that_a_folder_holds_is_asked_for_its_code():
    assert {*PUT, "systems", "specs"} == {
        {"throughput": "step times"}.get(p, p) for p in publish.PARTS
    }


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.name)
def test_every_table_here_is_what_the_records_beside_it_give(path):
    store = Store(path)
    assert store.validate() == []
    assert check_tables(store) == []


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_nothing_here_was_measured_by_uncommitted_code(path):
    assert not any(
        row.dirty for rows in publish.list_measured(Store(path)).values() for row in rows
    )


@pytest.mark.parametrize(
    "edition",
    ["..", ".", "", "/absolute", "../notes", "a b", "-x", ".hid", "x/y", "\x1b[2J", "local"],
)
def test_an_edition_has_a_name_of_its_own_and_nothing_is_touched(tmp_path, monkeypatch, edition):
    monkeypatch.chdir(tmp_path)
    source = Store(Path("results", "local", "quick")).create(made.MANIFEST)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput):
        publish.publish(source, edition)
    assert sorted(tmp_path.rglob("*")) == before
