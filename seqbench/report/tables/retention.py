"""T17: how long trained models hold beyond the lag of their training."""

from collections.abc import Iterator, Sequence

from seqbench.records.schema import Scale
from seqbench.report import stats
from seqbench.report.horizons import LadderClimb, RungResult
from seqbench.report.results import Results
from seqbench.report.table import Column, Content, Row, to_decimals

RETENTION = (
    Column("ladder", "Ladder", "the task and its knob", css="label", key=True),
    Column("model", "Model", "the model, with its options", css="label", key=True),
    Column("rung", "Rung", "the value of the knob in training", css="number", key=True),
    Column("factor", "Lag ×", "the lag of the test / that of the training", css="number", key=True),
    Column(
        "held",
        "k",
        "of the runs that solved the rung, those that reach the threshold at this lag, too",
        css="number",
        group="Still solved",
    ),
    Column(
        "solved",
        "of",
        "runs that solved the rung and were tested at this lag",
        css="number of",
        group="Still solved",
    ),
    Column("score_median", "median", "median of their scores", to_decimals(4), "Score", "number"),
    Column("score_min", "worst", "the worst of them", to_decimals(4), "Score", "number low"),
    Column("task", "Task", "the task in training", files_only=True),
    Column("lag", "Lag", "the lag of the test", files_only=True),
    Column("threshold", "Threshold", "score from which a run counts as solved", files_only=True),
    Column("chance", "Chance", "score of the best answer that ignores the input", files_only=True),
    Column("measure", "Measure", "what the score is", files_only=True),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def retention(results: Results) -> Content:
    """Return T17: a row for each ladder, model, rung and multiple of its lag that solved runs were tested at."""
    rows = [
        row
        for climb in results.climbs
        for rung in climb.rungs
        for row in make_retention_rows(climb, rung)
    ]
    notes = (
        "Trained weights are tested at a multiple of the lag that they were trained at, without further training. Only "
        "runs that solved the rung count. Chance is that of the training's lag.",
    )
    return Content("Tested beyond the training's lag", RETENTION, rows, notes)


def make_retention_rows(climb: LadderClimb, rung: RungResult) -> Iterator[Row]:
    """Yield the rows of a rung, one for each lag that its solved runs were tested at.

    A score that is not finite does not reach the threshold, and is not among the scores.
    """
    for lag in sorted({test.lag for record in rung.solved for test in record.longer}):
        tests = [test for record in rung.solved for test in record.longer if test.lag == lag]
        scores = [test.score for test in tests if test.score is not None]
        scale = rung.solved[0].scale
        yield {
            "ladder": climb.ladder,
            "model": climb.model,
            "rung": rung.rung.value,
            "factor": find_factor(lag, rung.unit.lag),
            "held": sum(scale.is_reached(score) for score in scores),
            "solved": len(tests),
            **make_score_columns(scores, scale),
            "task": rung.unit.task_spelling,
            "lag": lag,
            "threshold": scale.threshold,
            "chance": scale.chance,
            "measure": scale.measure,
            "unit": rung.unit.id,
        }


def find_factor(lag: int, trained: int) -> float | int | None:
    """Return the lag of a test as a multiple of that of the training; None where that is 0."""
    if not trained:
        return None
    return lag // trained if lag % trained == 0 else lag / trained


def make_score_columns(scores: Sequence[float], scale: Scale) -> Row:
    """Return the median and the worst of the scores."""
    spread = stats.spread(scores)
    if spread is None:
        return {}
    worst = spread.low if scale.higher_is_better else spread.high
    return {"score_median": spread.median, "score_min": worst}
