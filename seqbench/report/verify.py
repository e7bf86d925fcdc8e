"""Comparison of a rerun with an edition; both are read, nothing is run.

Conditions are matched by the id of their unit, which is a hash of everything that determines the numbers, and judged by
``verdict.py``. A run that failed or ran out of memory counts as not solved, as in T1. Records that are equal except for
cost and provenance are the same *bit for bit*.

A folder of experiments is compared where it meets the edition: in the units that both have, and in those that it
measured at the learning rate that was chosen in the edition. A folder of the profile ``quick`` is a part of the
edition: it is compared in the units that both have, by the seeds that both have.

Step times are compared on the same machine only: *equivalent* if the 90 % interval of the ratio, after / before, lies
in [0.8, 1.25], *different* if wholly outside. They do not enter the verdict, which is about solve rates.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqbench.errors import BadInput, SpecificationDiffers
from seqbench.protocol.profiles import EXPERIMENT, QUICK
from seqbench.records.differences import describe_differences
from seqbench.records.schema import Manifest, Record, Throughput, Unit, canonical
from seqbench.records.store import Store
from seqbench.report.compare import EQUIVALENCE, Pair, Times, estimate_ratio, is_within
from seqbench.report.results import Results
from seqbench.report.stats import Estimate
from seqbench.report.verdict import (
    MEAN_MARGIN,
    ComparedCondition,
    DifferenceTest,
    Judgement,
    TableVerdict,
    judge,
)

EXIT_CODES: dict[TableVerdict, int] = {"reproduced": 0, "contradicted": 1, "inconclusive": 4}
FAST, SLOW = 0.8, 1.25
EXCLUDED = {"cost", "provenance", "unit", "unit_id"}  # from what is compared bit for bit

Rows = list[dict[str, Any]]
Units = dict[str, list[Record]]  # the runs of each unit, by its id
StepVerdict = Literal["equivalent", "different", "inconclusive", "not comparable"]


@dataclass(frozen=True)
class StepTimes:
    """The time of a step on both sides, and the ratio after / before where its interval is known."""

    before: Throughput
    after: Throughput | None  # None: not timed again on that machine
    ratio: Estimate | None
    verdict: StepVerdict


@dataclass(frozen=True)
class Verification:
    """The result of comparing a rerun with an edition.

    Attributes
    ----------
    units, conditions
        The units that both have, and their runs, in the order of ``judgement.conditions``.
    judgement
        None where they have no unit in common.
    edition_only, rerun_only
        The number of units that only one of them has.
    ended
        Runs of the rerun, in the common conditions, that failed or ran out of memory.
    other_unit
        How a condition that both have, but as another unit, was measured on both sides; empty if there is none.
    is_part
        Whether the rerun is a part of the edition.
    """

    edition: Manifest
    units: list[Unit]
    conditions: list[ComparedCondition]
    judgement: Judgement | None
    steps: list[StepTimes]
    edition_only: int
    rerun_only: int
    ended: int
    other_unit: str = ""
    is_part: bool = False

    @property
    def verdict(self) -> TableVerdict:
        """Return the verdict on the whole table."""
        return self.judgement.verdict if self.judgement else "inconclusive"

    @property
    def exit_code(self) -> int:
        """Return the exit code of the verdict."""
        return EXIT_CODES[self.verdict]

    @property
    def sentence(self) -> str:
        """Return the verdict with its reason, in one sentence."""
        name, found = f"edition '{self.edition.edition}'", self.judgement
        if found is None:
            why = f": {self.other_unit}" if self.other_unit else ""
            return f"inconclusive: the rerun has no condition in common with {name}{why}"
        if self.is_part:
            added = "" if found.verdict == "reproduced" else f": {found.verdict}"
            return f"{self.count_agreeing()}{added}"
        count = f"{len(self.conditions)} of {len(self.conditions) + self.edition_only} conditions"
        mean = f"the mean solve rate over {count} differs from {name} by {format_difference(found.mean)}"
        if found.verdict == "contradicted":
            guilty = [
                f"{m} (mean {format_difference(j.difference)})"
                for m, j in found.models.items()
                if is_not_reproduced(j)
            ]
            guilty += [
                describe_change(unit, c.pair)
                for unit, c, j in zip(self.units, self.conditions, found.conditions, strict=True)
                if is_not_reproduced(j)
            ]
            if guilty:
                return f"contradicted: not reproduced from {name}: {', '.join(guilty)}"
            return f"contradicted: {mean}, outside ±{MEAN_MARGIN}"
        if all(c.same for c in self.conditions):
            return f"reproduced: {count} of {name} gave the same records again, bit for bit"
        if found.verdict == "reproduced":
            return f"reproduced: {mean}, within ±{MEAN_MARGIN}"
        return f"inconclusive: {mean}; more seeds or more conditions could tell"

    def count_agreeing(self) -> str:
        """Return in how many conditions as many runs of the same seeds solved as in the edition, and the others."""
        found = list(zip(self.units, self.conditions, strict=True))
        others = [describe_change(unit, c.pair) for unit, c in found if c.pair.difference]
        counted = (
            f"{len(found) - len(others)} of {len(found)} conditions of edition {self.edition.edition} "
            "were reproduced on this machine"
        )
        return f"{counted}, but not {', '.join(others)}" if others else counted

    def list_condition_rows(self, *, everything: bool) -> Rows:
        """Return a row for each condition, or only for those that are not reproduced or whose rates differ."""
        if self.judgement is None:
            return []
        found = zip(self.units, self.conditions, self.judgement.conditions, strict=True)
        return [
            {
                "task": unit.task_spelling,
                "lag": unit.lag,
                "model": condition.model,
                "edition": f"{condition.pair.k1}/{condition.pair.n1}",
                "rerun": f"{condition.pair.k2}/{condition.pair.n2}",
                **make_columns(judged),
                "same_bits": condition.same,
                "unit": unit.id,
            }
            for unit, condition, judged in found
            if everything or is_not_reproduced(judged) or condition.pair.difference
        ]

    def list_model_rows(self) -> Rows:
        """Return a row for each model."""
        if self.judgement is None:
            return []
        return [
            {
                "model": model,
                "cells": len(own := [c for c in self.conditions if c.model == model]),
                "same_bits": sum(c.same for c in own),
                **make_columns(judged),
            }
            for model, judged in self.judgement.models.items()
        ]

    def list_step_rows(self) -> Rows:
        """Return a row for each step time of the edition."""
        shape = ("phase", "device", "model", "length", "batch", "members", "scan", "precision")
        return [
            {
                **{name: getattr(step.before, name) for name in shape},
                "ratio": step.ratio and round(step.ratio.value, 3),
                "low": step.ratio and round(step.ratio.low, 3),
                "high": step.ratio and round(step.ratio.high, 3),
                "verdict": step.verdict,
                "system": step.before.system,
            }
            for step in self.steps
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dict, for JSON."""
        mean = self.judgement and self.judgement.mean
        return {
            "edition": self.edition.edition,
            "specification": self.edition.specification,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "mean_difference": mean and mean._asdict(),
            "only_in_edition": self.edition_only,
            "only_in_rerun": self.rerun_only,
            "ended_early": self.ended,
            "cells": self.list_condition_rows(everything=True),
            "models": self.list_model_rows(),
            "steps": self.list_step_rows(),
        }

    def list_counts(self) -> list[str]:
        """Return a line each: verdicts by count, conditions on one side only, runs that ended early, step times."""
        lines = []
        if self.judgement is not None:
            said = [j.verdict for j in self.judgement.conditions]
            same = sum(c.same for c in self.conditions)
            lines.append(
                f"conditions: {count_verdicts(said)}; {same} of {len(said)} are the same bit for bit"
            )
        if self.edition_only or self.rerun_only:
            lines.append(
                f"conditions in the edition only: {self.edition_only}; in the rerun only: {self.rerun_only}"
            )
        if self.ended:
            lines.append(
                f"runs of the rerun that failed or ran out of memory, and count as not solved: {self.ended}"
            )
        if self.steps:
            lines.append(f"step times: {count_verdicts([step.verdict for step in self.steps])}")
        return lines


