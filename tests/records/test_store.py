"""The store: whole files or none, nothing lost, nothing twice, and every wrong line is named."""

import errno
import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from made import MANIFEST, PROVENANCE, SYSTEM, UNIT, comparison, probe, record, throughput

from seqbench.errors import BadInput, SpecificationDiffers
from seqbench.records.rows import write
from seqbench.records.schema import Member, Planned, Rung, canonical
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store
from seqbench.report.results import Results


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "results").create(MANIFEST)
    store.add_system(SYSTEM)
    return store


@pytest.fixture
def full(store):
    """A store with three records in two files."""
    store.append([record(0), record(1)])
    store.append([record(2)])
    assert store.validate() == []
    return store


def files(store: Store) -> dict[str, bytes]:
    """Return every file of a store by its path."""
    return {
        str(file.relative_to(store.path)): file.read_bytes()
        for file in sorted(store.path.rglob("*"))
        if file.is_file()
    }


def lines(store: Store, seed: int) -> tuple[Path, list[str]]:
    """Return the file that holds a seed, and its lines."""
    for file in store.path.glob("records/*/*.jsonl"):
        if f'"seed":{seed}}}' in file.read_text():
            return file, file.read_text().splitlines()
    raise AssertionError(seed)


# What is written is there


def test_what_is_appended_is_read(full):
    assert sorted(full.records(), key=lambda r: r.member.seed) == [record(0), record(1), record(2)]
    file, text = lines(full, 0)
    assert file.parent.name == "adding"
    assert file.name.startswith(f"lstm-lag8-{UNIT.id[:8]}-")
    assert text == [record(0).canonical(), record(1).canonical()]
    assert file.read_bytes().endswith(b"\n")


def test_the_same_members_again_replace_their_records(full):
    full.append([record(0, score=0.99), record(1, score=0.99)])
    assert sorted(r.score for r in full.records()) == [0.96875, 0.99, 0.99]


def test_only_the_members_that_are_named_are_forgotten(full):
    other = UNIT.model_copy(update={"lag": 9})
    full.append([record(1, unit=other)])
    full.remove_records(
        UNIT, [Member(seed=1, learning_rate=1e-2), Member(seed=2, learning_rate=1e-2)]
    )
    assert [(r.member.seed, r.unit.lag) for r in full.records()] == [(0, 8), (1, 9)]
    assert len(list(full.path.glob("records/*/*.jsonl"))) == 2  # and no file is left empty


def test_a_reporting_seed_is_forgotten_whatever_its_rate_was_and_a_tuning_seed_is_not(full):
    full.append([record(5, rate, role="tuning") for rate in (1e-2, 3e-3)])
    full.remove_records(UNIT, [Member(seed=5, learning_rate=3e-3, role="tuning")])
    full.remove_records(UNIT, [Member(seed=0, learning_rate=3e-3)])
    left = [(r.member.role, r.member.seed, r.member.learning_rate) for r in full.records()]
    assert sorted(left) == [("reporting", 1, 1e-2), ("reporting", 2, 1e-2), ("tuning", 5, 1e-2)]


def test_a_seed_that_reports_at_two_rates_is_found(full):
    full.append([record(0, 3e-3)])
    assert any("seed 0 reports at two learning rates" in wrong for wrong in full.validate())


def test_systems_and_times_are_kept(full):
    rows = [throughput(), throughput(phase="inference")]
    full.add_throughput("mine", rows)
    full.add_throughput("mine", rows[:1])
    assert full.throughput() == rows[:1]
    full.add_comparisons("mine", [comparison()])
    full.add_comparisons("mine", [comparison(measured=3.0)])
    assert full.comparisons() == [comparison(measured=3.0)]
    probes = [probe(0), probe(0, moment="start"), probe(1)]
    full.add_probes("mine", probes[:2])
    full.add_probes("theirs", probes[2:])
    assert full.probes() == probes
    assert full.add_system(SYSTEM) == SYSTEM.id
    assert full.systems() == {SYSTEM.id: SYSTEM}
    assert full.validate() == []


def test_a_folder_that_is_none_is_said_to_be_none(tmp_path):
    store = Store(tmp_path)
    assert not store.exists
    assert store.records() == []
    with pytest.raises(BadInput, match="is no results folder"):
        store.manifest()
    with pytest.raises(BadInput, match="is no results folder"):
        store.validate()


