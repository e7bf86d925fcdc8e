"""T10: the replication ledger, published figures beside our own."""

from collections.abc import Sequence
from itertools import chain

from seqbench.records.facts import (
    LedgerRow,
    PublishedAlone,
    PublishedPair,
    PublishedScore,
    PublishedTrials,
)
from seqbench.records.schema import Record
from seqbench.report import compare, replication, stats
from seqbench.report.replication import TrialLengths
from seqbench.report.results import Results, describe_system
from seqbench.report.table import Column, Content, Row, to_decimals

RATE, SEQUENCES, SCORE = "Rate, 95 % interval", "Sequences to success", "Score"
COLUMNS = (
    Column("paper", "Paper", "who published it", css="label", key=True),
    Column("experiment", "Experiment", "which of its experiments", css="label prose", key=True),
    Column("published", "Published", "the paper's figure", css="label prose"),
    Column("verdict", "Verdict", "agrees, differs, not settled or not run", css="label"),
    Column("solved", "k", "trials or runs that succeeded", css="number", group="Succeeded"),
    Column("runs", "of S", "trials or runs", css="number of", group="Succeeded"),
    Column("rate", "rate", "succeeded / all", to_decimals(3), RATE, "number"),
    Column(
        "rate_low", "from", "lower end of Wilson's interval", to_decimals(3), RATE, "number low"
    ),
    Column(
        "rate_high", "to", "upper end of Wilson's interval", to_decimals(3), RATE, "number high"
    ),
    Column(
        "sequences",
        "median",
        "median by Kaplan and Meier; empty where fewer than half succeeded",
        group=SEQUENCES,
        css="number",
    ),
    Column("sequences_min", "min", "fewest", group=SEQUENCES, css="number low"),
    Column(
        "sequences_max", "max", "most of a trial that succeeded", group=SEQUENCES, css="number high"
    ),
    Column("budget", "of", "given to a trial", group=SEQUENCES, css="number of"),
    Column(
        "score_median", "median", "of the runs that ended with one", to_decimals(4), SCORE, "number"
    ),
    Column("score_best", "best", "the best of them", to_decimals(4), SCORE, "number"),
    Column("other_rate", "Other", "solve rate of the other model", to_decimals(3), css="number"),
    Column("deviations", "Deviations", "what differs from the paper", css="label prose"),
    Column(
        "mark", "Mark", "P: read in the paper or its code, S: in an account of it", files_only=True
    ),
    Column("parameters", "Weights", "numbers that are trained", files_only=True),
    Column(
        "wrong", "Wrong", "test sequences answered wrong at the end, by all trials", files_only=True
    ),
    Column("tested", "Tested", "test sequences of all trials", files_only=True),
    Column("system", "Machine", "ids of the machines, described in T5", files_only=True),
    Column("commit", "Commit", "code of the trials", files_only=True),
    Column("row", "Row", "stable id of the row", files_only=True),
)
NOTES = (
    "Rows of 1997 and 2000 are trials in the papers' own protocol: plain gradient descent, a step after every sequence "
    "or every symbol, success counted in sequences. All others rest on the runs of T1.",
    "Two rates differ when Boschloo's exact test says so at 5 %, and agree when Newcombe's 90 % interval of the "
    "difference lies within ±.25; a number of sequences agrees when our median is within a factor of two. One "
    "published run agrees when most of ours come out like it, the best of several seeds when our best does.",
)


def ledger(results: Results) -> Content:
    """Return T10: every row of the ledger, run or not; no rows for a folder without trials."""
    rows = (
        [make_ledger_row(entry, results) for entry in results.facts.ledger]
        if results.trials
        else []
    )
    used = sorted({t.system for t in results.trials})
    machines = [f"Machine {name}: {describe_system(results.systems.get(name))}." for name in used]
    title = "Published figures, and what came out here"
    return Content(title, COLUMNS, rows, (*NOTES, *machines))


