"""The facts of an edition: everything that its tables and verdicts take from the code that published it.

A later version of the code may have another tuning grid, more models, or a reworded rule; an edition is still judged by
its own facts (docs/adr/0028). They are kept in the folder as ``facts.json`` and validated like a record.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from seqbench.records.schema import Strict, Trial
from seqbench.values.fields import Digest, Line, Name, Prose, Spelling

Rate = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0)]
MOST_SEEDS = 1_000  # of a rung: reporting seeds lie below those of the tuning


class ClaimWords(Strict):
    """The published words of a claim; its rule is code, the same for all editions of one form."""

    id: Name
    sentence: Line
    experiment: Line
    rule: Prose


class Published(Strict):
    """What all kinds of rows of the replication ledger have in common."""

    id: Name
    paper: Line
    experiment: Line
    published: Line
    mark: Literal["P", "S"]


class PublishedTrials(Published):
    """Trials in the paper's own protocol, identified by a hash."""

    kind: Literal["trials"] = "trials"
    rate: float | None = Field(ge=0, le=1)
    of: int | None = Field(gt=0)
    sequences: int | None = Field(gt=0)
    budget: int = Field(gt=0)
    trials: int = Field(gt=0)
    protocol: Digest
    deviations: tuple[Line, ...]

    def select_planned(self, trials: Iterable[Trial]) -> list[Trial]:
        """Return those of the trials that the row plans.

        Trials are written as they end: counting additional ones would favour the fastest.
        """
        own = (self.id, self.protocol)
        return [t for t in trials if (t.experiment, t.protocol) == own and t.seed < self.trials]


class PublishedScore(Published):
    """A published figure of a model on a task of the benchmark; without a lag, at the largest lag measured."""

    kind: Literal["score"] = "score"
    task: Spelling
    lag: int | None
    model: Spelling
    solved: bool
    of: Literal["run", "best"]
    deviations: tuple[Line, ...]


class PublishedPair(Published):
    """A claim that one model solves a task more often than another, or just as often."""

    kind: Literal["pair"] = "pair"
    task: Spelling
    lag: int | None
    model: Spelling
    other: Spelling
    gap: bool
    deviations: tuple[Line, ...]


class PublishedAlone(Published):
    """A figure that can't be repeated here, and why."""

    kind: Literal["alone"] = "alone"
    reason: Line


LedgerRow = Annotated[
    PublishedTrials | PublishedScore | PublishedPair | PublishedAlone, Field(discriminator="kind")
]


class ClimbRule(Strict):
    """The rule by which the ladders were climbed (``protocol.climb.Rule``).

    Attributes
    ----------
    first, all
        The reporting seeds that every rung was given, and those of a rung on which the first did not agree.
    passes, fails
        Of all seeds, the fewest that must solve to pass, and the most that may solve to fail.
    """

    first: int = Field(ge=1)
    all: int = Field(ge=1, le=MOST_SEEDS)
    passes: int = Field(ge=0)
    fails: int = Field(ge=0)

    @model_validator(mode="after")
    def _possible(self) -> "ClimbRule":
        if self.first > self.all:
            raise ValueError(f"the first {self.first} seeds of a rung are more than all {self.all}")
        if not self.fails < self.passes <= self.all:
            raise ValueError(
                f"of {self.all} seeds, {self.passes} can't pass a rung while {self.fails} fail it"
            )
        return self


class Facts(Strict):
    """What the tables and verdicts of a folder depend on, besides its records and the form of its tables.

    Attributes
    ----------
    rates, finer_rates, tuning_seeds
        The learning rates of the tuning, the finer rates that are only compared with them, and the seeds of both.
    tasks, models
        The catalogues, in the order of the tables; user-defined tasks and models come last.
    video_models
        The models that read video; all others read sequences.
    tables
        The ids of the tables that the edition has, if they have a row.
    claims, ledger
        The rows of T14 and T10, in their order.
    climbing
        The rule by which ladders were climbed; None, and not written, in editions that had no ladders.
    """

    rates: tuple[Rate, ...] = Field(min_length=1)
    finer_rates: tuple[Rate, ...]
    tuning_seeds: tuple[Seed, ...]
    tasks: tuple[Name, ...]
    models: tuple[Name, ...]
    video_models: tuple[Name, ...]
    tables: tuple[Name, ...]
    claims: tuple[ClaimWords, ...]
    ledger: tuple[LedgerRow, ...]
    climbing: ClimbRule | None = Field(default=None, exclude_if=lambda rule: rule is None)
