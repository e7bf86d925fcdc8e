"""Claims on gates: what each does, and whether it is needed."""

from collections.abc import Iterator
from statistics import median

from seqbench.records.schema import Probe
from seqbench.report.claims.claim import Claim, Finding, Vote
from seqbench.report.claims.evidence import MEMBERS, Evidence, Probes, Runs, list_rows
from seqbench.report.claims.rates import (
    compare_sides,
    describe_pair,
    judge_difference,
    judge_share,
    make_pair,
)
from seqbench.report.compare import Pair

# forget

STREAMS = (("reber-stream", (50, 100)),)


ENDLESS = ("gers2000-stream-1997", "gers2000-stream")  # ids of rows of the ledger


def forget(evidence: Evidence) -> Iterator[Finding]:
    """Say of each length of the stream: it holds if the LSTM solves more often with a forget gate than without.

    More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25. Equal or less speaks
    against it, also where both fail. The GRU, which forgets too, stands beside it without a vote; so do the endless
    streams of the ledger, in the protocol of 2000.
    """
    for bare in list_rows(STREAMS, "lstm_1997"):
        yield judge_difference(evidence, bare, bare._replace(model="lstm"))
        other = bare._replace(model="gru")
        pair = make_pair(evidence.runs(bare), evidence.runs(other))
        yield Finding(f"{other}", "aside", describe_pair(pair, bare.model, other.model))
    without, gated = map(evidence.trials, ENDLESS)
    if without and gated:
        pair = Pair(sum(without), len(without), sum(gated), len(gated))
        words = describe_pair(pair, "without forget gates", "with forget gates")
        yield Finding("endless streams (T10)", "aside", words)


FORGET = Claim(
    "forget",
    "A forget gate near 0 clears the cell; without it the cell cannot reset itself.",
    "Continual embedded Reber strings, where nothing says that a new one begins: the LSTM with a forget gate and the "
    "LSTM of 1997 without.",
    tuple(map(Runs, list_rows(STREAMS, "lstm", "lstm_1997", "gru"))),
    forget,
)

# gates-readable

READABLE_TASKS = (("temporal-order", (60,)), ("adding", (50,)))
GATES = ("input", "forget", "output")
READABLE = 0.25  # distance of the area under the ROC curve from 1/2
GAINED = 0.05  # gain over the random weights at the start, which also separate symbols a little


def gates_readable(evidence: Evidence) -> Iterator[Finding]:
    """Say of each gate on each task: it holds if in most members that solved, its median unit can be read.

    A unit is read by the area under the ROC of its value, relevant steps against distracting ones. It can be read if
    the area is at least 1/4 from 1/2 after training, and farther than at the start by .05. Where fewer than five
    members solved, nothing can be said.
    """
    for row in list_rows(READABLE_TASKS, "lstm"):
        start = {p.member: p for p in evidence.probes("gates", row, "start")}
        ends = [p for p in evidence.probes("gates", row, "end") if p.verdict == "solved"]
        for gate in GATES:
            where = f"{gate} gate, {row.task} {row.lag}"
            if len(ends) < MEMBERS:
                yield Finding(where, "open", f"only {len(ends)} members solved")
                continue
            reads = [
                (distance_from_half(p, gate), distance_from_half(start[p.member], gate))
                for p in ends
            ]
            hits = [now >= max(READABLE, before + GAINED) for now, before in reads]
            yield judge_share(where, hits, "readable")


def distance_from_half(probe: Probe, gate: str) -> float:
    """Return the median over the units of the distance of the area under the ROC curve from 1/2."""
    areas = [area for area in probe.series[f"{gate}/auc"] if area is not None]
    return median(abs(area - 0.5) for area in areas)


GATES_READABLE = Claim(
    "gates-readable",
    "Input, forget and output gates open and shut when the data asks for it.",
    "Values of the LSTM's gates at relevant and at distracting steps, at the start and after training: the area "
    "under the ROC of value against relevance; temporal order, adding.",
    tuple(Probes("gates", row) for row in list_rows(READABLE_TASKS, "lstm")),
    gates_readable,
)

# peephole

TIMING = (
    ("timed-spikes", (5, 12)), ("spike-delay", (20, 40)),
    ("counting", (40,)), ("counting:symbols=3", (40,)),
)  # fmt: skip


def peephole(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task: it holds if the LSTM solves more often with peepholes than without, at equal parameters.

    More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25. Equal (the 90 %
    interval inside ±.25) or less speaks against it.
    """
    for plain in list_rows(TIMING, "lstm"):
        yield judge_difference(evidence, plain, plain._replace(model="lstm_peephole"))


PEEPHOLE = Claim(
    "peephole",
    "Letting the gates see the cell state helps.",
    "LSTM with peepholes less LSTM, at equal parameters: timed spikes, spike delay, counting.",
    tuple(map(Runs, list_rows(TIMING, "lstm", "lstm_peephole"))),
    peephole,
)

# no-output-gate

KINDS = (
    ("adding", (50,)), ("temporal-order", (60,)), ("parity", (200,)), ("timed-spikes", (12,)), ("copy", (20,)),
)  # fmt: skip


def no_output_gate(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task: it holds if the GRU is equal to the LSTM without an output gate where it differs from the LSTM.

    It speaks against the claim if the GRU solves more often, or less, than the LSTM without an output gate. Where all
    are alike, there is nothing to tell: such a task has no vote.
    """
    for lstm in list_rows(KINDS, "lstm"):
        full, gru, without = (
            evidence.runs(lstm._replace(model=model)) for model in ("lstm", "gru", "lstm_no_output")
        )
        pair = make_pair(without, gru)
        how, apart = compare_sides(pair), compare_sides(make_pair(full, gru))
        says: Vote = "open"
        if how in ("more", "less"):
            says = "against"
        elif how == "equal" and apart in ("more", "less"):
            says = "for"
        elif how == apart == "equal":
            says = "aside"
        yield Finding(
            f"{lstm.task} {lstm.lag}",
            says,
            f"{describe_pair(pair, 'lstm_no_output', 'gru')}; {describe_pair(make_pair(full, gru), 'lstm', 'gru')}",
        )


NO_OUTPUT_GATE = Claim(
    "no-output-gate",
    "A GRU is an LSTM without an output gate.",
    "GRU against the LSTM without an output gate, and against the LSTM, at equal parameters: adding, temporal order, "
    "parity, timed spikes, copy.",
    tuple(map(Runs, list_rows(KINDS, "lstm", "gru", "lstm_no_output"))),
    no_output_gate,
)
