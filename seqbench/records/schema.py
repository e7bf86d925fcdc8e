"""The schema of the results: each row is one line of canonical JSON.

A ``Unit`` is what is measured, a ``Member`` is one run of it, a ``Record`` the result of a run, a ``System`` the
machine, ``Throughput`` the time of a step, a ``Probe`` what an instrument measured inside a model. The id of a unit is
a hash of all its fields, so that anything that could change the numbers changes the id.

A folder may come from an untrusted source, so all text is restricted to the kinds in ``values/fields.py``.
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
# Part of the schema, since the spelling of models depends on it: entries are never changed or removed.
LAYERS: Final = {  # other models have one
    "transformer": 2,  # it needs two for recall
    "block": 2,
    "mingru": 2,
    "minlstm": 2,
    "lru": 2,
    "slstm": 2,
}

RunVerdict = Literal["solved", "not_solved", "diverged", "out_of_memory", "failed"]
Role = Literal["reporting", "tuning", "search", "second"]
Counting = Literal["all", "inner"]  # which parameters the sizes of models are matched on
Precision = Literal["float32", "float64", "tf32", "bfloat16"]
Phase = Literal["training", "inference", "streaming"]
Moment = Literal["start", "end"]  # of the training


class Strict(BaseModel):
    """A frozen pydantic model: no extra fields, no conversions ("3" is not a number), finite numbers only."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        revalidate_instances="always",  # a curve is extended in place during training
    )

    def canonical(self) -> str:
        """Return the canonical JSON of this object: sorted keys, no spaces."""
        return canonical(self.model_dump(mode="json"))


def canonical(value: Any) -> str:
    """Return canonical JSON: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits that name a JSON value."""
    return blake2b(canonical(value).encode(), digest_size=8).hexdigest()


class Budget(Strict):
    """The training budget of a condition, and how runs are validated and tested.

    Attributes
    ----------
    steps, batch
        Maximum number of training steps, and sequences per step.
    clip
        The largest norm of a member's gradient.
    validate_every, validation_size, test_size
        Steps between validations, and sequences in the fixed validation and test sets.
    learning_rate
        The learning rate of all models; None, and not written, if it is tuned per model.
    margin
        Training ends early only where three validations in a row are this share of the way from the threshold to the
        best possible score.
    longer
        Further lags at which a trained run is tested, without training.
    """

    steps: int = Field(gt=0, le=MOST)
    batch: int = Field(gt=0, le=MOST)
    clip: Rate
    validate_every: int = Field(gt=0, le=MOST)
    validation_size: int = Field(gt=0, le=MOST)
    test_size: int = Field(gt=0, le=MOST)
    learning_rate: float | None = Field(default=None, gt=0, exclude_if=lambda rate: rate is None)
    margin: float = Field(default=0.0, ge=0, lt=1, exclude_if=lambda margin: margin == 0)
    longer: tuple[Whole, ...] = Field(default=(), exclude_if=lambda lags: not lags)


class Unit(Strict):
    """One condition of the benchmark with its settings: a task at a lag, a model at a size, a budget.

    Parameters, loss and optimiser are float32, or all float64. ``tf32`` rounds the factors of matrix products, and
    ``bfloat16`` computes the forward pass in that type.

    Attributes
    ----------
    parameters
        The number that the model's size is matched to: of all parameters, or with ``counting="inner"`` of those beyond
        embedding and readout.
    embedding
        The width of the learned embedding of the task's symbols; None if the model reads them as they are.
    """

    task: Name
    task_version: int = Field(ge=1, le=MOST)
    lag: int = Field(ge=0, le=MOST)
    task_options: Options = {}
    model: Name
    model_version: int = Field(ge=1, le=MOST)
    parameters: int = Field(gt=0, le=MOST)
    layers: int = Field(ge=1, le=MOST)
    model_options: Options = {}
    budget: Budget
    precision: Precision = "float32"
    counting: Counting = Field(default="all", exclude_if=lambda which: which == "all")
    embedding: int | None = Field(
        default=None, gt=0, le=MOST, exclude_if=lambda width: width is None
    )

    @property
    def id(self) -> str:
        """Return the id of the unit: the hash of all its fields."""
        return digest(self.model_dump(mode="json"))

    @property
    def task_spelling(self) -> str:
        """Return the task with its options."""
        return spell(self.task, self.task_options)

    @property
    def model_spelling(self) -> str:
        """Return the model with its options, and its number of layers if it is not the default."""
        usual = self.layers == LAYERS.get(self.model, 1)
        return spell(self.model, self.model_options | ({} if usual else {"layers": self.layers}))

    @property
    def condition(self) -> tuple[str, int, str]:
        """Return task, lag and model, as in a row of a table: a folder has one unit for each."""
        return self.task_spelling, self.lag, self.model_spelling

    def __hash__(self) -> int:
        return hash(self.id)


