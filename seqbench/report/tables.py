"""The tables of an edition, made from its records alone: as CSV, JSON, LaTeX and HTML, with how to cite each.

A value is rounded once, to text; every form of a table prints that text. So the digits of all files are the same, and
two builds of the same records are the same bytes.

====  ===========  ==============================================================
id    name         a row is
====  ===========  ==============================================================
T1    accuracy     a task at a lag with a model
T2    throughput   a phase of a model at a size, by a scan, on a device
T3    sensitivity  a cell of T1 at a learning rate of the tuning grid
T4    runs         a run
T5    machines     a machine
T6    goals        a goal for speed
T7    baselines    a task at a lag by a method without a network
T8    aggregates   a model over all tasks
T9    pairs        two models, over all tasks or in one
T10   ledger       a published figure
T11   inside       what an instrument saw of a model at a moment
T12   cost         a cell of T1, and what it takes to solve it
T13   window       a cell of T1, and the learning rates that do
T14   claims       a claim, with its verdict
====  ===========  ==============================================================
"""

import json
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

from seqbench.errors import BadInput, unknown
from seqbench.layout import is_litter
from seqbench.models import MODELS
from seqbench.protocol import GRID, VIDEO_MODELS
from seqbench.records import Phase, Record, System, Throughput
from seqbench.report import stats
from seqbench.report.aggregates import aggregates, pairs
from seqbench.report.baselines import baselines
from seqbench.report.claims.table import claims
from seqbench.report.frame import (
    NO_GPU,
    Results,
    described,
    load_results,
    place,
    row_of,
    times_to_solve,
)
from seqbench.report.goals import goals
from seqbench.report.inside import cost, seen, window
from seqbench.report.ledger import ledger
from seqbench.report.table import Column, Row, Table, Value, fixed, significant
from seqbench.store import Store, write
from seqbench.tasks import TASKS

__all__ = [
    "accuracy_table",
    "check_tables",
    "load_results",
    "named_table",
    "sensitivity_table",
    "tables",
    "throughput_table",
    "write_tables",
]