def verify(rerun: Store, edition: Store) -> Verification:
    """Compare a rerun with an edition.

    Raises
    ------
    SpecificationDiffers
        If the specifications differ, or a condition was measured with another budget or another version of its task or
        model; but experiments may have conditions of their own, and the profile ``quick`` its own specification.
    """
    ours, theirs = Results.read(rerun), Results.read(edition)
    was, now = theirs.manifest.specification, ours.manifest.specification
    experiment = is_experiment(ours.manifest)
    # Under the same specification the edition has the profile quick, too, and is compared as a whole.
    part = ours.manifest.profile == QUICK.name and was != now
    if was != now and not (experiment or part):
        raise SpecificationDiffers(
            f"the specification differs: {edition.path} was measured under {was}, {rerun.path} under {now}"
        )
    before, after = group_by_unit(theirs.reporting), group_by_unit(ours.reporting)
    if experiment:
        after = match_rates(before, after)
    elif part:
        before = match_seeds(before, after)
    else:
        check_units(before, after)
    common = [unit for unit in before if unit in after]
    units = [before[unit][0].unit for unit in common]
    conditions = [
        ComparedCondition(
            unit.model_spelling,
            Pair(
                count_solved(before[unit.id]),
                len(before[unit.id]),
                count_solved(after[unit.id]),
                len(after[unit.id]),
            ),
            serialise_runs(before[unit.id]) == serialise_runs(after[unit.id]),
        )
        for unit in units
    ]
    again = (r for unit in common for r in after[unit])
    return Verification(
        theirs.manifest,
        units,
        conditions,
        judge(conditions) if conditions else None,
        compare_steps(theirs.throughput, ours.throughput),
        edition_only=len(before) - len(common),
        rerun_only=len(after) - len(common),
        ended=sum(r.verdict in ("failed", "out_of_memory") for r in again),
        other_unit="" if common else describe_other_unit(before, after),
        is_part=part,
    )