# Wrong lines


def torn(text: list[str]) -> bytes:
    return "\n".join(text)[:-40].encode()


def foreign(text: list[str]) -> bytes:
    return "\n".join([text[0], '{"loss": 0.1}', ""]).encode()


def twice(text: list[str]) -> bytes:
    return "\n".join([text[0], text[0], ""]).encode()


def digit_of_the_unit(text: list[str]) -> bytes:
    return "\n".join([text[0], text[1].replace('"lag":8', '"lag":9'), ""]).encode()


def digit_of_the_score(text: list[str]) -> bytes:
    return "\n".join([text[0], text[1].replace('"score":0.96875', '"score":0.16875'), ""]).encode()


def blank(text: list[str]) -> bytes:
    return "\n".join([text[0], "", text[1], ""]).encode()


def field_missing(text: list[str]) -> bytes:
    return "\n".join([text[0], text[1].replace('"reason":null,', ""), ""]).encode()


def field_twice(text: list[str]) -> bytes:
    return "\n".join([text[0], text[1].replace('"steps":80', '"steps":0,"steps":80'), ""]).encode()


def not_text(text: list[str]) -> bytes:
    return (
        text[0].encode() + b"\n" + text[1].replace("native", "nat\xefve").encode("latin-1") + b"\n"
    )


def windows(text: list[str]) -> bytes:
    return (text[0] + "\n" + text[1] + "\r\n").encode()


WRONG = {
    torn: "EOF while parsing",
    foreign: "Field required",
    twice: "the same measurement as .*, line 1",
    digit_of_the_unit: "its unit hashes to",
    digit_of_the_score: "can't be 'solved'",
    blank: "EOF while parsing",
    field_missing: "not as seqbench writes it",
    field_twice: "not as seqbench writes it",
    not_text: "invalid unicode",
    windows: "line ends are those of Windows",
}


@pytest.mark.parametrize("spoil", WRONG)
def test_a_wrong_line_is_named_by_file_and_line(full, spoil):
    file, text = lines(full, 0)
    file.write_bytes(spoil(text))
    wrong = full.validate()
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{file}, line 2: ")
    assert re.search(WRONG[spoil], wrong[0])
    with pytest.raises(BadInput, match=re.escape(wrong[0].partition("; so are")[0])):
        full.records()
    assert file.read_bytes() == spoil(text)  # and the file is left as it was


def test_an_empty_file_is_no_file_without_records(full):
    file, _ = lines(full, 0)
    file.write_bytes(b"")
    with pytest.raises(BadInput, match=re.escape(f"{file}, line 1: ")):
        full.records()


def test_the_same_member_in_two_files_is_named(full):
    file, text = lines(full, 0)
    copy = file.with_name(f"lstm-lag8-{UNIT.id[:8]}-copy.jsonl")
    copy.write_text(text[1] + "\n")
    assert len(full.validate()) == 1
    assert re.search(r"line \d: the same measurement as .*, line \d", full.validate()[0])


def test_all_that_is_wrong_is_told_at_once(full):
    file, text = lines(full, 0)
    file.write_text(text[0][:50] + "\n" + text[1] + "\n{}\n")
    (full.path / "systems" / f"{SYSTEM.id}.json").write_text(
        SYSTEM.model_copy(update={"cores": 64}).canonical()
    )
    (full.path / "systems" / "torn.json").write_text("{")
    full.append([record(3, provenance=PROVENANCE.model_copy(update={"system": "0" * 16}))])
    full.append([record(4, provenance=PROVENANCE.model_copy(update={"specification": "0" * 16}))])
    full.add_throughput("mine", [throughput(system="1" * 16)])
    full.add_comparisons("mine", [comparison(system="2" * 16)])
    planned = Planned(unit=UNIT, part="core", seeds=1).canonical()
    (full.path / "plan.jsonl").write_text(planned.replace('"seeds":1', '"seeds":0'))
    full.add_probes("mine", [probe(system="3" * 16), probe(0)])
    wrong = "\n".join(full.validate())
    for part in (
        "plan.jsonl, line 1: seeds: Input should be greater than or equal to 1",
        "line 1: Invalid JSON",
        "line 3: unit_id: Field required",
        f"{SYSTEM.id}.json: its content hashes to",
        "torn.json: Invalid JSON",
        "its system 0000000000000000 has no file",
        "its system 1111111111111111 has no file",
        "its system 2222222222222222 has no file",
        "its system 3333333333333333 has no file",
        "line 2: the same measurement as",
        "measured under specification 0000000000000000, the manifest says ffffffffffffffff",
    ):
        assert part in wrong
    assert len(full.validate()) == 11


