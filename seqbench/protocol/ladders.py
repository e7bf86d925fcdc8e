"""Ladders: a task at rungs of growing difficulty, climbed by each model until it fails.

A *ladder* turns one knob of a task: its lag, an option of it, or the length at which trained models are tested. The
highest rung at which a model still solves the task is how far it remembers; ``climb.py`` decides what is measured.
"""

from dataclasses import dataclass

from seqbench.errors import BadInput
from seqbench.protocol.settings import Setting
from seqbench.records.schema import Rung
from seqbench.values.variants import parse, spell

FACTORS = (2, 4, 8, 16)  # a trained model is tested at so many times its lag, too
MARGIN = 0.5  # training ends early half of the way from the threshold to the best possible score
GUESSING = "weight guessing"  # the name of the baseline that every rung has


@dataclass(frozen=True)
class Ladder:
    """One knob of a task, and the rungs at which the task is measured.

    Attributes
    ----------
    name
        The name of the ladder, and of the part of the profile that it is.
    task
        The task with the options that all rungs have in common.
    knob, unit
        What is turned, and what it is counted in: ``delay``, ``steps``.
    rungs
        The values of the knob, ascending.
    option
        The option of the task that the knob is; empty where it is the lag.
    lag
        The lag of all rungs, where the knob is an option.
    steps
        Training steps at most, at every rung.
    models
        The models that climb it.
    limits
        The highest rung of models that are not run at all of them, because of what that would cost.
    """

    name: str
    task: str
    knob: str
    unit: str
    rungs: tuple[int, ...]
    models: tuple[str, ...]
    option: str = ""
    lag: int = 0
    steps: int = 6_000
    limits: tuple[tuple[str, int], ...] = ()
    batch: int = 32
    validate_every: int = 100
    validation_size: int = 256
    test_size: int = 1024

    def __post_init__(self) -> None:
        if not self.rungs or sorted(set(self.rungs)) != list(self.rungs):
            raise BadInput(f"the rungs of ladder '{self.name}' must ascend; got {self.rungs}")

    def setting(self, rung: int) -> Setting:
        """Return how the task is measured at a rung."""
        name, options = parse(self.task)
        return Setting(
            spell(name, options | ({self.option: rung} if self.option else {})),
            (self.lag if self.option else rung,),
            self.steps,
            models=tuple(model for model in self.models if rung <= self.limit(model)),
            part=self.name,
            factors=FACTORS,
            batch=self.batch,
            validate_every=self.validate_every,
            validation_size=self.validation_size,
            test_size=self.test_size,
            margin=MARGIN,
        )

    def limit(self, model: str) -> int:
        """Return the highest rung at which a model is run."""
        return dict(self.limits).get(model, self.rungs[-1])

    def describe(self, rung: int) -> Rung:
        """Return a rung as a plan names it."""
        return Rung(ladder=self.name, knob=self.knob, unit=self.unit, value=rung)
