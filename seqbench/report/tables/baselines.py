"""T7: scores of methods without a network, beside those of the trained models of the same folder."""

from statistics import median

from seqbench.protocol.ladders import GUESSING
from seqbench.records.schema import Baseline, Record, canonical
from seqbench.report.results import Results, find_position
from seqbench.report.table import Column, Content, Row, to_decimals
from seqbench.report.tables.accuracy import LAG

TRAINED = "Trained models"
OF_GUESSING = (
    "Weight guessing is the best of many random networks, none of them trained: one for every 32 sequences that a "
    "training may see."
)

BASELINES = (
    Column("task", "Task", "the task", css="label", key=True),
    LAG,
    Column("options", "Options", "options of the task, if any", css="label", key=True),
    Column("baseline", "Baseline", "the method without a network", css="label"),
    Column("score", "Score", "what it reaches on the test part", to_decimals(4), css="number"),
    Column(
        "score_median", "median", "median of their test scores", to_decimals(4), TRAINED, "number"
    ),
    Column("score_best", "best", "best of their test scores", to_decimals(4), TRAINED, "number"),
    Column("best_model", "by", "the model of the best", group=TRAINED, css="label"),
    Column("beaten", "k", "runs that are better than the baseline", group="Better", css="number"),
    Column("runs", "of", "runs that ended with a score", group="Better", css="number of"),
    Column("measure", "Measure", "what a score is", css="label"),
    Column("better", "Better is", "higher or lower", css="label"),
    Column("chance", "Chance", "score of the best answer that ignores the input", to_decimals(4), css="number"),
    Column("threshold", "Threshold", "score from which the task counts as solved", to_decimals(4), css="number"),
    Column("version", "Version", "version of the task", files_only=True),
    Column("system", "Machine", "id of the machine, described in T5", files_only=True),
    Column("commit", "Commit", "code that computed it", files_only=True),
)  # fmt: skip


def baselines(results: Results) -> Content:
    """Return T7: each baseline with the trained models on the same data."""
    tasks = results.facts.tasks
    ordered = sorted(
        results.baselines, key=lambda b: (find_position(tasks, b.task), *make_sort_key(b))
    )
    rows = [make_baseline_row(b, select_runs(b, results)) for b in ordered]
    columns = tuple(c for c in BASELINES if results.form >= 3 or c.name != "threshold")
    notes = [OF_GUESSING] if any(b.name == GUESSING for b in ordered) else []
    return Content("What is reached without a network, and with one", columns, rows, notes)


def make_sort_key(b: Baseline) -> tuple[object, ...]:
    """Return the sort key of the baselines of a task: by lag and options, the worst score first."""
    score = b.score if b.scale.higher_is_better else -b.score
    return b.lag, canonical(b.task_options), score, b.name


def select_runs(b: Baseline, results: Results) -> list[Record]:
    """Return the runs on the same data that ended with a score, the best one first."""
    same = (b.task, b.task_version, b.lag, b.task_options)
    runs = [
        r
        for r in results.reporting
        if (r.unit.task, r.unit.task_version, r.unit.lag, r.unit.task_options) == same
        and r.score is not None
    ]
    return sorted(runs, key=lambda r: r.score or 0.0, reverse=b.scale.higher_is_better)


def make_baseline_row(b: Baseline, runs: list[Record]) -> Row:
    """Return a row of T7."""
    scores = [r.score for r in runs if r.score is not None]
    better = [s > b.score if b.scale.higher_is_better else s < b.score for s in scores]
    row: Row = {
        "task": b.task,
        "lag": b.lag,
        "options": ", ".join(f"{name} {value}" for name, value in sorted(b.task_options.items())),
        "baseline": b.name,
        "score": b.score,
        "measure": b.scale.measure,
        "better": "higher" if b.scale.higher_is_better else "lower",
        "chance": b.scale.chance,
        "threshold": b.scale.threshold,
        "version": b.task_version,
        "system": b.system,
        "commit": b.commit + (" with changes" if b.dirty else ""),
    }
    if scores:
        row |= {
            "score_median": median(scores),
            "score_best": scores[0],
            "best_model": runs[0].unit.model,
            "beaten": sum(better),
            "runs": len(runs),
        }
    return row
