r"""One loop for all tasks and all models: members side by side, each as if it were alone.

The parameters of the members lie in one table :math:`\theta` of shape (E, P), a row each, and so do the gradient and
the moments of Adam. A step, for every member at once:

.. math::
    g &\leftarrow g \cdot \min(1,\ \mathrm{clip} / \lVert g \rVert) \\
    m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
    \theta &\leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

Norm, clipping and learning rate are a member's own; so is its end. A member leaves the stack when three validations
in a row found it solved, or when it is no longer finite; the others go on and do not notice. The validation set and
the test set are fixed, and a member meets the test set once, when it leaves.

Source: Kingma and Ba (2015) for Adam.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn import functional as F

from seqbench.axes import Outputs, PerMember
from seqbench.models.base import Model
from seqbench.protocol.settings import BETAS, EPSILON, PATIENCE
from seqbench.random import Keys
from seqbench.records.schema import Budget, Curve, Member, RunVerdict
from seqbench.tasks.base import Split, Task
from seqbench.training.checkpoint import Checkpoint
from seqbench.training.cuda_graph import CudaGraph

NUMBERS_AT_ONCE = 2**18  # of input data drawn in one go: random numbers come cheaper in bulk
NUMBERS_ON_A_GPU = 2**22  # where the launch of a kernel costs more than what it does
TOKENS_AT_ONCE = 2**17  # in one forward pass of an evaluation: bounds its memory

Weights = dict[str, Tensor]  # a member's parameters and buffers, by name


class Stack:
    """The members in training: a model, and its state as tables with a row for each member.

    Parameters
    ----------
    model
        Every parameter and buffer leads with the member axis E.
    rates
        The learning rate of each member.
    """

    def __init__(self, model: Model, rates: Sequence[float]) -> None:
        self.model = model
        rows = [p.detach().reshape(len(p), -1) for p in model.parameters()]
        self.theta = torch.cat(rows, dim=1)  # (E, P)
        self.m = torch.zeros_like(self.theta)
        self.v = torch.zeros_like(self.theta)
        self.rate = torch.tensor(rates, dtype=self.theta.dtype, device=self.theta.device)[:, None]
        self._share()
        if not any(p.requires_grad for p in self.parameters):
            raise ValueError("no parameter of the model is to be trained: all of them are frozen")

    def _share(self) -> None:
        """Let every parameter be a view of the table; a new one, since autograd remembers the shape of the old."""
        old = list(self.model.parameters())
        parts = self.theta.split([p[0].numel() for p in old], dim=1)
        self.parameters = [
            nn.Parameter(part.view(-1, *p.shape[1:]), p.requires_grad)
            for p, part in zip(old, parts, strict=True)
        ]
        new = dict(zip(old, self.parameters, strict=True))
        for module in self.model.modules():
            for name, p in list(module.named_parameters(recurse=False, remove_duplicate=False)):
                setattr(module, name, new[p])

    def gradient(self, loss: PerMember) -> Float[Tensor, "E P"]:
        """Return the gradient of each member's loss by its own parameters."""
        trained = [p for p in self.parameters if p.requires_grad]
        found = iter(torch.autograd.grad(loss.sum(), trained, materialize_grads=True))
        # Of 0 for a frozen parameter, which Adam then leaves as it is.
        parts = [next(found) if p.requires_grad else torch.zeros_like(p) for p in self.parameters]
        return torch.cat([part.reshape(len(part), -1) for part in parts], dim=1)

    @torch.no_grad()
    def step(self, g: Float[Tensor, "E P"], t: int | Float[Tensor, ""], clip: float) -> None:
        """Take Adam's step t = 1, 2, … along the gradient, clipped member by member."""
        beta1, beta2 = BETAS
        norm = g.norm(dim=1, keepdim=True)  # (E, 1)
        g = g * (clip / norm.clamp(min=clip))
        self.m.lerp_(g, 1 - beta1)
        self.v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = (self.v / (1 - beta2**t)).sqrt_().add_(EPSILON)
        self.theta.addcdiv_(self.m * (self.rate / (1 - beta1**t)), root, value=-1)

    @property
    def tables(self) -> list[Tensor]:
        """Return all that a step changes, a row a member."""
        return [self.theta, self.m, self.v, *self.model.buffers()]

    def weights(self, e: int) -> Weights:
        """Return what the model knows of member e, by name: a copy of its parameters and buffers."""
        return {name: table[e].clone() for name, table in self.model.state_dict().items()}

    def keep(self, rows: Int[Tensor, " K"]) -> None:
        """Let all members go but these."""
        self.theta, self.m, self.v = self.theta[rows], self.m[rows], self.v[rows]
        self.rate = self.rate[rows]
        for buffer in self.model.buffers():
            buffer.data = buffer.data[rows]
        self._share()


