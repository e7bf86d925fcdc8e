"""The rows of the ledger: published figures, and how each is repeated here.

The mark of a figure is its source: P is the paper or its code, S a secondary source. There are four kinds of rows:
trials in the paper's own protocol (``Online``), figures of one model (``ModelScore``) or comparisons of two models
(``ModelPair``) that are checked against the benchmark's records, and figures that can't be repeated (``NotRepeated``).

Nothing here imports torch, so that the table can be made from a results folder alone.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from seqbench.errors import unknown
from seqbench.records.schema import digest

Mark = Literal["P", "S"]
HS97 = "Hochreiter and Schmidhuber (1997)"
GERS2000 = "Gers, Schmidhuber and Cummins (2000)"
GERS2002 = "Gers, Schraudolph and Schmidhuber (2002)"
BAI = "Bai, Kolter and Koltun (2018)"
DELETANG = "Delétang et al. (2023)"
FENG = "Feng et al. (2024)"
CHUNG = "Chung, Gulcehre, Cho and Bengio (2014)"


@dataclass(frozen=True)
class Blocks:
    """A net of memory cells in blocks; ``net.BlockLSTM`` has its equations.

    Attributes
    ----------
    gates
        The gates of a block, in the order of their columns: i, f, o.
    gates_feed_back
        Whether the gates are fed back as well as the cells.
    cells_biased, outputs_biased
        Whether the cells and the outputs have biases; gates always have them.
    shortcut
        Whether the input is connected to the outputs.
    gate_biases
        Initial biases of a gate, block by block; otherwise they are drawn like the weights.
    """

    inputs: int
    outputs: int
    blocks: int
    cells: int
    gates: tuple[str, ...] = ("i", "o")
    gates_feed_back: bool = True
    cells_biased: bool = False
    outputs_biased: bool = False
    shortcut: bool = False
    gate_biases: tuple[tuple[str, tuple[float, ...]], ...] = ()


@dataclass(frozen=True)
class Elman:
    """An Elman net, without biases."""

    inputs: int
    outputs: int
    hidden: int


@dataclass(frozen=True)
class Source:
    """The sequences of an experiment: a name known to ``data.make_generator``, and its arguments."""

    name: str
    arguments: tuple[int, ...] = ()


@dataclass(frozen=True)
class Entry:
    """What all rows have: a stable id, the paper and experiment, and the figure in words with its mark."""

    id: str
    paper: str
    experiment: str
    published: str
    mark: Mark


@dataclass(frozen=True)
class Online(Entry):
    """Trials in the paper's own protocol: one weight update per sequence or symbol, success counted in sequences.

    Attributes
    ----------
    rate, of
        The published share of successful trials, or None if the paper only reports numbers of sequences; and of how
        many trials, None if the paper does not say (then as many as are run here).
    sequences
        The published mean number of training sequences, or None.
    net, bound, learning_rate
        The net, the bound of its initial weights, and the learning rate of plain gradient descent.
    source
        The sequences.
    update
        When the weights are updated: after every ``sequence``, or after every ``symbol``.
    streak
        Consecutive sequences that must be answered right, each before learning from it.
    exam
        What must then also be answered without an error: nothing, the ``test`` set, or long ``streams``.
    every
        Trials with a full streak are examined every so many sequences.
    budget
        Maximum number of training sequences.
    carried
        Whether the state is carried over to the next string, until one is answered wrong.
    trials
        How many trials are planned; with fewer, nothing is settled.
    deviations
        What differs from the paper.
    """

    rate: float | None
    sequences: int | None
    net: Blocks | Elman
    bound: float
    learning_rate: float
    source: Source
    streak: int
    budget: int
    update: Literal["sequence", "symbol"] = "sequence"
    exam: Literal["none", "test", "streams"] = "none"
    every: int = 100
    carried: bool = False
    trials: int = 10
    of: int | None = None
    deviations: tuple[str, ...] = ()

    @property
    def protocol(self) -> str:
        """Return the hash of everything a trial depends on; trials of another protocol do not count."""
        words = (
            "paper",
            "experiment",
            "published",
            "mark",
            "rate",
            "sequences",
            "trials",
            "of",
            "deviations",
        )
        return digest({name: value for name, value in asdict(self).items() if name not in words})


@dataclass(frozen=True)
class ModelScore(Entry):
    """A published figure of a model on a task of the benchmark.

    Attributes
    ----------
    lag
        The lag of the task; None: the largest lag measured.
    solved
        Whether the published figure is that of a solved task.
    of
        Whether the figure is of one run, or of the best of several seeds.
    """

    task: str
    lag: int | None
    model: str
    solved: bool
    of: Literal["run", "best"]
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelPair(Entry):
    """A published claim that one model solves a task more often than another, or just as often."""

    task: str
    lag: int | None
    model: str
    other: str
    gap: bool
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotRepeated(Entry):
    """A figure that can't be repeated here, with the reason."""

    reason: str


