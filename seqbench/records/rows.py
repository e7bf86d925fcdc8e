"""Reading and writing files of rows, one line of canonical JSON each, and files of one object."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from seqbench.errors import BadInput, NotWritten
from seqbench.records.files import write_atomically
from seqbench.records.schema import Strict

T = TypeVar("T", bound=Strict)

WINDOWS = (
    "its line ends are those of Windows: it was converted on its way here; "
    "copy the folder as it is (with git: set core.autocrlf to false, and clone again)"
)


def write(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with explain_write_errors(path):
        write_atomically(path, text.encode())


def write_rows(path: Path, rows: Iterable[Strict]) -> None:
    """Write a file of rows, one line each, after checking that each line can be read again."""
    lines = []
    for number, row in enumerate(rows, start=1):
        lines.append(row.canonical())
        parse_row(type(row), lines[-1].encode(), f"{path}, line {number} (not written)")
    write(path, "".join(f"{line}\n" for line in lines))


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` into ``NotWritten``, with one sentence."""
    try:
        yield
    except OSError as error:
        why = {errno.ENOSPC: "no space left on the disk", errno.EACCES: "no permission to write"}
        raise NotWritten(
            f"can't write {path}: {why.get(error.errno or 0, error.strerror or error)}"
        ) from error


def read_bytes(path: Path) -> bytes:
    """Return the content of a file; raise ``BadInput`` if it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"can't read {path}: {error.strerror}") from error


def iterate_lines(file: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the place and the content of each line; a file has at least one."""
    for number, line in enumerate(read_bytes(file).removesuffix(b"\n").split(b"\n"), start=1):
        yield f"{file}, line {number}", line


def parse_row(kind: type[T], line: bytes, where: str) -> T:
    """Return the row in a line; raise ``BadInput`` unless the line is its canonical JSON."""
    row = parse(kind, line.removesuffix(b"\r"), where)
    if line.endswith(b"\r"):
        raise BadInput(f"{where}: {WINDOWS}")
    if row.canonical().encode() != line:
        raise BadInput(
            f"{where}: not as seqbench writes it: a field is missing, twice or spelled otherwise"
        )
    return row


def read_object(kind: type[T], file: Path) -> T:
    """Return the object in a file of one object."""
    text = read_bytes(file)
    if b"\r\n" in text:
        raise BadInput(f"{file}: {WINDOWS}")
    whole = parse(kind, text, str(file))
    if len(text) > len(whole.canonical()) + 1:  # a shorter one lacks defaults, as older files do
        raise BadInput(f"{file}: not as seqbench writes it: a field is twice or spelled otherwise")
    return whole


def parse(kind: type[T], text: bytes, where: str) -> T:
    """Return the object in a JSON text; raise ``BadInput`` with its place and the first error."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where}: {f'{field}: ' if field else ''}{first['msg']}") from None
