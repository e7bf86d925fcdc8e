"""Train the members of a condition again, and apply the instruments to them.

A run does not store trained weights, because the same unit with the same seeds gives them again. So a condition is
trained as ``measure`` trains it, and each member's weights are kept when its training ends. All members are examined
on the same sequences, the first of the test set.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import InstanceOf

from seqbench import machine
from seqbench.diagnostics import INSTRUMENTS
from seqbench.diagnostics.relevant import RELEVANT
from seqbench.diagnostics.series import Series
from seqbench.errors import BadInput, describe, unknown
from seqbench.measure import select as measure
from seqbench.measure.folder import open_profile, write_into
from seqbench.measure.job import build
from seqbench.measure.plan import MEMBERS_AT_ONCE, find_missing_data, members_of
from seqbench.measure.select import Selection, spec_of
from seqbench.measure.user_defined import is_user_defined
from seqbench.records.schema import Member, Moment, Probe, Unit, canonical, digest
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store
from seqbench.tasks import TASKS
from seqbench.training.feed import draw
from seqbench.training.loop import Outcome, train
from seqbench.training.stack import Weights
from seqbench.values.arguments import check_arguments

SEQUENCES = 128
SeriesByMoment = dict[Moment, dict[Member, dict[str, Series]]]  # and by instrument


@check_arguments
def run(
    spec: str | InstanceOf[RunSpec] = "quick",
    *,
    instruments: Sequence[str] = (),
    out: str | Path | None = None,
    say: Callable[[str], Any] = lambda line: None,
    **options: Any,  # checked by RunSpec
) -> Store:
    """Apply instruments to the members of a specification, where the store lacks it; return the store.

    Parameters
    ----------
    spec
        What to examine: a ``RunSpec``, or the name of a profile. If it names no task, those whose relevant steps are
        known; if no lag, the longest of each task; if no part, the first of the profile.
    instruments
        By name; all of them if none is given.
    out
        The results folder; ``results/local/<profile>`` by default. A tuned profile finds its learning rates there.
    say
        Called with each line of progress.
    options
        Fields of the specification that are to have another value, all but ``scan``.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    for name in instruments:
        if name not in INSTRUMENTS:
            raise unknown("instrument", name, INSTRUMENTS)
    asked = spec_of(spec, options, run, without=("scan",))
    if asked.scan != "auto":
        raise BadInput(
            f"instruments run no scan but their own; got scan '{asked.scan}', leave it out"
        )
    selection = select(asked)
    profile, device = selection.profile, selection.provenance.device
    store = open_profile(out, profile)
    work = list(reporting_members(selection, store))
    for unit, _ in work:
        if missing := find_missing_data(unit):
            raise missing
    machine.make_deterministic()
    with write_into(store, profile.make_manifest(), device):
        there = {probe.key for probe in store.probes()}
        for unit, who in work:
            with raise_bad_input(unit):
                examine(unit, who, instruments or list(INSTRUMENTS), there, store, device, say)
    return store


def examine(
    unit: Unit,
    who: Sequence[Member],
    instruments: Sequence[str],
    there: Collection[tuple[object, ...]],
    store: Store,
    device: str,
    say: Callable[[str], Any],
) -> None:
    """Let the instruments look into those members of a unit of which there is no probe, and store what they see.

    Parameters
    ----------
    there
        The keys of the probes that the store has.
    """
    what = f"{unit.task} lag {unit.lag} {unit.model}"
    lacking = {
        name: left
        for name in instruments
        if INSTRUMENTS[name].applies(*build_for(unit))
        and (left := [m for m in who if identify(name, unit, m) not in there])
    }
    if not lacking:
        say(f"{what}: nothing is left to look at")
    for name, left in lacking.items():
        say(f"{what}: {name} of seeds {','.join(str(member.seed) for member in left)}")
    for start in range(0, len(who), MEMBERS_AT_ONCE[device]):
        part = who[start : start + MEMBERS_AT_ONCE[device]]
        for rows in probe_members(unit, part, lacking, device):
            store.add_probes(name_file(rows), rows)


def select(spec: RunSpec) -> Selection:
    """Return the part of a specification that is examined."""
    whole = measure.select(spec)
    parts = spec.parts or whole.profile.parts[:1]
    found = whole.where(
        lambda _, condition: (
            condition.rung is None
            and condition.setting.part in parts
            and bool(spec.tasks or condition.setting.task in RELEVANT)
            and bool(spec.lags or condition.lag == max(condition.setting.lags))
        )
    )
    if not found.conditions:
        raise BadInput(
            f"profile '{whole.profile.name}' has only ladders here, and instruments look at no rung of one; "
            "name a task and a lag of profile 'experiment'"
            if any(condition.rung for _, condition in whole.conditions)
            else f"profile '{whole.profile.name}' has no task here that these models can read"
        )
    return found