class Member(Strict):
    """One run of a unit; tuning seeds and reporting seeds are disjoint.

    A run of the role ``search`` is at a finer learning rate, for comparison only: it never decides the chosen rate. One
    of the role ``second`` is at the second-best rate, on a rung of a ladder that is failed at the best.
    """

    seed: int = Field(ge=0, lt=2**32)
    learning_rate: Rate
    role: Role = "reporting"


class Curve(Strict):
    """All validations of a run, in order; a score or loss is None if it was not finite."""

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


# Ranges of measures other than shares, for records written before scales had a range.
RANGES: Final = {"bits a character": (0.0, inf), "mean squared error, standardised": (0.0, inf)}
ROUNDING: Final = 1e-6  # rounding may put a mean of shares this far above 1


class Scale(Strict):
    """The measure of a score: direction, chance, threshold, and its lowest and highest value, None if unbounded."""

    measure: Line
    higher_is_better: bool
    chance: Number
    threshold: Number
    lowest: float | None = Field(default=None, exclude_if=lambda end: end is None)
    highest: float | None = Field(default=None, exclude_if=lambda end: end is None)

    def contains(self, score: float) -> bool:
        """Return whether a score lies in the range of the measure."""
        low, high = self.range
        return low - ROUNDING <= score <= high + ROUNDING

    def is_reached(self, score: float) -> bool:
        """Return whether a score is at the threshold or better."""
        return score >= self.threshold if self.higher_is_better else score <= self.threshold

    @property
    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest possible score."""
        if self.lowest is None and self.highest is None:  # of an older record
            return RANGES.get(self.measure, (0.0, 1.0) if self.higher_is_better else (-inf, inf))
        return (
            -inf if self.lowest is None else self.lowest,
            inf if self.highest is None else self.highest,
        )


class LongerTest(Strict):
    """The test of a trained run at another lag than that of its training.

    Score and loss are None if they were not finite, or if a user-defined model or task can't be run at that lag.
    """

    lag: Whole
    score: Number | None
    loss: Number | None


class Cost(Strict):
    """What differs between repetitions of a run: time, memory, date."""

    seconds: Time  # wall time of the stack, divided evenly among the members still in it
    peak_memory: int = Field(ge=0, le=MOST)  # bytes, of the worker process or of the device
    finished: Instant


class Provenance(Strict):
    """The code, settings and machine of a record; ``system`` names a file in ``systems/``."""

    commit: Commit
    dirty: bool  # uncommitted changes, or user-defined code, were involved
    profile: Name
    specification: Digest
    system: Digest
    device: Name
    threads: int = Field(ge=1, le=MOST)
    deterministic: bool
    flush_denormal: bool
    # Hash of the package's imported files; older records have none.
    code: Digest | None = Field(default=None, exclude_if=lambda code: code is None)


class Record(Strict):
    """The result of one member of a unit."""

    kind: Literal["accuracy"] = "accuracy"
    schema_version: Literal[1] = SCHEMA
    unit_id: Digest
    unit: Unit
    member: Member
    verdict: RunVerdict
    reason: Line | None = None  # why it failed
    score: Number | None  # on the test set, with the last weights
    test_loss: Number | None
    train_score: Number | None = None  # on as many sequences of the training set, if it is finite
    scale: Scale
    steps: int = Field(ge=0, le=MOST)
    steps_to_solve: Whole | None  # the first of three consecutive validations above the threshold
    curve: Curve
    sizes: dict[Name, Whole]  # hidden units and other matched sizes
    parameters: int = Field(ge=0, le=MOST)
    # The parameters beyond embedding and readout, and the numbers of the state that a sequence has at its end.
    inner_parameters: Whole | None = Field(default=None, exclude_if=lambda count: count is None)
    state_size: Whole | None = Field(default=None, exclude_if=lambda count: count is None)
    longer: tuple[LongerTest, ...] = Field(default=(), exclude_if=lambda tests: not tests)
    scan: Name
    # Whether it was trained in a smaller stack than planned, because the planned one failed or its worker process died
    # twice. Its numbers may then differ by rounding from those of an undisturbed run.
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
        lags = [test.lag for test in self.longer]
        if not set(lags) <= set(self.unit.budget.longer):
            raise ValueError("it was tested at a lag that its unit does not have")
        if len(set(lags)) < len(lags):
            raise ValueError("it was tested twice at one lag")
        if self.inner_parameters is not None and self.inner_parameters > self.parameters:
            raise ValueError(
                f"{self.inner_parameters} parameters beyond embedding and readout are more than all {self.parameters}"
            )
        longer = (test.score for test in self.longer)
        for score in (self.score, self.train_score, *self.curve.score, *longer):
            if score is not None and not self.scale.contains(score):
                raise ValueError(
                    f"a score of {score} lies outside of its measure's range, "
                    f"{self.scale.range[0]:g} to {self.scale.range[1]:g}"
                )
        solved = self.verdict == "solved"
        if self.score is not None and self.scale.is_reached(self.score) != solved:
            raise ValueError(
                f"a score of {self.score} at the threshold {self.scale.threshold} "
                f"can't be '{self.verdict}'"
            )
        if (self.verdict == "failed") != (self.reason is not None):
            raise ValueError("a reason goes with the verdict 'failed', and only with it")
        return self

    @property
    def key(self) -> tuple[str, int, float]:
        """Return the identity of the record, unique in a store."""
        return self.unit_id, self.member.seed, self.member.learning_rate

    @property
    def system_id(self) -> str:
        """Return the id of the machine."""
        return self.provenance.system

    def serialise_reproducible(self) -> str:
        """Return the record as JSON without its cost: what a repetition on the same machine must reproduce."""
        return canonical(self.model_dump(mode="json", exclude={"cost": True}))


class Roofline(Strict):
    """The roofline bound of a step: its work, and the ceilings of the machine; ``roofline.py`` has the equations.

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
        """Return the lower bound of the time of the step, in seconds."""
        return max(self.flops / self.flops_per_second, self.bytes / self.bytes_per_second)


