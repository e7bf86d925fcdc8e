"""The protocol: what a condition of the benchmark is, and what all conditions of a profile have in common.

A *condition* is a task at a lag with a model. A *setting* says how one task is measured, the same for every model; a
*profile* is a list of settings in the order in which they are measured, part by part. What all conditions share
(learning rates, seeds, size) is hashed into every record as the *specification*; what belongs to one condition (task,
model, budget) is hashed into the name of its unit (docs/adr/0020). Nothing here imports torch, so that plans can be
shown at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import median
from typing import Any

from seqbench.errors import BadInput, unknown
from seqbench.models import MODELS
from seqbench.records.schema import (
    SCHEMA,
    Budget,
    Manifest,
    Precision,
    Record,
    digest,
)
from seqbench.records.spec import RunSpec
from seqbench.values.fields import A_WORD, is_word
from seqbench.values.variants import parse, strip_options

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

    def make_budget(self, tuned: bool) -> Budget:
        """Return the budget of each member; it includes the learning rate if that is not tuned."""
        return Budget(
            learning_rate=None if tuned else self.learning_rate,
            steps=self.steps,
            batch=self.batch,
            clip=self.clip,
            validate_every=self.validate_every,
            validation_size=self.validation_size,
            test_size=self.test_size,
        )


@dataclass(frozen=True)
class Condition:
    """One task at one lag with one model."""

    setting: Setting
    lag: int
    model: str

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


@dataclass(frozen=True)
class Profile:
    """A list of conditions, and the seeds, size and learning rates of their members.

    Attributes
    ----------
    seeds
        How many reporting seeds: 0, 1, ….
    tuned
        Whether the learning rate of each condition is chosen from ``GRID`` on the tuning seeds first.
    parameters
        The count that all models are matched to, as nearly as their sizes allow (``models.sizing.common_size``).
    citable
        Whether tables made from it may be cited.
    guest
        The setting of a task that the profile does not list; its name and lags are filled in.
    grid, tuning_seeds
        The learning rates that a tuned profile chooses from, and the seeds that it tunes on.
    """

    name: str
    settings: tuple[Setting, ...]
    seeds: int
    parameters: int
    tuned: bool = False
    citable: bool = False
    guest: Setting = Setting("", (), 2_000, 1e-2)
    precision: Precision = "float32"
    grid: tuple[float, ...] = GRID
    tuning_seeds: tuple[int, ...] = TUNING_SEEDS

    @property
    def specification(self) -> str:
        """Return the hash of what is the same for all conditions, fixed before the first run."""
        return digest(
            {
                "schema": SCHEMA,
                "profile": self.name,
                "seeds": self.seeds,
                "parameters": self.parameters,
                "matched": SEQUENCE_MODELS,
                "rates": [self.grid, self.tuning_seeds] if self.tuned else None,
                "precision": self.precision,
            }
        )

    def adapt(self, spec: RunSpec) -> "Profile":
        """Return the profile with the grid of a specification, and its steps and rate for tasks the profile lacks."""
        if spec.grid and not self.tuned:
            raise BadInput(f"profile '{self.name}' tunes no learning rate; leave grid out")
        if len(set(spec.grid)) < len(spec.grid):
            raise BadInput(f"grid has a learning rate twice: {list(spec.grid)}")
        if spec.seeds is not None and spec.seeds > min(self.tuning_seeds):
            raise BadInput(
                f"seeds must be at most {min(self.tuning_seeds)}; the tuning has those that follow"
            )
        if spec.learning_rate and self.tuned:
            raise BadInput(
                f"profile '{self.name}' tunes the learning rate; choose another, or leave it out"
            )
        rate = spec.learning_rate or self.guest.learning_rate
        guest = replace(self.guest, steps=spec.steps or self.guest.steps, learning_rate=rate)
        return replace(self, guest=guest, grid=tuple(sorted(spec.grid)) or self.grid)

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the parts in the order in which they are measured."""
        return tuple(dict.fromkeys(setting.part for setting in self.settings))

    def list_conditions(self) -> Iterator[Condition]:
        """Yield every condition, in the order of the settings."""
        for setting in self.settings:
            for lag in setting.lags:
                for model in setting.models:
                    yield Condition(setting, lag, model)

    def select(
        self,
        tasks: Sequence[str] = (),
        models: Sequence[str] = (),
        lags: Sequence[int] = (),
        parts: Sequence[str] = (),
    ) -> list[Condition]:
        """Return the conditions of these tasks, models, lags and parts; an empty selection means all.

        A name without options stands for the name with any options. A task that the profile does not list is measured
        with the setting ``guest`` at the lags given; a model that it does not list, on the settings of the first part.
        """
        for part in parts:
            if part not in self.parts:
                raise unknown("part", part, self.parts, f"profile '{self.name}'")
        settings = [
            s
            for s in self.settings
            if (not tasks or is_named(s.task, tasks)) and (not parts or s.part in parts)
        ]
        for task in tasks:
            if not any(is_named(s.task, [task]) for s in self.settings):
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
            Condition(setting, lag, model)
            for setting in settings
            for lag in setting.lags
            if not lags or lag in lags
            for model in self.select_models(setting, models)
        ]

    def select_models(self, setting: Setting, models: Sequence[str]) -> list[str]:
        """Return the models asked for that a setting lists; in the first part, all models asked for."""
        if not models:
            return list(setting.models)
        if setting.part in self.parts[:1]:
            return list(models)
        return [model for model in setting.models if is_named(model, models)]

    def make_manifest(self, edition: str = "local") -> Manifest:
        """Return the manifest of a results folder of this profile."""
        return Manifest(
            schema_version=SCHEMA,
            edition=edition,
            profile=self.name,
            specification=self.specification,
            citable=self.citable,
        )


def is_named(spelling: str, names: Sequence[str]) -> bool:
    """Return whether an entry is among the names, by its whole spelling or without its options."""
    return spelling in names or strip_options(spelling) in names


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
