"""One loop for all tasks and all models: members side by side, each as if it were alone.

A member leaves the stack when three validations in a row found it solved, by the margin that its budget asks for, or
when it is no longer finite; the others are not affected. The validation set and the test set are fixed, and a member is
tested once, when it leaves; where the budget names further lags, it is then tested at these, too.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite, nan
from time import perf_counter
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn import functional as F

from seqbench.axes import Outputs, PerMember
from seqbench.errors import describe
from seqbench.models import MODELS
from seqbench.models.base import Model
from seqbench.protocol.settings import PATIENCE
from seqbench.records.schema import Budget, Curve, LongerTest, Member, RunVerdict
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.training.checkpoint import Checkpoint
from seqbench.training.cuda_graph import CudaGraph
from seqbench.training.feed import Feed, Folded, draw, encode
from seqbench.training.stack import Stack, Weights

TOKENS_AT_ONCE = 2**17  # in one forward pass of an evaluation: bounds its memory


def predict(task: Task, model: Model, x: Float[Tensor, "E B T *V"], answers: int) -> Outputs:
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


def compute_losses(
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


def take_step(
    task: Task,
    stack: Stack,
    clip: float,
    x: Shaped[Tensor, "E B T *D"],
    y: Shaped[Tensor, "E B A *C"],
    mask: Bool[Tensor, "E B A"],
    t: int | Float[Tensor, ""],
) -> None:
    """Take step t = 1, 2, … of training; all of it is done on the device, and the host need not wait for any of it."""
    output = predict(task, stack.model, encode(task, x, stack.theta.dtype), y.shape[2])
    loss = compute_losses(task, output, y, mask)
    stack.step(stack.gradient(loss), t, clip)


@torch.no_grad()
def evaluate(
    task: Task, model: Model, data: Folded, E: int, tokens_at_once: int = TOKENS_AT_ONCE
) -> tuple[list[float], list[float]]:
    """Return each member's loss and score on data that all share (their E is 1)."""
    length, answers = data.x.shape[2], data.y.shape[2]
    dtype = next(model.parameters()).dtype
    part = max(1, tokens_at_once // (E * length))
    outputs = []
    model.eval()
    for start in range(0, data.x.shape[1], part):
        x = encode(task, data.columns(start, start + part).x, dtype)
        outputs.append(predict(task, model, x.expand(E, *x.shape[1:]), answers))
    model.train()
    output = torch.cat(outputs, dim=1)
    y, mask = data.y, data.mask
    # One member after the other: what a loss needs by the way is as large as the output.
    loss = torch.cat([compute_losses(task, o[None], y, mask) for o in output])
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
    longer: list[LongerTest] = field(default_factory=list)

    def note_validation(self, task: Task, step: int, loss: float, score: float) -> None:
        """Note a validation."""
        self.steps = step
        self.curve.step.append(step)
        self.curve.loss.append(loss if isfinite(loss) else None)
        self.curve.score.append(score if isfinite(score) else None)
        if not (isfinite(loss) and isfinite(score)):
            self.verdict = "diverged"
        if self.steps_to_solve is None and self.stands(task.is_solved):
            self.steps_to_solve = self.curve.step[-PATIENCE]

    def stands(self, holds: Callable[[float], bool]) -> bool:
        """Return whether a predicate holds for the scores of the last three validations."""
        last = self.curve.score[-PATIENCE:]
        return len(last) == PATIENCE and all(s is not None and holds(s) for s in last)

    def is_settled(self, task: Task, margin: float = 0.0) -> bool:
        """Return whether the member need not train on: it diverged, or is solved by a margin."""
        solved = not task.graded and self.stands(lambda score: task.is_solved(score, margin))
        return solved or self.verdict == "diverged"

    @property
    def is_tested_longer(self) -> bool:
        """Return whether the run is tested at further lags: one that is reported, and did not diverge."""
        return self.member.role in ("reporting", "second") and self.verdict != "diverged"

    def note_test(self, task: Task, loss: float, score: float) -> None:
        """Note the test with the last weights: the only one at the lag of the training."""
        if self.verdict == "diverged" or not (isfinite(loss) and isfinite(score)):
            self.verdict = "diverged"
            return
        self.test_loss, self.score = loss, score
        self.verdict = "solved" if task.is_solved(score) else "not_solved"


class Training:
    """A stack of members in training, and what became of each so far.

    Attributes
    ----------
    outcomes
        Of all members, in their order.
    rows
        Which of them are still in the stack: row e of the stack is member ``rows[e]``.
    step
        How many steps were taken.
    """

    def __init__(
        self,
        task: Task,
        model: Model,
        members: Sequence[Member],
        budget: Budget,
        device: torch.device,
    ) -> None:
        self.task, self.model, self.budget, self.device = task, model, budget, device
        self.outcomes = [Outcome(member) for member in members]
        self.rows, self.step = list(range(len(members))), 0
        self.stack = Stack(model, [member.learning_rate for member in members])
        self.validation = draw(task, "validation", [0], 0, budget.validation_size, device)
        self.test = draw(task, "test", [0], 0, budget.test_size, device)
        # Where the training set is finite, the score on it less that on the test set is the gap.
        self.train = draw(task, "train", [0], 0, budget.test_size, device) if task.graded else None

    @property
    def running(self) -> list[Outcome]:
        """The outcomes of the members in the stack, by its rows."""
        return [self.outcomes[row] for row in self.rows]

    def note_validation(self) -> None:
        """Evaluate every running member on the validation set."""
        found = evaluate(self.task, self.model, self.validation, len(self.rows))
        for outcome, *result in zip(self.running, *found, strict=True):
            outcome.note_validation(self.task, self.step, *result)

    def list_leaving(self) -> list[int]:
        """Return the rows of the members that need not train on; after the last step all."""
        last = self.step == self.budget.steps
        return [
            e
            for e, one in enumerate(self.running)
            if last or one.is_settled(self.task, self.budget.margin)
        ]

    def note_test(self, leaving: Sequence[int]) -> None:
        """Evaluate the members that leave on the test set, and on training data where that is finite."""
        running = self.running
        losses, scores = evaluate(self.task, self.model, self.test, len(running))
        for e in leaving:
            running[e].note_test(self.task, losses[e], scores[e])
        if self.train is not None:
            _, scores = evaluate(self.task, self.model, self.train, len(running))
            for outcome, score in zip(running, scores, strict=True):
                outcome.train_score = score if isfinite(score) else None
        self.note_longer_tests([e for e in leaving if running[e].is_tested_longer])

    def note_longer_tests(self, rows: Sequence[int]) -> None:
        """Evaluate some members at further lags, on as many sequences as a validation has."""
        if not (rows and self.budget.longer):
            return
        model = self.stack.copy(torch.tensor(rows, device=self.device)).model
        for lag in self.budget.longer:
            found = self.evaluate_at(lag, model, len(rows))
            for e, loss, score in zip(rows, *found, strict=True):
                finite = isfinite(loss) and isfinite(score)
                test = LongerTest(
                    lag=lag, score=score if finite else None, loss=loss if finite else None
                )
                self.running[e].longer.append(test)

    def evaluate_at(self, lag: int, model: Model, E: int) -> tuple[list[float], list[float]]:
        """Return each member's loss and score at another lag than that of the training.

        They are not numbers where a user-defined model or task fails there: some have a longest sequence, which is no
        fault at the lag of the training.
        """
        try:
            task = self.task.at(lag)
            data = draw(task, "test", [0], 0, self.budget.validation_size, self.device)
            return evaluate(task, model, data, E)
        except (MemoryError, torch.OutOfMemoryError, torch.AcceleratorError):
            raise
        except Exception as error:
            name = self.model.name
            if not (MODELS.is_user_defined(name) or TASKS.is_user_defined(self.task.name)):
                raise
            warnings.warn(f"{name} has no test at lag {lag}: {describe(error)}", stacklevel=2)
            return [nan] * E, [nan] * E

    def drop(self, leaving: Sequence[int]) -> Int[Tensor, " K"]:
        """Let members leave the stack; return the rows of those that stay."""
        staying = [e for e in range(len(self.rows)) if e not in leaving]
        self.rows = [self.rows[e] for e in staying]
        kept = torch.tensor(staying, device=self.device)
        self.stack.keep(kept)
        return kept

    # A checkpoint is what a training needs to go on: outcomes, the next step, and the tables of the running members.

    def state(self) -> dict[str, Any]:
        """Return the content of a checkpoint."""
        outcomes = OUTCOMES.dump_json(self.outcomes).decode()
        return {
            "step": self.step,
            "rows": self.rows,
            "tables": self.stack.tables,
            "outcomes": outcomes,
        }

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint, if there is one of these members."""
        if not (state := checkpoint.load(self.check_state)):
            return
        self.outcomes, self.step, self.rows = state.outcomes, state.step, state.rows
        self.stack.keep(torch.tensor(self.rows, device=self.device))
        for table, saved in zip(self.stack.tables, state.tables, strict=True):
            table.copy_(saved)

    def check_state(self, state: dict[str, Any]) -> "Resumed":
        """Return the content of a checkpoint; raise ``ValueError`` if it is of another training."""
        found = Resumed(
            OUTCOMES.validate_json(state["outcomes"]), state["step"], state["rows"], state["tables"]
        )
        if [outcome.member for outcome in found.outcomes] != [o.member for o in self.outcomes]:
            raise ValueError("it is of other members")
        if not 0 < found.step < self.budget.steps or not set(found.rows) <= set(self.rows):
            raise ValueError("it is of another budget")
        wanted = [(len(found.rows), *table.shape[1:]) for table in self.stack.tables]
        if [tuple(saved.shape) for saved in found.tables] != wanted:
            raise ValueError("its tables have other shapes")
        return found


class Resumed(NamedTuple):
    """The content of a checkpoint."""

    outcomes: list[Outcome]
    step: int
    rows: list[int]
    tables: list[Tensor]


Progress = Callable[[int], Any]
OnFinish = Callable[[Member, Weights], Any]
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
    on_finish: OnFinish = lambda member, weights: None,
) -> list[Outcome]:
    """Train the members side by side; return what became of each, in their order.

    Parameters
    ----------
    model
        Built from the seeds of the members, on the device.
    progress
        Called with the number of steps done, at every validation.
    checkpoint
        Where the state is saved at validations, and found again.
    on_finish
        Called with each member when it leaves the stack, and its last weights.
    """
    training = Training(task, model, members, budget, device)
    training.resume(checkpoint)
    feed = Feed(task, [outcome.member.seed for outcome in training.running], budget, device)
    advance = CudaGraph(partial(take_step, task, training.stack, budget.clip), device)
    since = perf_counter()
    for t in range(training.step, budget.steps):
        data = feed.step(t)
        advance(data.x, data.y, data.mask, t + 1)
        training.step = t + 1
        if training.step < budget.steps and training.step % budget.validate_every:
            continue
        training.note_validation()
        if leaving := training.list_leaving():
            training.note_test(leaving)
            for e in leaving:
                on_finish(training.running[e].member, training.stack.weights(e))
        now = perf_counter()
        for outcome in training.running:
            outcome.seconds += (now - since) / len(training.running)
        since = now
        progress(training.step)
        if len(leaving) == len(training.rows):
            break
        if leaving:
            feed.keep(training.drop(leaving))
            advance.reset()
        if checkpoint.due:
            checkpoint.save(training.state())
    return training.outcomes