class Throughput(Strict):
    """The time of one step of one model: median and spread over interleaved rounds."""

    kind: Literal["throughput"] = "throughput"
    schema_version: Literal[1] = SCHEMA
    model: Name
    model_version: int = Field(ge=1, le=MOST)
    phase: Phase
    scan: Name  # "step": streaming, one step at a time
    precision: Precision
    device: Name
    members: int = Field(ge=1, le=MOST)  # E
    batch: int = Field(ge=1, le=MOST)  # B
    length: int = Field(ge=1, le=MOST)  # T
    parameters: int = Field(ge=1, le=MOST)
    hidden: Whole | None = None  # H, if given; None if matched to the number of parameters
    sizes: dict[Name, Whole]
    seconds_per_token: Rate  # median; a token is one step of one sequence of one member
    quartiles: tuple[Number, Number]
    rounds: int = Field(ge=1, le=MOST)
    peak_memory: int = Field(ge=0, le=MOST)  # bytes, beyond those in use before the model was built
    floor: Roofline | None = None
    compile_seconds: Time | None = None  # None where nothing compiles
    commit: Commit
    dirty: bool
    system: Digest
    threads: int = Field(ge=1, le=MOST)

    @property
    def floor_per_token(self) -> float | None:
        """Return the lower bound in seconds per token."""
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
        """Return the id of the machine."""
        return self.system


