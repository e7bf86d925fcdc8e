"""Climbing: what is run next, and that it depends on the records alone."""

from collections.abc import Callable
from random import Random

import pytest

from seqbench.protocol.climb import RULE, RungState, Search, climb, rank_rates
from seqbench.records.schema import Curve, Member, Record, Unit
from tests import made

RATES = (1e-3, 3e-3, 1e-2, 3e-2)  # ascending
SEARCH = Search(RATES, (1000, 1001, 1002))
UNITS = [made.UNIT.model_copy(update={"lag": lag}) for lag in (25, 50, 100, 200)]
World = Callable[[int, float, int], int | None]  # lag, rate, seed -> steps to solve, or None


def run(unit: Unit, member: Member, world: World) -> Record:
    """Return the record that a member has in a world."""
    at = world(unit.lag, member.learning_rate, member.seed)
    loss = 0.1 if at else 1 + abs(member.learning_rate - 1e-2)  # 1e-2 has the lowest
    return made.record(
        member.seed,
        member.learning_rate,
        unit,
        role=member.role,
        verdict="solved" if at else "not_solved",
        score=1.0 if at else 0.1,
        steps=100,
        steps_to_solve=at,
        curve=Curve(step=[20, 40, 60, 80, 100], loss=[loss] * 5, score=[0.0] * 5),
    )


def finish(world: World, random: Random | None = None) -> tuple[list[RungState], list[Record]]:
    """Climb to the end; with a random generator, each time only some of the runs are made before planning again."""
    records: dict[str, list[Record]] = {}
    while True:
        states = climb(UNITS, records, SEARCH, RULE)
        lacking = list(states[-1].lacking)
        if not lacking:
            return states, [record for some in records.values() for record in some]
        if random:
            lacking = random.sample(lacking, random.randint(1, len(lacking)))
        unit = states[-1].unit
        records.setdefault(unit.id, []).extend(run(unit, member, world) for member in lacking)


def rates_of(records: list[Record], lag: int, role: str) -> set[float]:
    """Return the rates that runs of a role had at a rung."""
    found = [r.member for r in records if r.unit.lag == lag]
    return {member.learning_rate for member in found if member.role == role}


@pytest.mark.parametrize(
    ("solved", "verdict"),
    [
        ("11111", "pass"),
        ("00000", "fail"),
        ("1111", None),
        ("11101", None),
        ("11101111111", None),  # eleven of twelve
        ("111011111110", "pass"),
        ("110011111110", "open"),
        ("100000000010", "fail"),
        ("110000000010", "open"),
        ("1111100", "pass"),  # the first five agree, whatever else was run
    ],
)
def test_the_rule(solved: str, verdict: str | None) -> None:
    """Five seeds decide if they agree, else twelve: ten to pass, two to fail."""
    assert RULE.judge([s == "1" for s in solved]) == verdict


def test_a_climb_ends_at_the_first_failed_rung() -> None:
    """Rungs above are not begun, and a failed rung was tried at its two best rates."""
    states, records = finish(lambda lag, rate, seed: 40 if lag <= 50 else None)
    assert [(s.unit.lag, s.verdict) for s in states] == [(25, "pass"), (50, "pass"), (100, "fail")]
    assert not any(r.unit.lag == 200 for r in records)
    assert rates_of(records, 100, "reporting") == {
        1e-3
    }  # the last choice is kept: the lowest of equals
    assert rates_of(records, 100, "second") == {3e-3}
    assert rates_of(records, 25, "tuning") == set(RATES)
    assert rates_of(records, 50, "tuning") == {1e-3, 3e-3}


def test_the_search_follows_the_best_rate() -> None:
    """The best rate may move by more than one step from rung to rung, while it solves at the edge."""
    best = {25: 1e-2, 50: 1e-3, 100: 3e-2, 200: 3e-2}
    states, records = finish(
        lambda lag, rate, seed: 20 + 20 * abs(RATES.index(rate) - RATES.index(best[lag]))
    )
    assert [state.rate for state in states] == list(best.values())
    assert rates_of(records, 50, "tuning") == {1e-3, 3e-3, 1e-2, 3e-2}
    assert rates_of(records, 200, "tuning") == {1e-2, 3e-2}


