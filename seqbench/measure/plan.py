"""From a selection and the existing records to the jobs that are left.

A profile that tunes is planned twice: first every learning rate on the tuning seeds; then, with the rate that did best
on validation, the reporting seeds. A ladder is planned stage by stage (``protocol/climb.py``).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median

from seqbench.errors import DataMissing
from seqbench.measure.job import Job
from seqbench.measure.select import Selection
from seqbench.measure.user_defined import is_user_defined, name_code
from seqbench.protocol.climb import RULE, RungState, climb, rank_rates
from seqbench.protocol.settings import TUNING_SEEDS, choose_rate
from seqbench.records.schema import Member, Record, Rung, Unit
from seqbench.tasks import TASKS

MEMBERS_AT_ONCE = {
    "cpu": 8,
    "cuda": 64,
}  # on a CPU the data of a step of more members would not fit in the cache


@dataclass
class Plan:
    """What is left to be measured.

    Attributes
    ----------
    jobs
        What can be measured now, longest first.
    done
        How many members were measured before.
    waiting
        How many members wait for the tuning to end, by unit.
    skipped
        For each task whose data is missing, why.
    climbs
        How far each climb is.
    """

    jobs: list[Job] = field(default_factory=list)
    done: int = 0
    waiting: dict[Unit, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    climbs: list["Climb"] = field(default_factory=list)

    @property
    def members(self) -> int:
        """How many members can be measured now."""
        return sum(len(job.members) for job in self.jobs)

    @property
    def work(self) -> int:
        """A rough measure of how long the plan may take, for sorting."""
        later = sum(estimate_work(unit, members) for unit, members in self.waiting.items())
        return later + sum(estimate_work(job.unit, len(job.members)) for job in self.jobs)


@dataclass(frozen=True)
class Climb:
    """How far a model has climbed a ladder.

    Attributes
    ----------
    rungs
        Of each rung that was begun or comes next, its description and what the records say.
    above
        The units of the rungs above these.
    """

    model: str
    rungs: tuple[tuple[Rung, RungState], ...]
    above: tuple[Unit, ...] = ()

    @property
    def lacking(self) -> bool:
        """Whether runs are left."""
        return bool(self.rungs[-1][1].lacking)

    def __str__(self) -> str:
        rung, state = self.rungs[-1]
        ended = {"pass": "passed", "open": "open", "fail": "failed"}
        found = [
            f"{words} {', '.join(values)}"
            for verdict, words in ended.items()
            if (values := [str(r.value) for r, s in self.rungs if s.verdict == verdict])
        ]
        if state.lacking:
            found.append(f"next {rung.value} ({len(state.lacking)} runs, {state.stage[0].role})")
        else:
            found.append("ended")
        return f"{rung.ladder}, {self.model}: {rung.knob} in {rung.unit}: {'; '.join(found)}"


def plan(selection: Selection, records: Sequence[Record], unfinished: Path | None = None) -> Plan:
    """Return what is left of a selection, given these records.

    Parameters
    ----------
    unfinished
        The folder in which long jobs keep their state.
    """
    result = Plan()
    done = {record.key for record in records}
    tasks: dict[
        str, Unit
    ] = {}  # a unit of each: its data are the same at any lag, with any options
    for unit in selection.units:
        tasks.setdefault(unit.task, unit)
    for task, unit in tasks.items():
        with chdir("."):  # a user-defined class may go elsewhere
            if missing := find_missing_data(unit):
                result.skipped[task] = str(missing)
    for found in climbs_of(selection, records):
        if any(state.unit.task in result.skipped for _, state in found.rungs):
            continue
        result.climbs.append(found)
        units = {state.unit.id for _, state in found.rungs}
        result.done += sum(record.unit_id in units for record in records)
        state = found.rungs[-1][1]
        for part in split_evenly(state.stage, MEMBERS_AT_ONCE[selection.provenance.device]):
            left = [member for member in part if member in state.lacking]
            result.jobs += jobs_of(state.unit, left, selection, unfinished)
        if any(member.role == "tuning" for member in state.lacking):
            result.waiting[state.unit] = selection.profile.rule.first
    for unit, members, waiting in members_of(selection, records):
        if unit.task in result.skipped:
            continue
        lacking = [m for m in members if (unit.id, m.seed, m.learning_rate) not in done]
        result.done += len(members) - len(lacking)
        if waiting:
            result.waiting[unit] = waiting
        result.jobs += jobs_of(unit, lacking, selection, unfinished)
    result.jobs.sort(key=lambda job: estimate_work(job.unit, len(job.members)), reverse=True)
    return result


def members_of(
    selection: Selection, records: Iterable[Record]
) -> Iterator[tuple[Unit, list[Member], int]]:
    """Yield each unit with the members that can be measured now, and the number of those that wait for the tuning."""
    profile = selection.profile
    tuned: dict[str, list[Record]] = {}
    for record in records:
        if record.member.role == "tuning":
            tuned.setdefault(record.unit_id, []).append(record)
    for unit, condition in selection.units.items():
        if condition.rung:
            continue
        if not profile.tuned:
            rate = profile.rates.get(unit.id, condition.setting.learning_rate)
            yield unit, [Member(seed=s, learning_rate=rate) for s in selection.seeds], 0
            continue
        tuning = [
            Member(seed=s, learning_rate=r, role="tuning")
            for r in profile.grid
            for s in profile.tuning_seeds
        ]
        finer = [
            Member(seed=s, learning_rate=r, role="search")
            for r in condition.setting.finer
            for s in profile.tuning_seeds
        ]
        there = tuned.get(unit.id, [])
        if len(there) < len(tuning):
            yield unit, tuning + finer, len(selection.seeds)
        else:
            # By the rule of the ladders; profile paper keeps the rule that its editions were tuned by.
            graded = TASKS[unit.task].graded
            rate = rank_rates(there, graded)[0] if profile.is_open else choose_rate(there)
            reporting = [Member(seed=s, learning_rate=rate) for s in selection.seeds]
            yield unit, tuning + finer + reporting, 0


def climbs_of(selection: Selection, records: Iterable[Record]) -> Iterator[Climb]:
    """Yield how far each climb is that a selection asks for, given these records."""
    ladders: dict[tuple[str, str], dict[Unit, Rung]] = {}
    for unit, condition in selection.units.items():
        if rung := condition.rung:
            ladders.setdefault((rung.ladder, condition.model), {})[unit] = rung
    by_unit: dict[str, list[Record]] = {}
    for record in records:
        by_unit.setdefault(record.unit_id, []).append(record)
    profile = selection.profile
    for (_, model), rungs in ladders.items():
        states = climb(rungs, by_unit, profile.search, profile.rule)
        begun = tuple((rungs[state.unit], state) for state in states)
        yield Climb(model, begun, tuple(rungs)[len(states) :])


def jobs_of(
    unit: Unit, members: Sequence[Member], selection: Selection, unfinished: Path | None
) -> Iterator[Job]:
    """Yield the jobs of some members of a unit, each with as many as are trained side by side."""
    by = selection.provenance
    if user_defined := is_user_defined(unit):
        by = by.model_copy(update={"dirty": True})  # no commit names the code
    classes = selection.classes if user_defined else b""
    code = name_code(unit, classes)
    folder = str(unfinished / unit.task) if unfinished else ""
    for part in split_evenly(members, MEMBERS_AT_ONCE[by.device]):
        yield Job(unit, part, by, selection.spec.scan, classes, code, folder)


def find_missing_data(unit: Unit) -> DataMissing | None:
    """Return the error if the data of a task is missing, else None; other faults are reported when it is measured."""
    try:
        task = TASKS[unit.task](lag=unit.lag, **unit.task_options)
        task.sample(task.keys("train", 0, 0, 1))
    except DataMissing as missing:
        return missing
    except KeyboardInterrupt:
        raise
    except BaseException:
        if not is_user_defined(unit):
            raise
    return None


def split_evenly(members: Sequence[Member], most: int) -> list[tuple[Member, ...]]:
    """Return the members in as few parts of nearly equal size as possible, each of at most ``most``."""
    parts = ceil(len(members) / most)
    cuts = [len(members) * k // parts for k in range(parts + 1)] if parts else [0]
    return [tuple(members[a:b]) for a, b in pairwise(cuts)]


def estimate_work(unit: Unit, members: int) -> int:
    """Return a rough measure of how long members of a unit may take, for sorting."""
    return unit.budget.steps * unit.budget.batch * (unit.lag + 1) * members


# What a dry run says


def describe_plan(ahead: Plan, known: Sequence[Record], workers: int) -> Iterator[str]:
    """Yield lines that say what a run would do, and how long that may take.

    Parameters
    ----------
    known
        Records whose cost is known.
    """
    yield from (f"{task} is skipped: {why}" for task, why in ahead.skipped.items())
    yield from (describe_climb(found, known) for found in ahead.climbs)
    seconds = {job: estimate_seconds(job, known) for job in ahead.jobs}
    for job, guess in seconds.items():
        yield f"{job}: {'not known yet' if guess is None else f'about {guess:.0f} s'}"
    guesses = [guess for guess in seconds.values() if guess is not None]
    waiting = sum(ahead.waiting.values())
    later = f", {waiting} more once the tuning is done" if waiting else ""
    blind = len(seconds) - len(guesses)
    yield (
        f"{ahead.members} members in {len(ahead.jobs)} jobs{later}; {ahead.done} are measured already. "
        f"About {sum(guesses) / workers:.0f} s in {workers} workers"
        + (f", and {blind} jobs of unknown length" if blind else "")
    )


def describe_climb(found: Climb, known: Sequence[Record]) -> str:
    """Return a line that says how far a climb is, which rung is next, and what it and those above it may take.

    A rung above has at least the runs of its tuning, at three rates, and the first reporting seeds. Runs that solve end
    early, so that a rung which is passed takes less.
    """
    if not found.lacking:
        return str(found)
    state = found.rungs[-1][1]
    now = estimate_time(state.unit, len(state.lacking), known)
    if now is None:
        return f"{found}: not known yet"
    runs = 3 * len(TUNING_SEEDS) + RULE.first
    costs = [estimate_time(unit, runs, known) or 0 for unit in found.above]
    above = ""
    if costs:
        each = "one rung" if len(costs) == 1 else f"{len(costs)} rungs"
        words = dict.fromkeys(f"{cost:,.0f}" for cost in (costs[0], costs[-1]))
        above = f"; {each} above, if it comes to that, about {' to '.join(words)} s each"
    return f"{found}: about {now:,.0f} s{above}"


def estimate_seconds(job: Job, known: Iterable[Record]) -> float | None:
    """Return the seconds that a job may take; see ``estimate_time``."""
    return estimate_time(job.unit, len(job.members), known)


def estimate_time(unit: Unit, members: int, known: Iterable[Record]) -> float | None:
    """Return the seconds that members of a unit may take, scaled by its lag from records of its model; else None.

    Records of its task are taken where there are any.
    """
    same = [r for r in known if r.unit.model == unit.model and r.steps]
    same = [r for r in same if r.unit.task == unit.task] or same
    if not same:
        return None
    rates = [r.cost.seconds / (r.steps * r.unit.budget.batch * (r.unit.lag + 1)) for r in same]
    return estimate_work(unit, members) * median(rates)
