"""``seqbench horizon``: climb a ladder, and print how far each model came, beside what is published."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from seqbench.cli.app import app
from seqbench.cli.measuring import measure
from seqbench.cli.options import (
    AsJson,
    AskedDevice,
    AskedScan,
    Batch,
    Budget,
    DryRun,
    Engine,
    Hidden,
    Lags,
    Layers,
    LearningRates,
    ModelNames,
    Out,
    Parameters,
    SpecFile,
    Steps,
    TaskNames,
    Words,
    Workers,
    ask,
    parse_numbers,
    parse_rates,
    split_names,
)
from seqbench.cli.terminal import Rows, answer, complain

if TYPE_CHECKING:
    from seqbench.records.store import Store
    from seqbench.report.horizons import LadderClimb
    from seqbench.report.results import Results

PUBLISHED = Path("results")


@app.command(epilog="Example: seqbench horizon --task adding --model lstm,my_model --budget 1h")
def horizon(
    spec: SpecFile = None,
    task: TaskNames = [],  # noqa: B006  typer copies it
    model: ModelNames = [],  # noqa: B006
    knob: Annotated[
        str | None, typer.Option(help="What the rungs are: lag, or an option of the task.")
    ] = None,
    rungs: Annotated[
        Words, typer.Option(help="The rungs, ascending; the edition's if not given.")
    ] = [],  # noqa: B006
    lag: Lags = [],  # noqa: B006
    steps: Steps = None,
    batch: Batch = None,
    learning_rate: LearningRates = [],  # noqa: B006
    parameters: Parameters = None,
    hidden: Hidden = None,
    layers: Layers = None,
    device: AskedDevice = None,
    engine: Engine = "processes",
    scan: AskedScan = None,
    workers: Workers = None,
    budget: Budget = None,
    out: Out = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Climb a ladder of a task until each model fails, and print how far it came, beside the edition's models.

    Rates are tuned and seeds are run at each rung as in the edition. Results are kept in results/local/horizon-<task>;
    the same command goes on where it was stopped.
    """
    asked = ask(
        spec,
        tasks=split_names(task), models=split_names(model), knob=knob, rungs=parse_numbers(rungs, "rung"),
        lags=parse_numbers(lag, "lag"), steps=steps, batch=batch, parameters=parameters, hidden=hidden, layers=layers,
        device=device, scan=scan, grid=parse_rates(learning_rate),
    )  # fmt: skip
    if not asked.knob:
        asked = asked.change({"knob": "lag"})
    store, listen = measure(
        asked, spec, out, dry_run, engine=engine, workers=workers, budget=budget
    )
    if dry_run:
        return
    answer(list_horizons(store, as_json), as_json)
    complain(
        f"the runs are in {store.path}; see them with: seqbench report runs {quote(str(store.path))}"
    )
    if listen.failed:
        complain(f"{listen.failed} runs failed")
        raise typer.Exit(1)


def list_horizons(store: "Store", as_json: bool) -> dict[str, Rows]:
    """Return for each ladder the horizon of every model, and the published one where an edition has that ladder."""
    from seqbench.report.results import Results

    tables = {}
    climbs = Results.read(store).climbs
    for ladder in dict.fromkeys(climb.ladder for climb in climbs):
        own = {climb.model: climb for climb in climbs if climb.ladder == ladder}
        edition = find_published(ladder, store)
        theirs = {c.model: c for c in edition.climbs if c.ladder == ladder} if edition else {}
        title = ladder
        if edition:
            title += f", here and in edition '{edition.manifest.edition}'"
            if note := describe_other_conditions(own, theirs):
                complain(f"edition '{edition.manifest.edition}' has other conditions: {note}")
        else:
            complain(f"no edition in {PUBLISHED.absolute()} has ladder '{ladder}' yet")
        tables[title] = [
            {
                "model": model,
                "horizon": str(own[model].horizon) if model in own else None,
                "published": str(theirs[model].horizon) if model in theirs else None,
                **(list_rungs(own.get(model)) if as_json else {}),
            }
            for model in dict.fromkeys([*own, *theirs])
        ]
    return tables


def list_rungs(climb: "LadderClimb | None") -> dict[str, object]:
    """Return what a JSON document says of a climb beyond its words."""
    if climb is None:
        return {"passed": None, "failed": None, "end": None, "rungs": []}
    rungs = [
        {
            "value": each.rung.value,
            "status": each.status,
            "solved": len(each.solved),
            "runs": len(each.deciding),
            "learning_rate": each.rate,
        }
        for each in climb.rungs
    ]
    found = climb.horizon
    return {"passed": found.passed, "failed": found.failed, "end": found.end, "rungs": rungs}


def find_published(ladder: str, own: "Store") -> "Results | None":
    """Return the newest edition below ``results`` that has a ladder; None if there is none."""
    from seqbench.errors import BadInput
    from seqbench.report.results import Results
    from seqbench.report.verify import list_editions

    for store in list_editions(own, PUBLISHED):
        try:
            rungs = [planned.rung for planned in store.plan()]
            if any(rung and rung.ladder == ladder for rung in rungs):
                return Results.read(store)
        except BadInput as error:  # what was climbed is shown nevertheless
            complain(f"an edition is left out, since it can't be read: {error}")
    return None


def describe_other_conditions(
    own: "dict[str, LadderClimb]", published: "dict[str, LadderClimb]"
) -> str:
    """Return in words how rungs that both have differ, from the first model that has; empty where none does."""
    from seqbench.records.differences import describe_differences

    for model in own.keys() & published.keys():
        there = {each.rung.value: each.unit for each in published[model].rungs}
        for each in own[model].rungs:
            other = there.get(each.rung.value)
            if other and other.id != each.unit.id:
                return describe_differences(other, each.unit, "{name} {one}, here {two}")
    return ""
