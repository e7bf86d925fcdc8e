"""T2: the time of a step, by phase, device, model, sizes and scan."""

from typing import Any, get_args

from seqbench.records.schema import Phase, System, Throughput
from seqbench.report.results import NO_GPU, Results, describe_system, find_position
from seqbench.report.table import Column, Content, Row, to_decimals, to_significant

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
        to_significant(3),
        "Time a token, µs",
        "number",
    ),
    Column(
        "microseconds_per_token_q1",
        "quartile",
        "lower quartile over the rounds",
        to_significant(3),
        "Time a token, µs",
        "number low",
    ),
    Column(
        "microseconds_per_token_q3",
        "quartile",
        "upper quartile over the rounds",
        to_significant(3),
        "Time a token, µs",
        "number high",
    ),
    Column(
        "microseconds_per_token_floor",
        "floor",
        "least time that this machine could take, from its ceilings",
        to_significant(3),
        "Time a token, µs",
        "number",
    ),
    Column("share", "of floor", "floor / median: 1 is the best", to_significant(2), css="number"),
    Column(
        "tokens_per_second",
        "Tokens a second",
        "one over the median time",
        to_significant(3),
        css="number",
    ),
    Column(
        "peak_memory_mib",
        "Memory, MiB",
        "peak of the process, or of the device, beyond what was held before the model was built",
        to_decimals(1),
        css="number",
    ),
    Column(
        "compile_seconds",
        "Compiled, s",
        "how much longer the very first step took, where something is compiled",
        to_significant(2),
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


def throughput(results: Results) -> Content:
    """Return T2."""

    def key(t: Throughput) -> tuple[Any, ...]:
        return (
            get_args(Phase).index(t.phase),
            t.device,
            t.system,
            find_position(results.facts.models, t.model),
            t.hidden or 0,
            t.length,
            t.batch,
            t.members,
            t.key,
        )

    rows = [
        make_throughput_row(t, results.systems.get(t.system))
        for t in sorted(results.throughput, key=key)
    ]
    used = sorted({t.system for t in results.throughput})
    notes = [f"Machine {name}: {describe_system(results.systems.get(name))}." for name in used]
    if all(t.device == "cpu" for t in results.throughput):
        notes.append(f"{NO_GPU}.")
    return Content("Time and memory of one step", THROUGHPUT, rows, notes)


def make_throughput_row(t: Throughput, system: System | None) -> Row:
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
        "machine": describe_system(system),
        "commit": t.commit + (" with changes" if t.dirty else ""),
    }
    if t.floor is not None and t.floor_per_token is not None:
        row["microseconds_per_token_floor"] = t.floor_per_token * 1e6
        row["share"] = t.floor_per_token / t.seconds_per_token
        row |= t.floor.model_dump()
    return row
