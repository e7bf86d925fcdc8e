r"""Whether a rerun reproduces an edition: by condition, by model, and for the whole table.

d is the rerun's (mean) solve rate minus the edition's; the tests and intervals are those of ``compare.py``.

===========  ============================================================  ==================================
what         *not reproduced* if                                           *reproduced* if
===========  ============================================================  ==================================
a condition  Boschloo's p < .05 after Holm over all conditions, and        Newcombe's 90 % interval of d lies
             |d| > .25                                                     inside ±.25
a model      the exact p over its conditions < .025 after Holm over all    the 90 % interval of the mean d
             models, and |mean d| > .05                                    lies inside ±.05
===========  ============================================================  ==================================

Everything else is *inconclusive*. The table is *contradicted* if a condition or a model is not reproduced, or if the 90
% interval of the mean d lies wholly outside ±.05. It is *reproduced* if that interval lies inside, and no model's
interval lies wholly outside.

With three seeds on each side no single condition can be decided: the smallest p is .031 before Holm, and the narrowest
interval ±.47. Then only the models and the table are decided. Records that are the same bit for bit are reproduced, for
any number of runs. ``docs/adr/0021-verify.md`` gives the reasons and the error rates.
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

CONDITION_MARGIN = 0.25  # the smallest relevant difference of two solve rates
MEAN_MARGIN = 0.05  # the smallest relevant difference of two mean solve rates
# The family-wise error rate: that any condition of a faithful rerun is called not reproduced.
CONDITION_ERROR = 0.05
MODEL_ERROR = 0.025  # the same for a model

ReproductionVerdict = Literal["reproduced", "not reproduced", "inconclusive"]
TableVerdict = Literal["reproduced", "contradicted", "inconclusive"]


class ComparedCondition(NamedTuple):
    """The runs of a condition on both sides, and whether their records are the same bit for bit."""

    model: str
    pair: Pair
    same: bool = False


class DifferenceTest(NamedTuple):
    """The (mean) difference with its interval, the p-value adjusted by Holm, and the verdict."""

    difference: Estimate
    p: float
    verdict: ReproductionVerdict


@dataclass(frozen=True)
class Judgement:
    """The results for each condition, in order, for each model, and for the whole table."""

    conditions: list[DifferenceTest]
    models: dict[str, DifferenceTest]
    mean: Estimate
    verdict: TableVerdict


def judge(conditions: Sequence[ComparedCondition]) -> Judgement:
    """Judge the conditions that both sides have; there must be at least one."""
    by_cell, by_model = judge_conditions(conditions), judge_models(conditions)
    mean = mean_difference([c.pair for c in conditions])
    said = {each.verdict for each in (*by_cell, *by_model.values())}
    within = is_within(mean, -MEAN_MARGIN, MEAN_MARGIN)
    astray = any(
        is_within(model.difference, -MEAN_MARGIN, MEAN_MARGIN) is False
        for model in by_model.values()
    )
    verdict: TableVerdict = "inconclusive"
    if "not reproduced" in said or within is False:
        verdict = "contradicted"
    elif all(c.same for c in conditions) or (within and not astray):
        verdict = "reproduced"
    return Judgement(by_cell, by_model, mean, verdict)


def judge_conditions(conditions: Sequence[ComparedCondition]) -> list[DifferenceTest]:
    """Judge each condition by itself."""
    found = []
    for condition, p in zip(conditions, holm([boschloo(c.pair) for c in conditions]), strict=True):
        d = newcombe(condition.pair, EQUIVALENCE)
        found.append(
            DifferenceTest(d, p, decide(d, p < CONDITION_ERROR, CONDITION_MARGIN, condition.same))
        )
    return found


def judge_models(conditions: Sequence[ComparedCondition]) -> dict[str, DifferenceTest]:
    """Judge each model by all its conditions."""
    models = {c.model: [o for o in conditions if o.model == c.model] for c in conditions}
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
    """Return the verdict on a difference, given whether its test is significant."""
    if differs and abs(d.value) > margin:
        return "not reproduced"
    return "reproduced" if same or is_within(d, -margin, margin) else "inconclusive"
