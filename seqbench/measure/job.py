"""One job: build the task and the model, train the members, return a record for each."""

from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf, isfinite
from pathlib import Path
from typing import Any

import torch

from seqbench.errors import BadInput, describe
from seqbench.machine import Peak, check_precision, flushes_denormals, set_product_precision
from seqbench.measure.user_defined import is_user_defined, load_classes
from seqbench.models import MODELS
from seqbench.models.base import Model
from seqbench.models.embedded import Embedded
from seqbench.models.sizing import count, count_inner, match_sizes
from seqbench.random import Keys
from seqbench.records.schema import Cost, Curve, Member, Provenance, Record, Scale, Unit, digest
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.text import shorten
from seqbench.training.checkpoint import Checkpoint
from seqbench.training.loop import Outcome, train


@dataclass(frozen=True)
class Job:
    """Members of one unit, to be trained side by side, with everything that a worker needs for it.

    Attributes
    ----------
    classes
        Tasks and models that were passed as classes, pickled with their code.
    code
        The hash of the code of user-defined classes; "" if there are none, None if it is not known.
    checkpoint_folder
        The folder in which a long job saves its checkpoint, so that it can go on after a kill; "" for none.
    regrouped
        Whether these are part of a larger stack, which failed or lost its worker process twice.
    """

    unit: Unit
    members: tuple[Member, ...]
    provenance: Provenance
    scan: str = "auto"
    classes: bytes = b""
    code: str | None = ""
    checkpoint_folder: str = ""
    regrouped: bool = False

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint of the job; its file name depends on the code and the machine, so no other fits."""
        if not self.checkpoint_folder or self.code is None or self.provenance.code is None:
            return Checkpoint()
        what = [self.unit, self.provenance, *self.members]
        name = digest([self.scan, self.code, *(part.model_dump(mode="json") for part in what)])
        return Checkpoint(Path(self.checkpoint_folder, f"{name}.pt"))

    def restrict_to(self, members: Sequence[Member]) -> "Job":
        """Return a job of only some of its members, for when the stack of all of them failed."""
        return replace(self, members=tuple(members), regrouped=True)

    def __str__(self) -> str:
        seeds = ",".join(dict.fromkeys(str(member.seed) for member in self.members))
        unit = self.unit
        return f"{unit.task_spelling} lag {unit.lag} {unit.model_spelling} seeds {seeds}"


def measure(job: Job, progress: Callable[[int], Any] = lambda step: None) -> list[Record]:
    """Return a record for each member of the job.

    A stack that fails, for want of memory or for a fault in a model, is tried again in halves, so that only the
    member that fails by itself is recorded as failed.

    Raises
    ------
    BadInput
        If the job can't be measured as specified. What a user-defined class raises becomes a failed record.
    torch.AcceleratorError
        If the device is lost to this process; whatever ran next in it would fail, too.
    """
    try:
        with chdir("."):  # a user-defined class may go elsewhere
            return _train_and_record(job, progress)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        lost = isinstance(error, torch.AcceleratorError) and job.provenance.device == "cuda"
        if lost or (isinstance(error, BadInput) and not is_user_defined(job.unit)):
            raise
        why = error
    if len(job.members) == 1:
        here = replace(job, provenance=complete_provenance(job))
        return [make_failed_record(here, describe(why), is_out_of_memory(why))]
    half = len(job.members) // 2
    records = []
    for members in (job.members[:half], job.members[half:]):
        part = job.restrict_to(members)
        records += measure(part, progress)
        part.checkpoint.clear()
    return records


def build(
    unit: Unit, task: Task, seeds: Sequence[int], device: torch.device
) -> tuple[Model, dict[str, int]]:
    """Return the model of a unit with a member for each seed, and the sizes that match its parameter count."""
    check_precision(unit.precision, device.type)
    model = MODELS[unit.model]
    options = {"layers": unit.layers} | unit.model_options
    shape = find_shape(model, task, unit.embedding, options)
    sizes = match_sizes(model, unit.parameters, counting=unit.counting, **shape)
    seed = torch.tensor(seeds, device=device)
    keys = Keys(unit.model, unit.model_version, "weights", seed, torch.zeros_like(seed))
    built: Model = model(keys, **shape, **sizes)
    if unit.embedding:
        assert isinstance(task.inputs, int)
        built = Embedded(keys, built, symbols=task.inputs, width=unit.embedding)
    if unit.precision == "float64":
        built.double()
    if unit.precision == "bfloat16":
        built.forward_dtype = torch.bfloat16
    return built, sizes


def find_shape(
    model: type[Model], task: Task, embedding: int | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments, but for keys and size, with which a model is built for a task."""
    shape = {
        "inputs": embedding or task.inputs,
        "outputs": task.outputs,
        "causal": task.causal,
        **options,
    }
    if options.get("start") == "chrono" and "longest" not in shape and model.accepts("longest"):
        shape["longest"] = measure_length(task)
    return shape


