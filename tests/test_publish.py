"""Publishing: an edition is whole, sealed, and never rewritten; each that is here is what its records give."""

import sys
from pathlib import Path

import made
import pytest

from seqbench.errors import BadInput
from seqbench.records import Planned
from seqbench.report.tables import check_tables
from seqbench.store import Store

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import publish  # noqa: E402

EDITIONS = sorted(file.parent for file in ROOT.glob("results/*/manifest.json"))


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    citable = made.MANIFEST.model_copy(update={"citable": True})
    store = Store(Path("results", "local", "smoke")).create(citable)
    store.add_system(made.SYSTEM)
    store.keep_plan([Planned(unit=made.UNIT, part="core", seeds=2)])
    store.append([made.record(0), made.record(1)])
    return store


def test_an_edition_holds_all_and_is_sealed(source):
    edition = publish.publish(source, "2026.1")
    assert edition.path == Path("results", "2026.1")
    assert edition.records() == source.records()
    assert edition.plan() == source.plan()
    manifest = edition.manifest()
    assert (manifest.edition, manifest.citable) == ("2026.1", True)
    assert {"plan.jsonl", "tables/T1.csv"} < manifest.files.keys()
    assert not publish.publish(source, "preview").manifest().citable


def test_an_edition_is_not_rewritten_but_a_preview_is(source):
    publish.publish(source, "2026.1")
    publish.publish(source, "preview")
    source.append([made.record(2)])
    with pytest.raises(BadInput, match=r"2026\.1 is published and is not rewritten"):
        publish.publish(source, "2026.1")
    assert len(publish.publish(source, "preview").records()) == 3


def test_what_was_measured_by_uncommitted_code_is_not_published(source):
    dirty = made.PROVENANCE.model_copy(update={"dirty": True})
    source.append([made.record(3, provenance=dirty)])
    with pytest.raises(BadInput, match="1 records were measured by code that was not committed"):
        publish.publish(source, "2026.1")
    assert not Path("results", "2026.1").exists()


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.name)
def test_every_table_here_is_what_the_records_beside_it_give(path):
    store = Store(path)
    assert store.manifest().files  # it is sealed
    assert store.validate() == []
    assert check_tables(store) == []


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.name)
def test_no_record_here_was_measured_by_uncommitted_code(path):
    assert not any(record.provenance.dirty for record in Store(path).records())