def test_a_wrong_manifest_is_named(store):
    file = store.path / "manifest.json"
    file.write_text(canonical(json.loads(file.read_text()) | {"colour": "red"}))
    with pytest.raises(BadInput, match=r"manifest\.json: colour: Extra inputs"):
        store.manifest()


# What has no place there


def foreign_file(path: Path) -> Path:
    (path / "records" / "adding" / "notes.txt").write_text("mine")
    return path / "records" / "adding" / "notes.txt"


def file_for_a_task(path: Path) -> Path:
    (path / "records" / "latch").write_text("{}")
    return path / "records" / "latch"


def folder_for_a_file(path: Path) -> Path:
    (path / "throughput" / "all.jsonl").mkdir(parents=True)
    return path / "throughput" / "all.jsonl"


def file_at_the_top(path: Path) -> Path:
    (path / "unfinished").write_text("")
    return path / "unfinished"


def deep(path: Path) -> Path:
    (path / "records" / "adding" / "more").mkdir()
    return path / "records" / "adding" / "more"


def link(path: Path) -> Path:
    (path.parent / "elsewhere").mkdir()
    (path / "records" / "latch").symlink_to(path.parent / "elsewhere")
    return path / "records" / "latch"


def link_to_tables(path: Path) -> Path:
    (path.parent / "elsewhere").mkdir()
    (path / "tables").symlink_to(path.parent / "elsewhere")
    return path / "tables"


STRANGE = [
    foreign_file,
    file_for_a_task,
    folder_for_a_file,
    file_at_the_top,
    deep,
    link,
    link_to_tables,
]


def test_a_specification_of_something_else_is_named(full):
    full.add_spec(RunSpec(profile="smoke", grid=(1e-3, 1e-2)))
    full.add_spec(RunSpec(profile="smoke", grid=(1e-2, 1e-3)))
    assert full.validate() == []
    assert full.grid() == (1e-3, 1e-2)
    other = RunSpec(profile="smoke", grid=(0.5,))
    full.add_spec(other)
    (wrong,) = full.validate()
    assert "tuned over one grid; these ask for [0.001, 0.01] and [0.5]" in wrong
    with pytest.raises(BadInput, match="tuned over one grid"):
        Results.read(full)
    (full.path / "specs" / f"{other.id}.toml").unlink()
    full.add_spec(RunSpec(profile="paper"))
    (wrong,) = full.validate()
    assert wrong.endswith("asks for profile 'paper', manifest.json says 'smoke'")


@pytest.mark.parametrize("put", STRANGE)
def test_what_has_no_place_in_a_folder_is_named(full, put):
    where = put(full.path)
    wrong = full.validate()
    assert len(wrong) == 1
    assert wrong[0].startswith(f"{where}")
    with pytest.raises(BadInput, match=re.escape(wrong[0])):
        full.check_layout()
    with pytest.raises(BadInput, match=re.escape(wrong[0])):
        Results.read(full)


def test_a_folder_that_cannot_be_read_is_named(full, monkeypatch):
    listed = Path.iterdir

    def refuse(self):
        if self.name == "adding":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", refuse)
    folder = full.path / "records" / "adding"
    assert full.validate() == [f"can't read {folder}: Permission denied"]
    with pytest.raises(BadInput, match=r"can't read .*adding: Permission denied"):
        full.records()


def test_what_desktops_and_editors_leave_is_no_fault(full):
    full.seal()
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "notes.jsonl~", ".notes.jsonl.swp"):
        (full.path / "records" / "adding" / name).write_text("")
    assert full.validate() == []
    assert len(full.records()) == 3


def test_a_lock_that_is_a_link_is_not_followed(full):
    mine = full.path.parent / "mine.txt"
    mine.write_text("precious")
    (full.path / ".lock").symlink_to(mine)
    with pytest.raises(BadInput, match="can't write"), full.lock():
        raise AssertionError
    assert mine.read_text() == "precious"


