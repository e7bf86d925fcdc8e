"""Claims on cost: of a training step, of a hyperparameter search, and of compilation."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from seqbench.protocol.settings import choose_rate
from seqbench.records.schema import Record, Throughput
from seqbench.report.claims.claim import Claim, Finding, Vote
from seqbench.report.claims.compared import BATTERY
from seqbench.report.claims.evidence import (
    RUNS,
    Evidence,
    FinerRuns,
    FirstStep,
    Runs,
    StepTimes,
    TuningRuns,
    join_words,
    list_rows,
)
from seqbench.report.claims.memory import FAR
from seqbench.report.claims.rates import count_solved
from seqbench.report.compare import Pair, Times, estimate_ratio, mean_difference
from seqbench.report.stats import LEVEL

CHEAPER = 0.9  # at most this share of the time or memory
WIDTHS = {False: "equal parameters", True: "equal hidden size"}

# Comparing step times


def pair_times(
    first: Sequence[Throughput], second: Sequence[Throughput], across: bool = False
) -> Iterator[tuple[Throughput, Throughput]]:
    """Yield the times of two models in steps of the same shape, by the fastest scan; ``across`` machines if asked."""
    sides = [select_fastest(side, across) for side in (first, second)]
    for key in sides[0]:
        if key in sides[1]:
            yield sides[0][key], sides[1][key]


def select_fastest(
    times: Sequence[Throughput], across: bool
) -> dict[tuple[object, ...], Throughput]:
    """Return the time of the fastest scan for each step shape."""
    found: dict[tuple[object, ...], Throughput] = {}
    for t in sorted(times, key=lambda t: t.seconds_per_token, reverse=True):
        machine = () if across else (t.device, t.system)
        found[t.length, t.batch, t.members, t.hidden, t.precision, machine] = t
    return dict(sorted(found.items(), key=lambda item: (item[1].length, item[1].members)))


def times(t: Throughput) -> Times:
    """Return a step time with its spread."""
    return Times(t.seconds_per_token, t.quartiles, t.rounds)


def judge_ratio(first: Throughput, second: Throughput, most: float) -> Vote:
    """Return the vote on whether the second takes at most this share of the first's time, by the 90 % interval."""
    found = estimate_ratio(times(first), times(second))
    if found is None:
        return "open"
    if found.high <= most:
        return "for"
    return "against" if found.low > most else "open"


def group_findings(
    label: str,
    pairs: Sequence[tuple[Throughput, Throughput]],
    says_of: Callable[[Throughput, Throughput], Vote],
    ratio_of: Callable[[Throughput, Throughput], float],
) -> Iterator[Finding]:
    """Yield one finding for each vote, with the steps that have it."""
    if not pairs:
        yield Finding(label, "open", "no like steps were timed")
    said: dict[Vote, list[tuple[Throughput, Throughput]]] = {}
    for pair in pairs:
        said.setdefault(says_of(*pair), []).append(pair)
    for says, some in said.items():
        where = label
        if len(said) > 1:
            where += " at " + join_words(f"T = {a.length} E = {a.members}" for a, _ in some)
        ratios = sorted(ratio_of(*pair) for pair in some)
        words = f"ratio {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) over {len(some)}"
        yield Finding(where, says, words)


def compute_time_ratio(first: Throughput, second: Throughput) -> float:
    """Return the time of the second over that of the first."""
    return second.seconds_per_token / first.seconds_per_token


# gru-cheaper


def gru_cheaper(evidence: Evidence) -> Iterator[Finding]:
    """Say of time and of memory, on each device, at equal parameters and at equal hidden size: the GRU takes less.

    Time: the 90 % interval of the ratio GRU / LSTM of a training step lies below .9 (it holds) or above (it does
    not), of either the fastest scan. Memory: the peak of the GRU is at most .9 of that of the LSTM, or it is more.
    """
    for device in ("cpu", "cuda"):
        for given, width in WIDTHS.items():
            pairs = [
                *pair_times(
                    evidence.steps("lstm", device, given), evidence.steps("gru", device, given)
                )
            ]
            if device == "cuda" and not pairs:
                continue
            where = f"{device}, {width}"
            yield from group_findings(
                f"time, {where}", pairs, lambda a, b: judge_ratio(a, b, CHEAPER), compute_time_ratio
            )
            yield from group_findings(f"memory, {where}", pairs, judge_memory, compute_memory_ratio)


def compute_memory_ratio(first: Throughput, second: Throughput) -> float:
    """Return the peak of the second over that of the first."""
    return second.peak_memory / max(1, first.peak_memory)


