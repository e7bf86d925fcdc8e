r"""The time of one step: to train a model, to run it on whole sequences, and to stream sequences through it.

A step is taken on B sequences of T steps by each of E members, in one of three phases:

``training``
    The trainer's own step: forward, loss, backward, clipping, Adam.
``inference``
    Forward over whole sequences, with the answers that the task asks for.
``streaming``
    Forward over whole sequences, one token of each at a time, with an answer to every one (``models/streaming.py``).

Data is drawn beforehand and not timed. Every model that can be causal is built causal, so that the model that is
trained can also be streamed. A token is one time step of one sequence of one member:

.. math::
    \text{seconds per token} = \frac{\text{seconds per step}}{E \cdot B \cdot T}

Steps of one length and batch are timed in turns, round by round, so that other load on the machine affects all of them
alike; a row holds the median over the rounds and the quartiles. Memory is the peak of the process (on a GPU: of the
device) minus what it held before the model was built. Where a kernel is compiled, the time to compile it is the time of
the very first step minus the median; a kernel that is already in this process or in a cache on the disk is not compiled
again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import median
from time import perf_counter
from typing import NamedTuple, get_args

import torch

from seqbench import machine
from seqbench.errors import BadInput
from seqbench.machine import set_product_precision
from seqbench.measure.job import build, is_out_of_memory, resolve_scan
from seqbench.measure.roofline import UPDATED, Work, count_work, measure_ceilings
from seqbench.models import MODELS
from seqbench.models.sizing import count
from seqbench.models.streaming import stream
from seqbench.protocol.settings import Setting
from seqbench.random import Keys
from seqbench.records.schema import Phase, Precision, Roofline, Unit
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.tasks.moving_shapes import MOVING
from seqbench.training.cuda_graph import WARM_UP as UNCAPTURED
from seqbench.training.cuda_graph import CudaGraph
from seqbench.training.feed import draw, encode
from seqbench.training.loop import take_step
from seqbench.training.stack import Stack
from seqbench.values.variants import Value

PHASES: tuple[Phase, ...] = get_args(Phase)
COMPILED = ("fused",)  # the scans that are compiled for a GPU before their first step
RATE = 1e-4  # small, so that the weights hardly change while they are timed
CLIP = 1.0
SAMPLE = 0.02  # seconds that one timing takes at least, in as many steps as it needs
WARM_UP = UNCAPTURED + 2  # steps that are not timed; the first are those before a capture
Say = Callable[[str], object]


@dataclass(frozen=True)
class Case:
    """What is timed: a model with its length, batch, members, scan and precision.

    ``hidden`` is H; None means the H that matches the number of parameters.
    """

    model: str
    length: int
    batch: int
    members: int
    scan: str = "auto"
    hidden: int | None = None
    precision: Precision = "float32"

    @property
    def tokens(self) -> int:
        """Return the number of tokens of one step, E·B·T."""
        return self.members * self.batch * self.length

    @property
    def causal(self) -> bool:
        """Return whether the model looks back only."""
        return not MODELS.facts(self.model).both_ways

    def make_task(self) -> Task:
        """Return the task that provides the data: adding, or moving shapes for a model that reads video."""
        if MODELS.facts(self.model).reads == "video":
            return TASKS["moving-shapes"](lag=self.length - MOVING)
        return TASKS["adding"](lag=self.length)

    def make_unit(self, task: Task, parameters: int) -> Unit:
        """Return the unit from which the model is built, with its number of parameters."""
        setting = Setting(task.name, (task.lag,), steps=1, batch=self.batch, clip=CLIP)
        known = MODELS.facts(self.model)
        options: dict[str, Value] = {"causal": self.causal}
        if self.hidden is not None:
            options["hidden"] = self.hidden
            parameters = self.count_parameters(task, known.layers)
        return Unit(
            task=task.name,
            task_version=task.version,
            lag=task.lag,
            model=self.model,
            model_version=known.version,
            parameters=parameters,
            layers=known.layers,
            model_options=options,
            precision=self.precision,
            budget=setting.make_budget(tuned=True),  # nothing is learned
        )

    def count_parameters(self, task: Task, layers: int) -> int:
        """Return how many parameters a member has with the given H and the model's default for all other sizes."""
        keys = Keys.span(self.model, 1, "weights", 0, 0, 0)
        shape = {"inputs": task.inputs, "outputs": task.outputs, "hidden": self.hidden}
        return count(MODELS[self.model](keys, **shape, layers=layers, causal=self.causal))


Step = tuple[Case, Phase]


