"""What the measurements in this folder share: two options, where they were made, and a file of their rows."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from seqbench import machine

Device = Annotated[str, typer.Option(help="cpu or cuda.")]
File = Annotated[Path | None, typer.Option("--json", help="Write the numbers there.")]
Row = dict[str, Any]  # numbers, names, and further dicts of them, as JSON has them


def describe_origin(device: str, **sizes: int) -> Row:
    """Return the code, the sizes and the machine of a measurement."""
    commit, dirty = machine.read_commit()
    system = machine.describe_system(device).model_dump(mode="json")
    return {"commit": commit, "dirty": dirty, **sizes, "system": system}


def keep_rows(
    rows: Iterable[Row], format_row: Callable[[Row], str], origin: Row, file: Path | None
) -> None:
    """Print each row once it is measured; if there is a file, write all rows so far to it, with their origin."""
    kept: list[Row] = []
    for row in rows:
        print(format_row(row), flush=True)
        kept.append(row)
        if file:
            file.write_text(json.dumps(origin | {"rows": kept}, indent=1) + "\n", "utf-8")
