"""The options that several commands have, and how their texts are read."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqbench.errors import BadInput
from seqbench.text import shorten

if TYPE_CHECKING:
    from seqbench.records.spec import RunSpec

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
Words = list[str]


def parse_path(text: str) -> Path:
    """Return a path."""
    if not text:
        raise BadInput("a path is empty; name a file or folder, or leave it out")
    return Path(text)


Folder = Annotated[Path, typer.Argument(help="A results folder.", parser=parse_path)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
ProfileName = Annotated[
    str, typer.Option("--profile", "-p", help="smoke, quick, paper, edition or experiment.")
]
AskedProfile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        help="smoke, quick, paper, edition or experiment; if not given, quick where that has what is asked for, "
        "else experiment.",
    ),
]
SpecFile = Annotated[
    Path | None,
    typer.Argument(help="A TOML file that says what is asked for.", parser=parse_path),
]
TaskNames = Annotated[
    list[str], typer.Option("--task", "-t", help="Only these tasks; repeat it or use commas.")
]
ModelNames = Annotated[
    list[str], typer.Option("--model", "-m", help="Only these models; repeat it or use commas.")
]
Lags = Annotated[
    list[str],
    typer.Option("--lag", "-l", help="Only these lags; 'seqbench list tasks' says what a lag is."),
]
Parts = Annotated[list[str], typer.Option("--part", help="Only these parts of the profile.")]
Seeds = Annotated[int | None, typer.Option(help="So many seeds, not the profile's.")]
Engine = Annotated[str, typer.Option(help="processes, serial or dask.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes; one a core.")]
Budget = Annotated[str | None, typer.Option(help="Start nothing new after this time: 90s, 9m, 1h.")]
Steps = Annotated[int | None, typer.Option(help="Training steps at most; 6,000 if not given.")]
LearningRates = Annotated[
    list[str],
    typer.Option(help="The learning rate; of several the best is chosen on seeds of their own."),
]
Batch = Annotated[int | None, typer.Option(help="Sequences a step; 32 if not given.")]
Parameters = Annotated[
    int | None,
    typer.Option(
        help="Match the models to so many parameters beyond embedding and readout; 5,000."
    ),
]
Hidden = Annotated[int | None, typer.Option(help="Hidden units of every model.")]
Layers = Annotated[int | None, typer.Option(help="Layers of every model.")]
AskedScan = Annotated[
    str | None,
    typer.Option("--scan", help="How recurrences run: auto, reference, native, ensemble or fused."),
]
AskedPrecision = Annotated[
    str | None,
    typer.Option("--precision", help="float32 or float64; with CUDA also tf32 or bfloat16."),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Only print the specification, what would be measured, and how long."
    ),
]
AskedDevice = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="The results folder; if not given, results/local/<profile>, or results/local/<file> for a TOML file.",
        parser=parse_path,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Measure again what is there.")]
LOCAL = Path("results", "local")
QUICK = LOCAL / "quick"  # where the default profile leaves its results
LEDGER = LOCAL / "ledger"


def split_names(words: Iterable[str]) -> list[str]:
    """Return what was given as ``a,b`` or by a repeated option, one by one."""
    parts = [part.strip() for word in words for part in word.split(",")]
    if not all(parts):
        raise BadInput("a name is empty; leave the option out to mean all, or name some: a,b")
    return parts


def parse_numbers(words: Iterable[str], what: str) -> list[int]:
    """Return a list of whole numbers."""
    parts = split_names(words)
    for part in parts:
        if not re.fullmatch(r"[0-9]{1,12}", part):
            raise BadInput(
                f"a {what} is a whole number of at most 12 digits; got '{shorten(part, 40)}'"
            )
    return [int(part) for part in parts]


def parse_rates(words: Iterable[str]) -> list[float]:
    """Return a list of learning rates."""
    rates = []
    for part in split_names(words):
        try:
            rates.append(float(part))
        except ValueError:
            raise BadInput(
                f"a learning rate is a number, like 3e-3; got '{shorten(part, 40)}'"
            ) from None
    return rates


def parse_duration(text: str | None) -> float | None:
    """Return the seconds of ``90``, ``90s``, ``9m`` or ``1.5h``."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([smh]?)", text.strip())
    if not match or not float(match[1]):
        raise BadInput(
            f"a budget of time is written like 90s, 9m or 1.5h; got '{shorten(text, 40)}'"
        )
    return float(match[1]) * SECONDS[match[2]]


def ask(file: Path | None, **options: Any) -> "RunSpec":
    """Return a run specification from a file, where one is named, and from the options that were given beside it."""
    from seqbench.records.spec import RunSpec

    given = {name: value for name, value in options.items() if value not in (None, [])}
    return RunSpec.read(file).change(given) if file else RunSpec.of(given)


def name_results(file: Path | None, out: Path | None) -> Path | None:
    """Return the results folder: the one that is named, else that of a TOML file, which has its name."""
    return out or (LOCAL / file.stem if file else None)


@contextmanager
def name_file_at_fault(file: Path | None, select: Callable[["RunSpec"], object]) -> Iterator[None]:
    """Put the name of the file in front of an error that comes from the file itself.

    It does if ``select`` raises the same error of what the file asks for without the options given beside it.
    """
    try:
        yield
    except BadInput as error:
        if file is not None and str(error) == find_fault(file, select):
            raise type(error)(f"{file}: {error}") from None
        raise


def find_fault(file: Path, select: Callable[["RunSpec"], object]) -> str | None:
    """Return why what a file asks for can't be measured, or None if it can."""
    from seqbench.records.spec import RunSpec

    try:
        select(RunSpec.read(file))
    except BadInput as error:
        return str(error)
    return None
