"""T18: pairs of models, on each ladder and over all."""

from collections.abc import Mapping
from itertools import combinations
from math import inf

from seqbench.report.compare import holm
from seqbench.report.horizon_stats import (
    SignTest,
    compare_horizons,
    compare_over_ladders,
    compute_ratio,
)
from seqbench.report.horizons import LadderClimb
from seqbench.report.results import Results, find_position
from seqbench.report.table import Column, Content, Row, to_significant
from seqbench.report.tables.horizons import has_runs

RATIO = "Horizon of A / that of B"
ALL = "all"

HORIZON_PAIRS = (
    Column("ladder", "Ladder", "the ladder, or all that both climbed", css="label", key=True),
    Column("model", "Model A", "the one model", css="label", key=True),
    Column("other", "Model B", "the other", css="label", key=True),
    Column(
        "further",
        "Further",
        "A or B, where their intervals are apart; over all ladders, on how many each reaches further",
        css="label",
    ),
    Column(
        "ratio_low",
        "from",
        "lower end of the ratio's interval",
        to_significant(3),
        RATIO,
        "number low",
    ),
    Column(
        "ratio_high",
        "to",
        "upper end; empty if it has none",
        to_significant(3),
        RATIO,
        "number high",
    ),
    Column(
        "p",
        "p",
        "that both reach further equally often: exact two-sided sign test over the ladders",
        to_significant(2),
        css="number",
    ),
    Column("p_holm", "Holm", "p adjusted for all pairs of models", to_significant(2), css="number"),
    Column("horizon", "Horizon of A", "in words", files_only=True),
    Column("other_horizon", "Horizon of B", "in words", files_only=True),
    Column("wins", "A further", "ladders on which A reaches further", files_only=True),
    Column("losses", "B further", "ladders on which B does", files_only=True),
    Column("ties", "Neither", "ladders on which they are not told apart", files_only=True),
)
NOTES = (
    "A model reaches further on a ladder where the intervals are apart: it passed a rung that the other failed, or a "
    "higher one. Seeds tell horizons apart reliably that are two octaves, a factor of four, from each other; that two "
    "models are not told apart does not make them equal.",
    "Over all ladders it is counted who reaches further. Horizons are never averaged, since their knobs have different "
    "units. Ladders on which two models are not told apart are left out of the test; with five or fewer that tell them "
    "apart, p can't be below .05.",
)

Climbs = dict[str, dict[str, LadderClimb]]  # of each model, by ladder


def horizon_pairs(results: Results) -> Content:
    """Return T18: pairs of models over all ladders that both climbed, then on each."""
    climbs: Climbs = {}
    for climb in results.climbs:
        climbs.setdefault(climb.model, {})[climb.ladder] = climb
    models = sorted(climbs, key=lambda model: find_position(results.facts.models, model))
    pairs = list(combinations(models, 2)) if has_runs(results) else []
    rows = make_overall_rows(climbs, pairs)
    for ladder in dict.fromkeys(climb.ladder for climb in results.climbs):
        rows += [
            make_pair_row(climbs[a][ladder], climbs[b][ladder])
            for a, b in pairs
            if ladder in climbs[a] and ladder in climbs[b]
        ]
    return Content("Horizons in pairs", HORIZON_PAIRS, rows, NOTES)


def make_overall_rows(climbs: Climbs, pairs: list[tuple[str, str]]) -> list[Row]:
    """Return the rows over all ladders that both models of a pair climbed."""
    tests = {(a, b): compare_climbs(climbs[a], climbs[b]) for a, b in pairs}
    tests = {pair: test for pair, test in tests.items() if sum(test[:3])}
    adjusted = holm([test.p for test in tests.values()])
    return [
        {
            "ladder": ALL,
            "model": a,
            "other": b,
            "further": f"A {test.a}, B {test.b}, neither {test.ties}",
            "p": test.p,
            "p_holm": p_holm,
            "wins": test.a,
            "losses": test.b,
            "ties": test.ties,
        }
        for ((a, b), test), p_holm in zip(tests.items(), adjusted, strict=True)
    ]


def compare_climbs(a: Mapping[str, LadderClimb], b: Mapping[str, LadderClimb]) -> SignTest:
    """Return the sign test over the ladders that both models climbed."""
    both = [ladder for ladder in a if ladder in b]
    return compare_over_ladders((a[at].horizon.range, b[at].horizon.range) for at in both)


def make_pair_row(a: LadderClimb, b: LadderClimb) -> Row:
    """Return a row about two models on one ladder."""
    one, other = a.horizon, b.horizon
    ratio = compute_ratio(one.range, other.range)
    return {
        "ladder": a.ladder,
        "model": a.model,
        "other": b.model,
        "further": compare_horizons(one.range, other.range),
        "ratio_low": ratio.low,
        "ratio_high": None if ratio.high == inf else ratio.high,
        "horizon": str(one),
        "other_horizon": str(other),
    }