def judge_memory(first: Throughput, second: Throughput) -> Vote:
    """Return the vote on whether the second takes less memory; open where the first's peak was measured as 0."""
    if not first.peak_memory:
        return "open"
    return "for" if compute_memory_ratio(first, second) <= CHEAPER else "against"


GRU_CHEAPER = Claim(
    "gru-cheaper",
    "A GRU is cheaper than an LSTM.",
    "Time and memory of a training step, GRU over LSTM, at equal parameters and at equal hidden size, by device.",
    tuple(StepTimes(model, "cpu", given) for given in WIDTHS for model in ("lstm", "gru")),
    gru_cheaper,
    also=tuple(StepTimes(model, "cuda", given) for given in WIDTHS for model in ("lstm", "gru")),
)

# lstm-costly

SIMPLER = ("rnn", "gru")
NARROWER = 0.05  # by at least this much of the share of tuning runs that solve


def lstm_costly(evidence: Evidence) -> Iterator[Finding]:
    """Say of the plain network and of the GRU: the LSTM takes more time at equal parameters, and is harder to train.

    Time: the 90 % interval of the ratio other / LSTM of a training step on a CPU lies below .9 (it holds) or above
    (it does not). Harder: of the tuning runs, five rates by three seeds in each cell, the LSTM solves a smaller
    share. That share is the width of the window of learning rates that work. It holds if the 95 % interval of the
    mean difference lies below 0 and the difference is .05 or more; it does not if the interval lies above -.05.
    """
    for other in SIMPLER:
        pairs = [
            *pair_times(evidence.steps("lstm", "cpu", False), evidence.steps(other, "cpu", False))
        ]
        yield from group_findings(
            f"time against {other}",
            pairs,
            lambda a, b: judge_ratio(a, b, CHEAPER),
            compute_time_ratio,
        )
        tuned = []
        for row in list_rows(BATTERY, other):
            theirs = evidence.runs(row, "tuning")
            ours = evidence.runs(row._replace(model="lstm"), "tuning")
            tuned.append(Pair(count_solved(theirs), len(theirs), count_solved(ours), len(ours)))
        d = mean_difference(tuned, LEVEL)
        says: Vote = "open"
        if d.high < 0 and d.value <= -NARROWER:
            says = "for"
        elif d.low > -NARROWER:
            says = "against"
        words = f"lstm less {other}: {d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
        yield Finding(f"tuning runs that solve, against {other}", says, words)


LSTM_COSTLY = Claim(
    "lstm-costly",
    "LSTMs need more computation and are harder to train than other RNNs.",
    "Time of a training step at equal parameters, and the share of all tuning runs that solve, which is the width of"
    " the working window of learning rates: LSTM against the plain network and the GRU.",
    (
        *(StepTimes(model, "cpu") for model in ("lstm", *SIMPLER)),
        *map(TuningRuns, list_rows(BATTERY, "lstm", *SIMPLER)),
    ),
    lstm_costly,
)

# gpu-needed

FASTER = 0.5  # at most this share of the time on a CPU
LONG = 3600.0  # seconds to solve a task on one CPU core from which a GPU counts as needed


def gpu_needed(evidence: Evidence) -> Iterator[Finding]:
    """Say of each kind of step, and of solving a task: a GPU is needed.

    A step: the 90 % interval of the ratio GPU / CPU of the LSTM's time lies below 1/2 (it holds) or above (it does
    not). A task: one core needs more than an hour for the median steps to solve. Where fewer than half of the runs
    solve, or fewer than ten ran on a CPU, nothing can be said of a task.
    """
    for given, width in WIDTHS.items():
        pairs = [
            *pair_times(
                evidence.steps("lstm", "cpu", given), evidence.steps("lstm", "cuda", given), True
            )
        ]
        yield from group_findings(
            f"a step, {width}", pairs, lambda a, b: judge_ratio(a, b, FASTER), compute_time_ratio
        )
    for row in list_rows(FAR, "lstm"):
        runs = evidence.runs(row)
        seconds = estimate_seconds_to_solve(evidence, runs)
        says: Vote = "open"
        if seconds is not None:
            says = "for" if seconds > LONG else "against"
        words = "too few solve on a CPU" if seconds is None else f"{seconds:.0f} s"
        yield Finding(f"solving {row.task} {row.lag}", says, words)


