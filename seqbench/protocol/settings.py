"""What a condition of the benchmark is: a task at a lag with a model, and how it is measured.

A *setting* says how one task is measured, the same for every model. What belongs to one condition (task, model,
budget) is hashed into the name of its unit (docs/adr/0020). Nothing here imports torch, so that plans can be shown at
once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import median
from typing import Any

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.records.schema import Budget, Record, Rung
from seqbench.values.fields import A_WORD, is_word
from seqbench.values.variants import parse

SEQUENCE_MODELS = ("rnn", "lstm", "lstm_peephole", "lstm_1997", "gru", "transformer")

GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)  # the learning rates that every model is tuned over
FINER = (1.7e-4, 5.5e-4, 1.7e-3, 5.5e-3, 1.7e-2)  # between them, and one above
TUNING_SEEDS = (1000, 1001, 1002)  # never used for reporting
CORE = "core"

BETAS = (0.9, 0.999)  # of Adam
EPSILON = 1e-8  # of Adam
PATIENCE = 3  # validations in a row in which a member must be solved


@dataclass(frozen=True)
class Setting:
    """How one task is measured: the same for every model.

    Attributes
    ----------
    task
        The task's name, and its options if it has any: ``temporal-order:relevant=3``.
    lags
        The lags at which it is measured.
    steps
        Training steps at most.
    learning_rate
        The learning rate of all models where the profile does not tune.
    models
        The models measured on it, with their options: ``lstm:layers=2``.
    part
        The part of the profile: parts are measured one after the other.
    finer
        Further learning rates that are measured on the tuning seeds for analysis only; none of them is ever chosen.
    factors
        A trained run is also tested, without training, at so many times its lag.
    tested
        Further lags at which a trained run is tested.
    margin
        How far beyond the threshold a run must be to end early (``records.schema.Budget``).
    """

    task: str
    lags: tuple[int, ...]
    steps: int
    learning_rate: float = 3e-3
    models: tuple[str, ...] = SEQUENCE_MODELS
    part: str = CORE
    finer: tuple[float, ...] = ()
    batch: int = 32
    clip: float = 1.0
    validate_every: int = 100
    validation_size: int = 256
    test_size: int = 1024
    factors: tuple[int, ...] = ()
    tested: tuple[int, ...] = ()
    margin: float = 0.0

    def change(
        self,
        steps: int | None = None,
        learning_rate: float | None = None,
        batch: int | None = None,
    ) -> "Setting":
        """Return the setting with those of these values that are given."""
        return replace(
            self,
            steps=steps or self.steps,
            learning_rate=learning_rate or self.learning_rate,
            batch=batch or self.batch,
        )

    def make_budget(self, tuned: bool, longer: Sequence[int] = ()) -> Budget:
        """Return the budget of each member; it includes the learning rate if that is not tuned.

        Parameters
        ----------
        longer
            Further lags at which a trained run is tested.
        """
        return Budget(
            learning_rate=None if tuned else self.learning_rate,
            steps=self.steps,
            batch=self.batch,
            clip=self.clip,
            validate_every=self.validate_every,
            validation_size=self.validation_size,
            test_size=self.test_size,
            margin=self.margin,
            longer=tuple(longer),
        )


@dataclass(frozen=True)
class Condition:
    """One task at one lag with one model; where it is a rung of a ladder, which one."""

    setting: Setting
    lag: int
    model: str
    rung: Rung | None = None

    @property
    def task(self) -> tuple[str, dict[str, Any]]:
        """Return the name of the task and its options."""
        return parse_spelling(self.setting.task)

    @property
    def net(self) -> tuple[str, int, dict[str, Any]]:
        """Return the name of the model, its number of layers, and its other options."""
        name, options = parse_spelling(self.model)
        layers = options.pop("layers", MODELS.facts(name).layers)
        if type(layers) is not int or layers < 1:
            raise BadInput(
                f"model '{self.model}' has no such number of layers; choose from 1 to 64"
            )
        return name, layers, options


def parse_spelling(spelling: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of a spelling; raise if a value could not be written in a record."""
    name, options = parse(spelling)
    for option, value in options.items():
        if isinstance(value, str) and not is_word(value):
            raise BadInput(f"option {option} of '{name}' is '{value}': {A_WORD}")
    return name, options


def choose_rate(records: Iterable[Record]) -> float:
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
