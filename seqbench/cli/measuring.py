"""The commands that measure: run, throughput, baselines, inside, replicate."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqbench.cli.app import app
from seqbench.cli.options import (
    LEDGER,
    AsJson,
    AskedDevice,
    AskedPrecision,
    AskedProfile,
    AskedScan,
    Batch,
    Budget,
    Device,
    DryRun,
    Engine,
    Force,
    Hidden,
    Lags,
    Layers,
    LearningRates,
    ModelNames,
    Out,
    Parameters,
    Parts,
    ProfileName,
    Seeds,
    SpecFile,
    Steps,
    TaskNames,
    Words,
    Workers,
    ask,
    name_file_at_fault,
    name_results,
    parse_duration,
    parse_numbers,
    parse_path,
    parse_rates,
    split_names,
)
from seqbench.cli.terminal import answer, complain, select_columns
from seqbench.text import printable

if TYPE_CHECKING:
    from seqbench.measure.progress import Plain
    from seqbench.records.spec import RunSpec
    from seqbench.records.store import Store


@app.command(
    epilog="Example: seqbench run --task adding --lag 100 --model lstm,gru --hidden 64 --steps 5000"
)
def run(
    spec: SpecFile = None,
    profile: AskedProfile = None,
    task: TaskNames = [],  # noqa: B006  typer copies it
    model: ModelNames = [],  # noqa: B006
    lag: Lags = [],  # noqa: B006
    part: Parts = [],  # noqa: B006
    seeds: Seeds = None,
    steps: Steps = None,
    learning_rate: LearningRates = [],  # noqa: B006
    batch: Batch = None,
    parameters: Parameters = None,
    hidden: Hidden = None,
    layers: Layers = None,
    device: AskedDevice = None,
    engine: Engine = "processes",
    workers: Workers = None,
    budget: Budget = None,
    out: Out = None,
    scan: AskedScan = None,
    precision: AskedPrecision = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> None:
    """Train what is asked for and the results folder lacks.

    A profile is measured as it says. Anything else is an experiment: any lag, size, budget or rate of any task, with
    5 seeds at the learning rate 3e-3, and otherwise as in the edition. What is asked for may stand in a TOML file;
    options go before its lines. --dry-run prints such a file.
    """
    rates = parse_rates(learning_rate)
    asked = ask(
        spec,
        profile=profile, tasks=split_names(task), models=split_names(model), lags=parse_numbers(lag, "lag"),
        parts=split_names(part), seeds=seeds, steps=steps, batch=batch, parameters=parameters, hidden=hidden,
        layers=layers, device=device, scan=scan, precision=precision,
        learning_rate=rates[0] if len(rates) == 1 else None, grid=rates if len(rates) > 1 else [],
    )  # fmt: skip
    store, listen = measure(
        asked, spec, out, dry_run, engine=engine, workers=workers, budget=budget, force=force
    )
    if not dry_run:
        look = f"seqbench report {quote(str(store.path))}"
        complain(f"the records are in {store.path}; look at them with: {look}")
    if listen.failed:
        complain(f"{listen.failed} runs failed")
        raise typer.Exit(1)


def measure(
    asked: "RunSpec",
    file: Path | None,
    out: Path | None,
    dry_run: bool,
    *,
    engine: str,
    workers: int | None,
    budget: str | None,
    force: bool = False,
) -> tuple["Store", "Plain"]:
    """Measure what is asked for, in a file or by options; return the folder, and what received the lines."""
    seconds = parse_duration(budget)
    from seqbench.measure import runs
    from seqbench.measure.select import select

    listen = choose_listener(dry_run)
    with name_file_at_fault(file, select):
        store = runs.run(
            asked,
            out=name_results(file, out),
            engine=engine,
            workers=workers,
            budget=seconds,
            force=force,
            dry_run=dry_run,
            listen=listen,
        )
    return store, listen


def choose_listener(dry_run: bool) -> "Plain":
    """Return what receives the lines of a run: those of a dry run are the answer, not progress."""
    from seqbench.measure.progress import Plain, make_listener

    class Answer(Plain):
        """Prints to standard output."""

        def say(self, line: str) -> None:
            print(printable(line), flush=True)

    return Answer() if dry_run else make_listener()


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
        "scans": split_names(scan), "phases": split_names(phase), "precisions": split_names(precision),
        "lengths": parse_numbers(length, "length"), "batches": parse_numbers(batch, "batch"),
        "members": parse_numbers(members, "number of members"), "hidden": parse_numbers(hidden, "hidden width"),
    }  # fmt: skip

    from seqbench.measure import throughput as timing
    from seqbench.report.results import Results

    store = timing.run(
        profile,
        models=split_names(model),
        device=device,
        axes={name: tuple(axis) for name, axis in axes.items() if axis},
        out=out,
        force=force,
        say=complain,
    )
    answer({"throughput": select_columns(Results.read(store).table("T2"), as_json)}, as_json)


@app.command(epilog="Example: seqbench baselines --task time-machine --lag 50,200")
def baselines(
    profile: ProfileName = "quick",
    task: TaskNames = [],  # noqa: B006
    lag: Lags = [],  # noqa: B006
    part: Parts = [],  # noqa: B006
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Compute what methods that train no network reach on a profile's tasks, and keep what the folder lacks.

    On ladders that is also what the best of many random networks reaches: weight guessing.
    """
    lags = parse_numbers(lag, "lag")
    from seqbench.measure import baselines as reached
    from seqbench.report.results import Results

    store = reached.run(
        profile,
        tasks=split_names(task),
        lags=lags,
        parts=split_names(part),
        out=out,
        force=force,
        say=complain,
    )
    answer({"baselines": select_columns(Results.read(store).table("T7"), as_json)}, as_json)


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
    seeds: Seeds = None,
    device: AskedDevice = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Train members again, look inside before and after, and keep what the folder lacks.

    Without a task, those are looked at whose relevant steps are known.
    """
    asked = ask(
        spec,
        profile=profile, tasks=split_names(task), models=split_names(model), lags=parse_numbers(lag, "lag"),
        parts=split_names(part),
        seeds=seeds, device=device,
    )  # fmt: skip
    from seqbench.diagnostics import probe
    from seqbench.report.results import Results

    with name_file_at_fault(spec, probe.select):
        store = probe.run(
            asked, instruments=split_names(instrument), out=name_results(spec, out), say=complain
        )
    answer({"inside": select_columns(Results.read(store).table("T11"), as_json)}, as_json)


@app.command(epilog="Example: seqbench replicate hs97-reber hs97-order-4 --budget 9m")
def replicate(
    experiments: Annotated[
        Words | None, typer.Argument(help="Ids of the ledger; all those with trials if not given.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="So many trials, not the row's.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Lay the trials aside after this time: 90s, 9m, 1h.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The results folder.", parser=parse_path)] = LEDGER,
    as_json: AsJson = False,
) -> None:
    """Repeat published experiments in their own protocol: the trials that the folder lacks, then the ledger."""
    seconds = parse_duration(budget)
    from seqbench.ledger.trials import run as repeat
    from seqbench.report.results import Results

    store = repeat(
        split_names(experiments or []), trials=trials, budget=seconds, out=out, say=complain
    )
    answer({"ledger": select_columns(Results.read(store).table("T10"), as_json)}, as_json)
