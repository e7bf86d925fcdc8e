"""Measure what a run specification asks for and a results folder lacks: select, plan, execute."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import InstanceOf

from seqbench.errors import BadInput
from seqbench.measure.execute import Keeper, Resources, allot, execute
from seqbench.measure.folder import open_profile, write_into
from seqbench.measure.plan import Plan, describe_plan, plan
from seqbench.measure.progress import Listener, make_listener
from seqbench.measure.select import Selection, select, spec_of
from seqbench.records.differences import describe_differences
from seqbench.records.schema import Planned, Unit
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store
from seqbench.text import printable
from seqbench.values.arguments import Seconds, Workers, check_arguments

UNSAID = RunSpec()  # not even a profile


@check_arguments
def run(
    spec: str | InstanceOf[RunSpec] = UNSAID,
    *,
    out: str | Path | None = None,
    engine: str = "processes",
    workers: Workers | None = None,
    budget: Seconds | None = None,
    force: bool = False,
    dry_run: bool = False,
    listen: Listener | None = None,
    **options: Any,  # checked by RunSpec
) -> Store:
    """Measure what a specification asks for and the store lacks; return the store.

    Parameters
    ----------
    spec
        What is to be measured: a ``RunSpec``, or the name of a profile. Without a profile it is ``quick``, or an
        experiment where that has not what is asked for.
    out
        The results folder; ``results/local/<profile>`` by default, with another precision than float32
        ``results/local/<profile>-<precision>``. Of an experiment's conditions the name has a hash.
    engine, workers
        ``processes`` (of one thread each, one a core by default), ``serial`` or ``dask``.
    budget
        Seconds after which no further job is started; ``SEQBENCH_BUDGET`` if not given.
    force
        Measure existing records again, and replace them.
    dry_run
        Only print what would be measured, with an estimate of the time from existing records.
    listen
        Receives the progress of the run; a progress bar or plain lines by default.
    options
        Fields of the specification that are to have another value: ``tasks=["adding"], seeds=5``; see ``RunSpec``. A
        task or a model may be given as a class, too, and need not be registered anywhere.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices. Nothing is written then, or, where the disk is at
        fault, what was measured is kept.
    """
    selection, store = prepare(spec_of(spec, options, run), out, force)
    given = allot(engine, workers, budget, selection.provenance.device)
    keeper = Keeper(store, replace=force)
    listen = listen or make_listener()
    ahead = plan(selection, keeper.done)  # data that are wrong are found before anything is written
    if dry_run:
        for line in describe_run(selection.spec, ahead, store, given.workers):
            listen.say(line)
        return store
    device, manifest = selection.provenance.device, selection.profile.make_manifest()
    with write_into(store, manifest, device, *selection.tasks):
        store.write_plan(plan_of_folder(selection, store))
        store.add_spec(selection.spec)
        announce(plan(selection, keeper.done), listen)
        for part in selection.parts:
            measure_part(selection.of_part(part), given, keeper, listen)
    return store


def prepare(
    spec: RunSpec, out: str | Path | None = None, force: bool = False
) -> tuple[Selection, Store]:
    """Return what a specification asks for, and the folder; raise ``BadInput`` if the folder does not fit.

    Parameters
    ----------
    force
        Whether rows of a table that were measured under other conditions may be replaced.
    """
    selection = select(spec)
    store = open_profile(out, selection.profile)
    if not force:
        refuse_another_row(selection.units, store)
    if selection.profile.is_open and store.exists:
        refuse_another_climb(selection.planned, store)
    return selection, store


def plan_of_folder(selection: Selection, store: Store) -> list[Planned]:
    """Return the units that a folder is to hold: of a folder of experiments also those that were asked for before."""
    if not selection.profile.is_open or not store.exists:
        return selection.planned
    planned = {row.unit.condition: row for row in store.plan()}
    for row in selection.planned:
        before = planned.get(row.unit.condition)
        if before is None or before.unit.id != row.unit.id or before.seeds < row.seeds:
            planned[row.unit.condition] = row
    return list(planned.values())


def measure_part(selection: Selection, given: Resources, keeper: Keeper, listen: Listener) -> None:
    """Measure what is missing of one part of a profile; what depends on records that are lacking yet, follows them."""
    execute(
        lambda: plan(selection, keeper.done, keeper.store.unfinished).jobs, given, keeper, listen
    )


def announce(ahead: Plan, listen: Listener) -> None:
    """Print what is not measured, and why."""
    for task, why in ahead.skipped.items():
        listen.say(f"{task} is skipped: {why}")
    if ahead.done:
        listen.say(f"{ahead.done} members are measured already and are skipped")


def describe_run(spec: RunSpec, ahead: Plan, store: Store, workers: int) -> Iterator[str]:
    """Yield the lines of a dry run. They are a TOML file, so what would be done is a comment."""
    yield from spec.toml().splitlines()
    for line in describe_plan(ahead, store.records(), workers):
        yield f"# {printable(line)}"


def refuse_another_climb(asked: Iterable[Planned], store: Store) -> None:
    """Raise if a folder holds another climb of a ladder, or a row that is a rung in only one of folder and run.

    The learning rates of a rung follow from those of the rungs below. So a climb may be continued upwards, and is
    another one with a further rung between or below those that were measured.
    """
    asked, planned = list(asked), store.plan()
    before = {row.unit.id: row for row in planned}
    for row in asked:
        held_as = before.get(row.unit.id, row)
        if (held_as.rung is None) != (row.rung is None):
            task, lag, model = row.unit.condition
            raise BadInput(
                f"{store.path} holds {task} at lag {lag} with {model} as {name_rung(held_as)}, this run asks for it "
                f"as {name_rung(row)}, with a learning rate that is chosen otherwise; choose another folder with --out"
            )
    there = list_rungs(planned)
    for (ladder, model), rungs in list_rungs(asked).items():
        held = there.get((ladder, model), rungs)
        shorter = min(len(held), len(rungs))
        if held[:shorter] != rungs[:shorter]:
            raise BadInput(
                f"{store.path} holds ladder '{ladder}' with {model} at rungs {held}, this run asks for {rungs}: "
                "a climb can be continued upwards, with all of its rungs named; choose another folder with --out"
            )


def name_rung(planned: Planned) -> str:
    """Return in words which rung a planned unit is."""
    rung = planned.rung
    return f"rung {rung.value} of ladder '{rung.ladder}'" if rung else "no rung of a ladder"


def list_rungs(planned: Iterable[Planned]) -> dict[tuple[str, str], list[int]]:
    """Return the values of the rungs of each climb, ascending, by ladder and model."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in planned:
        if row.rung:
            found.setdefault((row.rung.ladder, row.unit.model_spelling), []).append(row.rung.value)
    return {climb: sorted(values) for climb, values in found.items()}


def refuse_another_row(units: Iterable[Unit], store: Store) -> None:
    """Raise if the folder holds a row of a table that was measured under other conditions than those asked for."""
    there = {record.unit.condition: record.unit for record in store.records()}
    for unit in units:
        other = there.get(unit.condition)
        if other and other.id != unit.id:
            task, lag, model = unit.condition
            raise BadInput(
                f"{store.path} holds {task} at lag {lag} with {model} under other conditions "
                f"({describe_differences(other, unit)}); --force replaces it, --out keeps both"
            )
