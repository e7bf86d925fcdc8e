"""With which code a result was measured: what git knows of it, and what counts as not known."""

import shutil
import subprocess
from pathlib import Path

import pytest

from seqbench import machine

ROOT = Path(__file__).parents[1]
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run([*GIT, "-C", folder, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A checkout of a small package, whose machine.py it is that runs."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "checkout"
    for name in ("seqbench/machine.py", "seqbench/deep/file.py", "benchmarks/peers.py", "notes.md"):
        put(root / name)
    put(root / ".gitignore", "/results/local/\n__pycache__/\n")
    git(tmp_path, "init", "-q", str(root))
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    runs(monkeypatch, root / "seqbench" / "machine.py")
    return root


def put(file: Path, text: str = "1\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def runs(monkeypatch, file: Path) -> None:
    """Let this file be the one that runs."""
    monkeypatch.setattr(machine, "__file__", str(file))


def commit() -> tuple[str, bool]:
    return machine.read_commit.__wrapped__()


def code() -> str:
    return machine.hash_code.__wrapped__()


def test_a_clean_checkout_is_its_commit(package):
    assert commit() == (git(package, "rev-parse", "HEAD"), False)


@pytest.mark.parametrize(
    ("file", "dirty"),
    [
        ("seqbench/deep/file.py", True),
        ("benchmarks/peers.py", True),
        ("notes.md", True),
        ("seqbench/new.py", True),
        ("benchmarks/new/new.py", True),
        ("tools/new.py", True),
        ("results/mine/records/a.jsonl", False),  # what is measured is no code
        ("results/local/quick/manifest.json", False),
        ("seqbench/__pycache__/file.pyc", False),
    ],
)
def test_what_was_changed_or_added(package, file, dirty):
    git(package, "config", "status.showUntrackedFiles", "no")  # a habit of some
    put(package / file, "2\n")
    assert commit() == (git(package, "rev-parse", "HEAD"), dirty)


def test_a_file_that_is_gone(package):
    (package / "benchmarks" / "peers.py").unlink()
    assert commit()[1]


def test_outside_of_git_nothing_holds_the_code(package, monkeypatch, tmp_path):
    shutil.rmtree(package / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commit() == ("unknown", True)


def test_without_git_nothing_is_known(package, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() == ("unknown", True)


def test_an_environment_inside_of_somebodys_repository_is_not_their_code(package, monkeypatch):
    installed = package / ".venv" / "lib" / "seqbench" / "machine.py"
    put(installed)
    runs(monkeypatch, installed)
    assert commit() == ("unknown", True)


def test_a_repository_that_git_does_not_trust_tells_nothing(package, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    assert commit() == ("unknown", True)


def test_the_hash_of_the_code(package):
    first = code()
    assert len(first) == 16
    assert int(first, 16)
    put(package / "seqbench" / "notes.txt")
    put(package / "benchmarks" / "new.py")
    assert code() == first  # no Python of the package
    seen = {first}
    for name, text in (("a.py", "1\n"), ("a.py", "2\n"), ("b/a.py", "2\n")):
        put(package / "seqbench" / name, text)
        seen.add(code())
    assert len(seen) == 4
    (package / "seqbench" / "b" / "a.py").rename(package / "seqbench" / "b" / "c.py")
    assert code() not in seen


def test_the_hash_does_not_know_how_lines_end_nor_where_the_code_lies(package, monkeypatch):
    first = code()
    moved = package.parent / "elsewhere"
    shutil.copytree(package / "seqbench", moved)
    (moved / "deep" / "file.py").write_bytes(b"1\r\n")
    runs(monkeypatch, moved / "machine.py")
    assert code() == first


def test_the_code_that_runs_here_has_a_hash():
    assert machine.hash_code() == code()