class Subject:
    """A model with its data and its optimiser, ready to take steps."""

    def __init__(self, case: Case, parameters: int, device: str) -> None:
        self.case, self.on = case, torch.device(device)
        self.task = case.make_task()
        seeds = range(case.members)
        self.unit = case.make_unit(self.task, parameters)
        self.model, sizes = build(self.unit, self.task, seeds, self.on)
        self.sizes = sizes if case.hidden is None else {"hidden": case.hidden} | sizes
        self.model.use_scan(resolve_scan(case.precision, case.scan))
        self.data = draw(self.task, "train", seeds, 0, case.batch, self.on)
        self.stack = Stack(self.model, [RATE] * case.members)
        self.x = encode(self.task, self.data.x, self.stack.theta.dtype)
        self.advance = CudaGraph(partial(take_step, self.task, self.stack, CLIP), self.on)
        self.steps = 0

    def forward(self) -> torch.Tensor:
        """Return the outputs."""
        return self.model(self.x, self.data.y.shape[2])

    def train_once(self) -> None:
        """Take one training step, as the trainer does."""
        self.steps += 1
        self.advance(self.data.x, self.data.y, self.data.mask, self.steps)

    @torch.no_grad()
    def infer_once(self) -> None:
        """Run one forward pass over the whole sequences."""
        self.forward()

    def stream_once(self) -> None:
        """Run one forward pass, token by token."""
        for _ in stream(self.model, self.x):
            pass

    def select_step(self, phase: Phase) -> Callable[[], None]:
        """Return the function that takes one step of a phase."""
        steps: dict[Phase, Callable[[], None]] = {
            "training": self.train_once,
            "inference": self.infer_once,
            "streaming": self.stream_once,
        }
        return steps[phase]

    def name_scan(self, phase: Phase) -> str:
        """Return the name of the scan of a phase: ``step`` where a recurrence is streamed."""
        name = self.model.scan_name
        return "step" if phase == "streaming" and name != "none" else name

    def time_step(self, phase: Phase, repeats: int) -> float:
        """Return the seconds of one step, the mean of ``repeats`` in a row."""
        once = self.select_step(phase)
        with set_product_precision(self.case.precision):
            self.synchronize()
            since = perf_counter()
            for _ in range(repeats):
                once()
            self.synchronize()
            return (perf_counter() - since) / repeats

    def synchronize(self) -> None:
        """Wait until the device has finished its work."""
        if self.on.type == "cuda":
            torch.cuda.synchronize(self.on)


def is_compiled(scan: str, device: str) -> bool:
    """Return whether a scan is compiled before its first step."""
    return scan in COMPILED and device == "cuda"


class Timed(NamedTuple):
    """The measurements of a step: seconds per token in every round, bytes of memory, and seconds to compile it."""

    seconds: list[float]
    memory: int
    compiling: float | None = None


def time_steps(
    steps: Sequence[Step],
    device: str,
    parameters: int,
    rounds: int = 9,
    say: Say = lambda line: None,
) -> Iterator[tuple[Step, Timed]]:
    """Time steps in turns, and yield the measurements of each.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    parameters
        The number of parameters to which a model is matched if its H is not given.
    rounds
        How often each step is timed; one timing takes at least ``SAMPLE`` seconds.
    say
        Called with a line for each step that is not timed, and why.
    """
    for precision in {case.precision for case, _ in steps}:
        # This also initialises a GPU, so that it is not counted as compiling.
        measure_ceilings(device, precision)
    subjects: dict[Case, Subject] = {}
    first: dict[Step, float] = {}
    memory: dict[Step, int] = {}
    for case in dict.fromkeys(case for case, _ in steps):
        phases = [phase for phase in reversed(PHASES) if (case, phase) in steps]
        try:
            for _ in range(2):  # the first time also fills torch's permanent caches
                for phase, seconds, held in measure_footprint(case, phases, parameters, device):
                    first.setdefault((case, phase), seconds)
                    memory[case, phase] = held
            subjects[case] = Subject(case, parameters, device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            say(
                f"{case.model}, {case.members} members of length {case.length}: no memory left, not timed"
            )
        except BadInput as why:
            say(f"{case.model} is not timed: {why}")
    steps = [step for step in steps if step[0] in subjects]
    repeats = {
        (case, phase): 1 + int(SAMPLE / subjects[case].time_step(phase, WARM_UP))
        for case, phase in steps
    }
    each: dict[Step, list[float]] = {step: [] for step in steps}
    for _ in range(rounds):
        for (case, phase), n in repeats.items():
            each[case, phase].append(subjects[case].time_step(phase, n))
    for (case, phase), times in each.items():
        compiling = None
        if is_compiled(subjects[case].name_scan(phase), device):
            compiling = max(0.0, first[case, phase] - median(times))
        per_token = [time / case.tokens for time in times]
        yield (case, phase), Timed(per_token, memory[case, phase], compiling)


def measure_footprint(
    case: Case, phases: Sequence[Phase], parameters: int, device: str
) -> Iterator[tuple[Phase, float, int]]:
    """Yield the time of a first step of each phase, and the bytes that a model, its data and that step add.

    A peak never falls, so the phase that needs the most memory must come last.
    """
    peak = machine.Peak(device)
    before = peak.read()
    subject = Subject(case, parameters, device)
    for phase in phases:
        seconds = subject.time_step(phase, 1)
        yield phase, seconds, max(0, peak.read() - before)


# The roofline of a step (see ``roofline.py``)


def compute_roofline(step: Step, parameters: int, device: str) -> Roofline:
    """Return the work of a step, and the highest rates of the device."""
    case, phase = step
    on_a_cpu = case.precision if case.precision in machine.ON_A_CPU else "float32"
    one = replace(case, members=1, batch=1, scan="reference", precision=on_a_cpu)
    weights, inputs, needed = count_needs(one, phase, parameters)
    E, B = case.members, case.batch
    touched = UPDATED * weights if phase == "training" else weights
    saved = needed.saved // 2 if case.precision == "bfloat16" else needed.saved  # half of float32
    best = measure_ceilings(device, case.precision)
    return Roofline(
        flops=E * B * needed.flops,
        bytes=E * (touched + B * (inputs + 2 * saved)),
        flops_per_second=best.flops,
        bytes_per_second=best.bytes,
    )


@cache
def count_needs(one: Case, phase: Phase, parameters: int) -> tuple[int, int, Work]:
    """Return the bytes of the parameters and of the input of one sequence of one member, and the work on it."""
    subject = Subject(one, parameters, "cpu")
    data = subject.data
    needed = count_work(
        subject.select_step(phase), [subject.stack.theta, subject.x, data.y, data.mask]
    )
    return subject.stack.theta.nbytes, subject.x.nbytes, needed