class Side(Strict):
    """One side of a comparison: seconds and peak bytes of a step, for each timed case."""

    seconds: tuple[Number, ...]
    peak_memory: tuple[Whole, ...]
    precision: Name


class Comparison(Strict):
    """A goal for speed and its measurement: usually how many times as fast one side is as the other.

    Attributes
    ----------
    id
        The id by which a claim finds the row; None, and not written, if no claim needs it.
    measured, interval
        The median over interleaved rounds and its 95 % bootstrap interval; None if not measured, with a note why.
    """

    kind: Literal["comparison"] = "comparison"
    schema_version: Literal[1] = SCHEMA
    id: Name | None = Field(default=None, exclude_if=lambda id: id is None)
    goal: Line
    what: Line
    aim: Line  # in words; empty if there is no target
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
        """Return the id of the machine."""
        return self.system


class Probe(Strict):
    """What an instrument measured inside one member, before or after its training.

    Attributes
    ----------
    verdict
        The verdict of the member's run.
    series
        The measurements by name, as documented in the file of the instrument. A number is None if it was not finite; a
        member that diverged has no series after training.
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
        """Return the identity of the probe, unique in a store."""
        member = self.member
        return self.instrument, self.unit_id, member.seed, member.learning_rate, self.moment

    @property
    def system_id(self) -> str:
        """Return the id of the machine."""
        return self.system


class System(Strict):
    """A machine and its software, without anything that identifies its owner."""

    processor: Line
    cores: int = Field(ge=1, le=MOST)
    memory: int = Field(ge=0, le=MOST)  # bytes
    accelerator: Line | None
    operating_system: Line
    python: Line
    versions: dict[Name, Line]

    @property
    def id(self) -> str:
        """Return the id of the system, which names its file."""
        return digest(self.model_dump(mode="json"))


class Rung(Strict):
    """A rung of a ladder: the knob that the ladder turns, what it is counted in, and its value."""

    ladder: Name
    knob: Line
    unit: Line
    value: Whole


class Planned(Strict):
    """A planned unit, measured or not, with its part of the profile and its number of seeds.

    Where the unit is a rung of a ladder, ``seeds`` is the least number; it is run only if the rungs below it were not
    failed.
    """

    unit: Unit
    part: Name
    seeds: int = Field(ge=1, le=MOST)
    rung: Rung | None = Field(default=None, exclude_if=lambda rung: rung is None)


class Manifest(Strict):
    """What a results folder is for; a run into a folder of another kind is refused."""

    schema_version: Whole
    edition: Name  # "local" for local runs
    profile: Name
    specification: Digest
    citable: bool
    # The form in which the tables were made from the records (report/folder.py).
    form: int = Field(default=1, ge=1)
    files: dict[Inside, Sha256] = {}  # sha256 by path, set when an edition is sealed


class Baseline(Strict):
    """The score of a method without a network on the test part of a task, in the task's measure."""

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
    system: Digest  # package versions matter, for example of scikit-learn

    @model_validator(mode="after")
    def _possible(self) -> "Baseline":
        if not self.scale.contains(self.score):
            raise ValueError(f"a score of {self.score} lies outside of its measure's range")
        return self

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the identity of the baseline: one per task and name, on whatever machine."""
        options = canonical(self.task_options)
        return self.task, self.task_version, self.lag, options, self.name

    @property
    def system_id(self) -> str:
        """Return the id of the machine."""
        return self.system


class Trial(Strict):
    """One trial of an experiment of the ledger, in the protocol of its paper."""

    kind: Literal["trial"] = "trial"
    schema_version: Literal[1] = SCHEMA
    experiment: Name
    protocol: Digest  # hash of everything it depends on
    seed: int = Field(ge=0, lt=2**32)
    success: bool
    sequences: int = Field(gt=0, le=MOST)  # until success, or the whole budget
    budget: int = Field(gt=0, le=MOST)
    wrong: int = Field(ge=0, le=MOST)  # of the tested sequences, with the last weights
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
        """Return the id of the machine."""
        return self.system
