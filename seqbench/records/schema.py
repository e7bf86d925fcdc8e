"""The schema of what a run leaves behind: one line of canonical JSON for one member.

``Unit`` says what is measured, ``Member`` whose weights and data, ``Record`` what came out, ``System`` on which
machine, ``Throughput`` how long a step took, ``Probe`` what was seen inside. A unit is named by the hash of all its
fields, so whatever would change the number changes the name.

A folder may come from a stranger, so no text is taken as it comes: ``fields.py`` has the kinds of text there are.
"""

import json
from hashlib import blake2b
from math import inf
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqbench.values.fields import (
    MOST,
    Commit,
    Digest,
    Inside,
    Instant,
    Line,
    Name,
    Number,
    Options,
    Rate,
    SeriesName,
    Sha256,
    Time,
    Whole,
)
from seqbench.values.variants import spell

SCHEMA: Final = 1
# A part of the schema, since names in tables are spelled by it: a model's entry is never changed or taken away.
LAYERS: Final = {"transformer": 2}  # it needs two for recall; the others have one

RunVerdict = Literal["solved", "not_solved", "diverged", "out_of_memory", "failed"]
Role = Literal["reporting", "tuning", "search"]
Precision = Literal["float32", "float64", "tf32", "bfloat16"]
Phase = Literal["training", "inference", "streaming"]
Moment = Literal["start", "end"]  # of the training


class Strict(BaseModel):
    """A frozen model without extra fields, without conversions ("3" is no number), with finite numbers only."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        revalidate_instances="always",  # a curve grows in place while it is made
    )

    def canonical(self) -> str:
        """Return the one JSON text of this object: sorted keys, no spaces."""
        return canonical(self.model_dump(mode="json"))


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits that name a JSON value."""
    return blake2b(canonical(value).encode(), digest_size=8).hexdigest()


class Budget(Strict):
    """What every model of a cell is given, and how it is watched.

    Attributes
    ----------
    steps, batch
        Training steps at most, and sequences a step.
    clip
        The largest norm of a member's gradient.
    validate_every, validation_size, test_size
        Steps between validations, and sequences in the fixed validation and test sets.
    learning_rate
        The rate of every model; None, and not written, where each has its own by tuning.
    """

    steps: int = Field(gt=0, le=MOST)
    batch: int = Field(gt=0, le=MOST)
    clip: Rate
    validate_every: int = Field(gt=0, le=MOST)
    validation_size: int = Field(gt=0, le=MOST)
    test_size: int = Field(gt=0, le=MOST)
    learning_rate: float | None = Field(default=None, gt=0, exclude_if=lambda rate: rate is None)


class Unit(Strict):
    """One cell of the benchmark: a task at a lag, a model at a size, a budget.

    Parameters, loss and optimiser are float32, or all of it float64; ``tf32`` rounds the factors of products, and
    ``bfloat16`` goes forward in that type.
    """

    task: Name
    task_version: int = Field(ge=1, le=MOST)
    lag: int = Field(ge=0, le=MOST)
    task_options: Options = {}
    model: Name
    model_version: int = Field(ge=1, le=MOST)
    parameters: int = Field(gt=0, le=MOST)  # the size is matched to this count
    layers: int = Field(ge=1, le=MOST)
    model_options: Options = {}
    budget: Budget
    precision: Precision = "float32"

    @property
    def id(self) -> str:
        """Return the name of the cell: the hash of all that it measures."""
        return digest(self.model_dump(mode="json"))

    @property
    def task_spelling(self) -> str:
        """Return the task with its options."""
        return spell(self.task, self.task_options)

    @property
    def model_spelling(self) -> str:
        """Return the model with its options, and its layers where they are not as usual."""
        usual = self.layers == LAYERS.get(self.model, 1)
        return spell(self.model, self.model_options | ({} if usual else {"layers": self.layers}))

    @property
    def condition(self) -> tuple[str, int, str]:
        """Return what a table shows of it: a folder holds one unit for each such row."""
        return self.task_spelling, self.lag, self.model_spelling

    def __hash__(self) -> int:
        return hash(self.id)


class Member(Strict):
    """One run of a unit; tuning seeds and reporting seeds are disjoint.

    A search is a tuning run at a finer learning rate, which is only looked at: it never chooses.
    """

    seed: int = Field(ge=0, lt=2**32)
    learning_rate: Rate
    role: Role = "reporting"


class Curve(Strict):
    """Every validation of a run, in order; a score or loss is None where it was not finite."""

    step: list[Annotated[int, Field(gt=0)]]
    loss: list[Number | None]
    score: list[Number | None]

    @model_validator(mode="after")
    def _same_length(self) -> "Curve":
        if not len(self.step) == len(self.loss) == len(self.score):
            raise ValueError("step, loss and score of a curve differ in length")
        if sorted(set(self.step)) != self.step:
            raise ValueError("the steps of a curve must grow")
        return self


