"""What a results folder may hold, and what of it has no place there.

A folder may come from a stranger. No link in it is followed: what is read and written through one lies elsewhere.
Hidden files, and those that desktops and editors leave, are passed over.
"""

from collections.abc import Iterator
from pathlib import Path

from seqbench.errors import BadInput

DEPTH = {  # how far below each folder of measurements its files lie
    "records": 2, "throughput": 1, "comparisons": 1, "baselines": 1, "probes": 1, "trials": 1, "systems": 1,
}  # fmt: skip
ENDINGS = (".json", ".jsonl")
BESIDE = ("tables", "notebooks", "unfinished")  # made from the measurements, or on the way to them
ALONE = ("manifest.json", "plan.jsonl", "facts.json")
LITTER = ("Thumbs.db", "desktop.ini")


def look_over(folder: Path) -> Iterator[BadInput]:
    """Yield an error for each thing in a results folder that can't be read or has no place in it."""
    for entry in entries(folder):
        if isinstance(entry, BadInput):
            yield entry
        elif entry.is_dir() and entry.name in DEPTH:
            found = walk(entry, DEPTH[entry.name])
            yield from (wrong for wrong in found if isinstance(wrong, BadInput))
        elif entry.is_dir() and entry.name in BESIDE:
            yield from links(entry)
        elif not (entry.is_file() and entry.name in ALONE):
            yield out_of_place(entry)


def walk(folder: Path, depth: int) -> Iterator[Path | BadInput]:
    """Yield the files so many levels below a folder, and an error for whatever else is there."""
    for entry in entries(folder):
        if isinstance(entry, BadInput):
            yield entry
        elif entry.is_dir() and depth > 1:
            yield from walk(entry, depth - 1)
        elif entry.is_file() and depth == 1 and entry.suffix in ENDINGS:
            yield entry
        else:
            yield out_of_place(entry)


def links(folder: Path) -> Iterator[BadInput]:
    """Yield an error for each link below a folder."""
    for entry in entries(folder):
        if isinstance(entry, BadInput):
            yield entry
        elif entry.is_dir():
            yield from links(entry)


def entries(folder: Path) -> list[Path | BadInput]:
    """Return what a folder holds, in order; a link, or a folder that can't be read, is an error."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        return [BadInput(f"can't read {folder}: {error.strerror}")]
    return [
        BadInput(f"{entry} is a link; a results folder holds its own files only")
        if entry.is_symlink()
        else entry
        for entry in found
        if not is_litter(entry.name)
    ]


def is_litter(name: str) -> bool:
    """Return whether a file is hidden, or one that a desktop or an editor leaves."""
    return name.startswith(".") or name.endswith("~") or name in LITTER


def out_of_place(entry: Path) -> BadInput:
    """Return the error for a file or folder that is none of a results folder."""
    kind = "folder" if entry.is_dir() else "file"
    return BadInput(f"{entry}: a results folder has no such {kind}; move it away")