def make_ledger_row(entry: LedgerRow, results: Results) -> Row:
    """Return a row of T10."""
    row: Row = {
        "row": entry.id,
        "paper": entry.paper,
        "experiment": entry.experiment,
        "published": entry.published,
        "mark": entry.mark,
    }
    if isinstance(entry, PublishedAlone):
        return row | {"verdict": "not run", "deviations": entry.reason}
    if isinstance(entry, PublishedTrials):
        row |= summarise_trials(entry, results)
    if isinstance(entry, PublishedScore):
        row |= summarise_score(entry, results.reporting)
    if isinstance(entry, PublishedPair):
        row |= summarise_pair(entry, results.reporting)
    if row["verdict"] != "not run":
        row["deviations"] = "; ".join(entry.deviations)
    return row


def summarise_trials(entry: PublishedTrials, results: Results) -> Row:
    """Return the columns of trials in the paper's own protocol."""
    mine = entry.select_planned(results.trials)
    succeeded = [t.sequences for t in mine if t.success]
    found = TrialLengths(succeeded, [t.sequences for t in mine if not t.success])
    row: Row = {"verdict": replication.judge_trials(entry, found), "budget": entry.budget}
    if not mine:
        return row
    return row | make_rate_columns(len(succeeded), len(mine)) | {
        "sequences": results.find_median(*found),
        "sequences_min": min(succeeded, default=None),
        "sequences_max": max(succeeded, default=None),
        "parameters": mine[0].parameters,
        "wrong": sum(t.wrong for t in mine),
        "tested": sum(t.tested for t in mine),
        "system": ", ".join(sorted({t.system for t in mine})),
        "commit": ", ".join(sorted({t.commit + " with changes" * t.dirty for t in mine})),
    }  # fmt: skip


def summarise_score(entry: PublishedScore, records: Sequence[Record]) -> Row:
    """Return the columns of a published figure of one model, from the benchmark's runs."""
    mine = select_runs(records, entry.task, entry.lag, entry.model)
    solved = sum(r.verdict == "solved" for r in mine)
    row: Row = {"verdict": replication.judge_score(entry, solved, len(mine))}
    if not mine:
        return row
    scores = [r.score for r in mine if r.score is not None]
    best = max if mine[0].scale.higher_is_better else min
    spread = stats.spread(scores)
    return row | make_rate_columns(solved, len(mine)) | {
        "score_median": spread and spread.median,
        "score_best": best(scores, default=None),
        "parameters": mine[0].parameters,
    }  # fmt: skip


def summarise_pair(entry: PublishedPair, records: Sequence[Record]) -> Row:
    """Return the columns of a published comparison of two models, from the benchmark's runs."""
    lag = (
        entry.lag
        if entry.lag is not None
        else find_longest_lag(records, entry.task, entry.model, entry.other)
    )
    sides = [select_runs(records, entry.task, lag, model) for model in (entry.other, entry.model)]
    counts = ((sum(r.verdict == "solved" for r in side), len(side)) for side in sides)
    pair = compare.Pair(*chain.from_iterable(counts))
    row: Row = {"verdict": replication.judge_pair(entry, pair)}
    if not pair.n1 or not pair.n2:
        return row
    return row | make_rate_columns(pair.k2, pair.n2) | {"other_rate": pair.k1 / pair.n1}


def make_rate_columns(solved: int, runs: int) -> Row:
    """Return a rate with its interval."""
    found = stats.wilson(solved, runs)
    return {
        "solved": solved,
        "runs": runs,
        "rate": found.rate,
        "rate_low": found.low,
        "rate_high": found.high,
    }


def select_runs(records: Sequence[Record], task: str, lag: int | None, model: str) -> list[Record]:
    """Return the runs of a model on a task at a lag, or at the largest lag measured.

    Where a condition was measured under several settings, those of the first are taken.
    """
    if lag is None:
        lag = find_longest_lag(records, task, model)
    here = (task, lag, model)
    mine = [r for r in records if (r.unit.task_spelling, r.unit.lag, r.unit.model_spelling) == here]
    return [r for r in mine if r.unit_id == mine[0].unit_id]


def find_longest_lag(records: Sequence[Record], task: str, *models: str) -> int | None:
    """Return the largest lag at which all of these models were measured on a task."""
    lags = [
        {
            r.unit.lag
            for r in records
            if (r.unit.task_spelling, r.unit.model_spelling) == (task, model)
        }
        for model in models
    ]
    return max(set.intersection(*lags), default=None)