# Of measures that are no share; before scales said their range.
RANGES: Final = {"bits a character": (0.0, inf), "mean squared error, standardised": (0.0, inf)}
ROUNDING: Final = 1e-6  # a mean of shares may come out that much above 1


class Scale(Strict):
    """How to read a score; ``lowest`` and ``highest`` are what its measure can be, None where there is no end."""

    measure: Line
    higher_is_better: bool
    chance: Number
    threshold: Number
    lowest: float | None = Field(default=None, exclude_if=lambda end: end is None)
    highest: float | None = Field(default=None, exclude_if=lambda end: end is None)

    def contains(self, score: float) -> bool:
        """Return whether a score is one that the measure can have."""
        low, high = self.range
        return low - ROUNDING <= score <= high + ROUNDING

    @property
    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest score there can be."""
        if self.lowest is None and self.highest is None:  # of an older record
            return RANGES.get(self.measure, (0.0, 1.0) if self.higher_is_better else (-inf, inf))
        return (
            -inf if self.lowest is None else self.lowest,
            inf if self.highest is None else self.highest,
        )


class Cost(Strict):
    """What differs from run to run: times, memory, and when it was."""

    seconds: Time  # wall time of the stack, shared evenly by the members still in it
    peak_memory: int = Field(ge=0, le=MOST)  # bytes, of the worker process or of the device
    finished: Instant


class Provenance(Strict):
    """Where a record comes from; ``system`` names a file in ``systems/``."""

    commit: Commit
    dirty: bool  # not all that it was measured by is in that commit: changes, or a guest's code
    profile: Name
    specification: Digest
    system: Digest
    device: Name
    threads: int = Field(ge=1, le=MOST)
    deterministic: bool
    flush_denormal: bool
    # Of the package's own files, as they were imported; records of before it was noted have none.
    code: Digest | None = Field(default=None, exclude_if=lambda code: code is None)


class Record(Strict):
    """What one member of a unit left behind."""

    kind: Literal["accuracy"] = "accuracy"
    schema_version: Literal[1] = SCHEMA
    unit_id: Digest
    unit: Unit
    member: Member
    verdict: RunVerdict
    reason: Line | None = None  # why it failed
    score: Number | None  # on the test set, with the last weights
    test_loss: Number | None
    train_score: Number | None = (
        None  # on as many sequences of the training set, where it is finite
    )
    scale: Scale
    steps: int = Field(ge=0, le=MOST)
    steps_to_solve: Whole | None  # the first of three validations in a row that found it solved
    curve: Curve
    sizes: dict[Name, Whole]  # hidden units and the like, as matched
    parameters: int = Field(ge=0, le=MOST)
    scan: Name
    # Whether it was trained in a smaller stack than was planned, since that stack failed or lost its worker process
    # twice: then its numbers may differ by rounding from those of a run that was not disturbed.
    regrouped: bool = Field(default=False, exclude_if=lambda regrouped: not regrouped)
    provenance: Provenance
    cost: Cost

    @model_validator(mode="after")
    def _possible(self) -> "Record":
        if self.unit_id != self.unit.id:
            raise ValueError(f"unit_id is {self.unit_id}, but its unit hashes to {self.unit.id}")
        if self.steps > self.unit.budget.steps:
            raise ValueError(f"{self.steps} steps are over the budget of {self.unit.budget.steps}")
        end = self.curve.step[-1] if self.curve.step else 0
        if self.steps != end:
            raise ValueError(f"steps is {self.steps}, but the curve ends at step {end}")
        if self.steps_to_solve is not None and self.steps_to_solve not in self.curve.step:
            raise ValueError(f"there was no validation at step {self.steps_to_solve}")
        judged = self.verdict in ("solved", "not_solved")
        if judged != (self.score is not None) or judged != (self.test_loss is not None):
            raise ValueError(
                f"a run that is '{self.verdict}' can't have the score {self.score} "
                f"and the loss {self.test_loss}"
            )
        for score in (self.score, self.train_score, *self.curve.score):
            if score is not None and not self.scale.contains(score):
                raise ValueError(
                    f"a score of {score} lies outside of its measure's range, "
                    f"{self.scale.range[0]:g} to {self.scale.range[1]:g}"
                )
        if self.score is not None:
            better = self.score >= self.scale.threshold
            if not self.scale.higher_is_better:
                better = self.score <= self.scale.threshold
            if better != (self.verdict == "solved"):
                raise ValueError(
                    f"a score of {self.score} at the threshold {self.scale.threshold} "
                    f"can't be '{self.verdict}'"
                )
        if (self.verdict == "failed") != (self.reason is not None):
            raise ValueError("a reason goes with the verdict 'failed', and only with it")
        return self

    @property
    def key(self) -> tuple[str, int, float]:
        """Return the identity of the record: no two in a store share it."""
        return self.unit_id, self.member.seed, self.member.learning_rate

    @property
    def system_id(self) -> str:
        """Return the name of the machine."""
        return self.provenance.system

    def serialise_reproducible(self) -> str:
        """Return what a second measurement on the same machine must give again."""
        return canonical(self.model_dump(mode="json", exclude={"cost": True}))


class Roofline(Strict):
    """What a step has to do, and what the machine does at best; ``floor.py`` has the equations.

    Attributes
    ----------
    flops, bytes
        The operations of a step, and the bytes that it moves.
    flops_per_second, bytes_per_second
        The ceilings: of a large product of matrices, and of a large copy, read and written.
    """

    flops: int = Field(ge=0, le=MOST)
    bytes: int = Field(ge=0, le=MOST)
    flops_per_second: Rate
    bytes_per_second: Rate

    @property
    def seconds(self) -> float:
        """Return the least time that the step could take."""
        return max(self.flops / self.flops_per_second, self.bytes / self.bytes_per_second)


class Throughput(Strict):
    """The time of one step of one model: median and spread over interleaved rounds."""

    kind: Literal["throughput"] = "throughput"
    schema_version: Literal[1] = SCHEMA
    model: Name
    model_version: int = Field(ge=1, le=MOST)
    phase: Phase
    scan: Name  # "step": one step after the other, as the input comes
    precision: Precision
    device: Name
    members: int = Field(ge=1, le=MOST)  # E
    batch: int = Field(ge=1, le=MOST)  # B
    length: int = Field(ge=1, le=MOST)  # T
    parameters: int = Field(ge=1, le=MOST)
    hidden: Whole | None = None  # H, if it was given; None: matched to the profile's parameters
    sizes: dict[Name, Whole]
    seconds_per_token: Rate  # median; a token is one step of one sequence of one member
    quartiles: tuple[Number, Number]
    rounds: int = Field(ge=1, le=MOST)
    peak_memory: int = Field(
        ge=0, le=MOST
    )  # bytes, beyond what was held before the model was built
    floor: Roofline | None = None
    compile_seconds: Time | None = None  # None where nothing compiles
    commit: Commit
    dirty: bool
    system: Digest
    threads: int = Field(ge=1, le=MOST)

    @property
    def floor_per_token(self) -> float | None:
        """Return the least seconds per token."""
        tokens = self.members * self.batch * self.length
        return None if self.floor is None else self.floor.seconds / tokens

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the identity of the measurement."""
        return (
            self.model,
            self.model_version,
            self.phase,
            self.scan,
            self.precision,
            self.device,
            self.members,
            self.batch,
            self.length,
            self.parameters,
            self.hidden or 0,
            self.system,
        )

    @property
    def system_id(self) -> str:
        """Return the name of the machine."""
        return self.system


