"""Between a command and the terminal: what is printed where, and what exit code an error gives."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from seqbench.errors import BadInput, shorten_warnings
from seqbench.text import printable, shorten

if TYPE_CHECKING:
    from seqbench.report.table import Table

WIDE = 240  # columns
LONG = 2_000  # letters of a line on standard error
Rows = list[dict[str, Any]]

GOES_ON = "what was measured is kept, and the same command goes on from there"


def obey(commands: typer.Typer, arguments: Sequence[str], interrupted: str = GOES_ON) -> NoReturn:
    """Run a command; an error is one line on standard error, whatever kind it is, and so is a warning."""
    shorten_warnings()
    open_streams()
    try:
        code = commands(list(arguments), standalone_mode=False) or 0
        sys.stdout.flush()
    except BadInput as error:
        code = complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = silence(141)
    except OSError as error:
        code = complain(f"can't use {error.filename or 'the output'}: {error.strerror}", 2)
        silence()
    except Exception as error:
        if type(error).__name__ == "Abort":  # an older typer's word for Ctrl-C
            code = 130
        elif hasattr(error, "format_message"):  # typer's own: an unknown option or command
            code = complain(error.format_message(), 2)
        else:
            raise
    if code == 130:
        complain(f"interrupted; {interrupted}")
    sys.exit(code)


def open_streams() -> None:
    """Let standard output and error be there and take every letter, whatever they are connected to."""
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            # It is closed; the next file that is opened would take its place.
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence(code: int = 0) -> int:
    """Let nothing more be written to standard output, also at the exit; return the code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code


def complain(sentence: str, code: int = 0) -> int:
    """Print one line on standard error; return the code."""
    print(shorten(" ".join(sentence.split()), LONG), file=sys.stderr)
    return code


def answer(tables: Mapping[str, Rows], as_json: bool) -> None:
    """Print tables, or one JSON document of them all."""
    if as_json:
        print(json.dumps(tables, ensure_ascii=False, allow_nan=False))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # What is piped into a file is not cut at the width of a terminal.
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    for title, rows in tables.items():
        if not rows:
            console.print(f"{title}: none", markup=False)
            continue
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for column in rows[0]:
            table.add_column(column, overflow="fold")
        for row in rows:
            texts = ("" if value is None else printable(str(value)) for value in row.values())
            table.add_row(*map(Text, texts))  # a str would be read as markup
        console.print(table)
        console.print()


def select_columns(table: "Table", all_columns: bool) -> Rows:
    """Return the rows of a table as they are printed; some columns are for files only."""
    hidden = {c.name for c in table.columns if c.files_only and not all_columns}
    return [{k: v for k, v in row.items() if k not in hidden} for row in table.values]