@dataclass(frozen=True)
class Folded:
    """Sequences folded to members and batches: x ``(E, B, T, …)``, y ``(E, B, A, …)``, mask ``(E, B, A)``."""

    x: Shaped[Tensor, "E B T *D"]
    y: Shaped[Tensor, "E B A *C"]
    mask: Bool[Tensor, "E B A"]

    def rows(self, rows: Int[Tensor, " K"]) -> "Folded":
        """Return the data of these members."""
        return Folded(self.x[rows], self.y[rows], self.mask[rows])

    def columns(self, start: int, stop: int) -> "Folded":
        """Return these sequences of every member."""
        return Folded(self.x[:, start:stop], self.y[:, start:stop], self.mask[:, start:stop])


def draw(
    task: Task, split: Split, seeds: Sequence[int], start: int, stop: int, device: torch.device
) -> Folded:
    """Return the sequences ``start … stop - 1`` of each seed."""
    return drawn(task, split, torch.tensor(seeds, device=device), start, stop)


def drawn(task: Task, split: Split, seeds: Int[Tensor, " E"], start: int, stop: int) -> Folded:
    """Return the sequences ``start … stop - 1`` of each seed, on the device where the seeds lie."""
    shape = (len(seeds), stop - start)
    seed = seeds[:, None].expand(shape).flatten()
    index = torch.arange(start, stop, device=seeds.device).expand(shape).flatten()
    batch = task.sample(Keys(task.name, task.version, split, seed, index))
    return Folded(*(part.unflatten(0, shape) for part in (batch.x, batch.y, batch.mask)))


class Feed:
    """The training data of the members, several steps drawn at once."""

    def __init__(
        self, task: Task, seeds: Sequence[int], budget: Budget, device: torch.device
    ) -> None:
        self.task, self.seeds = task, torch.tensor(seeds, device=device)
        self.batch, self.steps = budget.batch, budget.steps
        one = drawn(task, "train", self.seeds[:1], 0, 1).x.numel()
        numbers = NUMBERS_AT_ONCE if device.type == "cpu" else NUMBERS_ON_A_GPU
        self.chunk = max(1, numbers // (one * len(seeds) * self.batch))
        self.start = self.stop = 0

    def step(self, t: int) -> Folded:
        """Return the data of step t, counted from 0."""
        if not self.start <= t < self.stop:
            self.start, self.stop = t, min(t + self.chunk, self.steps)
            first, last = t * self.batch, self.stop * self.batch
            self.data = drawn(self.task, "train", self.seeds, first, last)
        first = (t - self.start) * self.batch
        return self.data.columns(first, first + self.batch)

    def keep(self, rows: Int[Tensor, " K"]) -> None:
        """Let all members go but these."""
        self.seeds, self.data = self.seeds[rows], self.data.rows(rows)


def encoded(
    task: Task, x: Shaped[Tensor, "E B T *D"], dtype: torch.dtype = torch.float32
) -> Float[Tensor, "E B T *V"]:
    """Return what a model reads: symbols become one-hot vectors, values stay what they are."""
    if x.is_floating_point():
        return x.to(dtype)
    assert isinstance(task.inputs, int)
    return torch.eye(task.inputs, dtype=dtype, device=x.device)[x]


def answered(task: Task, model: Model, x: Float[Tensor, "E B T *V"], answers: int) -> Outputs:
    """Return what a model answers; raise at any other shape, since torch would broadcast it against the answers."""
    output = model(x, answers)
    if not isinstance(output, Tensor):
        raise TypeError(
            f"model '{model.name}' gives a {type(output).__name__}; it must give a tensor"
        )
    wanted = (*x.shape[:2], answers, task.outputs)
    if output.shape != wanted:
        raise ValueError(
            f"model '{model.name}' gives {tuple(output.shape)}; it must give (E, B, A, C), here {wanted}"
        )
    return output


def losses(
    task: Task, output: Outputs, y: Shaped[Tensor, "E B A *C"], mask: Bool[Tensor, "E B A"]
) -> PerMember:
    """Return each member's mean loss over the answers due."""
    if task.loss == "cross_entropy":
        each = F.cross_entropy(output.flatten(0, 2), y.flatten(), reduction="none").view(y.shape)
    elif task.loss == "binary_cross_entropy":
        y = y.to(output.dtype)  # torch would give the loss the type of the answers
        each = F.binary_cross_entropy_with_logits(output, y, reduction="none").mean(dim=-1)
    else:
        each = (output - y).square().mean(dim=-1)
    return (each * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))


