"""Train the members of a condition again, and let the instruments look into them.

The trained weights of a run are not kept: the same unit with the same seeds gives them again. So a condition is
trained as ``measure`` trains it, and each member's weights are kept when its training ends. Nothing is scored here
that a run has not scored. All members are looked at on the same sequences, the first of the test set.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from seqbench import machine
from seqbench.diagnostics import INSTRUMENTS
from seqbench.diagnostics.relevant import RELEVANT
from seqbench.diagnostics.series import Series
from seqbench.errors import BadInput, unknown
from seqbench.measure.job import build
from seqbench.measure.runs import MEMBERS_AT_ONCE, members_of, names, suits, unit_of
from seqbench.models import MODELS
from seqbench.protocol.profiles import find_profile
from seqbench.protocol.settings import TUNING_SEEDS, Condition, Profile
from seqbench.records.schema import Member, Moment, Probe, Unit, canonical, digest
from seqbench.records.store import Store
from seqbench.tasks import TASKS
from seqbench.training.loop import Outcome, Weights, draw, train
from seqbench.values.arguments import Count, Lag, checked

SEQUENCES = 128
SeriesByMoment = dict[Moment, dict[Member, dict[str, Series]]]  # and by instrument


@checked
def run(
    profile: str = "quick",
    *,
    instruments: Sequence[str] = (),
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    lags: Sequence[Lag] = (),
    parts: Sequence[str] = (),
    seeds: Count | None = None,
    device: str = "auto",
    out: str | Path | None = None,
    say: Callable[[str], Any] = lambda line: None,
) -> Store:
    """Look into the members of a profile's conditions where the store lacks it; return the store.

    Parameters
    ----------
    instruments
        By name; all of them if none is given.
    tasks, models, lags, parts
        What to look at, by name: if not given, the tasks whose relevant steps are known, every model of theirs, of
        each task the longest lag, and the first part of the profile.
    seeds
        How many reporting seeds, instead of the profile's number.
    out
        The results folder; ``results/local/<profile>`` by default. A tuned profile finds its learning rates there.
    say
        Is told how it goes on, a line at a time.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    chosen = find_profile(profile)
    for name in instruments:
        if name not in INSTRUMENTS:
            raise unknown("instrument", name, INSTRUMENTS)
    if seeds is not None and seeds > min(TUNING_SEEDS):
        raise BadInput(f"seeds must be at most {min(TUNING_SEEDS)}; got {seeds}")
    conditions = select(chosen, names(TASKS, tasks), names(MODELS, models), lags, parts)
    device = machine.device(device)
    store = Store(Path("results", "local", chosen.name) if out is None else out)
    store.check(chosen.manifest())
    store.look_over()
    work = [
        (unit_of(condition, chosen), who)
        for condition, who in members(conditions, chosen, store, seeds)
    ]
    machine.make_deterministic()
    store.create(chosen.manifest())
    with store.lock():
        store.add_system(machine.system(device))
        there = {probe.key for probe in store.probes()}
        for unit, who in work:
            lacking = {
                name: left
                for name in instruments or INSTRUMENTS
                if INSTRUMENTS[name].applies(*built_for(unit))
                and (left := [m for m in who if key(name, unit, m) not in there])
            }
            if not lacking:
                say(f"{unit.task} lag {unit.lag} {unit.model}: nothing is left to look at")
            for name, left in lacking.items():
                seeds_left = ",".join(str(member.seed) for member in left)
                say(f"{unit.task} lag {unit.lag} {unit.model}: {name} of seeds {seeds_left}")
            for start in range(0, len(who), MEMBERS_AT_ONCE[device]):
                part = who[start : start + MEMBERS_AT_ONCE[device]]
                for rows in probed(unit, part, lacking, device):
                    store.add_probes(named(rows), rows)
    return store


