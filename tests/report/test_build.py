"""The parts of book/build.py and of the pages that it writes, without building."""

import sys
from html import unescape
from importlib import import_module
from pathlib import Path

import made
import pytest

from seqbench.errors import BadInput
from seqbench.protocol.profile import Profile
from seqbench.protocol.profiles import PROFILES
from seqbench.records.store import Store

BOOK = Path(__file__).parents[2] / "book"
sys.path.insert(0, str(BOOK))
build, pages = import_module("build"), import_module("pages")


def test_the_newest_sealed_edition_is_shown_and_a_preview_only_without_one(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    assert (before := build.find_newest_edition()) is None
    for name in ("preview", "2026.9", "2026.10", "2027.1"):
        (tmp_path / "results" / name).mkdir(parents=True)
        file = tmp_path / "results" / name / "manifest.json"
        file.write_text(made.MANIFEST.canonical())
        assert build.find_newest_edition() == before  # it is not sealed yet
        sealed = made.MANIFEST.model_copy(update={"files": {"facts.json": "0" * 64}})
        file.write_text(sealed.canonical())
        before = build.find_newest_edition()
        assert before.name == name


def test_results_of_ones_own_are_not_looked_for_among_the_published(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    (tmp_path / "results" / "local" / "quick").mkdir(parents=True)
    (tmp_path / "results" / "local" / "quick" / "manifest.json").write_text("{}")
    assert build.find_newest_edition() is None


@pytest.mark.parametrize("profile", [None, *PROFILES.values()])
def test_every_open_place_of_the_text_is_filled(profile: Profile | None):
    facts = pages.collect_facts(profile, "quick")
    text = "".join(file.read_text("utf-8") for file in BOOK.glob("*.md"))
    named = {part.partition("}}")[0].strip() for part in text.split("{{")[1:]}
    assert named == set(facts)
    assert all(facts.values())


def test_facts_are_those_of_the_code():
    facts = pages.collect_facts(PROFILES["paper"], "paper")
    assert facts["adam"] == r"$\beta_1 = 0.9$, $\beta_2 = 0.999$ and $\epsilon = 10^{-8}$"
    assert facts["seeds"] == str(PROFILES["paper"].seeds)
    assert "seeds for tuning" in facts["tuning"]


def test_only_a_citable_edition_goes_without_a_warning():
    manifest = PROFILES["paper"].make_manifest(edition="2026.1")
    assert pages.write_warning(manifest) == ""
    assert "still being measured" in pages.write_warning(
        PROFILES["quick"].make_manifest(edition="preview")
    )
    local = pages.write_warning(PROFILES["paper"].make_manifest(edition="local"))
    assert unescape(local) == "Results of one's own, profile paper: not to be cited"


def test_open_places_are_filled_and_nothing_else_is_looked_at():
    facts = {"seeds": "ten", "adam": r"$\beta_1$ {{ seeds }}"}
    assert pages.fill("{{ seeds }} runs, {{adam}}.", facts) == r"ten runs, $\beta_1$ {{ seeds }}."
    with pytest.raises(BadInput, match="unknown open place of a page 'seed'; did you mean 'seeds'"):
        pages.fill("{{ seed }}", facts)


def test_a_folder_that_takes_the_name_of_another_edition_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    manifest = PROFILES["paper"].make_manifest(edition="2026.1")
    Store(tmp_path / "results" / "2026.1").create(manifest)
    copy = Store(tmp_path / "copy").create(manifest)
    build.lay_out_tables(tmp_path / "tables", copy)  # it is the same
    other = Store(tmp_path / "other").create(manifest.model_copy(update={"citable": False}))
    with pytest.raises(BadInput, match=r"calls itself edition 2026\.1, and is another than"):
        build.lay_out_tables(tmp_path / "tables", other)
