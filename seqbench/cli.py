"""The command line: the only file that knows everyone.

What answers a question goes to standard output, and with ``--json`` it is one JSON document and nothing else; errors
and progress go to standard error. Exit codes: 0 done, 1 a check or a run failed, 2 bad input, 3 the specification
differs, 4 nothing can be said yet (verify), 130 interrupted, 141 nobody reads the answer any more. Whatever imports
torch is imported inside the command that needs it.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from seqbench.catalogue import Catalogue
from seqbench.errors import BadInput, shorten_warnings, unknown
from seqbench.text import printable, shorten

if TYPE_CHECKING:
    from seqbench.records.spec import RunSpec
    from seqbench.report.table import Table

WIDE = 240  # columns
LONG = 2_000  # letters of a line on standard error
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}

app = typer.Typer(
    name="seqbench",
    help="A small, exact benchmark of sequence models: what they can remember, and what it costs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Example: seqbench run --profile quick --task adding --model lstm,gru",
)

Rows = list[dict[str, Any]]
Words = list[str]


def a_path(text: str) -> Path:
    """Return a path."""
    if not text:
        raise BadInput("a path is empty; name a file or folder, or leave it out")
    return Path(text)


Folder = Annotated[Path, typer.Argument(help="A results folder.", parser=a_path)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
ProfileName = Annotated[str, typer.Option("--profile", "-p", help="smoke, quick or paper.")]
AskedProfile = Annotated[
    str | None, typer.Option("--profile", "-p", help="smoke, quick or paper; quick if not given.")
]
SpecFile = Annotated[
    Path | None,
    typer.Option("--spec", help="A TOML file that says what is asked for.", parser=a_path),
]
TaskNames = Annotated[
    list[str], typer.Option("--task", "-t", help="Only these tasks; repeat it or use commas.")
]
ModelNames = Annotated[
    list[str], typer.Option("--model", "-m", help="Only these models; repeat it or use commas.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Out = Annotated[
    Path | None,
    typer.Option(help="The results folder; results/local/<profile> if not given.", parser=a_path),
]
Force = Annotated[bool, typer.Option("--force", help="Measure again what is there.")]
QUICK = Path("results", "local", "quick")  # where the default profile leaves its results
LEDGER = Path("results", "local", "ledger")


def main() -> NoReturn:
    """Run the command line, and exit with a code that says how it went."""
    obey(app, sys.argv[1:] or ["--help"])


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
        if (
            getattr(sys, name) is None
        ):  # closed: else the next file that is opened would take its place
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


def listed(words: Iterable[str]) -> list[str]:
    """Return what was given as ``a,b`` or by a repeated option, one by one."""
    parts = [part.strip() for word in words for part in word.split(",")]
    if not all(parts):
        raise BadInput("a name is empty; leave the option out to mean all, or name some: a,b")
    return parts


def numbers(words: Iterable[str], what: str) -> list[int]:
    """Return a list of whole numbers."""
    parts = listed(words)
    for part in parts:
        if not re.fullmatch(r"[0-9]{1,12}", part):
            raise BadInput(
                f"a {what} is a whole number of at most 12 digits; got '{shorten(part, 40)}'"
            )
    return [int(part) for part in parts]


def duration(text: str | None) -> float | None:
    """Return the seconds of ``90``, ``90s``, ``9m`` or ``1.5h``."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([smh]?)", text.strip())
    if not match or not float(match[1]):
        raise BadInput(
            f"a budget of time is written like 90s, 9m or 1.5h; got '{shorten(text, 40)}'"
        )
    return float(match[1]) * SECONDS[match[2]]


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


# What there is


def entries(catalogue: Catalogue, options: bool) -> Rows:
    """Return the name and the first line of every entry, without importing it; where they are wanted, its options."""
    rows: Rows = [{"name": name, "about": catalogue.summary(name)} for name in catalogue]
    if options:
        from seqbench.values.options import list_options

        for row in rows:
            try:
                row["options"] = [o.to_row() for o in list_options(catalogue[row["name"]]).values()]
            except BadInput:  # an entry point that leads nowhere: its line says so
                row["options"] = None
    return rows