def find_edition(rerun: Store, folder: Path = Path("results")) -> Store:
    """Return the newest edition in a folder that was measured under the rerun's specification, a preview last.

    For experiments and for the profile ``quick`` it is the newest that has a condition of theirs; the newest, if none
    has.

    Raises
    ------
    BadInput
        If there is no edition.
    SpecificationDiffers
        If all editions have other specifications.
    """
    manifest = rerun.manifest()
    found = list_editions(rerun, folder)
    if not found:
        raise BadInput(
            f"there is no edition in {folder.absolute()} to compare with; name a results folder"
        )
    if is_experiment(manifest) or manifest.profile == QUICK.name:
        own = {remove_rate(record.unit).id for record in rerun.records()}
        return next((s for s in found if own & {row.unit.id for row in s.plan()}), found[0])
    now = manifest.specification
    fitting = [store for store in found if store.manifest().specification == now]
    if not fitting:
        there = ", ".join(f"{s.path} under {s.manifest().specification}" for s in reversed(found))
        raise SpecificationDiffers(
            f"the specification differs: {rerun.path} was measured under {now}, {there}"
        )
    return fitting[0]


def list_editions(rerun: Store, folder: Path) -> list[Store]:
    """Return the results folders in a folder, the newest first and a preview last, without the rerun itself."""
    found = []
    for file in folder.glob("*/manifest.json"):
        with suppress(BadInput):  # a folder that can't be read is skipped
            Store(file.parent).manifest()
            if file.parent.resolve() != rerun.path.resolve():
                found.append(Store(file.parent))
    return sorted(found, key=read_edition_number, reverse=True)


def read_edition_number(store: Store) -> list[int]:
    """Return the numbers in an edition's name, such as 2026.1, by which editions are sorted; none for a preview."""
    return [int(part) for part in re.findall(r"\d+", store.path.name)]


# Conditions


def group_by_unit(records: Iterable[Record]) -> Units:
    """Return the runs of each unit."""
    found: Units = {}
    for record in records:
        found.setdefault(record.unit_id, []).append(record)
    return found


def check_units(before: Units, after: Units) -> None:
    """Raise if a condition is on both sides but has no unit id in common."""
    was, now = list_unit_ids(before), list_unit_ids(after)
    for condition in was:
        if condition in now and not was[condition] & now[condition]:
            raise SpecificationDiffers(
                f"the specification of {condition} differs: its unit is {', '.join(sorted(was[condition]))} in the "
                f"edition and {', '.join(sorted(now[condition]))} in the rerun"
            )


def is_experiment(manifest: Manifest) -> bool:
    """Return whether a folder is one of experiments."""
    return manifest.profile == EXPERIMENT.name


def match_rates(before: Units, after: Units) -> Units:
    """Return the runs of experiments, those at a rate that was given under the unit of the edition that chose the same.

    A learning rate that is not tuned is part of a unit, but changes nothing else of its runs.
    """
    found: Units = {}
    for unit, runs in after.items():
        tuned = remove_rate(runs[0].unit).id
        chosen = {record.member.learning_rate for record in before.get(tuned, ())}
        same = {record.member.learning_rate for record in runs} == chosen
        found[tuned if same else unit] = runs
    return found


