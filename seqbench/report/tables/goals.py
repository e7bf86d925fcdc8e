"""T6: the goals for speed, each compared with the usual alternative."""

from seqbench.records.schema import Comparison
from seqbench.report.results import NO_GPU, Results, describe_system
from seqbench.report.table import Column, Content, Row, to_decimals, to_significant

GOALS = (
    Column("goal", "Goal", "the goal", css="label", key=True),
    Column("what", "What", "what is measured; of a ratio, how many times as fast", css="label"),
    Column(
        "measured",
        "median",
        "median over interleaved rounds",
        to_significant(3),
        "Measured, 95 % interval",
        "number",
    ),
    Column("low", "from", "lower end", to_significant(3), "Measured, 95 % interval", "number low"),
    Column("high", "to", "upper end", to_significant(3), "Measured, 95 % interval", "number high"),
    Column(
        "met", "Met", "whether the median is within the aim, or why it is not known", css="label"
    ),
    Column("aim", "Aim", "what is aimed at, if anything", css="label"),
    Column("memory", "ours", "peak of a step", to_decimals(1), "Memory, MiB", "number"),
    Column("their_memory", "theirs", "peak of a step", to_decimals(1), "Memory, MiB", "number"),
    Column("precision", "ours", "type of the numbers", group="Precision", css="label"),
    Column("their_precision", "theirs", "type of the numbers", group="Precision", css="label"),
    Column("note", "Note", "what else there is to say", css="label"),
    Column("milliseconds", "ms", "median of a step, ours", to_significant(3), files_only=True),
    Column(
        "their_milliseconds", "ms", "median of a step, theirs", to_significant(3), files_only=True
    ),
    Column("rounds", "Rounds", "interleaved rounds that were timed", files_only=True),
    Column("device", "Device", "cpu or cuda", files_only=True),
    Column("threads", "Threads", "threads that were used", files_only=True),
    Column("system", "Machine", "id of the machine, described in T5", files_only=True),
    Column("commit", "Commit", "code that was timed", files_only=True),
)


def goals(results: Results) -> Content:
    """Return T6: the goals for speed with their measurements."""
    done = {r.goal for r in results.comparisons if r.note != NO_GPU}
    rows = [r for r in results.comparisons if r.note != NO_GPU or r.goal not in done]
    used = sorted({r.system for r in rows})
    notes = [f"Machine {name}: {describe_system(results.systems.get(name))}." for name in used]
    title = "Goals for speed, against what one would take instead"
    return Content(title, GOALS, [make_goal_row(r) for r in rows], notes)


def make_goal_row(r: Comparison) -> Row:
    """Return a row of T6."""
    known = r.measured is not None or r.met is not None
    row: Row = {
        "goal": r.goal,
        "what": r.what,
        "aim": r.aim,
        "measured": r.measured,
        "met": {True: "yes", False: "no", None: None}[r.met] if known else r.note,
        "note": r.note if known else None,
        "rounds": r.rounds,
        "device": r.device,
        "threads": r.threads,
        "system": r.system,
        "commit": r.commit + (" with changes" if r.dirty else ""),
    }
    if r.interval is not None and r.rounds > 1:
        row["low"], row["high"] = r.interval
    for prefix, side in (("", r.ours), ("their_", r.theirs)):
        if side is not None:
            row[f"{prefix}precision"] = side.precision
            row[f"{prefix}memory"] = max(side.peak_memory) / 2**20
            if len(side.seconds) == 1:
                row[f"{prefix}milliseconds"] = side.seconds[0] * 1e3
    return row