class Side(Strict):
    """One side of a comparison: seconds and peak bytes of a step, for each of the cases that were timed."""

    seconds: tuple[Number, ...]
    peak_memory: tuple[Whole, ...]
    precision: Name


class Comparison(Strict):
    """A goal for speed, and what was measured for it: most often, how many times as fast one side is as another.

    Attributes
    ----------
    id
        The name by which a claim finds the row; None, and not written, where none asks for it.
    measured, interval
        The median over interleaved rounds and its 95 % interval by bootstrap; None where the note says why not.
    """

    kind: Literal["comparison"] = "comparison"
    schema_version: Literal[1] = SCHEMA
    id: Name | None = Field(default=None, exclude_if=lambda id: id is None)
    goal: Line
    what: Line
    aim: Line  # in words; "" where nothing is aimed at
    measured: Number | None
    interval: tuple[Number, Number] | None
    rounds: int = Field(ge=0, le=MOST)
    met: bool | None
    ours: Side | None
    theirs: Side | None
    note: Line
    device: Name
    commit: Commit
    dirty: bool
    system: Digest
    threads: int = Field(ge=1, le=MOST)

    @property
    def key(self) -> tuple[str, ...]:
        """Return the identity of the measurement."""
        return self.goal, self.what, self.system

    @property
    def system_id(self) -> str:
        """Return the name of the machine."""
        return self.system