BUDGET = "a trial that needs more than four times the published mean is given up"
MEDIAN = "the published figure is a mean over trials, ours a median"


def make_reber(
    id_: str,
    published: str,
    rate: float,
    of: int | None,
    sequences: int | None,
    net: Blocks | Elman,
    *deviations: str,
) -> Online:
    """Return a row of the embedded Reber grammar."""
    return Online(
        id=id_,
        paper=HS97,
        experiment="1, embedded Reber grammar",
        published=published,
        mark="P",
        rate=rate,
        sequences=sequences,
        net=net,
        bound=0.2,
        learning_rate=0.5,
        source=Source("embedded-reber"),
        streak=0,
        update="symbol",
        exam="test",
        budget=33_760,
        trials=30,
        of=of,
        deviations=(
            "the target is the symbol that follows",
            "a trial ends after 33,760 sequences, four times the published mean",
            "both sets are tried every 100 sequences",
            "a training set for each trial, in the paper three for ten trials each",
            *deviations,
        ),
    )  # fmt: skip


def make_hs97(id_: str, experiment: str, sequences: int, **more: Any) -> Online:
    """Return a row of 1997 whose trials end after 2,000 consecutive right answers."""
    return Online(
        id=id_,
        paper=HS97,
        experiment=experiment,
        published=f"{sequences:,} sequences",
        mark="P",
        rate=None,
        sequences=sequences,
        bound=0.1,
        streak=2000,
        budget=4 * sequences,
        deviations=(MEDIAN, BUDGET),
        **more,
    )


def make_order(relevant: int, blocks: int, rate: float, sequences: int) -> Online:
    """Return the row of temporal order with this many relevant symbols."""
    classes = 2**relevant
    return make_hs97(
        f"hs97-order-{classes}",
        f"6{'ab'[relevant - 2]}, temporal order, {classes} classes",
        sequences,
        net=Blocks(
            8, classes, blocks, 2, cells_biased=True, outputs_biased=True,
            gate_biases=(("i", tuple(-2.0 * (k + 1) for k in range(blocks))),),
        ),
        learning_rate=rate,
        source=Source("temporal-order", (relevant,)),
    )  # fmt: skip


def make_adding(shortest: int, sequences: int) -> Online:
    """Return the row of the adding problem over at least this many steps."""
    return make_hs97(
        f"hs97-adding-{shortest}",
        f"4, adding, T = {shortest}",
        sequences,
        net=Blocks(
            2, 1, 2, 2, cells_biased=True, outputs_biased=True, gate_biases=(("i", (-3.0, -6.0)),)
        ),
        learning_rate=0.5,
        source=Source("adding", (shortest,)),
    )


def make_stream(id_: str, experiment: str, published: str, rate: float, *gates: str) -> Online:
    """Return a row of the continual Reber grammar, for blocks with these gates."""
    steps = (-0.5, -1.0, -1.5, -2.0)
    first = {"i": steps, "f": tuple(-b for b in steps), "o": steps}
    return Online(
        id=id_,
        paper=GERS2000,
        experiment=f"continual embedded Reber grammar, {experiment}",
        published=published,
        mark="S",
        rate=rate,
        of=100,
        sequences=None,
        net=Blocks(
            7, 7, 4, 2, gates=gates, gates_feed_back=False, outputs_biased=True, shortcut=True,
            gate_biases=tuple((gate, first[gate]) for gate in gates),
        ),
        bound=0.2,
        learning_rate=0.5,
        source=Source("embedded-reber", (0,)),
        streak=1000,
        update="symbol",
        exam="streams",
        every=1000,
        carried=True,
        budget=300_000,
        deviations=(
            "a stream ends with the string in which the first mistake is, in the paper with the mistake",
            "a string's last E is not shown: what is asked for ends with it",
            "a prediction is right when the possible symbols are the most active ones",
            "a perfect solution is ten streams of 100,000 symbols without an error, in the paper of 1,000,000",
            "10 trials of 300,000 strings, in the paper 100 of 30,000 streams",
        ),
    )  # fmt: skip


def make_bai(task: str, lag: int, model: str, figure: str, solved: bool) -> ModelScore:
    """Return a row of the table of generic networks."""
    at = "mean squared error" if task == "adding" else "cross-entropy"
    return ModelScore(
        id=f"bai2018-{task}-{model}",
        paper=BAI,
        experiment=f"{task}, T = {lag}, {model}",
        published=f"{at} {figure}",
        mark="P",
        task=task,
        lag=lag,
        model=model,
        solved=solved,
        of="run",
        deviations=("models of the profile's size, budget and optimiser", "several seeds for one"),
    )