def reporting_members(selection: Selection, store: Store) -> Iterator[tuple[Unit, list[Member]]]:
    """Yield each unit with its reporting members; raise where their learning rate is not known yet."""
    profile = selection.profile
    records = store.records() if profile.tuned else []
    for unit, members, waiting in members_of(selection, records):
        if waiting:
            what = selection.units[unit]
            raise BadInput(
                f"{store.path} lacks the tuning of {what.setting.task} lag {what.lag} {what.model}; "
                f"measure it first: seqbench run --profile {profile.name} --task {what.setting.task}"
            )
        yield unit, [member for member in members if member.role == "reporting"]


@contextmanager
def raise_bad_input(unit: Unit) -> Iterator[None]:
    """Turn any exception of a user-defined class into ``BadInput``."""
    try:
        yield
    except (BadInput, KeyboardInterrupt):
        raise
    except BaseException as error:
        if not is_user_defined(unit):
            raise
        what = f"{unit.task_spelling} lag {unit.lag} {unit.model_spelling}"
        raise BadInput(f"can't look into {what}: {describe(error)}") from error


def build_for(unit: Unit) -> tuple[Any, Any]:
    """Return the task of a unit, and its model with one untrained member."""
    task = TASKS[unit.task](lag=unit.lag, **unit.task_options)
    return task, build(unit, task, [0], torch.device("cpu"))[0]


def identify(name: str, unit: Unit, member: Member) -> tuple[str, str, int, float, str]:
    """Return the key of a probe at the end of training; the probe at the start is always written with it."""
    return name, unit.id, member.seed, member.learning_rate, "end"


def name_file(rows: Sequence[Probe]) -> str:
    """Return the name of the file for rows of one instrument and unit."""
    first, unit = rows[0], rows[0].unit
    whose = sorted({canonical(row.member.model_dump(mode="json")) for row in rows})
    hashes = f"{unit.id[:8]}-{digest(whose)[:8]}"
    return f"{first.instrument}-{unit.task}-lag{unit.lag}-{unit.model}-{hashes}"


def probe_members(
    unit: Unit, who: Sequence[Member], lacking: dict[str, list[Member]], device: str
) -> Iterator[list[Probe]]:
    """Yield the probes of each instrument, of those members of a stack that it lacks."""
    here = [m for m in who if any(m in left for left in lacking.values())]
    if not here:
        return
    outcomes, seen = train_and_look(unit, here, list(lacking), torch.device(device))
    commit, dirty = machine.read_commit()
    dirty = dirty or is_user_defined(unit)
    for name, left in lacking.items():
        rows = [
            Probe(
                instrument=name,
                unit_id=unit.id,
                unit=unit,
                member=outcome.member,
                verdict=outcome.verdict,
                moment=moment,
                series=series[outcome.member][name],
                device=device,
                commit=commit,
                dirty=dirty,
                system=machine.describe_system(device).id,
                threads=1,
            )
            for moment, series in seen.items()
            for outcome in outcomes
            if outcome.member in left
        ]
        if rows:
            yield rows


def train_and_look(
    unit: Unit, who: Sequence[Member], instruments: Sequence[str], device: torch.device
) -> tuple[list[Outcome], SeriesByMoment]:
    """Train members of a unit; return their outcomes, and the series of the instruments before and after.

    A member that diverged has no series at the end, because its weights are not finite.
    """
    task, _ = build_for(unit)
    data = draw(task, "test", [0], 0, SEQUENCES, device)
    weights: dict[Member, Weights] = {}

    def look(model: Any, at: Sequence[Member]) -> dict[Member, dict[str, Series]]:
        model.eval()
        found = {name: INSTRUMENTS[name].look(task, model, data) for name in instruments}
        return {m: {name: each[e] for name, each in found.items()} for e, m in enumerate(at)}

    def build_model(at: Sequence[Member]) -> Any:
        return build(unit, task, [member.seed for member in at], device)[0]

    start = look(build_model(who), who)
    with machine.set_product_precision(unit.precision):
        outcomes = train(
            task, build_model(who), who, unit.budget, device, on_finish=weights.__setitem__
        )
    finite = [outcome.member for outcome in outcomes if outcome.verdict != "diverged"]
    end: dict[Member, dict[str, Series]] = {m: {name: {} for name in instruments} for m in who}
    if finite:
        model = build_model(finite)
        stacked = {n: torch.stack([weights[m][n] for m in finite]) for n in weights[finite[0]]}
        model.load_state_dict(stacked)
        end |= look(model, finite)
    return outcomes, {"start": start, "end": end}