def measure_length(task: Task) -> int:
    """Return T, the steps of a training sequence."""
    return task.sample(task.keys("train", 0, 0, 1)).x.shape[1]


def resolve_scan(precision: str, scan: str) -> str:
    """Return the scan that is used in a precision.

    Raises
    ------
    BadInput
        If the scan would compute in another precision: ``native`` uses float16 under bfloat16
        (``Model.forward_dtype``), ``ensemble`` the precision of its weights.
    """
    if precision != "bfloat16" or scan in ("fused", "reference"):
        return scan
    if scan == "auto":
        return "reference"
    raise BadInput(f"scan '{scan}' can't run in bfloat16; choose from: auto, fused, reference")


def _train_and_record(job: Job, progress: Callable[[int], Any]) -> list[Record]:
    load_classes(job.classes)
    unit, device = job.unit, torch.device(job.provenance.device)
    peak = Peak(job.provenance.device)
    task = TASKS[unit.task](lag=unit.lag, **unit.task_options)
    model, sizes = build(unit, task, [member.seed for member in job.members], device)
    model.use_scan(resolve_scan(unit.precision, job.scan))
    length = measure_length(task)
    with set_product_precision(unit.precision):
        outcomes = train(task, model, job.members, unit.budget, device, progress, job.checkpoint)
    return [
        Record(
            unit_id=unit.id,
            unit=unit,
            member=outcome.member,
            verdict=outcome.verdict,
            score=outcome.score,
            test_loss=outcome.test_loss,
            train_score=outcome.train_score,
            scale=check_score(outcome, make_scale(task)),
            steps=outcome.steps,
            steps_to_solve=outcome.steps_to_solve,
            curve=outcome.curve,
            sizes=sizes,
            parameters=count(model),
            inner_parameters=count_inner(model) if unit.counting == "inner" else None,
            state_size=model.state_size(length) if unit.counting == "inner" else None,
            longer=tuple(outcome.longer),
            scan=model.scan_name,
            regrouped=job.regrouped,
            provenance=complete_provenance(job),
            cost=make_cost(outcome.seconds, peak.read()),
        )
        for outcome in outcomes
    ]


def complete_provenance(job: Job) -> Provenance:
    """Return the planned provenance of a job, completed by whether this process flushes denormals."""
    return job.provenance.model_copy(update={"flush_denormal": flushes_denormals()})


def make_scale(task: Task) -> Scale:
    """Return the scale of a task's scores: measure, direction, chance, threshold and range."""
    share = (0.0, 1.0) if task.higher_is_better else (-inf, inf)
    lowest, highest = task.score_range or share
    return Scale(
        measure=shorten(task.measure),
        higher_is_better=task.higher_is_better,
        chance=task.chance,
        threshold=task.threshold,
        lowest=lowest if isfinite(lowest) else None,
        highest=highest if isfinite(highest) else None,
    )


def check_score(outcome: Outcome, scale: Scale) -> Scale:
    """Return the scale; raise ``ValueError`` if a score is outside its range, which means it is computed wrong."""
    longer = (test.score for test in outcome.longer)
    for score in (outcome.score, outcome.train_score, *outcome.curve.score, *longer):
        if score is not None and not scale.contains(score):
            low, high = scale.range
            raise ValueError(
                f"a score of {score:g} lies outside of its measure's range, {low:g} to {high:g}; "
                "if it can be that, the task has to declare a score_range"
            )
    return scale


def make_cost(seconds: float, memory: int) -> Cost:
    """Return the cost of a run that ends now: seconds, and peak memory in bytes."""
    return Cost(
        seconds=seconds,
        peak_memory=memory,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def is_out_of_memory(error: BaseException | str) -> bool:
    """Return whether an error means out of memory; on a CPU torch raises no special error for it."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def make_failed_record(job: Job, reason: str, memory: bool = False) -> Record:
    """Return the record of a job of one member without a result: out of memory, or failed for this reason."""
    return Record(
        unit_id=job.unit.id,
        unit=job.unit,
        member=job.members[0],
        verdict="out_of_memory" if memory else "failed",
        reason=None if memory else reason,
        score=None,
        test_loss=None,
        scale=find_scale(job.unit),
        steps=0,
        steps_to_solve=None,
        curve=Curve(step=[], loss=[], score=[]),
        sizes={},
        parameters=0,
        scan="none",
        provenance=job.provenance,
        cost=make_cost(0.0, 0),
    )


def find_scale(unit: Unit) -> Scale:
    """Return the scale of a unit's scores; a default if its task can't be built."""
    try:
        return make_scale(TASKS[unit.task](lag=unit.lag, **unit.task_options))
    except Exception:
        return Scale(measure="not known", higher_is_better=True, chance=0.0, threshold=1.0)
