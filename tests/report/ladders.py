"""Folders with ladders, made by climbing in a made-up world that says at which step a run solves."""

from collections.abc import Callable, Iterable

import made

from seqbench.protocol.climb import RULE, Search, climb
from seqbench.protocol.settings import GRID, TUNING_SEEDS
from seqbench.records.schema import (
    LAYERS,
    Cost,
    Curve,
    LongerTest,
    Member,
    Planned,
    Record,
    Rung,
    Unit,
)

RUNGS = (25, 50, 100, 200)
SEARCH = Search(GRID, TUNING_SEEDS)
World = Callable[[int, float, int], int | None]  # rung, rate, seed -> steps to solve, or None


def make_unit(model: str, rung: int, task: str = "adding", **options: object) -> Unit:
    """Return the condition of a rung, whose solved runs are also tested at twice and four times the lag."""
    budget = made.BUDGET.model_copy(update={"steps": 400, "longer": (2 * rung, 4 * rung)})
    changes = {
        "layers": LAYERS.get(model, 1),
        "task": task,
        "lag": rung,
        "model": model,
        "model_options": options,
        "budget": budget,
    }
    return made.UNIT.model_copy(update=changes)


def plan_ladder(
    model: str, rungs: Iterable[int] = RUNGS, task: str = "adding", **options: object
) -> list[Planned]:
    """Return the plan of a model on a ladder."""
    return [
        Planned(
            unit=make_unit(model, value, task, **options),
            part=f"{task}-ladder",
            seeds=RULE.first,
            rung=Rung(ladder=f"{task}-ladder", knob="length", unit="steps", value=value),
        )
        for value in rungs
    ]


def make_run(
    unit: Unit, member: Member, at: int | None, held: Iterable[float] = (1.0, 0.5)
) -> Record:
    """Return the run of a member that solves at a step, or does not; and its scores at the longer lags."""
    tests = zip(unit.budget.longer, held, strict=True)
    steps = list(range(20, 421, 20)) if at is None else list(range(20, at + 41, 20))
    steps = [step for step in steps if step <= unit.budget.steps]
    loss = 0.1 if at else 1.0
    return made.record(
        member.seed,
        member.learning_rate,
        unit,
        role=member.role,
        verdict="solved" if at else "not_solved",
        score=1.0 if at else 0.1,
        steps=steps[-1],
        steps_to_solve=at,
        curve=Curve(step=steps, loss=[loss] * len(steps), score=[0.0] * len(steps)),
        cost=Cost(seconds=steps[-1] / 100, peak_memory=1, finished="2026-01-01T00:00:00+00:00"),
        longer=tuple(LongerTest(lag=lag, score=score, loss=0.1) for lag, score in tests)
        if at and member.role != "tuning"
        else (),
        inner_parameters=900,
        state_size=unit.lag,
    )


def climb_ladder(planned: list[Planned], world: World, rungs: int | None = None) -> list[Record]:
    """Return the records of a climb to its end, or of its first rungs only."""
    records: dict[str, list[Record]] = {}
    units = [each.unit for each in planned][:rungs]
    while lacking := (state := climb(units, records, SEARCH, RULE)[-1]).lacking:
        own = records.setdefault(state.unit.id, [])
        own += [
            make_run(state.unit, m, world(state.unit.lag, m.learning_rate, m.seed)) for m in lacking
        ]
    return [record for some in records.values() for record in some]


def solve_until(horizon: int, step: int = 100) -> World:
    """Return a world in which all runs solve up to a rung, and none above."""
    return lambda rung, rate, seed: step if rung <= horizon else None
