"""Claims that compare two architectures."""

from collections.abc import Iterator, Sequence

from seqbench.records.schema import Record
from seqbench.report.claims.claim import Claim, Finding, Vote
from seqbench.report.claims.evidence import (
    Evidence,
    Runs,
    TableRow,
    TrainingScores,
    list_rows,
)
from seqbench.report.claims.rates import (
    BETTER,
    compare_sides,
    describe_pair,
    judge_difference,
    judge_learning,
    judge_rate,
    judge_share,
    make_pair,
)
from seqbench.report.compare import EQUIVALENCE, Pair, mean_difference

# gru-equal

BATTERY = (
    ("latch", (10, 50)), ("adding", (10, 50)), ("temporal-order", (15, 60)), ("copy", (1, 20)), ("parity", (60, 200)),
    ("timed-spikes", (5, 12)), ("recall", (2, 8)), ("sequential-digits", (0, 64)), ("time-machine", (20, 50)),
    ("counting", (40,)),
)  # fmt: skip
NARROW = (
    ("latch", (50,)), ("adding", (50,)), ("temporal-order", (60,)), ("copy", (20,)), ("parity", (200,)),
    ("timed-spikes", (12,)),
)  # fmt: skip
SMALL = "gru:hidden=32"  # it has .68 to .91 of the parameters that all others are matched to
AS_WELL = 0.05  # loss of the mean solve rate that still counts as "as well"


def gru_equal(evidence: Evidence) -> Iterator[Finding]:
    """Say of the mean over the tasks, and of each task: it holds if the GRU loses no more than .05 of the solve rate.

    On the mean: the 90 % interval of the mean difference, GRU less LSTM, lies above -.05 (it holds) or below (it does
    not), at equal parameters over the battery and with 32 hidden units over the far lags. A task where the GRU solves
    less often (Newcombe's 95 % interval below 0, and the difference at least .25) speaks against it by name.
    """
    for label, tasks, model in (
        ("the battery, equal parameters", BATTERY, "gru"),
        ("the far lags, 32 hidden units", NARROW, SMALL),
    ):
        pairs = {
            lstm: make_pair(evidence.runs(lstm), evidence.runs(lstm._replace(model=model)))
            for lstm in list_rows(tasks, "lstm")
        }
        d = mean_difference(list(pairs.values()), EQUIVALENCE)
        says: Vote = "open"
        if d.low > -AS_WELL:
            says = "for"
        elif d.high < -AS_WELL:
            says = "against"
        words = f"{model} less lstm: {d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
        yield Finding(label, says, words)
        for lstm, pair in pairs.items():
            if compare_sides(pair) == "less":
                words = describe_pair(pair, "lstm", model)
                yield Finding(f"{model} on {lstm.task} {lstm.lag}", "against", words)


GRU_EQUAL = Claim(
    "gru-equal",
    "A GRU with fewer parameters does as well as an LSTM.",
    "Mean solve rate of the GRU less that of the LSTM: over the battery at equal parameters, and over the far lags "
    "with 32 hidden units, which has fewer; and each task by name.",
    tuple(map(Runs, (*list_rows(BATTERY, "lstm", "gru"), *list_rows(NARROW, SMALL)))),
    gru_equal,
)

# transformer-no-forgetting

IN_RANGE = (
    ("latch", (50,)), ("adding", (50,)), ("temporal-order", (60,)), ("copy", (20,)), ("recall", (8,)),
    ("induction", (64,)),
)  # fmt: skip
BEYOND = (("parity", (200,)), ("induction", (128,)))


