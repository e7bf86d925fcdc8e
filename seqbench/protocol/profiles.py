"""What to measure: smoke, quick, paper, edition; and experiment, whose conditions are those that a person asks for.

A profile is data: conditions and budgets, fixed before the first run.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

from seqbench.errors import unknown
from seqbench.protocol.climb import RULE
from seqbench.protocol.ladders import FACTORS, MARGIN, Ladder
from seqbench.protocol.profile import Profile
from seqbench.protocol.quick import read_rates, take_rungs
from seqbench.protocol.settings import FINER, SEQUENCE_MODELS, Setting
from seqbench.records.schema import Phase, Precision

GATED = ("lstm", "lstm_1997", "lstm_peephole", "gru")
HALF_DECADES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # the learning rates of the ladders
COSTLY = (("transformer", 400),)  # the work of attention grows with the square of the length

SMOKE = Profile(
    name="smoke",
    seeds=2,
    parameters=1_000,
    settings=(
        Setting(
            "adding",
            (8,),
            40,
            1e-2,
            ("rnn", "lstm", "gru", "transformer"),
            batch=8,
            validate_every=20,
            validation_size=32,
            test_size=64,
        ),
        Setting(
            "latch",
            (6,),
            120,
            1e-2,
            ("rnn", "lstm"),
            batch=8,
            validate_every=20,
            validation_size=32,
            test_size=64,
        ),
        Setting(
            "moving-shapes",
            (1,),
            20,
            1e-2,
            ("cnn_lstm",),
            batch=8,
            validate_every=10,
            validation_size=16,
            test_size=32,
        ),
    ),
)

# What the claims of the report need beyond the core, in decreasing order of evidence per time; a task of the core keeps
# the budget that it has there. The comments name the claims (seqbench/report/claims).
_claims = partial(Setting, part="claims")
CLAIMS = (
    # cnn-lstm, applications
    _claims("moving-shapes", (5,), 600, models=("frame_average", "pixel_lstm")),
    _claims(
        "moving-shapes:label=shape",
        (5,),
        600,
        models=("cnn_lstm", "frame_average", "pixel_lstm"),
    ),
    # tbptt, window
    _claims("temporal-order", (15,), 2_000, models=("lstm:truncate=10",)),
    _claims(
        "temporal-order", (60,), 2_000, models=tuple(f"lstm:truncate={k}" for k in (10, 20, 50))
    ),
    _claims(
        "temporal-order", (15,), 2_000, models=tuple(f"window_mlp:window={k}" for k in (8, 16))
    ),
    _claims(
        "temporal-order",
        (60,),
        2_000,
        models=tuple(f"window_mlp:window={k}" for k in (8, 16, 32, 64)),
    ),
    # applications, overfit
    _claims("spoken-digits", (0,), 1_000, models=("lstm", "gru")),
    _claims(
        "sentiment", (80,), 1_000, models=("rnn", "lstm", "gru", "transformer", "lstm:dropout=0.3")
    ),
    _claims("sequential-digits", (0,), 1_000, models=("lstm:dropout=0.3",)),
    _claims("topics", (80,), 1_000, models=("lstm", "gru")),
    _claims("series", (72,), 1_000, models=("lstm", "gru")),
    _claims("anomaly", (96,), 1_000, models=("lstm", "gru")),
    # bidirectional
    _claims("tagging", (8, 16), 1_500, models=("lstm", "bilstm", "gru", "transformer")),
    # forget
    _claims("reber-stream", (50, 100), 2_000, models=("lstm", "lstm_1997", "gru")),
    # peephole, gru-equal, lstm-costly
    _claims("spike-delay", (20, 40), 1_500, models=("lstm", "lstm_peephole")),
    _claims("counting", (30,), 1_500, tested=(40,)),
    _claims("counting:symbols=3", (30,), 1_500, models=("lstm", "lstm_peephole"), tested=(40,)),
    # no-output-gate, and gru-equal
    _claims("adding", (50,), 3_000, models=("lstm_no_output", "gru:hidden=32")),
    _claims("temporal-order", (60,), 2_000, models=("lstm_no_output", "gru:hidden=32")),
    _claims("parity", (40,), 2_500, models=("lstm_no_output", "gru:hidden=32"), tested=(60, 200)),
    _claims("timed-spikes", (12,), 1_500, models=("lstm_no_output", "gru:hidden=32")),
    _claims("copy", (20,), 2_500, models=("lstm_no_output", "gru:hidden=32")),
    _claims("latch", (50,), 3_000, models=("gru:hidden=32",)),
    # attention
    _claims("recall", (8,), 1_500, models=("lstm_attention",)),
    _claims("copy", (20,), 2_500, models=("lstm_attention",)),
    _claims("date-translation", (4, 12), 2_000, models=("lstm", "lstm_attention:kind=decoder")),
    # depth
    _claims("temporal-order", (60,), 2_000, models=("lstm:layers=2", "lstm:layers=4")),
    _claims("adding", (50,), 3_000, models=("lstm:layers=2", "lstm:layers=4")),
    _claims("copy", (20,), 2_500, models=("lstm:layers=2", "lstm:layers=4")),
    # search
    _claims("temporal-order", (60,), 2_000, models=("rnn", "lstm", "gru"), finer=FINER),
    _claims("adding", (50,), 3_000, models=("rnn", "lstm", "gru"), finer=FINER),
    # transformer-no-forgetting
    _claims("induction", (64, 128), 1_500, models=("transformer",)),
    # vanishing: a norm so large that nothing is clipped
    _claims("latch", (30,), 3_000, models=("rnn", "lstm", "gru"), clip=1e9),
)

SIZES = tuple(f"{model}:hidden={H}" for model in ("rnn", "lstm", "gru") for H in (64, 128))

LEDGER = (  # figures of papers whose protocol is a batch's
    *(
        Setting(
            task, (40,), 2_500, models=("rnn", "lstm", "transformer"), part="ledger", tested=(100,)
        )
        for task in ("mod-arithmetic", "reverse", "duplicate")
    ),
    Setting("adding", (600,), 10_000, models=("rnn", "lstm", "gru"), part="ledger"),
    Setting("copy", (1000,), 10_000, models=("rnn", "lstm", "gru"), part="ledger"),
)

FURTHER = (
    # longer lags
    Setting("latch", (200, 1000), 10_000, part="further"),
    Setting("adding", (200,), 10_000, part="further"),
    Setting("temporal-order", (200,), 10_000, part="further"),
    Setting("timed-spikes", (50,), 10_000, part="further"),
    Setting("recall", (32,), 10_000, part="further"),
    # further tasks
    Setting("temporal-order:relevant=3", (60,), 4_000, part="further"),
    Setting("adding-1997", (50,), 4_000, part="further"),
    Setting("multiplication", (50,), 4_000, part="further"),
    Setting("reber", (1, 4), 4_000, part="further"),
    Setting("cycle", (40,), 2_500, part="further", tested=(100,)),
    Setting("bucket-sort", (40,), 2_500, part="further", tested=(100,)),
    Setting("selective-copy", (32,), 4_000, part="further"),
    Setting("induction", (64,), 1_500, part="further"),
    Setting("shakespeare", (100,), 4_000, part="further"),
    Setting("pixel-mnist:pool=2", (0,), 4_000, part="further"),
    Setting("pixel-mnist:permuted=true:pool=2", (0,), 4_000, part="further"),
    # sizes
    *(
        Setting(task, (lag,), steps, models=SIZES, part="further")
        for task, lag, steps in (
            ("adding", 50, 3_000),
            ("temporal-order", 60, 2_000),
            ("copy", 20, 2_500),
            ("recall", 8, 1_500),
        )
    ),
)

PAPER = Profile(
    name="paper",
    seeds=10,
    parameters=5_000,
    tuned=True,
    citable=True,
    settings=(
        # The core: every task at a near lag and at a far one (docs/adr/0022).
        Setting("latch", (10, 50), 3_000),
        Setting("adding", (10, 50), 3_000),
        Setting("temporal-order", (15, 60), 2_000),
        Setting("copy", (1, 20), 2_500),
        Setting("parity", (40,), 2_500, tested=(60, 200)),
        Setting("timed-spikes", (5, 12), 1_500),
        Setting("recall", (2, 8), 1_500),
        Setting("moving-shapes", (5, 20), 600, models=("cnn_lstm",)),
        Setting("sequential-digits", (0, 64), 1_000),
        Setting("time-machine", (20, 50), 1_000),
        *CLAIMS,
        *LEDGER,
        *FURTHER,
    ),
)

# The plain network, the gated ones with both starts of their gates, attention; and a recurrence that is not trained.
CLIMBERS = (
    "rnn",
    *(f"{gated}{start}" for gated in GATED for start in ("", ":start=chrono")),
    "transformer",
    "echo_state",
)

CHRONO = ("lstm:start=chrono", "lstm_peephole:start=chrono", "gru:start=chrono")

EDITION = Profile(
    name="edition",
    seeds=RULE.first,
    parameters=5_000,
    counting="inner",
    embedding=16,
    tuned=True,
    grid=HALF_DECADES,
    citable=True,
    settings=(),
    ladders=(
        Ladder(
            "noisy-latch", "noisy-latch", "delay", "steps",
            rungs=(6, 12, 25, 50, 100, 200, 400, 800, 1600), models=CLIMBERS, limits=COSTLY,
        ),
        Ladder(
            "adding", "adding", "length", "steps",
            rungs=(25, 50, 100, 200, 400, 800, 1600), models=CLIMBERS, limits=COSTLY,
        ),
        Ladder(
            "temporal-order", "temporal-order", "length", "steps",
            rungs=(15, 30, 60, 120, 240, 480, 960), models=CLIMBERS, limits=COSTLY,
        ),
        Ladder(
            "copy-delay", "copy:symbols=4", "delay", "steps",
            rungs=(8, 16, 32, 64, 128, 256, 512), models=CLIMBERS, limits=COSTLY,
        ),
        Ladder(
            "copy-symbols", "copy", "symbols", "symbols",
            rungs=(1, 2, 4, 8, 16, 32), models=CLIMBERS, option="symbols", lag=10,
        ),
        Ladder(
            "selective-copy", "selective-copy:symbols=4", "length", "steps",
            rungs=(16, 32, 64, 128, 256, 512), models=CLIMBERS, limits=COSTLY,
        ),
        Ladder(
            "recall", "recall", "pairs", "pairs",
            rungs=(1, 2, 4, 8, 16, 32), models=CLIMBERS, steps=20_000,
        ),
        Ladder(
            "timed-spikes", "timed-spikes", "period", "steps",
            rungs=(3, 6, 12, 24, 48, 96), models=CLIMBERS,
        ),
        Ladder(
            "spike-delay", "spike-delay", "shortest delay", "steps",
            rungs=(3, 6, 12, 24, 48, 96), models=CLIMBERS,
        ),
    ),
)  # fmt: skip

# A task that the edition lacks is measured as on its ladders.
GUEST_OF_LADDERS = Setting("", (), 6_000, 3e-3, factors=FACTORS, margin=MARGIN)

# A person's first run: conditions of the edition that solve or fail clearly, within ten minutes on two cores.
QUICK = Profile(
    name="quick",
    seeds=3,
    parameters=EDITION.parameters,
    counting=EDITION.counting,
    embedding=EDITION.embedding,
    grid=EDITION.grid,
    rates=read_rates(),
    settings=tuple(
        take_rungs(
            EDITION.ladders,
            {
                "noisy-latch": {
                    6: ("echo_state",),
                    12: (*GATED, *CHRONO),
                    25: ("rnn",),
                    50: ("lstm_1997", "gru", "lstm:start=chrono", "lstm_peephole:start=chrono"),
                },
                "adding": {
                    25: (*SEQUENCE_MODELS, "lstm:start=chrono", "gru:start=chrono"),
                },
                "temporal-order": {15: ("rnn", *GATED, *CHRONO)},
            },
        )
    ),
    guest=GUEST_OF_LADDERS,
)

# What is measured is asked for; how, is as in the edition unless that is asked for, too (docs/adr/0032).
EXPERIMENT = Profile(
    name="experiment",
    seeds=RULE.first,
    parameters=EDITION.parameters,
    counting=EDITION.counting,
    embedding=EDITION.embedding,
    grid=EDITION.grid,
    settings=(),
    guest=replace(GUEST_OF_LADDERS, models=(*SEQUENCE_MODELS, "cnn_lstm")),
    is_open=True,
)

# As smoke is of settings: a small ladder, for tests only.
SMOKE_CLIMB = Profile(
    name="smoke-climb",
    seeds=RULE.first,
    parameters=500,
    counting="inner",
    embedding=4,
    tuned=True,
    grid=(3e-3, 1e-2, 3e-2),
    settings=(),
    ladders=(
        Ladder(
            "latch", "latch", "delay", "steps",
            rungs=(2, 4, 8, 300), models=("rnn", "gru"), steps=120,
            batch=8, validate_every=10, validation_size=32, test_size=64,
        ),
    ),
)  # fmt: skip

PROFILES = {
    profile.name: profile for profile in (SMOKE, SMOKE_CLIMB, QUICK, PAPER, EDITION, EXPERIMENT)
}


@dataclass(frozen=True)
class Timing:
    """Which steps are timed, for every model: all combinations.

    Not part of the specification, because the time of a step changes no score.

    Attributes
    ----------
    lengths, batches, members
        Every T, B and E.
    rounds
        How often each step is timed; the steps take turns.
    hidden
        Every H; None is the H that matches the profile's number of parameters.
    scans
        The scans of a recurrence (``seqbench.scan``); a model is timed with those that it has.
    precisions
        The number formats.
    phases
        The kinds of step: training, inference, streaming.
    """

    lengths: tuple[int, ...]
    batches: tuple[int, ...]
    members: tuple[int, ...]
    rounds: int
    hidden: tuple[int | None, ...] = (None,)
    scans: tuple[str, ...] = ("auto",)
    precisions: tuple[Precision, ...] = ("float32",)
    phases: tuple[Phase, ...] = get_args(Phase)


TIMINGS = {
    "smoke": Timing(lengths=(12,), batches=(4,), members=(1, 2), rounds=3),
    "quick": Timing(lengths=(32, 128, 512), batches=(32,), members=(1, 3), rounds=7),
    "experiment": Timing(lengths=(32, 128, 512), batches=(32,), members=(1, 3), rounds=7),
    "smoke-climb": Timing(lengths=(12,), batches=(4,), members=(1,), rounds=3),
    "edition": Timing(lengths=(64, 256, 1024, 4096), batches=(32,), members=(1, 8), rounds=15),
    "paper": Timing(
        lengths=(64, 250, 1000), batches=(32,), members=(1, 10), rounds=15, hidden=(None, 32)
    ),
}


def find_profile(name: str) -> Profile:
    """Return a profile by name."""
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]