def test_a_temporary_file_that_is_a_link_is_not_followed(full):
    mine = full.path.parent / "mine.txt"
    mine.write_text("precious")
    (full.path / f".plan.jsonl.{os.getpid()}.tmp").symlink_to(mine)
    full.write_plan([Planned(unit=UNIT, part="core", seeds=1)])
    assert mine.read_text() == "precious"
    assert full.validate() == []


def test_line_ends_that_were_converted_are_named_once(full):
    full.seal()
    for file in full.path.glob("records/*/*.jsonl"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    (wrong,) = full.validate()
    assert "its line ends are those of Windows" in wrong
    assert wrong.endswith("so are 2 more lines")
    manifest = full.path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(BadInput, match=r"manifest\.json: its line ends are those of Windows"):
        full.validate()


def test_what_could_not_be_read_again_is_not_written(full):
    before = files(full)
    unreadable = record(5).model_copy(update={"scan": "\ud800"})  # half a letter
    with pytest.raises(BadInput, match=r"line 2 \(not written\)"):
        full.append([record(4), unreadable])
    assert files(full) == before


def test_a_row_of_a_table_is_measured_under_one_condition(full):
    other = UNIT.model_copy(update={"budget": UNIT.budget.model_copy(update={"steps": 80})})
    full.append([record(0, unit=other)])
    assert full.find_same_condition(UNIT) == [other]
    full.remove_others(UNIT)
    assert {r.unit_id for r in full.records()} == {UNIT.id}


@pytest.mark.parametrize("name", [".x", "records/.x", "unfinished~", "Thumbs.db"])
def test_no_hidden_link_is_followed_and_each_is_named(full, name):
    elsewhere = full.path.parent / "elsewhere"
    (elsewhere / "adding").mkdir(parents=True)
    for file in (elsewhere / "mine.tmp", elsewhere / "adding" / "mine.tmp"):
        file.write_text("precious")
    (full.path / name).symlink_to(elsewhere)
    assert full.validate() == [
        f"{full.path / name} is a link; a results folder holds its own files only"
    ]
    for tasks in ((), ("adding",)):
        with full.lock(*tasks):
            pass
    assert len(list(elsewhere.rglob("mine.tmp"))) == 2


def test_what_is_no_file_is_named_and_not_read(full):
    os.mkfifo(full.path / "records" / "adding" / "pipe.jsonl")
    assert "a results folder has no such thing" in full.validate()[0]


def test_folders_may_be_deep(full):
    deep = full.path / "unfinished"
    deep.mkdir()
    descriptor = os.open(deep, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    assert len(full.validate()) <= 1  # a path may become too long to be read, which is told
    subprocess.run(["rm", "-rf", str(deep)], check=True)


def test_a_record_that_lies_where_no_run_would_find_it_is_named(full):
    file, _ = lines(full, 0)
    (full.path / "records" / "zzz").mkdir()
    file.rename(full.path / "records" / "zzz" / "q.jsonl")
    assert "line 1: records of this unit belong to" in full.validate()[0]


def test_two_conditions_of_one_row_are_named(full):
    other = UNIT.model_copy(update={"parameters": 1001})
    full.append([record(7, unit=other)])
    assert "adding 8 lstm was measured under other conditions, too" in full.validate()[0]


def test_a_folder_of_one_s_own_files_is_not_made_a_results_folder(tmp_path):
    (tmp_path / "thesis.tex").write_text("two years of work")
    with pytest.raises(BadInput, match="is no results folder, and holds other files"):
        Store(tmp_path).create(MANIFEST)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("lag", 10**400), ("parameters", 2**53 + 1), ("seconds", 1.7e308), ("test_loss", 1.7e308)],
)
def test_a_number_with_which_nobody_can_compute_is_refused(full, field, value):
    file, text = lines(full, 0)
    changed = re.sub(rf'"{field}":[^,}}]+', f'"{field}":{value}', text[0])
    file.write_text("\n".join([changed, *text[1:], ""]))
    assert field in full.validate()[0]


def test_a_manifest_that_says_something_twice_is_refused(full):
    file = full.path / "manifest.json"
    file.write_text(file.read_text().replace('"citable":false', '"citable":true,"citable":false'))
    with pytest.raises(BadInput, match="a field is twice"):
        full.manifest()


# Sealed


