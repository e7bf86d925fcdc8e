"""What no results folder may say: whoever reads it refuses it, in a sentence that is clean on a terminal."""

import json
import sys
from importlib import import_module
from pathlib import Path

import made
import pytest
from hostile import CONTROLS, EXAMPLES, KEY, PAYLOAD, VALUE, accepted, put, texts

from seqbench.errors import BadInput
from seqbench.records.schema import canonical
from seqbench.records.store import Store
from seqbench.text import printable

sys.path.insert(0, str(Path(__file__).parents[2] / "book"))
build = import_module("build")
PLACES = {
    f"{file}: {'.'.join(place)}": (file, place)
    for file, thing in EXAMPLES.items()
    for place, _ in texts(type(thing))
}


def test_no_text_of_any_schema_is_without_a_rule():
    bare = [
        f"{type(thing).__name__}.{'.'.join(place)}"
        for thing in EXAMPLES.values()
        for place, ruled in texts(type(thing))
        if not ruled
    ]
    assert bare == []


@pytest.fixture(scope="module")
def honest(tmp_path_factory) -> Path:
    """Return a folder with a file of each kind."""
    folder = tmp_path_factory.mktemp("honest")
    Store(folder).create(made.MANIFEST)
    for name, thing in EXAMPLES.items():
        if name != "manifest.json":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{thing.canonical()}\n")
    return folder


def refused(call, folder: Path, name: str, line: str, *words: str) -> None:
    """Assert that a file with this line is refused in one clean sentence, by who checks and by who reports."""
    file = folder / name
    before = file.read_bytes()
    file.write_text(f"{line}\n")
    try:
        for command in ("validate", "report"):
            code, out = call(command, folder)
            (told,) = [said for said in out.splitlines() if name in said]
            assert code in (1, 2)
            assert printable(told) == told
            assert all(word in told for word in words), told
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("name", PLACES)
def test_what_moves_a_cursor_is_refused_in_every_text(name, honest, call):
    file, place = PLACES[name]
    assert not accepted(EXAMPLES[file], place, CONTROLS)
    changed = canonical(put(json.loads(EXAMPLES[file].canonical()), place, CONTROLS + PAYLOAD))
    field = next(part for part in place if part not in (KEY, VALUE))
    refused(call, honest, file, changed, field, *["line 1"] * file.endswith(".jsonl"))


def test_the_payload_may_stand_where_the_text_is_free():
    free = {
        ".".join(place).removesuffix(f".{VALUE}").rpartition(".")[2]
        for file, place in PLACES.values()
        if accepted(EXAMPLES[file], place, PAYLOAD)
    }
    assert free == {
        *("measure", "reason", "goal", "what", "aim", "note", "name", "knob", "unit"),
        *("processor", "accelerator", "operating_system", "python", "versions"),
        *("sentence", "experiment", "rule", "paper", "published", "deviations"),
    }


@pytest.mark.parametrize("edition", ["/abs/path", "../..", "..", "", "a/b", "a\n\\input{x}", "."])
def test_an_edition_is_no_path(edition, honest, call, monkeypatch, tmp_path):
    line = canonical(json.loads(made.MANIFEST.canonical()) | {"edition": edition})
    refused(call, honest, "manifest.json", line, "edition")
    (tmp_path / "manifest.json").write_text(line)
    with pytest.raises(BadInput, match="edition"):
        build.lay_out(tmp_path / "source", tmp_path)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (("files", "its key"), "../outside"),
        (("files", "its key"), "/etc/passwd"),
        (("files", "its key"), "a//b"),
        (("files", "its key"), "a\\..\\b"),
    ],
)
def test_a_listed_file_lies_within_the_folder(place, text):
    assert accepted(EXAMPLES["manifest.json"], place, "notes/read me.txt")
    assert not accepted(EXAMPLES["manifest.json"], place, text)


@pytest.mark.parametrize(
    "text", ["3", "-3", "1e5", "nan", "true", "a b", "a:b", "a=b", "a,b", "", "é", "a" * 101]
)
def test_a_word_of_an_option_is_read_back_as_it_is_spelled(text):
    place = ("unit", "model_options", "its value")
    assert accepted(EXAMPLES["plan.jsonl"], place, "decoder")
    assert not accepted(EXAMPLES["plan.jsonl"], place, text)


def test_a_text_that_is_no_word_is_refused_before_anything_is_measured(call, tmp_path):
    words = ("--task", "latch", "--model", "lstm_attention:kind=a b", "--out", tmp_path / "out")
    code, out = call("run", "-p", "smoke", *words)
    assert code == 2
    assert out.startswith(
        "option 'kind' of model 'lstm_attention' can't be 'a b'; choose states or"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-01-01", "2026-13-01T00:00:00+00:00", "2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00"],
)  # fmt: skip
def test_an_instant_is_in_utc(text):
    place = ("cost", "finished")
    assert accepted(made.record(), place, "2026-02-28T23:59:59+00:00")
    assert not accepted(made.record(), place, text)


def test_the_name_of_a_file_and_a_field_that_is_none_reach_the_terminal_as_text(honest, call):
    folder = honest / "records" / "adding"
    line = canonical(json.loads(made.record().canonical()) | {CONTROLS: 1})
    refused(call, honest, "records/adding/one.jsonl", line, "line 1")
    bad = folder / f"{CONTROLS.replace('/', '')}.jsonl"
    bad.write_text("{}\n")
    try:
        for command in ("validate", "report"):
            code, out = call(command, honest)
            assert code
            assert not [said for said in out.splitlines() if said != printable(said)]
    finally:
        bad.unlink()