def models(options: bool) -> Rows:
    """Return the models."""
    from seqbench.models import MODELS

    rows = entries(MODELS, options)
    for row in rows if options else ():
        try:
            row["facts"] = asdict(MODELS.facts(row["name"]))
        except BadInput:  # an entry point that leads nowhere: its line says so
            row["facts"] = None
    return rows


def tasks(options: bool) -> Rows:
    """Return the tasks."""
    from seqbench.tasks import TASKS

    return entries(TASKS, options)


def profiles(options: bool) -> Rows:
    """Return the profiles, with what each measures."""
    from seqbench.protocol.profiles import PROFILES

    return [
        {
            "name": profile.name,
            "conditions": sum(1 for _ in profile.conditions()),
            "parts": ", ".join(profile.parts),
            "seeds": profile.seeds,
            "parameters": profile.parameters,
            "tuned": profile.tuned,
            "citable": profile.citable,
            "specification": profile.specification,
        }
        for profile in PROFILES.values()
    ]


def tables(options: bool) -> Rows:
    """Return the tables that were written below ``results``; of an index that is none, say so."""
    rows = []
    for index in sorted(Path("results").glob("**/tables/index.json")):
        try:
            if not index.is_file():
                raise OSError("it is no file")
            rows += [
                {
                    "folder": printable(str(index.parents[1])),
                    **{
                        key: printable(str(table[key]))
                        for key in ("id", "title", "edition", "hash")
                    },
                    "citable": table["citable"] is True,
                }
                for table in json.loads(index.read_text("utf-8"))
            ]
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            complain(f"{index} is no list of tables; write it anew with: seqbench report --write")
    return rows


def claims(options: bool) -> Rows:
    """Return the claims, with what decides each and how."""
    from seqbench.report.claims import CLAIMS

    return [
        {
            "id": claim.id,
            "claim": claim.sentence,
            "experiment": claim.experiment,
            "rule": claim.rule_in_words,
        }
        for claim in CLAIMS.values()
    ]


KINDS: dict[str, Callable[[bool], Rows]] = {
    "models": models, "tasks": tasks, "profiles": profiles, "claims": claims, "tables": tables,
}  # fmt: skip