def test_after_sealing_every_changed_digit_is_found(full):
    full.add_throughput("mine", [throughput()])
    full.add_comparisons("mine", [comparison()])
    full.seal()
    assert full.validate() == []
    hashed = full.manifest().files
    assert len(hashed) == 5
    for name in hashed:
        file = full.path / name
        before = file.read_bytes()
        file.write_bytes(before.replace(b"2", b"3", 1))
        assert any(f"{file}: sha256 is" in wrong for wrong in full.validate())
        file.write_bytes(before)
    file.unlink()
    assert f"{file}: sha256 is no such file" in "\n".join(full.validate())
    file.write_bytes(before)
    full.append([record(9)])
    assert "manifest.json says no such file" in "\n".join(full.validate())


def test_hidden_files_are_not_sealed(full):
    with full.lock():
        (full.path / "records" / "adding" / ".torn.jsonl.7.tmp").write_text("{")
        (full.path / ".DS_Store").write_text("")
        full.seal()
    assert not [name for name in full.manifest().files if "/." in f"/{name}"]
    assert full.validate() == []


# For what it was made


@pytest.mark.parametrize(
    ("field", "value", "error", "code"),
    [
        ("schema_version", 2, BadInput, 2),
        ("profile", "quick", BadInput, 2),
        ("specification", "0" * 16, SpecificationDiffers, 3),
    ],
)
def test_a_run_of_something_else_is_refused(full, field, value, error, code):
    before = files(full)
    with pytest.raises(error, match=f"{value}.*choose another folder") as caught:
        full.create(MANIFEST.model_copy(update={field: value}))
    assert caught.value.exit_code == code
    assert files(full) == before


def test_a_run_of_the_same_goes_on(full):
    before = files(full)
    assert full.create(MANIFEST) is full
    assert files(full) == before


# What the disk may do


def refuse(monkeypatch, number: int, when: str) -> None:
    """Let the disk fail: root may write anywhere, so that no folder could be made read-only for it."""

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    owner, name = {
        "open": (os, "open"),
        "flush": (os, "fsync"),
        "rename": (Path, "replace"),
        "folder": (Path, "mkdir"),
    }[when]
    monkeypatch.setattr(owner, name, fail)


WHY = {
    errno.ENOSPC: "no space left on the disk",
    errno.EACCES: "no permission to write",
    errno.EROFS: "Read-only file system",
}


@pytest.mark.parametrize("when", ["open", "flush", "rename", "folder"])
@pytest.mark.parametrize("number", WHY)
def test_a_disk_that_fails_costs_nothing_that_is_there(full, monkeypatch, number, when):
    before = files(full)
    with monkeypatch.context() as patch:
        refuse(patch, number, when)
        with pytest.raises(BadInput, match=WHY[number]) as caught:
            full.append([record(0, score=0.99), record(1, score=0.99)])
    assert caught.value.exit_code == 2
    assert files(full) == before  # no temporary file, either
    assert len(full.records()) == 3


def test_no_space_in_the_middle_of_a_line_leaves_no_torn_file(full, monkeypatch):
    opened = os.fdopen

    def small_disk(*arguments):
        file = opened(*arguments)
        whole = file.write

        def write_half(content):
            whole(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Half(file, write_half)

    class Half:
        def __init__(self, file, write):
            self.file, self.write = file, write

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    before = files(full)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", small_disk)
        with pytest.raises(BadInput, match="no space left"):
            full.append([record(7)])
    assert files(full) == before


def test_no_permission_to_forget(full, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fail)
        with pytest.raises(BadInput, match="no permission to write"):
            full.remove_records(UNIT, [Member(seed=2, learning_rate=1e-2)])
    assert len(full.records()) == 3


def test_no_permission_to_lock_or_to_read(full, monkeypatch):
    with monkeypatch.context() as patch:
        refuse(patch, errno.EACCES, "open")
        with pytest.raises(BadInput, match="no permission to write"), full.lock():
            pass
        patch.setattr(Path, "read_bytes", os.open)  # which fails, too
        with pytest.raises(BadInput, match=r"can't read .*\.jsonl: Permission denied"):
            full.records()


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "results").write_text("mine")
    with pytest.raises(BadInput, match="can't write"):
        Store(tmp_path / "results").create(MANIFEST)
    assert (tmp_path / "results").read_text() == "mine"


# Killed in the middle of a write

KILLED = """
import os, signal, sys
from pathlib import Path
from seqbench.records.rows import write
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
write(Path(sys.argv[1]), "half a line")
"""