def make_deletang(task: str, model: str, figure: float) -> ModelScore:
    """Return a row of the table of formal languages: the best seed, in per cent."""
    return ModelScore(
        id=f"deletang2023-{task}-{model}",
        paper=DELETANG,
        experiment=f"{task}, {model}",
        published=f"{figure:g} %, the best of the seeds",
        mark="S",
        task=task,
        lag=None,
        model=model,
        solved=figure == 100,
        of="best",
        deviations=("models of the profile's size, budget and optimiser", "lengths of the profile"),
    )


def make_feng(model: str, figure: str) -> NotRepeated:
    """Return a row of the table of minimal networks."""
    return NotRepeated(
        id=f"feng2024-selective-copy-{model}",
        paper=FENG,
        experiment=f"selective copying, L = 4096, {model}",
        published=f"{figure} % of the tokens",
        mark="S",
        reason="missing: no such length in the profiles",
    )


LEDGER: tuple[Entry, ...] = (
    make_reber(
        "hs97-reber", "100 % of the trials, 8,440 sequences", 1.0, 30, 8_440,
        Blocks(7, 7, 3, 2, gate_biases=(("o", (-1.0, -2.0, -3.0)),)), MEDIAN,
    ),
    make_reber(
        "hs97-reber-elman", "0 % of the trials", 0.0, None, None, Elman(7, 7, 15),
        "15 hidden units; step and first weights as the LSTM's",
    ),
    make_adding(100, 74_000),
    make_adding(500, 209_000),
    make_adding(1000, 853_000),
    make_order(2, blocks=2, rate=0.5, sequences=31_390),
    make_order(3, blocks=3, rate=0.1, sequences=571_100),
    make_stream("gers2000-stream", "with forget gates", "18 % of the trials are perfect", 0.18,
           "i", "f", "o"),
    make_stream("gers2000-stream-1997", "without forget gates", "0 % of the trials are perfect", 0.0,
           "i", "o"),
    ModelPair(
        "gers2002-delay", GERS2002, "measuring the time between spikes",
        "peepholes are not needed", "S",
        "spike-delay", None, "lstm_peephole", "lstm", gap=False,
        deviations=("batches and Adam for online gradient descent", "models of the profile's size"),
    ),
    ModelPair(
        "gers2002-timing", GERS2002, "generating timed spikes",
        "peepholes are needed", "S",
        "timed-spikes", None, "lstm_peephole", "lstm", gap=True,
        deviations=("batches and Adam for online gradient descent", "models of the profile's size",
                    "a fixed period"),
    ),
    NotRepeated(
        "chung2014-music", CHUNG, "polyphonic music: Nottingham, JSB Chorales",
        "tanh 3.13, GRU 3.23, LSTM 3.20 nats; 9.10, 8.54, 8.67", "S",
        "missing: data set not included",
    ),
    make_bai("adding", 600, "lstm", "0.164, which is chance", solved=False),
    make_bai("adding", 600, "gru", "5.3e-5", solved=True),
    make_bai("adding", 600, "rnn", "0.177, which is chance", solved=False),
    make_bai("copy", 1000, "lstm", "0.0204, which is chance", solved=False),
    make_bai("copy", 1000, "gru", "0.0197", solved=False),
    make_bai("copy", 1000, "rnn", "0.0202, which is chance", solved=False),
    make_deletang("parity", "rnn", 100.0),
    make_deletang("parity", "lstm", 100.0),
    make_deletang("parity", "transformer", 52.0),
    make_deletang("mod-arithmetic", "rnn", 100.0),
    make_deletang("mod-arithmetic", "lstm", 100.0),
    make_deletang("mod-arithmetic", "transformer", 24.2),
    make_deletang("reverse", "rnn", 62.0),
    make_deletang("reverse", "lstm", 60.9),
    make_deletang("reverse", "transformer", 62.3),
    make_deletang("duplicate", "rnn", 50.3),
    make_deletang("duplicate", "lstm", 57.6),
    make_deletang("duplicate", "transformer", 52.8),
    make_feng("mingru", "99.5 ± 0.2"),
    make_feng("minlstm", "96.0 ± 2.8"),
)  # fmt: skip

ONLINE: dict[str, Online] = {row.id: row for row in LEDGER if isinstance(row, Online)}


def find_online(id_: str) -> Online:
    """Return the row with this id; raise ``BadInput`` if there is none with trials."""
    if id_ not in ONLINE:
        raise unknown("experiment", id_, ONLINE)
    return ONLINE[id_]