@app.command(name="list", epilog="Example: seqbench list tasks --json")
def list_(
    kind: Annotated[
        str | None, typer.Argument(help="models, tasks, profiles, claims or tables.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the models, tasks, profiles, claims and tables there are; with --json also options, and facts of models."""
    if kind is not None and kind not in KINDS:
        raise unknown("kind of thing", kind, KINDS)
    answer({name: rows(as_json) for name, rows in KINDS.items() if kind in (None, name)}, as_json)


# What measures


def ask(file: Path | None, **options: Any) -> "RunSpec":
    """Return a run specification from a file, where one is named, and from the options that were given beside it."""
    from seqbench.records.spec import RunSpec

    given = {name: value for name, value in options.items() if value not in (None, [])}
    return RunSpec.read(file).change(given) if file else RunSpec.of(given)


@app.command(epilog="Example: seqbench run --task adding --model lstm,gru --lag 10,50 --budget 9m")
def run(
    spec: SpecFile = None,
    profile: AskedProfile = None,
    task: TaskNames = [],  # noqa: B006  typer copies it
    model: ModelNames = [],  # noqa: B006
    lag: Annotated[list[str], typer.Option("--lag", "-l", help="Only these lags.")] = [],  # noqa: B006
    part: Annotated[Words, typer.Option(help="Only these parts of the profile.")] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="So many seeds, not the profile's.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Training steps of a task that the profile does not have.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate of a task that the profile does not have.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    engine: Annotated[str, typer.Option(help="processes, serial or dask.")] = "processes",
    workers: Annotated[int | None, typer.Option(help="Worker processes; one a core.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Start nothing new after this time: 90s, 9m, 1h.")
    ] = None,
    out: Out = None,
    scan: Annotated[
        str | None,
        typer.Option(help="How recurrences run: auto, reference, native, ensemble or fused."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="float32 or float64; with CUDA also tf32 or bfloat16.")
    ] = None,
    force: Force = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only print the specification, what would be measured, and how long."
        ),
    ] = False,
) -> None:
    """Train what a profile asks for and the results folder lacks.

    What is asked for may stand in a TOML file; options go before its lines. --dry-run prints such a file.
    """
    asked = ask(
        spec,
        profile=profile, tasks=listed(task), models=listed(model), lags=numbers(lag, "lag"), parts=listed(part),
        seeds=seeds, steps=steps, learning_rate=learning_rate, device=device, scan=scan, precision=precision,
    )  # fmt: skip
    seconds = duration(budget)
    from seqbench.measure import runs
    from seqbench.measure.progress import Plain, listener

    class Answer(Plain):
        """A dry run's lines are the answer, not progress."""

        def say(self, line: str) -> None:
            print(printable(line), flush=True)

    listen = Answer() if dry_run else listener()
    store = runs.run(
        asked,
        out=out,
        engine=engine,
        workers=workers,
        budget=seconds,
        force=force,
        dry_run=dry_run,
        listen=listen,
    )
    if not dry_run:
        look = f"seqbench report {quote(str(store.path))}"
        complain(f"the records are in {store.path}; look at them with: {look}")
    if listen.failed:
        complain(f"{listen.failed} runs failed")
        raise typer.Exit(1)


@app.command(epilog="Example: seqbench throughput --model lstm,gru --hidden 32,64 --phase training")
def throughput(
    profile: ProfileName = "quick",
    model: ModelNames = [],  # noqa: B006
    device: Device = "auto",
    scan: Annotated[
        Words,
        typer.Option(help="Ways to run a recurrence: auto, reference, native, ensemble, fused."),
    ] = [],  # noqa: B006
    length: Annotated[Words, typer.Option(help="Steps of a sequence.")] = [],  # noqa: B006
    batch: Annotated[Words, typer.Option(help="Sequences a member.")] = [],  # noqa: B006
    members: Annotated[Words, typer.Option(help="Members side by side.")] = [],  # noqa: B006
    hidden: Annotated[
        Words, typer.Option(help="Hidden units; else as many as the profile's size.")
    ] = [],  # noqa: B006
    phase: Annotated[Words, typer.Option(help="training, inference or streaming.")] = [],  # noqa: B006
    precision: Annotated[
        Words, typer.Option(help="float32, float64, and on a GPU tf32, bfloat16.")
    ] = [],  # noqa: B006
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Time one step of every model, and keep what the folder lacks; several values stand between commas.

    What is not given is the profile's.
    """
    axes: dict[str, Sequence[Any]] = {
        "scans": listed(scan), "phases": listed(phase), "precisions": listed(precision),
        "lengths": numbers(length, "length"), "batches": numbers(batch, "batch"),
        "members": numbers(members, "number of members"), "hidden": numbers(hidden, "hidden width"),
    }  # fmt: skip

    from seqbench.measure import throughput as timing
    from seqbench.report.results import Results

    store = timing.run(
        profile,
        models=listed(model),
        device=device,
        axes={name: tuple(axis) for name, axis in axes.items() if axis},
        out=out,
        force=force,
        say=complain,
    )
    answer({"throughput": printed(Results.read(store).table("T2"), as_json)}, as_json)


@app.command(epilog="Example: seqbench baselines --task time-machine --lag 50,200")
def baselines(
    profile: ProfileName = "quick",
    task: TaskNames = [],  # noqa: B006
    lag: Annotated[list[str], typer.Option("--lag", "-l", help="Only these lags.")] = [],  # noqa: B006
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compute what methods without a network reach on a profile's tasks, and keep it beside the runs."""
    lags = numbers(lag, "lag")
    from seqbench.measure import baselines as reached
    from seqbench.report.results import Results

    store = reached.run(profile, tasks=listed(task), lags=lags, out=out, say=complain)
    answer({"baselines": printed(Results.read(store).table("T7"), as_json)}, as_json)


@app.command(epilog="Example: seqbench inside --instrument gradient,gates --task temporal-order")
def inside(
    spec: SpecFile = None,
    profile: AskedProfile = None,
    instrument: Annotated[
        Words, typer.Option("--instrument", "-i", help="gradient, gates, attention or age.")
    ] = [],  # noqa: B006
    task: TaskNames = [],  # noqa: B006
    model: ModelNames = [],  # noqa: B006
    lag: Annotated[
        list[str], typer.Option("--lag", "-l", help="These lags; else each task's longest.")
    ] = [],  # noqa: B006
    part: Annotated[Words, typer.Option(help="These parts of the profile; else the first.")] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="So many seeds, not the profile's.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Train members again, look inside before and after, and keep what the folder lacks.

    Without a task, those are looked at whose relevant steps are known.
    """
    asked = ask(
        spec,
        profile=profile, tasks=listed(task), models=listed(model), lags=numbers(lag, "lag"), parts=listed(part),
        seeds=seeds, device=device,
    )  # fmt: skip
    from seqbench.diagnostics import probe
    from seqbench.report.results import Results

    store = probe.run(asked, instruments=listed(instrument), out=out, say=complain)
    answer({"inside": printed(Results.read(store).table("T11"), as_json)}, as_json)


@app.command(epilog="Example: seqbench replicate hs97-reber hs97-order-4 --budget 9m")
def replicate(
    experiments: Annotated[
        Words | None, typer.Argument(help="Ids of the ledger; all those with trials if not given.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="So many trials, not the row's.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Lay the trials aside after this time: 90s, 9m, 1h.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The results folder.", parser=a_path)] = LEDGER,
    as_json: AsJson = False,
) -> None:
    """Repeat published experiments in their own protocol: the trials that the folder lacks, then the ledger."""
    seconds = duration(budget)
    from seqbench.ledger.trials import run as repeat
    from seqbench.report.results import Results

    store = repeat(listed(experiments or []), trials=trials, budget=seconds, out=out, say=complain)
    answer({"ledger": printed(Results.read(store).table("T10"), as_json)}, as_json)


# What reads


def printed(table: "Table", all_columns: bool) -> Rows:
    """Return the rows of a table as they are printed; some columns are for files only."""
    hidden = {c.name for c in table.columns if c.files_only and not all_columns}
    return [{k: v for k, v in row.items() if k not in hidden} for row in table.values]


@app.command(epilog="Example: seqbench report claims results/local/paper")
def report(
    table: Annotated[
        str | None,
        typer.Argument(
            help="A table by its name or id (claims, T3); accuracy and throughput if not given."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Argument(help=f"A results folder; {QUICK} if not given.", parser=a_path)
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
    tasks_shown = listed(task)
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
    texts = [written(each, form) for each in found] if form else []
    if write:
        complain(f"{len(write_tables(store))} files were written to {store.path / 'tables'}")
    if form:
        print(*texts, sep="", end="")
        return
    answer({each.name: printed(each, as_json) for each in found}, as_json)


def written(table: "Table", form: str, only: Iterable[str] = ()) -> str:
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
    print(written(found, form, REFERENCES), end="")


@app.command(epilog="Example: seqbench validate results/preview")
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


@app.command(epilog="Example: seqbench verify results/preview --results results/local/quick")
def verify(
    edition: Annotated[
        Path | None,
        typer.Argument(
            help="An edition or a results folder; the newest of the same specification if not given.",
            parser=a_path,
        ),
    ] = None,
    results: Annotated[
        Path, typer.Option(help="The results folder of the rerun.", parser=a_path)
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