def test_what_a_killed_write_leaves_is_not_read_and_is_cleaned_up(full):
    file, _ = lines(full, 0)
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)])
    assert done.returncode == -9
    left = [f for f in file.parent.iterdir() if f.name.endswith(".tmp")]
    assert len(left) == 1
    assert len(full.records()) == 3  # the old content is whole
    assert full.validate() == []
    with full.lock():
        assert not left[0].exists()
    assert len(full.records()) == 3


def test_a_write_replaces_at_once(tmp_path):
    write(tmp_path / "a" / "b.txt", "one\n")
    first = (tmp_path / "a" / "b.txt").open()
    write(tmp_path / "a" / "b.txt", "two\n")
    with first:
        assert first.read() == "one\n"  # who reads meanwhile sees the old file whole
    assert (tmp_path / "a" / "b.txt").read_text() == "two\n"
    assert [f.name for f in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_what_is_written_is_utf_8_whatever_the_locale(tmp_path):
    text = "from pathlib import Path; from seqbench.records.rows import write; write(Path('a'), chr(197))"
    environment = os.environ | {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    path = os.pathsep.join([str(Path.cwd()), *sys.path])
    subprocess.run(
        [sys.executable, "-c", text],
        cwd=tmp_path,
        check=True,
        env=environment | {"PYTHONPATH": path},
    )
    assert (tmp_path / "a").read_bytes() == "Å".encode()


# Two at once

HOLDS = """
import sys
from seqbench.records.store import Store
with Store(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_at_once_are_refused(full):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(full.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout.readline() == b"held\n"
        before = files(full)
        with pytest.raises(BadInput, match="another run writes to"), full.lock():
            raise AssertionError
        assert files(full) == before
        other.kill()
        other.wait()
        with full.lock():  # who was killed holds nothing
            pass


def test_runs_of_different_tasks_go_side_by_side(full):
    refused = pytest.raises(BadInput, match="another run writes to")
    with full.lock("adding", "latch"):
        with full.lock("copy"):
            pass
        with refused, full.lock("latch", "copy"):
            raise AssertionError
        with refused, full.lock():  # all of the folder
            raise AssertionError
        with full.lock("copy"):  # nothing is held by who was refused
            pass
    with full.lock(), refused, full.lock("copy"):
        raise AssertionError
    with full.lock():
        pass


def test_a_run_cleans_up_after_its_own_tasks_only(full):
    left = full.path / "records" / "adding" / ".torn.jsonl.7.tmp"
    left.write_text("{")
    with full.lock("latch"):
        assert left.exists()  # another run may just be writing it
    with full.lock("adding"):
        assert not left.exists()


def test_a_lock_ends_with_its_run(full):
    with pytest.raises(KeyError), full.lock():
        raise KeyError
    with full.lock():
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_written_to_all_the_same(full, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    with full.lock():
        full.append([record(5)])
    assert len(full.records()) == 4


def test_a_plan_that_names_a_cell_twice_is_refused(full):
    cell = Planned(unit=UNIT, part="core", seeds=1)
    full.write_plan([cell, cell])
    (wrong,) = full.validate()
    assert re.search(r"plan\.jsonl, line 2: the same condition as .*line 1", wrong)


RUNG = Rung(ladder="latch", knob="delay", unit="steps", value=2)


@pytest.mark.parametrize(
    ("unit", "rung", "why"),
    [
        ({"lag": 7}, {}, "line 2: rung 2 of ladder 'latch' for lstm, as .*line 1"),
        ({"lag": 7}, {"value": 4, "unit": "apples"}, "of adding delay apples, which above is"),
        ({"lag": 7}, {"value": 4, "knob": "fruit"}, "of adding fruit steps, which above is"),
        ({"task": "latch"}, {"value": 4}, "of latch delay steps, which above is of adding"),
    ],
)
def test_a_plan_whose_ladder_is_none_is_refused(full, unit, rung, why):
    first = Planned(unit=UNIT, part="latch", seeds=5, rung=RUNG)
    second = Planned(
        unit=UNIT.model_copy(update=unit),
        part="latch",
        seeds=5,
        rung=RUNG.model_copy(update=rung),
    )
    full.write_plan([first, second])
    (wrong,) = full.validate()
    assert re.search(why, wrong)