def step(
    task: Task,
    stack: Stack,
    clip: float,
    x: Shaped[Tensor, "E B T *D"],
    y: Shaped[Tensor, "E B A *C"],
    mask: Bool[Tensor, "E B A"],
    t: int | Float[Tensor, ""],
) -> None:
    """Take step t = 1, 2, … of training; all of it is done on the device, and the host need not wait for any of it."""
    output = answered(task, stack.model, encoded(task, x, stack.theta.dtype), y.shape[2])
    loss = losses(task, output, y, mask)
    stack.step(stack.gradient(loss), t, clip)


@torch.no_grad()
def evaluate(task: Task, model: Model, data: Folded, E: int) -> tuple[list[float], list[float]]:
    """Return each member's loss and score on data that all share (their E is 1)."""
    length, answers = data.x.shape[2], data.y.shape[2]
    dtype = next(model.parameters()).dtype
    part = max(1, TOKENS_AT_ONCE // (E * length))
    outputs = []
    model.eval()
    for start in range(0, data.x.shape[1], part):
        x = encoded(task, data.columns(start, start + part).x, dtype)
        outputs.append(answered(task, model, x.expand(E, *x.shape[1:]), answers))
    model.train()
    output = torch.cat(outputs, dim=1)
    y, mask = data.y, data.mask
    # One member after the other: what a loss needs by the way is as large as the output.
    loss = torch.cat([losses(task, o[None], y, mask) for o in output])
    score = torch.cat([task.score(o[None], y, mask) for o in output])
    return loss.tolist(), score.tolist()


@dataclass
class Outcome:
    """What became of one member."""

    member: Member
    verdict: RunVerdict = "not_solved"
    score: float | None = None
    test_loss: float | None = None
    train_score: float | None = None
    steps: int = 0
    steps_to_solve: int | None = None
    seconds: float = 0.0
    curve: Curve = field(default_factory=lambda: Curve(step=[], loss=[], score=[]))

    def validated(self, task: Task, step: int, loss: float, score: float) -> None:
        """Note a validation."""
        self.steps = step
        self.curve.step.append(step)
        self.curve.loss.append(loss if isfinite(loss) else None)
        self.curve.score.append(score if isfinite(score) else None)
        if not (isfinite(loss) and isfinite(score)):
            self.verdict = "diverged"
        last = self.curve.score[-PATIENCE:]
        stands = len(last) == PATIENCE and all(s is not None and task.is_solved(s) for s in last)
        if stands and self.steps_to_solve is None:
            self.steps_to_solve = self.curve.step[-PATIENCE]

    def settled(self, task: Task) -> bool:
        """Return whether the member need not train on."""
        solved = self.steps_to_solve is not None and not task.graded
        return solved or self.verdict == "diverged"

    def tested(self, task: Task, loss: float, score: float) -> None:
        """Note the test: the only one."""
        if self.verdict == "diverged" or not (isfinite(loss) and isfinite(score)):
            self.verdict = "diverged"
            return
        self.test_loss, self.score = loss, score
        self.verdict = "solved" if task.is_solved(score) else "not_solved"


class Resumed(NamedTuple):
    """A training in the middle: what was noted so far, the next step, and the tables of the members still in it."""

    outcomes: list[Outcome]
    step: int
    rows: list[int]
    tables: list[Tensor]


def fitted(
    stack: Stack, members: Sequence[Member], budget: Budget, state: dict[str, Any]
) -> Resumed:
    """Return the training that a checkpoint holds; raise where it is none of these members."""
    found = Resumed(
        OUTCOMES.validate_json(state["outcomes"]), state["step"], state["rows"], state["tables"]
    )
    if [outcome.member for outcome in found.outcomes] != list(members):
        raise ValueError("it is of other members")
    if not 0 < found.step < budget.steps or not set(found.rows) <= set(range(len(members))):
        raise ValueError("it is of another budget")
    wanted = [(len(found.rows), *table.shape[1:]) for table in stack.tables]
    if [tuple(saved.shape) for saved in found.tables] != wanted:
        raise ValueError("its tables have other shapes")
    return found


Progress = Callable[[int], Any]
Hold = Callable[[Member, Weights], Any]
OUTCOMES = TypeAdapter(list[Outcome])
NEVER = Checkpoint()


def train(
    task: Task,
    model: Model,
    members: Sequence[Member],
    budget: Budget,
    device: torch.device,
    progress: Progress = lambda step: None,
    checkpoint: Checkpoint = NEVER,
    hold: Hold = lambda member, weights: None,
) -> list[Outcome]:
    """Train the members side by side; return what became of each, in their order.

    Parameters
    ----------
    model
        Built from the seeds of the members, on the device.
    progress
        Called with the number of steps done, at every validation.
    checkpoint
        Where the state is laid aside at validations, and found again.
    hold
        Called with each member when it leaves the stack, and its last weights.
    """
    outcomes = [Outcome(member) for member in members]
    stack = Stack(model, [member.learning_rate for member in members])
    validation = draw(task, "validation", [0], 0, budget.validation_size, device)
    test = draw(task, "test", [0], 0, budget.test_size, device)
    # What was seen in training, where that is a finite set: the score on it less that of the test is the gap.
    seen = draw(task, "train", [0], 0, budget.test_size, device) if task.graded else None
    first, rows = 0, list(range(len(members)))
    if resumed := checkpoint.load(partial(fitted, stack, members, budget)):
        outcomes, first, rows = resumed.outcomes, resumed.step, resumed.rows
        stack.keep(torch.tensor(rows, device=device))
        for table, saved in zip(stack.tables, resumed.tables, strict=True):
            table.copy_(saved)
    inside = [outcomes[row] for row in rows]  # row e of the stack is inside[e]
    feed = Feed(task, [outcome.member.seed for outcome in inside], budget, device)
    advance = CudaGraph(partial(step, task, stack, budget.clip), device)
    since = perf_counter()
    for t in range(first, budget.steps):
        data = feed.step(t)
        advance(data.x, data.y, data.mask, t + 1)
        last = t + 1 == budget.steps
        if not last and (t + 1) % budget.validate_every:
            continue
        found = evaluate(task, model, validation, len(inside))
        for outcome, *result in zip(inside, *found, strict=True):
            outcome.validated(task, t + 1, *result)
        leaving = [e for e, outcome in enumerate(inside) if last or outcome.settled(task)]
        if leaving:
            found = evaluate(task, model, test, len(inside))
            for outcome, *result in zip(inside, *found, strict=True):
                if last or outcome.settled(task):
                    outcome.tested(task, *result)
            if seen is not None:
                _, scores = evaluate(task, model, seen, len(inside))
                for outcome, score in zip(inside, scores, strict=True):
                    outcome.train_score = score if isfinite(score) else None
            for e in leaving:
                hold(inside[e].member, stack.weights(e))
        now = perf_counter()
        for outcome in inside:
            outcome.seconds += (now - since) / len(inside)
        since = now
        progress(t + 1)
        staying = [e for e in range(len(inside)) if e not in leaving]
        if not staying:
            break
        if leaving:
            rows, inside = [rows[e] for e in staying], [inside[e] for e in staying]
            kept = torch.tensor(staying, device=device)
            stack.keep(kept)
            feed.keep(kept)
            advance.forget()
        if checkpoint.due:
            noted = OUTCOMES.dump_json(outcomes).decode()
            checkpoint.save(
                {"step": t + 1, "rows": rows, "tables": stack.tables, "outcomes": noted}
            )
    return outcomes
