"""Claims on memory: how long dependencies are learned, and what is forgotten first."""

from collections.abc import Iterator
from math import inf
from statistics import fmean, median

from seqbench.records.schema import Probe
from seqbench.report.claims.claim import Claim, Finding, Vote
from seqbench.report.claims.evidence import (
    MOMENTS,
    Evidence,
    Probes,
    Runs,
    TableRow,
    list_rows,
)
from seqbench.report.claims.rates import (
    compare_sides,
    describe_pair,
    judge_difference,
    judge_learning,
    judge_share,
    make_pair,
)

LAGS = {"latch": (10, 50), "temporal-order": (15, 60), "adding": (10, 50), "copy": (1, 20)}
FAR = tuple((task, (far,)) for task, (_, far) in LAGS.items())

# short-memory


def short_memory(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task: it holds if the plain network learned the near lag and failed at the far one.

    Speaks against it: near failed, or far learned. Learned is nine of ten runs, failed is one of ten.
    """
    for task, (near, far) in LAGS.items():
        close, distant = (evidence.runs(TableRow(task, lag, "rnn")) for lag in (near, far))
        both = judge_learning(close), judge_learning(distant)
        says: Vote = "open"
        if both == ("learned", "failed"):
            says = "for"
        elif both[0] == "failed" or both[1] == "learned":
            says = "against"
        pair = make_pair(close, distant)
        yield Finding(task, says, describe_pair(pair, f"rnn at lag {near}", f"rnn at lag {far}"))


SHORT_MEMORY = Claim(
    "short-memory",
    "Plain recurrent networks learn short dependencies and fail on long ones.",
    "Solve rate of the plain network at a near and at a far lag: latch, temporal order, adding, copy.",
    tuple(map(Runs, list_rows(LAGS.items(), "rnn"))),
    short_memory,
)

# long-memory


def long_memory(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task at its far lag: it holds if the LSTM solves more often than the plain network.

    More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25. Equal or less speaks
    against it, also where both fail: then the LSTM does not learn that dependency either.
    """
    for task, (_, far) in LAGS.items():
        yield judge_difference(evidence, TableRow(task, far, "rnn"), TableRow(task, far, "lstm"))


LONG_MEMORY = Claim(
    "long-memory",
    "LSTMs learn dependencies that plain RNNs cannot.",
    "LSTM less plain network, difference of the solve rates at the far lag: latch, temporal order, adding, copy.",
    tuple(map(Runs, list_rows(FAR, "rnn", "lstm"))),
    long_memory,
)

# vanishing

FADED = 1e-2  # a gradient has vanished if less than this share is left over the whole sequence
GATED = ("lstm", "lstm_peephole", "lstm_1997", "gru")
GRADIENT_TASKS = (("temporal-order", (60,)), ("adding", (50,)))
UNCLIPPED = ("latch", (30,))  # its gradients are not clipped


def vanishing(evidence: Evidence) -> Iterator[Finding]:
    """Say of each recurrent model, at the start and after training, whether the gradient is lost over the sequence.

    g is the norm of the gradient by the state k steps before the answer. It is lost if, from the first step back to
    the last, less than 1/100 of it is left, or it has grown a hundredfold, on the way through the state that keeps
    most. It holds if it is lost in most members of the plain network, and in few of each gated one. How many runs
    diverge where gradients are not clipped stands beside it, without a vote: under Adam a large gradient makes no
    large step.
    """
    for row in list_rows(GRADIENT_TASKS, "rnn", *GATED):
        for moment in MOMENTS:
            lost = [is_lost(probe) for probe in evidence.probes("gradient", row, moment)]
            if row.model == "rnn":
                yield judge_share(f"{row}, {moment}", lost, "lost")
            else:
                yield judge_share(f"{row}, {moment}", [not each for each in lost], "kept")
    for row in list_rows([UNCLIPPED], "rnn", "lstm", "gru"):
        runs = [*evidence.runs(row), *evidence.runs(row, "tuning")]
        diverged = sum(run.verdict == "diverged" for run in runs)
        yield Finding(f"{row}, unclipped", "aside", f"{diverged} of {len(runs)} runs diverged")


def is_lost(probe: Probe) -> bool:
    """Return whether the gradient vanishes or explodes; that of a diverged member is not finite and counts as lost."""
    left = [
        compute_fraction(probe.series[way]) for way in ("hidden", "cell") if way in probe.series
    ]
    return not FADED <= max(left, default=inf) <= 1 / FADED


def compute_fraction(g: list[float | None]) -> float:
    """Return g_K / g_1; infinity where one of them is not finite."""
    near, far = g[1], g[-1]
    if near is None or far is None:
        return inf
    return far / near if near else 0.0


VANISHING = Claim(
    "vanishing",
    "The gradient through time vanishes or explodes in an RNN; gating prevents it.",
    "Norm of the gradient by the state k steps before the answer, at the start and after training, in every "
    "recurrent model; and the runs that diverge without clipping.",
    (
        *(Probes("gradient", row) for row in list_rows(GRADIENT_TASKS, "rnn", *GATED)),
        *map(Runs, list_rows([UNCLIPPED], "rnn", "lstm", "gru")),
    ),
    vanishing,
)

# displacement

LOADS = (("recall", (8,)), ("copy", (1,)))
DROP = 0.1  # accuracy
FULL = 0.95  # accuracy at which nothing had to be forgotten


def displacement(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task: it holds if most plain networks know the newest item better than the oldest, by .1 or more.

    Nothing can be said where most of them know nearly everything (.95 in the mean over the ages), so that their memory
    is not full, or nothing (less than .1 above chance at every age).
    """
    for row in list_rows(LOADS, "rnn"):
        seen_by_age = [
            [a for a in probe.series.get("accuracy", []) if a is not None]
            for probe in evidence.probes("age", row, "end")
        ]
        by_age = [accuracy for accuracy in seen_by_age if accuracy]
        where, chance = (
            f"{row.task} {row.lag}",
            evidence.runs(row)[0].scale.chance,
        )
        typical = [fmean(each) for each in by_age]
        if not by_age or median(typical) >= FULL:
            yield Finding(where, "open", "nothing had to be dropped")
        elif median(max(each) for each in by_age) < chance + DROP:
            yield Finding(where, "open", "nothing was kept")
        else:
            newest_first = [each[0] - each[-1] >= DROP for each in by_age]
            yield judge_share(where, newest_first, "newest known better than oldest")


DISPLACEMENT = Claim(
    "displacement",
    "A plain RNN keeps the newest and drops the oldest when its memory is full.",
    "Accuracy of the plain network against the age of the item, at a fixed load: recall, copy.",
    (
        *(Probes("age", row, ("end",)) for row in list_rows(LOADS, "rnn")),
        *map(Runs, list_rows(LOADS, "rnn")),
    ),
    displacement,
)

# tbptt

ORDER = "temporal-order"
WINDOWS = {15: (10,), 60: (10, 20, 50)}
HOLDS_SOME = {(60, 50)}  # in a third of the sequences the last 50 steps contain both symbols
TRUNCATED = {TableRow(ORDER, lag, f"lstm:truncate={k}"): k for lag in WINDOWS for k in WINDOWS[lag]}


def tbptt(evidence: Evidence) -> Iterator[Finding]:
    """Say of each window that is shorter than the dependency: it holds if the full gradient learned, and it failed.

    It speaks against the claim if it learned. Where neither did, nothing can be said. A window that holds the whole
    dependency of some sequences stands beside, without a vote.
    """
    for row, k in TRUNCATED.items():
        full, cut = evidence.runs(TableRow(ORDER, row.lag, "lstm")), evidence.runs(row)
        says: Vote = "open"
        if (row.lag, k) in HOLDS_SOME:
            says = "aside"
        elif judge_learning(cut) == "learned":
            says = "against"
        elif (judge_learning(full), judge_learning(cut)) == ("learned", "failed"):
            says = "for"
        pair = make_pair(full, cut)
        yield Finding(
            f"{ORDER} {row.lag}, window {k}",
            says,
            describe_pair(pair, "lstm", row.model),
        )


TBPTT = Claim(
    "tbptt",
    "Truncated backpropagation cannot learn dependencies longer than its window.",
    "Solve rate of the LSTM on temporal order with gradients cut after 10, 20, 50 steps, and not cut.",
    tuple(map(Runs, (*list_rows([(ORDER, WINDOWS)], "lstm"), *TRUNCATED))),
    tbptt,
)

# window

NET_WINDOWS = {15: (8, 16), 60: (8, 16, 32, 64)}
FEEDFORWARD = {
    TableRow(ORDER, lag, f"window_mlp:window={k}"): k
    for lag in NET_WINDOWS
    for k in NET_WINDOWS[lag]
}


def window(evidence: Evidence) -> Iterator[Finding]:
    """Say of each window of a feed-forward net: it holds if the LSTM solves more often.

    More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25. If both learned, or
    the net solves more often, a window is a substitute there; if both fail, nothing can be said.
    """
    for row, k in FEEDFORWARD.items():
        net, lstm = evidence.runs(row), evidence.runs(TableRow(ORDER, row.lag, "lstm"))
        pair = make_pair(net, lstm)
        how, both = compare_sides(pair), (judge_learning(net), judge_learning(lstm))
        says: Vote = "open"
        if how == "less" or both == ("learned", "learned"):
            says = "against"
        elif how == "more":
            says = "for"
        yield Finding(
            f"{ORDER} {row.lag}, window {k}",
            says,
            describe_pair(pair, row.model, "lstm"),
        )


WINDOW = Claim(
    "window",
    "Feeding a window to a feed-forward net is no substitute for recurrence.",
    "Solve rate of a feed-forward net on windows of 8 to 64 steps, and of the LSTM, on temporal order of 15 and 60.",
    tuple(map(Runs, (*list_rows([(ORDER, NET_WINDOWS)], "lstm"), *FEEDFORWARD))),
    window,
)