class Probe(Strict):
    """What an instrument saw inside one member, before its training or after it.

    Attributes
    ----------
    verdict
        What became of the member.
    series
        What was seen, by name; the instrument's file says what each is. A number is None where it was not finite, and
        there is no series at the end of a member that diverged.
    """

    kind: Literal["probe"] = "probe"
    schema_version: Literal[1] = SCHEMA
    instrument: Name
    unit_id: Digest
    unit: Unit
    member: Member
    verdict: RunVerdict
    moment: Moment
    series: dict[SeriesName, list[Number | None]]
    device: Name
    commit: Commit
    dirty: bool
    system: Digest
    threads: int = Field(ge=1, le=MOST)

    @model_validator(mode="after")
    def _of_its_unit(self) -> "Probe":
        if self.unit_id != self.unit.id:
            raise ValueError(f"unit_id is {self.unit_id}, but its unit hashes to {self.unit.id}")
        return self

    @property
    def key(self) -> tuple[str, str, int, float, str]:
        """Return the identity of the probe: no two in a store share it."""
        member = self.member
        return self.instrument, self.unit_id, member.seed, member.learning_rate, self.moment

    @property
    def system_id(self) -> str:
        """Return the name of the machine."""
        return self.system


class System(Strict):
    """A machine and what runs on it, without anything that names its owner."""

    processor: Line
    cores: int = Field(ge=1, le=MOST)
    memory: int = Field(ge=0, le=MOST)  # bytes
    accelerator: Line | None
    operating_system: Line
    python: Line
    versions: dict[Name, Line]

    @property
    def id(self) -> str:
        """Return the name of the system's file."""
        return digest(self.model_dump(mode="json"))


class Planned(Strict):
    """A cell that a folder is to hold, measured or not, with the part of the profile that it belongs to."""

    unit: Unit
    part: Name
    seeds: int = Field(ge=1, le=MOST)


class Manifest(Strict):
    """What a results folder holds; a run into a folder of another kind is refused."""

    schema_version: Whole
    edition: Name  # "local" for one's own runs
    profile: Name
    specification: Digest
    citable: bool
    # In which the tables of an edition were made from its records (report/tables.py).
    form: int = Field(default=1, ge=1)
    files: dict[Inside, Sha256] = {}  # sha256 by path, written when an edition is sealed


class Baseline(Strict):
    """What a method that needs no network reaches on the test part of a task, in the task's own measure."""

    kind: Literal["baseline"] = "baseline"
    schema_version: Literal[1] = SCHEMA
    task: Name
    task_version: int = Field(ge=1, le=MOST)
    lag: int = Field(ge=0, le=MOST)
    task_options: Options = {}
    name: Line
    score: Number
    scale: Scale
    commit: Commit
    dirty: bool
    system: Digest  # its versions matter: of scikit-learn, where that does the fitting

    @model_validator(mode="after")
    def _possible(self) -> "Baseline":
        if not self.scale.contains(self.score):
            raise ValueError(f"a score of {self.score} lies outside of its measure's range")
        return self

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the identity of the measurement: a task has one a name, wherever it was computed."""
        options = canonical(self.task_options)
        return self.task, self.task_version, self.lag, options, self.name

    @property
    def system_id(self) -> str:
        """Return the name of the machine."""
        return self.system


class Trial(Strict):
    """One trial of an experiment of the ledger, in the protocol of its paper."""

    kind: Literal["trial"] = "trial"
    schema_version: Literal[1] = SCHEMA
    experiment: Name
    protocol: Digest  # the hash of all that it depends on
    seed: int = Field(ge=0, lt=2**32)
    success: bool
    sequences: int = Field(gt=0, le=MOST)  # shown until it had succeeded, or all of the budget
    budget: int = Field(gt=0, le=MOST)
    wrong: int = Field(ge=0, le=MOST)  # of those tested, with the last weights
    tested: int = Field(ge=0, le=MOST)
    parameters: int = Field(gt=0, le=MOST)
    commit: Commit
    dirty: bool
    system: Digest
    device: Name
    threads: int = Field(ge=1, le=MOST)
    cost: Cost

    @model_validator(mode="after")
    def _possible(self) -> "Trial":
        if self.sequences > self.budget:
            raise ValueError(f"{self.sequences} sequences are over the budget of {self.budget}")
        if not self.success and self.sequences < self.budget:
            raise ValueError(
                f"a trial can't be given up after {self.sequences} of {self.budget} sequences"
            )
        if self.wrong > self.tested:
            raise ValueError(f"{self.wrong} of {self.tested} can't be wrong")
        return self

    @property
    def key(self) -> tuple[str, str, int]:
        """Return the identity of the trial."""
        return self.experiment, self.protocol, self.seed

    @property
    def system_id(self) -> str:
        """Return the name of the machine."""
        return self.system