def transformer_no_forgetting(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task: it holds if the transformer learns it; it does not if it fails.

    Learned is nine of ten runs, failed is one of ten. Lengths that were trained on stand beside lengths beyond them.
    """
    for label, tasks in (("in range", IN_RANGE), ("beyond the training length", BEYOND)):
        for row in list_rows(tasks, "transformer"):
            yield judge_rate(evidence, row, f"{row.task} {row.lag} ({label})")


TRANSFORMER_NO_FORGETTING = Claim(
    "transformer-no-forgetting",
    "A transformer sees the whole sequence, so long-range memory is no problem for it.",
    "Solve rate of the transformer: recall, copy and others in range; parity and induction beyond the training "
    "length.",
    tuple(map(Runs, list_rows((*IN_RANGE, *BEYOND), "transformer"))),
    transformer_no_forgetting,
)

# bidirectional

TAGS = (("tagging", (8, 16)),)


def bidirectional(evidence: Evidence) -> Iterator[Finding]:
    """Say of the BiLSTM against the LSTM, and against the transformer: it holds if the BiLSTM solves more often.

    More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25. Equal (the 90 %
    interval inside ±.25) or less speaks against it.
    """
    for row in list_rows(TAGS, "bilstm"):
        for other in ("lstm", "transformer"):
            where = f"bilstm against {other} on {row.task} {row.lag}"
            yield judge_difference(evidence, row._replace(model=other), row, where)


BIDIRECTIONAL = Claim(
    "bidirectional",
    "Reading both ways helps, and a bidirectional RNN keeps an edge over a transformer.",
    "Tagging by a cue that comes later: BiLSTM less LSTM, BiLSTM less transformer, which may look both ways, too.",
    tuple(map(Runs, list_rows(TAGS, "bilstm", "lstm", "transformer"))),
    bidirectional,
)

# attention

ATTENTION_MODELS = {
    TableRow("recall", 8, "lstm"): "lstm_attention",
    TableRow("copy", 20, "lstm"): "lstm_attention",
    TableRow("date-translation", 4, "lstm"): "lstm_attention:kind=decoder",
    TableRow("date-translation", 12, "lstm"): "lstm_attention:kind=decoder",
}


def attention(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task: it holds if the LSTM solves more often with attention than without, at equal parameters.

    More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25. Equal or less speaks
    against it, but where both learn there is no bottleneck to remove: such a task has no vote.
    """
    for lstm, model in ATTENTION_MODELS.items():
        with_it = lstm._replace(model=model)
        finding = judge_difference(evidence, lstm, with_it)
        both = {judge_learning(evidence.runs(row)) for row in (lstm, with_it)}
        yield finding._replace(vote="aside") if both == {"learned"} else finding


ATTENTION = Claim(
    "attention",
    "Attention added to an LSTM removes the bottleneck of the last state.",
    "LSTM with attention less LSTM, at equal parameters: recall and copy (looking at past states), date translation "
    "(a decoder that looks at the encoder's).",
    tuple(
        map(
            Runs,
            (
                *ATTENTION_MODELS,
                *(row._replace(model=m) for row, m in ATTENTION_MODELS.items()),
            ),
        )
    ),
    attention,
)

# cnn-lstm

ORDER_BOUND = TableRow("moving-shapes", 5, "cnn_lstm")
ORDER_FREE = TableRow("moving-shapes:label=shape", 5, "cnn_lstm")


def cnn_lstm(evidence: Evidence) -> Iterator[Finding]:
    """Say of each part: the LSTM reads the time, the CNN reads the frame.

    Time: the CNN-LSTM solves the sense of the motion more often than the mean of the frames, and the mean of the
    frames learns the shape, which needs no order. Frame: with a CNN it solves more often than from bare pixels, on
    either label. More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25; equal
    or less speaks against it.
    """
    average = ORDER_BOUND._replace(model="frame_average")
    yield judge_difference(evidence, average, ORDER_BOUND, "the LSTM for the sense of the motion")
    average = ORDER_FREE._replace(model="frame_average")
    yield judge_rate(evidence, average, "no LSTM for the shape")
    for label, row in (("motion", ORDER_BOUND), ("shape", ORDER_FREE)):
        yield judge_difference(
            evidence, row._replace(model="pixel_lstm"), row, f"the CNN for the {label}"
        )


CNN_LSTM = Claim(
    "cnn-lstm",
    "In video, the CNN reads the frame and the LSTM the time.",
    "Moving shapes, asked for the sense of the motion and for the shape: CNN-LSTM, mean of the frames, LSTM on "
    "pixels.",
    tuple(
        Runs(row._replace(model=model))
        for row in (ORDER_BOUND, ORDER_FREE)
        for model in ("cnn_lstm", "frame_average", "pixel_lstm")
    ),
    cnn_lstm,
)

# overfit

SMALL_DATA = (("sequential-digits", (0,)), ("sentiment", (80,)))
OTHERS = ("rnn", "gru", "transformer")
DROPOUT = "lstm:dropout=0.3"
GAP = 0.05  # of the accuracy


def overfit(evidence: Evidence) -> Iterator[Finding]:
    """Say of each small data set: most LSTM runs overfit, and more of them than of each other model.

    A run overfits if its score on what it was trained on is better than on the test by .05 or more. More: Newcombe's
    95 % interval of the difference of those shares is above 0, and the difference at least .25; equal or less speaks
    against it. What dropout changes stands beside it, without a vote.
    """
    for lstm in list_rows(SMALL_DATA, "lstm"):
        where, own = f"{lstm.task} {lstm.lag}", list_overfitting(evidence.runs(lstm))
        yield judge_share(f"the LSTM on {where}", own, f"a gap of {GAP} or more")
        for model in (*OTHERS, DROPOUT):
            other = list_overfitting(evidence.runs(lstm._replace(model=model)))
            pair = Pair(sum(other), len(other), sum(own), len(own))
            says = "aside" if model == DROPOUT else BETTER[compare_sides(pair)]
            yield Finding(f"more than {model} on {where}", says, describe_pair(pair, model, "lstm"))


def list_overfitting(runs: Sequence[Record]) -> list[bool]:
    """Return of each run whether it overfits."""
    found = []
    for run in runs:
        if run.score is not None and run.train_score is not None:
            gap = run.train_score - run.score
            found.append((gap if run.scale.higher_is_better else -gap) >= GAP)
    return found


OVERFIT = Claim(
    "overfit",
    "LSTMs overfit easily.",
    "Score on the training set less score on the test, on small real data, at equal parameters: LSTM, plain network, "
    "GRU, transformer, and the LSTM with dropout.",
    tuple(map(TrainingScores, list_rows(SMALL_DATA, "lstm", *OTHERS, DROPOUT))),
    overfit,
)

# depth

STACKED = (("temporal-order", (60,)), ("adding", (50,)), ("copy", (20,)))
LAYERS = (2, 4)


def depth(evidence: Evidence) -> Iterator[Finding]:
    """Say of each task and number of layers: it holds if the stack solves more often than one layer.

    More: Newcombe's 95 % interval of the difference is above 0, and the difference at least .25, at equal parameters.
    Equal (the 90 % interval inside ±.25) or less speaks against it, also where one layer solves it already.
    """
    for one in list_rows(STACKED, "lstm"):
        for layers in LAYERS:
            stack = one._replace(model=f"lstm:layers={layers}")
            yield judge_difference(evidence, one, stack, f"{layers} layers on {one.task} {one.lag}")


DEPTH = Claim(
    "depth",
    "Stacking layers helps.",
    "LSTM of 1, 2 and 4 layers at equal parameters: temporal order, adding, copy.",
    tuple(map(Runs, list_rows(STACKED, "lstm", *(f"lstm:layers={layers}" for layers in LAYERS)))),
    depth,
)
