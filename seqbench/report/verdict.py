r"""Whether a rerun reproduces an edition: by cell, by model, and for the whole table.

d is the rerun's (mean) solve rate less the edition's; the tests and intervals are those of ``compare.py``.

=======  ============================================================  ==================================
what     *not reproduced* if                                           *reproduced* if
=======  ============================================================  ==================================
a cell   Boschloo's p < .05 after Holm over all cells, and |d| > .25   Newcombe's 90 % interval of d lies
                                                                       inside ±.25
a model  the exact p over its cells < .025 after Holm over all         the 90 % interval of the mean d
         models, and |mean d| > .05                                    lies inside ±.05
=======  ============================================================  ==================================

All else is *inconclusive*: too few runs never give a verdict. The table is *contradicted* if a cell or a model is not
reproduced, or if the 90 % interval of the mean d lies wholly outside ±.05. It is *reproduced* if that interval lies
inside, and no model's lies wholly outside.

With three seeds a side no cell can have a verdict of its own: the smallest p is .031 before Holm, and the narrowest
interval ±.47. There the models and the table speak. What gave the same records again, bit for bit, is reproduced
however few the runs. ``docs/adr/0021-verify.md`` has the reasons and the error rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from seqbench.report.compare import (
    EQUIVALENCE,
    Pair,
    boschloo,
    exact_stratified_test,
    holm,
    is_within,
    mean_difference,
    newcombe,
)
from seqbench.report.stats import Estimate

CONDITION_MARGIN = 0.25  # the difference of two solve rates that matters
MEAN_MARGIN = 0.05  # that of two mean solve rates
CONDITION_ERROR = (
    0.05  # how often at most a cell of a faithful rerun is called not reproduced, among all
)
MODEL_ERROR = 0.025  # and a model

ReproductionVerdict = Literal["reproduced", "not reproduced", "inconclusive"]
TableVerdict = Literal["reproduced", "contradicted", "inconclusive"]


class ComparedCondition(NamedTuple):
    """The runs of a cell on both sides, and whether their records are the same bit for bit."""

    model: str
    pair: Pair
    same: bool = False


class DifferenceTest(NamedTuple):
    """The (mean) difference with its interval, p adjusted for all tests of its kind, and the verdict."""

    difference: Estimate
    p: float
    verdict: ReproductionVerdict


@dataclass(frozen=True)
class Judgement:
    """What is said of each cell, in their order, of each model, and of the whole table."""

    conditions: list[DifferenceTest]
    models: dict[str, DifferenceTest]
    mean: Estimate
    verdict: TableVerdict


def judge(cells: Sequence[ComparedCondition]) -> Judgement:
    """Judge the cells that both sides have; there must be one."""
    by_cell, by_model = judge_conditions(cells), judge_models(cells)
    mean = mean_difference([c.pair for c in cells])
    said = {each.verdict for each in (*by_cell, *by_model.values())}
    within = is_within(mean, -MEAN_MARGIN, MEAN_MARGIN)
    astray = any(
        is_within(model.difference, -MEAN_MARGIN, MEAN_MARGIN) is False
        for model in by_model.values()
    )
    verdict: TableVerdict = "inconclusive"
    if "not reproduced" in said or within is False:
        verdict = "contradicted"
    elif all(c.same for c in cells) or (within and not astray):
        verdict = "reproduced"
    return Judgement(by_cell, by_model, mean, verdict)


def judge_conditions(cells: Sequence[ComparedCondition]) -> list[DifferenceTest]:
    """Judge each cell alone."""
    found = []
    for cell, p in zip(cells, holm([boschloo(c.pair) for c in cells]), strict=True):
        d = newcombe(cell.pair, EQUIVALENCE)
        found.append(
            DifferenceTest(d, p, decide(d, p < CONDITION_ERROR, CONDITION_MARGIN, cell.same))
        )
    return found


def judge_models(cells: Sequence[ComparedCondition]) -> dict[str, DifferenceTest]:
    """Judge each model by all its cells."""
    models = {c.model: [o for o in cells if o.model == c.model] for c in cells}
    pairs = {model: [c.pair for c in own] for model, own in models.items()}
    found = {}
    for model, p in zip(
        models, holm([exact_stratified_test(own) for own in pairs.values()]), strict=True
    ):
        d = mean_difference(pairs[model])
        same = all(c.same for c in models[model])
        found[model] = DifferenceTest(d, p, decide(d, p < MODEL_ERROR, MEAN_MARGIN, same))
    return found


def decide(d: Estimate, differs: bool, margin: float, same: bool) -> ReproductionVerdict:
    """Return the verdict on a difference that a test found or did not find."""
    if differs and abs(d.value) > margin:
        return "not reproduced"
    return "reproduced" if same or is_within(d, -margin, margin) else "inconclusive"
