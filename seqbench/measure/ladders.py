"""The ladders that a run specification names: those of the edition, also with other rungs, or of any other task."""

import re
from dataclasses import replace

from seqbench.errors import BadInput
from seqbench.protocol.ladders import Ladder
from seqbench.protocol.profile import is_named
from seqbench.protocol.profiles import CLIMBERS, EDITION
from seqbench.records.spec import RunSpec
from seqbench.tasks import TASKS
from seqbench.values.variants import parse, spell, strip_options

LAG = "lag"  # the name of the knob that every task has


def make_ladder(task: str, models: tuple[str, ...], spec: RunSpec) -> Ladder:
    """Return the ladder of a task that a specification asks for.

    Where the edition has one of the same knob, it is that one, with what the specification changes of it. So the rungs
    that both have are the same conditions.

    Parameters
    ----------
    models
        The models that climb it; none: those of the edition.

    Raises
    ------
    BadInput
        If the edition has no such ladder and no rungs are named, or if the lags do not fit the knob.
    """
    knob = spec.knob or LAG
    known = find_ladder(task, knob)
    if knob == LAG and spec.lags:
        raise BadInput(f"a ladder of {task} by its lag has rungs, no other lags; leave the lag out")
    if len(spec.lags) > 1:
        raise BadInput(f"a ladder of {task} by {knob} is climbed at one lag; got {list(spec.lags)}")
    if known is None and not spec.rungs:
        raise BadInput(
            f"the edition has no ladder of {task} by {knob}{describe_others(task)}; "
            "name the rungs, ascending: --rungs 10,20,40"
        )
    if known is None and knob != LAG and not spec.lags:
        raise BadInput(
            f"a ladder of {task} by {knob} is climbed at one lag; name it with --lag "
            f"(the {TASKS[strip_options(task)].knob})"
        )
    ladder = known or make_own_ladder(task, knob, spec)
    lag = spec.lags[0] if spec.lags else ladder.lag
    other = knob != LAG and (known is None or lag != known.lag)  # another lag is another ladder
    return replace(
        ladder,
        name=f"{ladder.name}-lag{lag}" if other else ladder.name,
        rungs=spec.rungs or ladder.rungs,
        limits=() if spec.rungs else ladder.limits,  # whoever names a rung wants it run
        models=models or ladder.models,
        lag=lag,
        steps=spec.steps or ladder.steps,
        batch=spec.batch or ladder.batch,
    )


def make_own_ladder(task: str, knob: str, spec: RunSpec) -> Ladder:
    """Return a ladder of a task by a knob, of which the edition has none."""
    turned = "" if knob == LAG else knob
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", ":".join(filter(None, [task, turned])))
    kind = TASKS[strip_options(task)]
    what = turned or kind.knob
    unit = "" if turned else kind.knob_unit
    return Ladder(name, task, what, unit or what, spec.rungs, CLIMBERS, option=turned)


def find_ladder(task: str, knob: str) -> Ladder | None:
    """Return the edition's ladder of a task by a knob; None if it has none."""
    return next((each for each in list_ladders(task) if (each.option or LAG) == knob), None)


def describe_others(task: str) -> str:
    """Return in words by which knobs the edition has ladders of a task."""
    knobs = [each.option or LAG for each in list_ladders(task)]
    return f"; it has one by {' and '.join(knobs)}" if knobs else ""


def list_ladders(task: str) -> list[Ladder]:
    """Return the edition's ladders of a task; one without options stands for that with the edition's."""
    asked = [spell(*parse(task))]
    return [ladder for ladder in EDITION.ladders if is_named(ladder.task, asked)]