def test_a_rung_may_be_passed_at_the_second_rate() -> None:
    """Where the reporting seeds all fail at the rate that was best in the tuning, the second-best decides."""

    def world(lag: int, rate: float, seed: int) -> int | None:
        if rate == 1e-2:
            return 20 if seed >= 1000 or lag == 25 else None
        return 40 if rate == 3e-3 else None

    states, _ = finish(world)
    assert [state.verdict for state in states] == ["pass"] * 4
    assert [(state.role, state.rate) for state in states[:2]] == [
        ("reporting", 1e-2),
        ("second", 3e-3),
    ]


def test_seeds_that_disagree_are_twelve() -> None:
    """An open rung does not end the climb."""
    states, records = finish(lambda lag, rate, seed: 40 if lag == 25 or seed % 2 else None)
    assert [state.verdict for state in states] == ["pass", "open", "open", "open"]
    seeds = {r.member.seed for r in records if r.unit.lag == 50 and r.member.role == "reporting"}
    assert seeds == set(range(12))


@pytest.mark.parametrize("seed", range(20))
def test_interruptions_change_nothing(seed: int) -> None:
    """Whatever was measured before a kill, and in whatever order, the same runs are measured in the end."""

    def world(lag: int, rate: float, member: int) -> int | None:
        chance = Random(f"{lag} {rate} {member} {seed}").random()
        return 20 * (1 + int(4 * chance)) if chance < 30 / lag else None

    states, records = finish(world)
    again, others = finish(world, Random(seed))
    assert {r.serialise_reproducible() for r in records} == {
        r.serialise_reproducible() for r in others
    }
    assert [(s.verdict, s.rates) for s in states] == [(s.verdict, s.rates) for s in again]


def test_rates_are_ranked_by_solved_then_steps_then_loss() -> None:
    """More solved runs come first, then fewer steps, then a lower loss, then the lower rate."""

    def ranked(*steps: tuple[int | None, ...]) -> list[float]:
        runs = dict(zip(RATES, steps, strict=False))
        return rank_rates(
            run(made.UNIT, Member(seed=s, learning_rate=rate, role="tuning"), lambda *_, at=at: at)
            for rate, some in runs.items()
            for s, at in enumerate(some)
        )

    assert ranked((40, 40, None), (60, 80, 80)) == [3e-3, 1e-3]
    assert ranked((60, 20, 60), (80, 40, 40)) == [3e-3, 1e-3]
    assert ranked((None,), (None,), (None,)) == [1e-2, 3e-3, 1e-3]
    assert ranked((40,), (40,)) == [1e-3, 3e-3]


def test_real_data_are_tuned_by_score() -> None:
    """A run that learned little may have the lower loss, and real data are never solved."""

    def tuned(rate: float, seed: int, loss: float, score: float) -> Record:
        curve = Curve(step=[100], loss=[loss], score=[score])
        fields = {"steps": 100, "steps_to_solve": None, "verdict": "not_solved", "score": 0.1}
        return made.record(seed, rate, role="tuning", curve=curve, **fields)

    runs = [
        *(tuned(3e-4, s, 0.6, 0.57) for s in range(3)),
        *(tuned(1e-2, s, 0.9, 0.657) for s in range(3)),
    ]
    assert rank_rates(runs) == [3e-4, 1e-2]
    assert rank_rates(runs, by_score=True) == [1e-2, 3e-4]
    scale = runs[0].scale.model_copy(update={"higher_is_better": False, "threshold": 0.05})
    bits = [run.model_copy(update={"scale": scale}) for run in runs]
    assert rank_rates(bits, by_score=True) == [3e-4, 1e-2]
