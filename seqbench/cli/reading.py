"""The commands that read what was measured, and ``check``: report, cite, validate, verify, data."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqbench.cli.app import app
from seqbench.cli.options import QUICK, AsJson, Folder, TaskNames, parse_path, split_names
from seqbench.cli.terminal import answer, complain, select_columns
from seqbench.errors import BadInput, unknown
from seqbench.text import printable

if TYPE_CHECKING:
    from seqbench.report.table import Table


@app.command(epilog="Example: seqbench report claims results/local/paper")
def report(
    table: Annotated[
        str | None,
        typer.Argument(
            help="A table by its name or id (claims, T3); accuracy and throughput if not given."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(help=f"A results folder; {QUICK} if not given.", parser=parse_path),
    ] = None,
    task: TaskNames = [],  # noqa: B006
    write: Annotated[
        bool, typer.Option("--write", help="Write all tables to its tables/, as CSV.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", help="Write the named table as csv, json, latex, html, bibtex or ris."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the accuracy and throughput tables of a results folder, or the table that is named."""
    tasks_shown = split_names(task)
    if table == "":
        raise BadInput(
            "the name of a table is empty; name one, like accuracy or T3, or leave it out"
        )
    if table and not folder and (Path(table).is_dir() or not table.isalnum()):
        folder, table = Path(table), None  # a folder may stand alone
    if form and (as_json or not table):
        raise BadInput("--format writes one table that is named, and goes without --json")
    from seqbench.records.store import Store
    from seqbench.report.folder import write_tables
    from seqbench.report.results import Results

    store = Store(folder or QUICK)
    results = Results.read(store)
    if table:
        found = [results.find_table(table, str(store.path))]
    else:
        found = [results.table("T1"), results.table("T2")]
    if tasks_shown:
        found = [each.select_tasks(tasks_shown) for each in found]
    texts = [format_table(each, form) for each in found] if form else []
    if write:
        complain(f"{len(write_tables(store))} files were written to {store.path / 'tables'}")
    if form:
        print(*texts, sep="", end="")
        return
    answer({each.name: select_columns(each, as_json) for each in found}, as_json)


def format_table(table: "Table", form: str, only: Iterable[str] = ()) -> str:
    """Return a table, or its reference, in a format; raise where the format is none, or none of those wanted."""
    from seqbench.report.table import FORMATS

    choices = [name for name in FORMATS if not only or name in only]
    if form not in choices:
        raise unknown("format", form, choices)
    return FORMATS[form].write(table)


@app.command(epilog="Example: seqbench cite T3 results/2026.1 --format ris")
def cite(
    table: Annotated[str, typer.Argument(help="A table by its name or id.")],
    folder: Folder = QUICK,
    form: Annotated[str, typer.Option("--format", "-f", help="bibtex or ris.")] = "bibtex",
) -> None:
    """Print how to cite a table of a results folder."""
    from seqbench.records.store import Store
    from seqbench.report.results import Results
    from seqbench.report.table import REFERENCES

    found = Results.read(Store(folder)).find_table(table, str(folder))
    print(format_table(found, form, REFERENCES), end="")


@app.command(epilog="Example: seqbench validate results/2026.1")
def validate(folder: Folder = QUICK, as_json: AsJson = False) -> None:
    """Check every line, hash and table of a results folder; exit with 1 if anything is wrong."""
    from seqbench.records.store import Store
    from seqbench.report.folder import check_tables, describe_other_form

    store = Store(folder)
    wrong = [printable(sentence) for sentence in store.validate()]
    if not wrong:  # tables are compared with what the records give: only sound records give any
        wrong = [printable(sentence) for sentence in check_tables(store)]
        if unlike := describe_other_form(store):
            complain(unlike)
    if as_json:
        print(json.dumps({"folder": str(folder), "wrong": wrong}, ensure_ascii=False))
    else:
        print("\n".join(wrong) or printable(f"{folder}: nothing is wrong"))
    raise typer.Exit(1 if wrong else 0)


@app.command(epilog="Example: seqbench verify results/2026.2 --results results/local/quick")
def verify(
    edition: Annotated[
        Path | None,
        typer.Argument(
            help="An edition or a results folder; the newest of the same specification if not given.",
            parser=parse_path,
        ),
    ] = None,
    results: Annotated[
        Path, typer.Option(help="The results folder of the rerun.", parser=parse_path)
    ] = QUICK,
    as_json: AsJson = False,
) -> None:
    """Say whether a rerun reproduces an edition; exit with 1 if it does not, and with 4 if that can't be told."""
    from seqbench.records.store import Store
    from seqbench.report.verify import find_edition
    from seqbench.report.verify import verify as verification

    rerun = Store(results)
    if edition and not edition.exists():  # by its name
        edition = Path("results") / edition
    found = verification(rerun, Store(edition) if edition else find_edition(rerun))
    if as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        conditions = found.list_condition_rows(everything=False)
        answer(
            {"conditions that differ": conditions, "models": found.list_model_rows()}, as_json=False
        )
        print(*map(printable, (*found.list_counts(), found.sentence)), sep="\n")
    raise typer.Exit(found.exit_code)


@app.command(epilog="Example: SEQBENCH_DATA=~/data seqbench data")
def data(as_json: AsJson = False) -> None:
    """Say which data sets there are, where they lie, and under which licence."""
    from seqbench.tasks.sources import list_status

    brief = ("name", "file", "licence", "bytes", "found")
    rows = [row if as_json else {name: row[name] for name in brief} for row in list_status()]
    answer({"data": rows}, as_json)


@app.command(epilog="Example: seqbench check my_package.my_module:MyModel")
def check(
    name: Annotated[str, typer.Argument(help="A task or model, or module:attribute.")],
    as_json: AsJson = False,
) -> None:
    """Put a task or a model through the checks that every built-in one passes; exit with 1 if it fails."""
    from seqbench.check import check as findings
    from seqbench.machine import make_deterministic

    make_deterministic()
    found = []
    for finding in findings(name):
        found.append(finding)
        if not as_json:
            print(finding, flush=True)
    if as_json:
        print(json.dumps({"name": name, "checks": [asdict(each) for each in found]}))
    raise typer.Exit(1 if any(each.wrong for each in found) else 0)