def estimate_seconds_to_solve(evidence: Evidence, runs: Sequence[Record]) -> float | None:
    """Return the median steps to solve times the median time of a step, on one CPU core; None where too few solve."""
    on_cpu = [run for run in runs if run.provenance.device == "cpu" and run.steps]
    if len(on_cpu) < RUNS:
        return None
    steps = evidence.results.find_median_steps(on_cpu)
    return steps and steps * median(run.cost.seconds / run.steps for run in on_cpu)


GPU_NEEDED = Claim(
    "gpu-needed",
    "Training recurrent networks needs a GPU.",
    "Time of a training step of the LSTM on a CPU core and on a GPU, by length, members and width; and the time in "
    "which a core solves a task at its far lag.",
    (
        *(StepTimes("lstm", device, given) for device in ("cpu", "cuda") for given in WIDTHS),
        *map(Runs, list_rows(FAR, "lstm")),
    ),
    gpu_needed,
)

# loop-compile

LENGTHS = (16, 64)
SLOW = 10.0  # seconds of the first step


def loop_compile(evidence: Evidence) -> Iterator[Finding]:
    """Say of the first step at the longer length: it is slow (10 s or more) for the compiled loop, and not for a scan.

    And the loop's grows with the length: at four times the steps it takes at least twice as long.
    """
    short, long = LENGTHS
    at = {
        (how, length): found.measured
        for how in ("loop", "scan")
        for length in LENGTHS
        if (found := evidence.find_first_step(how, length)) and found.measured is not None
    }
    loop, scan = at["loop", long], at["scan", long]
    grown = loop / at["loop", short]
    yield Finding(f"the loop at T = {long}", "for" if loop >= SLOW else "against", f"{loop:.1f} s")
    yield Finding("its growth", "for" if grown >= 2 else "against", f"{grown:.1f} times as long")
    yield Finding(f"the scan at T = {long}", "for" if scan < SLOW else "against", f"{scan:.2f} s")


LOOP_COMPILE = Claim(
    "loop-compile",
    "A Python loop over time makes the first compiled run very slow; a scan does not.",
    "Seconds of the first training step beyond a later one, at 16 and 64 steps: the loop under torch.compile, and "
    "the scan.",
    tuple(FirstStep(how, length) for how in ("loop", "scan") for length in LENGTHS),
    loop_compile,
)

# search

REFINED = list_rows((("temporal-order", (60,)), ("adding", (50,))), "rnn", "lstm", "gru")


def search(evidence: Evidence) -> Iterator[Finding]:
    """Say of each cell: the search took longer than the runs it was for, and no other rate is better than its choice.

    Rates are compared as the search does it, on validation, with the tuning seeds. It holds if no finer rate solves
    in more seeds than the chosen one; it does not if one solves in two more.
    """
    for row in REFINED:
        tuning, finer = evidence.runs(row, "tuning"), evidence.runs(row, "search")
        spent = [sum(r.cost.seconds for r in runs) for runs in (tuning, evidence.runs(row))]
        slow: Vote = "for" if spent[0] > spent[1] else "against"
        words = f"{spent[0]:.0f} s of tuning, {spent[1]:.0f} s of runs"
        yield Finding(f"slow on {row}", slow, words)
        chosen, better = choose_rate(tuning), choose_rate([*tuning, *finer])
        ahead = max(count_found(finer, r) for r in list_rates(finer)) - count_found(tuning, chosen)
        says: Vote = "for" if ahead <= 0 else "against" if ahead >= 2 else "open"
        rank = 1 + sum(
            choose_rate([*select_rate(tuning, chosen), *select_rate(finer, r)]) != chosen
            for r in list_rates(finer)
        )
        words = (
            f"{chosen:g} has rank {rank} of {1 + len(list_rates(finer))}, the best is {better:g}"
        )
        yield Finding(f"optimum on {row}", says, words)


def list_rates(runs: Sequence[Record]) -> list[float]:
    """Return the learning rates of runs."""
    return sorted({run.member.learning_rate for run in runs})


def select_rate(runs: Sequence[Record], rate: float) -> list[Record]:
    """Return the runs at a learning rate."""
    return [run for run in runs if run.member.learning_rate == rate]


def count_found(runs: Sequence[Record], rate: float) -> int:
    """Return how many runs at a learning rate solved on validation."""
    return sum(run.steps_to_solve is not None for run in select_rate(runs, rate))


SEARCH = Claim(
    "search",
    "A hyperparameter search is slow but finds the optimum.",
    "Time of the tuning against that of the runs it is for; rank of the chosen learning rate among finer ones, on "
    "the tuning seeds: temporal order, adding.",
    (*map(Runs, REFINED), *map(TuningRuns, REFINED), *map(FinerRuns, REFINED)),
    search,
)
