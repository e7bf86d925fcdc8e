"""The files of ``tables/`` in a results folder: writing them, and checking them against the records.

A folder keeps its tables as CSV, with a list of them; all other formats are made on demand. Older versions also kept
those formats: in a sealed folder they are checked by the seal only, from any other folder they are removed.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqbench.errors import BadInput
from seqbench.records.layout import is_litter
from seqbench.records.rows import write
from seqbench.records.store import Store
from seqbench.report.form import FORM, REPRODUCIBLE_FORMS
from seqbench.report.results import Results
from seqbench.report.table import FORMATS, Table

INDEX = "index.json"
CURRENT_FILES = re.compile(r"T\d+\.csv|index\.json")
OLDER_FILES = re.compile(r"T\d+\.(json|tex|html|bib|ris)")  # written by older versions


def render_tables(results: Results) -> dict[str, str]:
    """Return the content of every file of ``tables/`` by name, made from the records."""
    files = {f"{table.id}.csv": table.csv() for table in results.tables}
    return files | {INDEX: render_index(results.tables)}


def render_downloads(results: Results) -> dict[str, str]:
    """Return every table in every format by file name, and a list of them: the downloads of the book."""
    files = {
        f"{table.id}.{form.ending}": form.write(table)
        for table in results.tables
        for form in FORMATS.values()
    }
    return files | {INDEX: render_index(results.tables, with_files=True)}


def render_index(tables: Iterable[Table], with_files: bool = False) -> str:
    """Return a list of tables as JSON, with the names of their files in all formats if asked."""
    rows = []
    for table in tables:
        row: dict[str, Any] = {
            "id": table.id,
            "name": table.name,
            "title": table.title,
            "edition": table.manifest.edition,
            "hash": table.digest,
            "citable": table.manifest.citable,
        }
        if with_files:
            row["files"] = sorted(f"{table.id}.{form.ending}" for form in FORMATS.values())
        rows.append(row)
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def write_tables(store: Store) -> list[Path]:
    """Write ``tables/`` anew and return its files; files in formats of older versions are removed.

    Raises
    ------
    BadInput
        If the folder is sealed, or has a file among its tables that is not one of them.
    """
    folder = store.path / "tables"
    files = render_tables(Results.read(store, FORM))
    if store.manifest().files:
        raise BadInput(f"{store.path} is sealed: its tables are not written anew")
    for file in folder.iterdir() if folder.is_dir() else ():
        if not is_table(file.name) and not is_litter(file.name):
            raise BadInput(f"{file} is no file of a table; move it away")
    for name, text in files.items():
        write(folder / name, text)
    if (manifest := store.manifest()).form != FORM:
        now = manifest.model_copy(update={"form": FORM})
        write(store.path / "manifest.json", f"{now.canonical()}\n")
    for stale in set(folder.iterdir()) - {folder / name for name in files}:
        if is_table(stale.name):
            stale.unlink()
    return sorted(folder / name for name in files)


def is_table(name: str) -> bool:
    """Return whether this or an older version writes a file of this name to ``tables/``."""
    return bool(CURRENT_FILES.fullmatch(name) or OLDER_FILES.fullmatch(name))


def check_tables(store: Store) -> list[str]:
    """Return a sentence for each file of ``tables/`` that differs from what the records give.

    This code can't reproduce tables of another form: they are checked by the seal only.
    """
    folder, manifest = store.path / "tables", store.manifest()
    if not folder.is_dir() or (manifest.form not in REPRODUCIBLE_FORMS and manifest.files):
        return []
    if manifest.form not in REPRODUCIBLE_FORMS:
        return [
            f"{folder}: tables of form {manifest.form} can't be made again by this code, and no seal speaks for them; "
            "write them anew with: seqbench report --write"
        ]
    results = Results.read(store, manifest.form)
    files = render_tables(results)
    there = {file.name for file in folder.iterdir() if not is_litter(file.name)}
    older = {name for name in there if OLDER_FILES.fullmatch(name)}
    if manifest.files and older:
        there -= older
        files[INDEX] = render_index(results.tables, with_files=True)
    wrong = []
    for name in sorted(files.keys() | there):
        file = folder / name
        if name in older:
            wrong.append(
                f"{file}: a format that is no longer kept; seqbench report --write removes it"
            )
        elif name not in files:
            wrong.append(f"{file}: the records give no such table")
        elif not file.is_file():
            wrong.append(f"{file}: no such file, but the records give this table")
        elif file.read_bytes() != files[name].encode():
            wrong.append(f"{file}: differs from what the records give")
    return wrong


def describe_other_form(store: Store) -> str:
    """Return a sentence if the tables have another form and are not compared with the records, else nothing."""
    form = store.manifest().form
    if not (store.path / "tables").is_dir() or form in REPRODUCIBLE_FORMS:
        return ""
    return (
        f"{store.path}: its tables are of form {form}, and this code makes form {FORM}: "
        "they were compared with the seal, not with the records"
    )
