"""What to measure: smoke, quick, paper.

A profile is a list of cells with their budgets, thresholds and seeds, fixed before the first run; its hash goes into
every record. Nothing here imports torch, so that plans can be shown at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from statistics import median
from typing import get_args

from seqbench.errors import BadInput, unknown
from seqbench.records import SCHEMA, Budget, Manifest, Phase, Precision, Record, digest

SEQUENCE_MODELS = ("rnn", "lstm", "lstm_peephole", "lstm_1997", "gru", "transformer")
VIDEO_MODELS = ("cnn_lstm",)

GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)  # the learning rates that every model is tuned over
TUNING_SEEDS = (1000, 1001, 1002)  # never used for reporting


@dataclass(frozen=True)
class Setting:
    """How one task is measured: the same for every model.

    Attributes
    ----------
    task
        The task's name.
    lags
        The settings of its knob.
    steps
        Training steps at most.
    learning_rate
        The learning rate of all models where the profile does not tune.
    models
        The models measured on it.
    """

    task: str
    lags: tuple[int, ...]
    steps: int
    learning_rate: float = 3e-3
    models: tuple[str, ...] = SEQUENCE_MODELS
    batch: int = 32
    clip: float = 1.0
    validate_every: int = 100
    validation_size: int = 256
    test_size: int = 1024

    def budget(self) -> Budget:
        """Return what each member is given."""
        return Budget(
            steps=self.steps,
            batch=self.batch,
            clip=self.clip,
            validate_every=self.validate_every,
            validation_size=self.validation_size,
            test_size=self.test_size,
        )


@dataclass(frozen=True)
class Cell:
    """One task at one lag with one model."""

    setting: Setting
    lag: int
    model: str

    @property
    def layers(self) -> int:
        """Return the number of layers: one, and two for the transformer, which needs them for recall."""
        return 2 if self.model == "transformer" else 1


@dataclass(frozen=True)
class Profile:
    """A list of cells, and who is run in each.

    Attributes
    ----------
    seeds
        How many reporting seeds: 0, 1, ….
    tuned
        Whether the learning rate of each cell is chosen from ``GRID`` on the tuning seeds first.
    parameters
        The count that all models are matched to.
    citable
        Whether tables made from it may be cited.
    guest
        How a task is measured that the profile does not have; its name and lags are filled in.
    """

    name: str
    settings: tuple[Setting, ...]
    seeds: int
    parameters: int
    tuned: bool = False
    citable: bool = False
    guest: Setting = Setting("", (), 2_000)
    precision: Precision = "float32"

    @property
    def specification(self) -> str:
        """Return the hash of everything that was fixed before the first run."""
        fixed = {"schema": SCHEMA, "grid": GRID, "tuning": TUNING_SEEDS, **asdict(self)}
        if self.precision == "float32":  # what was specified before there was a choice is the same
            del fixed["precision"]
        return digest(fixed)

    def cells(self) -> Iterator[Cell]:
        """Yield every cell, in the order of the settings."""
        for setting in self.settings:
            for lag in setting.lags:
                for model in setting.models:
                    yield Cell(setting, lag, model)

    def select(
        self, tasks: Sequence[str] = (), models: Sequence[str] = (), lags: Sequence[int] = ()
    ) -> list[Cell]:
        """Return the cells of these tasks, models and lags; an empty selection means all.

        A task or model that the profile does not have is a guest: it is measured like those that are there, a task
        at the lags given.
        """
        settings = [s for s in self.settings if not tasks or s.task in tasks]
        for task in set(tasks) - {s.task for s in settings}:
            if not lags:
                raise BadInput(
                    f"profile '{self.name}' has no lags for task '{task}'; name some with --lag"
                )
            settings.append(replace(self.guest, task=task, lags=tuple(lags)))
        there = {str(lag) for s in settings for lag in s.lags}
        for lag in lags:
            if str(lag) not in there:
                raise unknown("lag", str(lag), there, f"profile '{self.name}'")
        return [
            Cell(setting, lag, model)
            for setting in settings
            for lag in setting.lags
            if not lags or lag in lags
            for model in models or setting.models
        ]

    def manifest(self, edition: str = "local") -> Manifest:
        """Return what a results folder of this profile says of itself."""
        return Manifest(
            schema_version=SCHEMA,
            edition=edition,
            profile=self.name,
            specification=self.specification,
            citable=self.citable,
        )


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
            VIDEO_MODELS,
            batch=8,
            validate_every=10,
            validation_size=16,
            test_size=32,
        ),
    ),
)

QUICK = Profile(
    name="quick",
    seeds=3,
    parameters=4_500,
    settings=(
        Setting("latch", (10, 40), 1_000, 1e-2),
        Setting("adding", (10, 50), 2_000, 1e-2),
        Setting("temporal-order", (15, 30), 1_500, 1e-2),
        Setting("copy", (10,), 1_500, 1e-2),
        Setting("parity", (100,), 2_000, 1e-2),
        Setting("timed-spikes", (10,), 1_000, 1e-2),
        Setting("recall", (4,), 1_000, 1e-2),
        Setting("moving-shapes", (5, 20), 500, 3e-3, VIDEO_MODELS),
        Setting("sequential-digits", (0,), 1_000, 1e-2),
        Setting("time-machine", (50,), 800, 1e-2),
    ),
)

PAPER = Profile(
    name="paper",
    seeds=10,
    parameters=10_000,
    tuned=True,
    citable=True,
    settings=(
        Setting("latch", (50, 200, 1000), 10_000),
        Setting("adding", (50, 200, 1000), 10_000),
        Setting("temporal-order", (50, 200, 1000), 10_000),
        Setting("copy", (50, 200, 1000), 10_000),
        Setting("parity", (100, 500), 10_000),
        Setting("timed-spikes", (10, 20, 50), 10_000),
        Setting("recall", (4, 16, 64), 10_000),
        Setting("moving-shapes", (5, 20, 80), 10_000, models=VIDEO_MODELS),
        Setting("sequential-digits", (0, 200, 800), 10_000),
        Setting("time-machine", (50, 200, 1000), 10_000),
    ),
)


def best_rate(records: Iterable[Record]) -> float:
    """Return the learning rate that did best on validation: by solve rate, then by the median of the last losses.

    Parameters
    ----------
    records
        The tuning records of one unit.
    """
    by_rate: dict[float, list[Record]] = {}
    for record in records:
        by_rate.setdefault(record.member.learning_rate, []).append(record)

    def merit(rate: float) -> tuple[float, float]:
        runs = by_rate[rate]
        solved = sum(run.steps_to_solve is not None for run in runs) / len(runs)
        last = [run.curve.loss[-1] if run.curve.loss else None for run in runs]
        return solved, -median(inf if loss is None else loss for loss in last)

    return max(sorted(by_rate), key=merit)


PROFILES = {profile.name: profile for profile in (SMOKE, QUICK, PAPER)}


@dataclass(frozen=True)
class Timing:
    """Which steps are timed, for every model: all combinations.

    No part of the specification: what a step costs changes no score.

    Attributes
    ----------
    lengths, batches, members
        Every T, B and E.
    rounds
        How often each is timed, one after the other in turns.
    hidden
        Every H; None is the one that matches the profile's number of parameters.
    scans
        The ways in which a recurrence is run over time; a model that has not got one is timed by the others.
    precisions
        What the numbers are.
    phases
        What a step is.
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
    "paper": Timing(lengths=(64, 250, 1000), batches=(32,), members=(1, 10), rounds=15),
}


def find_profile(name: str) -> Profile:
    """Return a profile by name."""
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]
