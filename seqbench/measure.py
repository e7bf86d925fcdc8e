"""One job: build the task and the model, train the members, write down what became of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cloudpickle
import torch

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput
from seqbench.machine import Peak, precision, products_in
from seqbench.models import MODELS
from seqbench.models.base import count, matched
from seqbench.random import Keys
from seqbench.records import Cost, Curve, Member, Provenance, Record, Scale, Unit, digest
from seqbench.snapshot import Snapshot
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.text import cut
from seqbench.train import train

Forward = Callable[[Sequences, int], Outputs]


@dataclass(frozen=True)
class Job:
    """Members of one unit, to be trained side by side, and all that a worker must know of them.

    ``guests`` holds tasks and models that were passed as objects, pickled with their code; ``aside`` is the folder in
    which a long job lays its state, if it is to be taken up again after a kill.
    """

    unit: Unit
    members: tuple[Member, ...]
    provenance: Provenance
    scan: str = "auto"
    guests: bytes = b""
    aside: str = ""

    @property
    def snapshot(self) -> Snapshot:
        """Return where the state of the job is laid aside: a state of other code or of another machine is not found."""
        if not self.aside or self.provenance.dirty or self.guests:  # no commit names that code
            return Snapshot()
        what = [self.unit, self.provenance, *self.members]
        name = digest([self.scan, *(part.model_dump(mode="json") for part in what)])
        return Snapshot(Path(self.aside, f"{name}.pt"))

    def __str__(self) -> str:
        seeds = ",".join(dict.fromkeys(str(member.seed) for member in self.members))
        unit = self.unit
        return f"{unit.task_spelled} lag {unit.lag} {unit.model_spelled} seeds {seeds}"


def guests(tasks: Sequence[type[Task]], models: Sequence[Any]) -> bytes:
    """Pickle tasks and models that were passed as objects."""
    return cloudpickle.dumps((list(tasks), list(models))) if tasks or models else b""


def welcome(pickled: bytes) -> None:
    """Take guests into the catalogues of this process."""
    if not pickled:
        return
    tasks, models = cloudpickle.loads(pickled)
    for catalogue, entries in ((TASKS, tasks), (MODELS, models)):
        for entry in entries:
            catalogue.add(entry)


def measure(job: Job, progress: Callable[[int], Any] = lambda step: None) -> list[Record]:
    """Return a record for each member of the job.

    A stack that fails, for want of memory or for a fault in a model, is tried again in halves, so that in the end
    the member alone that fails is recorded as failed.

    Raises
    ------
    BadInput
        What the user got wrong is no measurement.
    torch.AcceleratorError
        The device is lost to this process, and whatever runs here next would fail, too.
    """
    welcome(job.guests)
    try:
        return _measure(job, progress)
    except (BadInput, torch.AcceleratorError):
        raise
    except Exception as error:
        if len(job.members) == 1:
            return [failed(job, error)]
    half = len(job.members) // 2
    parts = (job.members[:half], job.members[half:])
    return [r for part in parts for r in measure(replace(job, members=part), progress)]


def build(
    unit: Unit, task: Task, seeds: Sequence[int], device: torch.device
) -> tuple[Any, dict[str, int]]:
    """Return the model of a unit with a member for each seed, and the sizes that match its parameters."""
    precision(unit.precision, device.type)
    model = MODELS[unit.model]
    shape: dict[str, Any] = {
        "inputs": task.inputs,
        "outputs": task.outputs,
        "layers": unit.layers,
        "causal": task.causal,
        **unit.model_options,
    }
    sizes = matched(model, unit.parameters, **shape)
    seed = torch.tensor(seeds, device=device)
    keys = Keys(unit.model, unit.model_version, "weights", seed, torch.zeros_like(seed))
    built = model(keys, **shape, **sizes)
    if unit.precision == "float64":
        built.double()
    if unit.precision == "bfloat16":
        built.forward = in_bfloat16(built.forward, device)
    return built, sizes


def in_bfloat16(forward: Forward, device: torch.device) -> Forward:
    """Return a forward pass with products in bfloat16, and with outputs in float32 again, for the loss.

    The kernels of cuDNN for whole recurrences are float16 under autocast, whatever it is told: not for the scan
    ``native``.
    """

    def lowered(x: Sequences, answers: int) -> Outputs:
        with torch.autocast(device.type, torch.bfloat16):
            return forward(x, answers).float()

    return lowered


def scan_in(precision: str, scan: str) -> str:
    """Return the scan that is taken in a precision.

    Raises
    ------
    BadInput
        Where it would compute in another one: see ``in_bfloat16``, and ``ensemble`` keeps to that of its weights.
    """
    if precision != "bfloat16" or scan in ("fused", "reference"):
        return scan
    if scan == "auto":
        return "reference"
    raise BadInput(f"scan '{scan}' can't run in bfloat16; choose from: auto, fused, reference")


def _measure(job: Job, progress: Callable[[int], Any]) -> list[Record]:
    unit, device = job.unit, torch.device(job.provenance.device)
    peak = Peak(job.provenance.device)
    task = TASKS[unit.task](lag=unit.lag, **unit.task_options)
    model, sizes = build(unit, task, [member.seed for member in job.members], device)
    model.scan = scan_in(unit.precision, job.scan)
    with products_in(unit.precision):
        outcomes = train(task, model, job.members, unit.budget, device, progress, job.snapshot)
    return [
        Record(
            unit_id=unit.id,
            unit=unit,
            member=outcome.member,
            verdict=outcome.verdict,
            score=outcome.score,
            test_loss=outcome.test_loss,
            train_score=outcome.train_score,
            scale=scale(task),
            steps=outcome.steps,
            steps_to_solve=outcome.steps_to_solve,
            curve=outcome.curve,
            sizes=sizes,
            parameters=count(model),
            scan=getattr(model, "scanned", "none"),
            provenance=job.provenance,
            cost=cost(outcome.seconds, peak.bytes()),
        )
        for outcome in outcomes
    ]


def scale(task: Task) -> Scale:
    """Return how the scores of a task are read."""
    return Scale(
        measure=cut(task.measure),
        higher_is_better=task.higher_is_better,
        chance=task.chance,
        threshold=task.threshold,
    )


def cost(seconds: float, memory: int) -> Cost:
    """Return what a run cost, as of now."""
    return Cost(
        seconds=seconds,
        peak_memory=memory,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def no_memory(error: BaseException | str) -> bool:
    """Return whether memory was wanting; on a CPU torch has no error of its own for it."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def failed(job: Job, error: BaseException | str) -> Record:
    """Return the record of a job of one member that gave no result."""
    memory = no_memory(error)
    reason = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    task = TASKS[job.unit.task](lag=job.unit.lag, **job.unit.task_options)
    return Record(
        unit_id=job.unit.id,
        unit=job.unit,
        member=job.members[0],
        verdict="out_of_memory" if memory else "failed",
        reason=None if memory else cut(reason.partition("\n")[0]),
        score=None,
        test_loss=None,
        scale=scale(task),
        steps=0,
        steps_to_solve=None,
        curve=Curve(step=[], loss=[], score=[]),
        sizes={},
        parameters=0,
        scan="none",
        provenance=job.provenance,
        cost=cost(0.0, 0),
    )
