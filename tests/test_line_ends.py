"""What is compared by hash comes out of a clone as it went in, also where git ends lines as Windows does."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = (
    "results/2026.1/manifest.json",
    "results/2026.1/records/adding/a.jsonl",
    "tests/editions/preview/tables/T1.csv",
    "tests/golden/tasks.json",
    ".ci/run",
)
CHANGED = "notes.md"  # else this tests nothing


def git(*words: object) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *map(str, words)], check=True, capture_output=True)


def test_git_leaves_the_ends_of_lines_alone(tmp_path):
    there, clone = tmp_path / "there", tmp_path / "clone"
    git("init", "-q", there)
    for name in (*KEPT, CHANGED):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(b"one\ntwo\n")
    shutil.copy(ROOT / ".gitattributes", there)
    git("-C", there, "add", "-A")
    git("-C", there, "commit", "-qm", "first")
    git("clone", "-q", "-c", "core.autocrlf=true", there, clone)
    assert (clone / CHANGED).read_bytes() == b"one\r\ntwo\r\n"
    assert {name: (clone / name).read_bytes() for name in KEPT} == dict.fromkeys(
        KEPT, b"one\ntwo\n"
    )