def select(
    chosen: Profile,
    tasks: Sequence[str],
    models: Sequence[str],
    lags: Sequence[int],
    parts: Sequence[str],
) -> list[Condition]:
    """Return the conditions that are looked at."""
    known = [setting.task for setting in chosen.settings if setting.task in RELEVANT]
    conditions = chosen.select(tasks or known, models, lags, parts or chosen.parts[:1])
    if not tasks:  # then those that the models can read are meant
        conditions = [condition for condition in conditions if suits(condition)]
    if not lags:
        conditions = [
            condition for condition in conditions if condition.lag == max(condition.setting.lags)
        ]
    if not conditions:
        raise BadInput(f"profile '{chosen.name}' has no task here that these models can read")
    return conditions


def members(
    conditions: Sequence[Condition], chosen: Profile, store: Store, seeds: int | None
) -> Iterator[tuple[Condition, list[Member]]]:
    """Yield each condition with its reporting members; raise where their learning rate is not known yet."""
    records = store.records() if chosen.tuned and store.exists else []
    for condition in conditions:
        who, later = members_of(unit_of(condition, chosen), condition, chosen, seeds, records)
        if later:
            raise BadInput(
                f"{store.path} lacks the tuning of {condition.setting.task} lag {condition.lag} {condition.model}; "
                f"measure it first: seqbench run --profile {chosen.name} --task {condition.setting.task}"
            )
        yield condition, [member for member in who if member.role == "reporting"]


def built_for(unit: Unit) -> tuple[Any, Any]:
    """Return the task of a unit, and its model with a member that is nobody's."""
    task = TASKS[unit.task](lag=unit.lag, **unit.task_options)
    return task, build(unit, task, [0], torch.device("cpu"))[0]


def key(name: str, unit: Unit, member: Member) -> tuple[str, str, int, float, str]:
    """Return the identity of what an instrument sees at the end: the start goes with it."""
    return name, unit.id, member.seed, member.learning_rate, "end"


def named(rows: Sequence[Probe]) -> str:
    """Return the name of the file for rows of one instrument and unit."""
    first, unit = rows[0], rows[0].unit
    whose = sorted({canonical(row.member.model_dump(mode="json")) for row in rows})
    hashes = f"{unit.id[:8]}-{digest(whose)[:8]}"
    return f"{first.instrument}-{unit.task}-lag{unit.lag}-{unit.model}-{hashes}"


def probed(
    unit: Unit, who: Sequence[Member], lacking: dict[str, list[Member]], device: str
) -> Iterator[list[Probe]]:
    """Yield what each instrument sees of those members of a stack that it lacks."""
    here = [m for m in who if any(m in left for left in lacking.values())]
    if not here:
        return
    outcomes, seen = train_and_look(unit, here, list(lacking), torch.device(device))
    commit, dirty = machine.commit()
    dirty = dirty or TASKS.is_user_defined(unit.task) or MODELS.is_user_defined(unit.model)
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
                system=machine.system(device).id,
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
    """Train members of a unit; return what became of them, and what was seen before and after.

    A member that diverged has no series at the end: there is nothing in it that is finite.
    """
    task, _ = built_for(unit)
    data = draw(task, "test", [0], 0, SEQUENCES, device)
    held: dict[Member, Weights] = {}

    def look(model: Any, at: Sequence[Member]) -> dict[Member, dict[str, Series]]:
        model.eval()
        found = {name: INSTRUMENTS[name].look(task, model, data) for name in instruments}
        return {m: {name: each[e] for name, each in found.items()} for e, m in enumerate(at)}

    def fresh(at: Sequence[Member]) -> Any:
        return build(unit, task, [member.seed for member in at], device)[0]

    start = look(fresh(who), who)
    with machine.products_in(unit.precision):
        outcomes = train(task, fresh(who), who, unit.budget, device, hold=held.__setitem__)
    finite = [outcome.member for outcome in outcomes if outcome.verdict != "diverged"]
    end: dict[Member, dict[str, Series]] = {m: {name: {} for name in instruments} for m in who}
    if finite:
        model = fresh(finite)
        stacked = {n: torch.stack([held[m][n] for m in finite]) for n in held[finite[0]]}
        model.load_state_dict(stacked)
        end |= look(model, finite)
    return outcomes, {"start": start, "end": end}