def match_seeds(before: Units, after: Units) -> Units:
    """Return the runs of the edition; of a unit that the rerun has too, only those of the rerun's seeds."""
    found: Units = {}
    for unit, runs in before.items():
        seeds = {record.member.seed for record in after.get(unit, ())}
        found[unit] = [r for r in runs if r.member.seed in seeds] if seeds else runs
    return {unit: runs for unit, runs in found.items() if runs}


def remove_rate(unit: Unit) -> Unit:
    """Return the unit as it would be if its learning rate were tuned."""
    return unit.model_copy(
        update={"budget": unit.budget.model_copy(update={"learning_rate": None})}
    )


def describe_other_unit(before: Units, after: Units) -> str:
    """Return how the first condition that both have, as different units, was measured; empty if there is none."""
    there = {runs[0].unit.condition: runs[0] for runs in before.values()}
    for runs in after.values():
        ours, theirs = runs[0], there.get(runs[0].unit.condition)
        if theirs:
            rate = f"; its chosen learning rate is {theirs.member.learning_rate:g}"
            where = describe_condition(ours.unit)
            found = describe_differences(theirs.unit, ours.unit, "{name} {one}, here {two}")
            return f"{where} differs in {found}" + (rate if "learning rate" in found else "")
    return ""


def list_unit_ids(units: Units) -> dict[str, set[str]]:
    """Return the unit ids of each condition."""
    found: dict[str, set[str]] = {}
    for unit, runs in units.items():
        found.setdefault(describe_condition(runs[0].unit), set()).add(unit)
    return found


def describe_condition(unit: Unit) -> str:
    """Return a condition in words."""
    task, model = unit.task_spelling, unit.model_spelling
    return f"{model} on {task} at lag {unit.lag}"


def describe_change(unit: Unit, pair: Pair) -> str:
    """Return a condition with how many runs solved in the edition and in the rerun."""
    return f"{describe_condition(unit)} ({pair.k1}/{pair.n1} became {pair.k2}/{pair.n2})"


def count_solved(runs: Iterable[Record]) -> int:
    """Return how many runs solved."""
    return sum(r.verdict == "solved" for r in runs)


def serialise_runs(runs: Iterable[Record]) -> list[str]:
    """Return the runs as JSON without cost and provenance: what the same code gives again on the same machine.

    The unit is left out, too: it is the same, but for a learning rate that was given (``match_rates``).
    """
    return sorted(canonical(r.model_dump(mode="json", exclude=EXCLUDED)) for r in runs)


# Step times


def compare_steps(before: Iterable[Throughput], after: Iterable[Throughput]) -> list[StepTimes]:
    """Return each step time of the edition with that of the rerun; those not timed again on any machine are omitted."""
    now = {t.key: t for t in after}
    timed = {make_key_without_machine(t) for t in now.values()}
    return [compare_step(t, now.get(t.key)) for t in before if make_key_without_machine(t) in timed]


def make_key_without_machine(t: Throughput) -> tuple[Any, ...]:
    """Return the identity of a measurement without its machine."""
    return t.model_copy(update={"system": ""}).key


def compare_step(before: Throughput, after: Throughput | None) -> StepTimes:
    """Return two step times with their ratio and the verdict."""
    if after is None:
        return StepTimes(before, None, None, "not comparable")
    found = estimate_ratio(times(before), times(after))
    verdict: dict[bool | None, StepVerdict] = {
        True: "equivalent", False: "different", None: "inconclusive",
    }  # fmt: skip
    return StepTimes(before, after, found, verdict[found and is_within(found, FAST, SLOW)])


def times(t: Throughput) -> Times:
    """Return a step time with its spread."""
    return Times(t.seconds_per_token, t.quartiles, t.rounds)


# Formatting


def is_not_reproduced(judged: DifferenceTest) -> bool:
    """Return whether the verdict is that the edition was not reproduced."""
    return judged.verdict == "not reproduced"


def make_columns(judged: DifferenceTest) -> dict[str, Any]:
    """Return the columns of a verdict."""
    d = judged.difference
    return {
        "difference": round(d.value, 3),
        "low": round(d.low, 3),
        "high": round(d.high, 3),
        "p": float(f"{judged.p:.2g}"),
        "verdict": judged.verdict,
    }


def format_difference(d: Estimate) -> str:
    """Return a difference with its interval."""
    return f"{d.value:+.3f}, {EQUIVALENCE:.0%} interval {d.low:+.3f} to {d.high:+.3f}"


def count_verdicts(verdicts: Sequence[str]) -> str:
    """Return how often each verdict occurs, in words."""
    return ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(sorted(verdicts)))
