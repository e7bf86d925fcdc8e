"""Which files a results folder may contain.

A folder may come from an untrusted source, so links in it are never followed. Hidden files, and those that desktops and
editors leave behind, are ignored.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from seqbench.errors import BadInput

DEPTH = {  # how deep the files of each folder of measurements are
    "records": 2, "throughput": 1, "comparisons": 1, "baselines": 1, "probes": 1, "trials": 1, "systems": 1,
    "specs": 1,
}  # fmt: skip
ROWS = (".json", ".jsonl")  # the endings of files of measurements
ENDINGS = {"specs": (".toml",)}  # of other files
DERIVED = ("tables", "notebooks", "unfinished")  # made from the measurements, or temporary
SINGLE_FILES = ("manifest.json", "plan.jsonl", "facts.json")
LITTER = ("Thumbs.db", "desktop.ini")


def find_misplaced(folder: Path) -> Iterator[BadInput]:
    """Yield an error for each entry of a results folder that can't be read or does not belong there."""
    for entry in list_entries(folder):
        if isinstance(entry, BadInput):
            yield entry
        elif entry.is_dir() and entry.name in DEPTH:
            found = list_files(folder, entry.name)
            yield from (wrong for wrong in found if isinstance(wrong, BadInput))
        elif entry.is_dir() and entry.name in DERIVED:
            yield from find_links(entry)
        elif not (entry.is_file() and entry.name in SINGLE_FILES):
            yield describe_misplaced(entry)


def list_files(folder: Path, kind: str) -> Iterator[Path | BadInput]:
    """Yield the files of a folder of measurements, and an error for every other entry."""
    return walk(folder / kind, DEPTH[kind], ENDINGS.get(kind, ROWS))


def walk(folder: Path, depth: int, endings: Sequence[str]) -> Iterator[Path | BadInput]:
    """Yield the files at this depth below a folder, and an error for every other entry."""
    for entry in list_entries(folder):
        if isinstance(entry, BadInput):
            yield entry
        elif entry.is_dir() and depth > 1:
            yield from walk(entry, depth - 1, endings)
        elif entry.is_file() and depth == 1 and entry.suffix in endings:
            yield entry
        else:
            yield describe_misplaced(entry)


def find_links(folder: Path) -> Iterator[BadInput]:
    """Yield an error for every entry below a folder that is neither a regular file nor a folder."""
    left = [folder]
    while left:  # iterative, since folders may be deep
        for entry in list_entries(left.pop()):
            if isinstance(entry, BadInput):
                yield entry
            elif entry.is_dir():
                left.append(entry)


def find_leftovers(folder: Path, tasks: Iterable[str]) -> Iterator[Path]:
    """Yield the temporary files of interrupted writes, optionally of some tasks only; links are not followed."""
    for top in (*DEPTH, *DERIVED):
        places = [folder / top / task for task in tasks] or [
            folder / top,
            *list_folders(folder / top),
        ]
        for place in places:
            if not (place.is_symlink() or (folder / top).is_symlink()) and place.is_dir():
                yield from place.glob("*.tmp")


def list_folders(folder: Path) -> list[Path]:
    """Return the subfolders of a folder."""
    return [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []


def list_entries(folder: Path) -> list[Path | BadInput]:
    """Return the entries of a folder, sorted; those that can't be read or are links or devices are errors."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        return [BadInput(f"can't read {folder}: {error.strerror}")]
    return [
        kept
        for entry in found
        if (kept := check_entry(entry)) is not entry or not is_litter(entry.name)
    ]


def check_entry(entry: Path) -> Path | BadInput:
    """Return an entry of a folder, or the error if it is a link or neither a file nor a folder."""
    if entry.is_symlink():
        return BadInput(f"{entry} is a link; a results folder holds its own files only")
    return entry if entry.is_file() or entry.is_dir() else describe_misplaced(entry)


def is_litter(name: str) -> bool:
    """Return whether a file is hidden, or one that a desktop or an editor leaves behind."""
    return name.startswith(".") or name.endswith("~") or name in LITTER


def describe_misplaced(entry: Path) -> BadInput:
    """Return the error for a file or folder that does not belong in a results folder."""
    kind = "folder" if entry.is_dir() else "file" if entry.is_file() else "thing"
    return BadInput(f"{entry}: a results folder has no such {kind}; move it away")