ACCURACY = (
    Column("task", "Task", "the task", css="label", key=True),
    Column("lag", "Lag", "the setting of the task's knob", css="number", key=True),
    Column("model", "Model", "the model", css="label", key=True),
    Column(
        "status",
        "Status",
        "measured, partial (some seeds), missing, or N/A (the model can't read the task)",
        files_only=True,
    ),
    Column(
        "solved",
        "k",
        "runs that reached the threshold on the test set",
        css="number",
        group="Solved",
    ),
    Column("runs", "of S", "runs, one a seed", css="number of", group="Solved"),
    Column("solve_rate", "rate", "solved / runs", fixed(3), "Solve rate, 95 % interval", "number"),
    Column(
        "solve_rate_low",
        "from",
        "lower end of Wilson's 95 % interval",
        fixed(3),
        "Solve rate, 95 % interval",
        "number low",
    ),
    Column(
        "solve_rate_high",
        "to",
        "upper end of Wilson's 95 % interval",
        fixed(3),
        "Solve rate, 95 % interval",
        "number high",
    ),
    Column(
        "score_median",
        "median",
        "median of the test scores of the runs that ended with one",
        fixed(4),
        "Score",
        "number",
    ),
    Column("score_min", "min", "smallest of them", fixed(4), "Score", "number low"),
    Column("score_max", "max", "largest of them", fixed(4), "Score", "number high"),
    Column(
        "chance",
        "Chance",
        "score of the best answer that ignores the input",
        fixed(4),
        css="number",
    ),
    Column(
        "threshold", "Threshold", "score from which a run counts as solved", fixed(4), css="number"
    ),
    Column(
        "steps_to_solve",
        "median",
        "median steps to solve by Kaplan and Meier; empty where fewer than half solved",
        group="Steps to solve",
        css="number",
    ),
    Column(
        "budget",
        "of",
        "training steps that a run is given",
        css="number of",
        group="Steps to solve",
    ),
    Column("parameters", "Parameters", "numbers that are trained", css="number"),
    Column("learning_rate", "Rate", "learning rate", css="number"),
    Column(
        "diverged", "diverged", "runs that were no longer finite", css="number", group="Ended early"
    ),
    Column(
        "out_of_memory", "memory", "runs that ran out of memory", css="number", group="Ended early"
    ),
    Column("failed", "failed", "runs that failed", css="number", group="Ended early"),
    Column("measure", "Measure", "what the score is", css="label"),
    Column("sizes", "Sizes", "widths that give the number of parameters", files_only=True),
    Column("part", "Part", "the part of the profile", files_only=True),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def accuracy_table(store: Store) -> Table:
    """Return T1: for every task, lag and model how many runs solved, and how well and how fast."""
    return accuracy(Results.read(store))


def accuracy(results: Results) -> Table:
    """Return T1 of results that were read."""
    rows: list[Row] = []
    for unit, members in groupby(results.reporting, key=lambda r: r.unit_id):
        row = accuracy_row(unit, list(members), results.seeds(unit))
        rows.append(row | {"part": results.part(unit)})
    one_specification(rows)
    there = {row["unit"] for row in rows}
    rows += [
        {
            "task": cell.unit.task_spelled,
            "lag": cell.unit.lag,
            "model": cell.unit.model_spelled,
            "status": "missing",
            "part": cell.part,
            "unit": unit,
        }
        for unit, cell in results.planned.items()
        if unit not in there
    ]
    core = [row for row in rows if results.is_core(str(row["part"]))]
    rows += not_applicable({(str(r["task"]), int(r["lag"] or 0), str(r["model"])) for r in core})
    rows.sort(
        key=lambda r: (
            place(TASKS, str(r["task"])),
            r["lag"],
            place(MODELS, str(r["model"])),
            r.get("unit"),
        )
    )
    partial = [f"{r['task']} {r['lag']} {r['model']}" for r in rows if r["status"] == "partial"]
    notes = [
        "A run is solved when its score on the test set, taken once with its last weights, reaches the threshold. "
        "Scores are those of runs that ended with one; the columns under “Ended early” count the others. "
        "A run that is not solved is censored at its budget."
    ]
    if partial:
        notes.append(f"Measured with fewer seeds than planned: {', '.join(partial)}.")
    return Table(
        "T1",
        "accuracy",
        "Accuracy by task, lag and model",
        ACCURACY,
        tuple(rows),
        results.manifest,
        tuple(notes),
    )


def accuracy_row(unit: str, records: list[Record], planned: int) -> Row:
    """Return a row of T1 from the runs of one unit."""
    first = records[0]
    solved = sum(r.verdict == "solved" for r in records)
    rate = stats.wilson(solved, len(records))
    rates = sorted({r.member.learning_rate for r in records})
    score = stats.spread([r.score for r in records if r.score is not None])
    return {
        "task": first.unit.task_spelled,
        "lag": first.unit.lag,
        "model": first.unit.model_spelled,
        "status": "measured" if len(records) >= planned else "partial",
        "solved": solved,
        "runs": len(records),
        "solve_rate": rate.rate,
        "solve_rate_low": rate.low,
        "solve_rate_high": rate.high,
        "score_median": score and score.median,
        "score_min": score and score.low,
        "score_max": score and score.high,
        "chance": first.scale.chance,
        "threshold": first.scale.threshold,
        "steps_to_solve": stats.median_survival(*times_to_solve(records)),
        "budget": first.unit.budget.steps,
        "parameters": first.parameters,
        "learning_rate": rates[0] if len(rates) == 1 else ", ".join(f"{r:g}" for r in rates),
        "diverged": sum(r.verdict == "diverged" for r in records),
        "out_of_memory": sum(r.verdict == "out_of_memory" for r in records),
        "failed": sum(r.verdict == "failed" for r in records),
        "measure": first.scale.measure,
        "sizes": row_of(first)["sizes"],
        "unit": unit,
    }


def one_specification(rows: Iterable[Row]) -> None:
    """Raise if a cell was measured under two specifications: it can't stand in one table."""
    units: dict[tuple[Any, ...], Value] = {}
    for row in rows:
        cell = (row["task"], row["lag"], row["model"])
        if units.setdefault(cell, row["unit"]) != row["unit"]:
            task, lag, model = cell
            raise BadInput(
                f"{task} at lag {lag} with {model} was measured under two specifications, "
                f"{units[cell]} and {row['unit']}: they can't stand in one table; "
                "keep them in folders of their own"
            )


def not_applicable(there: set[tuple[str, int, str]]) -> list[Row]:
    """Return a row for each model that can't read a task: of video and sequence, each reads one."""
    video = {task for task, _, model in there if model in VIDEO_MODELS}
    models = {model for _, _, model in there}
    return [
        {"task": task, "lag": lag, "model": model, "status": "N/A"}
        for task, lag in {(task, lag) for task, lag, _ in there}
        for model in models
        if (task, lag, model) not in there and (model in VIDEO_MODELS) != (task in video)
    ]


THROUGHPUT = (
    Column(
        "phase",
        "Phase",
        "training (forward, backward, update), inference (forward), "
        "or streaming (forward, one token after the other)",
        css="label",
        key=True,
    ),
    Column("device", "Device", "cpu or cuda", css="label", key=True),
    Column("model", "Model", "the model", css="label", key=True),
    Column("length", "T", "time steps", css="number"),
    Column("batch", "B", "sequences a member", css="number"),
    Column("members", "E", "members side by side", css="number"),
    Column("hidden", "H", "hidden units", css="number"),
    Column("width", "Width", "matched to the number of parameters, or given", files_only=True),
    Column("scan", "Scan", "how the recurrence runs over time", css="label"),
    Column(
        "microseconds_per_token",
        "median",
        "time of a step of one sequence of one member, in microseconds",
        significant(3),
        "Time a token, µs",
        "number",
    ),
    Column(
        "microseconds_per_token_q1",
        "quartile",
        "lower quartile over the rounds",
        significant(3),
        "Time a token, µs",
        "number low",
    ),
    Column(
        "microseconds_per_token_q3",
        "quartile",
        "upper quartile over the rounds",
        significant(3),
        "Time a token, µs",
        "number high",
    ),
    Column(
        "microseconds_per_token_floor",
        "floor",
        "least time that this machine could take, from its ceilings",
        significant(3),
        "Time a token, µs",
        "number",
    ),
    Column("share", "of floor", "floor / median: 1 is the best", significant(2), css="number"),
    Column(
        "tokens_per_second",
        "Tokens a second",
        "one over the median time",
        significant(3),
        css="number",
    ),
    Column(
        "peak_memory_mib",
        "Memory, MiB",
        "peak of the process, or of the device, beyond what was held before the model was built",
        fixed(1),
        css="number",
    ),
    Column(
        "compile_seconds",
        "Compiled, s",
        "how much longer the very first step took, where something is compiled",
        significant(2),
        css="number",
    ),
    Column("parameters", "Parameters", "numbers that are trained", css="number"),
    Column("rounds", "Rounds", "interleaved rounds that were timed", css="number"),
    Column("threads", "Threads", "threads that were used", css="number"),
    Column("precision", "Precision", "type of the numbers", css="label"),
    Column("system", "Machine", "id of the machine, described in T5", css="label"),
    Column("machine", "Machine", "what it is", files_only=True),
    Column("commit", "Commit", "code that was timed", files_only=True),
    Column("flops", "FLOP", "operations of a step", files_only=True),
    Column("bytes", "Bytes", "bytes that a step moves at least", files_only=True),
    Column("flops_per_second", "FLOP/s", "of a large product of matrices", files_only=True),
    Column("bytes_per_second", "Bytes/s", "of a large copy, read and written", files_only=True),
)


def throughput_table(store: Store) -> Table:
    """Return T2: how long a step takes, by phase, device, model, sizes and scan."""
    return throughput(Results.read(store))


def throughput(results: Results) -> Table:
    """Return T2 of results that were read."""

    def key(t: Throughput) -> tuple[Any, ...]:
        return (
            get_args(Phase).index(t.phase),
            t.device,
            t.system,
            place(MODELS, t.model),
            t.hidden or 0,
            t.length,
            t.batch,
            t.members,
            t.key,
        )

    rows = [
        throughput_row(t, results.systems.get(t.system))
        for t in sorted(results.throughput, key=key)
    ]
    used = sorted({t.system for t in results.throughput})
    notes = [f"Machine {name}: {described(results.systems.get(name))}." for name in used]
    if all(t.device == "cpu" for t in results.throughput):
        notes.append(f"{NO_GPU}.")
    return Table(
        "T2",
        "throughput",
        "Time and memory of one step",
        THROUGHPUT,
        tuple(rows),
        results.manifest,
        tuple(notes),
    )


def throughput_row(t: Throughput, system: System | None) -> Row:
    """Return a row of T2."""
    row: Row = {
        "phase": t.phase,
        "device": t.device,
        "model": t.model,
        "length": t.length,
        "batch": t.batch,
        "members": t.members,
        "hidden": t.sizes.get("hidden"),
        "width": "matched" if t.hidden is None else "given",
        "scan": t.scan,
        "microseconds_per_token": t.seconds_per_token * 1e6,
        "microseconds_per_token_q1": t.quartiles[0] * 1e6,
        "microseconds_per_token_q3": t.quartiles[1] * 1e6,
        "tokens_per_second": 1 / t.seconds_per_token,
        "peak_memory_mib": t.peak_memory / 2**20,
        "compile_seconds": t.compile_seconds,
        "parameters": t.parameters,
        "rounds": t.rounds,
        "threads": t.threads,
        "precision": t.precision,
        "system": t.system,
        "machine": described(system),
        "commit": t.commit + (" with changes" if t.dirty else ""),
    }
    if t.floor is not None and t.floor_per_token is not None:
        row["microseconds_per_token_floor"] = t.floor_per_token * 1e6
        row["share"] = t.floor_per_token / t.seconds_per_token
        row |= t.floor.model_dump()
    return row


SENSITIVITY = (
    *ACCURACY[:3],
    Column("learning_rate", "Rate", "learning rate", css="number"),
    *(c for c in ACCURACY if c.group in ("Solved", "Solve rate, 95 % interval")),
    Column("chosen", "Chosen", "whether the reporting runs use it", css="label"),
)


def sensitivity_table(store: Store) -> Table | None:
    """Return T3: the solve rate of the tuning runs by learning rate, or None if nothing was tuned."""
    return sensitivity(Results.read(store))


def sensitivity(results: Results) -> Table | None:
    """Return T3 of results that were read."""
    tuning = [r for r in results.records if r.member.role == "tuning"]
    chosen = {(r.unit_id, r.member.learning_rate) for r in results.reporting}
    rows: list[Row] = []
    for (unit, rate), members in groupby(tuning, key=lambda r: (r.unit_id, r.member.learning_rate)):
        records = list(members)
        row = accuracy_row(unit, records, 0)
        edge = ", at the edge of the grid" if rate in (GRID[0], GRID[-1]) else ""
        row["chosen"] = f"yes{edge}" if (unit, rate) in chosen else "no"
        rows.append({c.name: row[c.name] for c in SENSITIVITY})
    if not rows:
        return None
    notes = (
        "Tuning seeds only: they are never used for reporting. The rate is chosen on validation, not on these.",
    )
    title = "Solve rate by learning rate"
    return Table("T3", "sensitivity", title, SENSITIVITY, tuple(rows), results.manifest, notes)


RUNS = (
    *ACCURACY[:3],
    Column("seed", "Seed", "seed of weights and data", css="number"),
    Column("role", "Role", "reporting or tuning", css="label"),
    Column("learning_rate", "Rate", "learning rate", css="number"),
    Column("verdict", "Verdict", "what became of the run", css="label"),
    Column("score", "Score", "on the test set", fixed(4), css="number"),
    Column(
        "chance",
        "Chance",
        "score of the best answer that ignores the input",
        fixed(4),
        css="number",
    ),
    Column(
        "threshold", "Threshold", "score from which a run counts as solved", fixed(4), css="number"
    ),
    Column("steps", "Steps", "training steps taken", css="number"),
    Column(
        "steps_to_solve",
        "Solved at",
        "first of the validations that stood solved to the end",
        css="number",
    ),
    Column("parameters", "Parameters", "numbers that are trained", css="number"),
    Column(
        "seconds",
        "Seconds",
        "wall time of the stack, shared evenly by its members",
        fixed(1),
        css="number",
    ),
    Column("reason", "Reason", "why it failed", css="label"),
    Column("system", "Machine", "id of the machine, described in T5", css="label"),
    Column("unit", "Unit", "hash of all that was measured", files_only=True),
)


def runs(results: Results) -> Table:
    """Return T4: every run."""
    rows = [{c.name: row_of(r)[c.name] for c in RUNS} for r in results.records]
    return Table("T4", "runs", "Every run", RUNS, tuple(rows), results.manifest)


MACHINES = (
    Column("system", "Machine", "id", css="label"),
    Column("processor", "Processor", "as it names itself", css="label"),
    Column("cores", "Cores", "that a run may use", css="number"),
    Column("memory_gib", "Memory, GiB", "of the machine", fixed(1), css="number"),
    Column("accelerator", "Accelerator", "as it names itself", css="label"),
    Column("operating_system", "System", "operating system", css="label"),
    Column("python", "Python", "version", css="label"),
    Column("versions", "Packages", "versions", css="label"),
)


def machines(results: Results) -> Table:
    """Return T5: the machines."""
    rows: list[Row] = [
        {
            "system": name,
            "processor": s.processor,
            "cores": s.cores,
            "memory_gib": s.memory / 2**30,
            "accelerator": s.accelerator or "none",
            "operating_system": s.operating_system,
            "python": s.python,
            "versions": ", ".join(
                f"{package} {version}" for package, version in sorted(s.versions.items())
            ),
        }
        for name, s in sorted(results.systems.items())
    ]
    return Table(
        "T5", "machines", "Machines that were measured on", MACHINES, tuple(rows), results.manifest
    )


# The files

# The same records give the same bytes in the same form. A change that makes other tables of them, a column, a rounding,
# a rule of a claim, is another form: raise the number, and say which files it changes. An edition keeps the tables of
# its own form (docs/adr/0010).
FORM = 2
FILE = re.compile(r"T\d+\.(csv|json|tex|html|bib|ris)|index\.json")  # of ``tables/``
CHANGED = {2: (".tex", ".bib")}  # by a form: the endings of files, or "" for all


def tables(store: Store) -> list[Table]:
    """Return all tables of a results folder; those without a row are left out."""
    results = Results.read(store)
    made = [
        accuracy(results),
        throughput(results),
        sensitivity(results),
        runs(results),
        machines(results),
        goals(results),
        baselines(results),
        aggregates(results),
        pairs(results),
        ledger(results),
        seen(results),
        cost(results),
        window(results),
        claims(results),
    ]
    return [table for table in made if table is not None and table.rows]


def named_table(store: Store, name: str) -> Table:
    """Return a table by its name or id; raise where the folder has none of that name."""
    made = {each.name: each for each in tables(store)}
    ids = {each.id: each for each in made.values()}
    if name not in made and name not in ids:
        raise unknown("table", name, made, str(store.path))
    return (made | ids)[name]


def table_files(store: Store) -> dict[str, str]:
    """Return every file of ``tables/`` by name, as the records give it."""
    made = tables(store)
    index = [
        {
            "id": t.id,
            "name": t.name,
            "title": t.title,
            "edition": t.manifest.edition,
            "hash": t.digest,
            "citable": t.manifest.citable,
            "files": sorted(t.files()),
        }
        for t in made
    ]
    files = {name: text for table in made for name, text in table.files().items()}
    return files | {"index.json": json.dumps(index, indent=1, ensure_ascii=False) + "\n"}


def write_tables(store: Store) -> list[Path]:
    """Write ``tables/`` anew and return its files.

    Raises
    ------
    BadInput
        Where the folder is sealed, or where a file lies among its tables that is none.
    """
    folder = store.path / "tables"
    files = table_files(store)
    if store.manifest().files:
        raise BadInput(f"{store.path} is sealed: its tables are not written anew")
    for file in folder.iterdir() if folder.is_dir() else ():
        if not FILE.fullmatch(file.name) and not is_litter(file.name):
            raise BadInput(f"{file} is no file of a table; move it away")
    for name, text in files.items():
        write(folder / name, text)
    if (manifest := store.manifest()).form != FORM:
        now = manifest.model_copy(update={"form": FORM})
        write(store.path / "manifest.json", f"{now.canonical()}\n")
    for stale in set(folder.iterdir()) - {folder / name for name in files}:
        if FILE.fullmatch(stale.name):
            stale.unlink()
    return sorted(folder / name for name in files)


def check_tables(store: Store) -> list[str]:
    """Return a sentence for each file of ``tables/`` that is not what the records give.

    Files that look otherwise in an earlier form can't be made again by this code: the seal alone speaks for them.
    """
    folder = store.path / "tables"
    unlike = changed_since(store.manifest().form)
    if not folder.is_dir() or "" in unlike:
        return []
    files = table_files(store)
    wrong = []
    there = {file.name for file in folder.iterdir() if not is_litter(file.name)}
    for name in sorted(files.keys() | there):
        file = folder / name
        if name in files and file.is_file() and name.endswith(unlike):
            continue
        if name not in files:
            wrong.append(f"{file}: the records give no such table")
        elif not file.is_file():
            wrong.append(f"{file}: no such file, but the records give this table")
        elif file.read_bytes() != files[name].encode():
            wrong.append(f"{file}: differs from what the records give")
    return wrong


def changed_since(form: int) -> tuple[str, ...]:
    """Return the endings of the files that this code makes otherwise than it was done in a form; "" stands for all."""
    if form > FORM:
        return ("",)
    return tuple(ending for later in range(form + 1, FORM + 1) for ending in CHANGED[later])


def unlike_today(store: Store) -> str:
    """Return a sentence on the tables that are of another form and so not compared with the records, if any are."""
    form = store.manifest().form
    if not (store.path / "tables").is_dir() or not (unlike := changed_since(form)):
        return ""
    files = "they" if "" in unlike else f"files that end in {', '.join(unlike)}"
    return (
        f"{store.path}: its tables are of form {form}, and this code makes form {FORM}: "
        f"{files} were compared with the seal, not with the records"
    )
