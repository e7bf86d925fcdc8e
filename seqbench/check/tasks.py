"""The checks of tasks; most of them on a batch of many sequences, at a lag that is quick to draw."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seqbench.errors import BadInput
from seqbench.measure.job import make_scale
from seqbench.models import MODELS
from seqbench.random import Keys
from seqbench.records.schema import Budget, Member
from seqbench.tasks.base import Batch, Split, Task
from seqbench.text import LONGEST_LABEL, shorten
from seqbench.training.loop import train

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
MANY = 2_000  # sequences, where a share is estimated
GUESSES = 16
CPU = torch.device("cpu")


def middle(kind: type[Task]) -> Task:
    """Return the task, trained and tested at a lag that is quick to draw."""
    lag = min(max(kind.lags.start, 12), kind.lags[-1])
    return kind(lag=lag).at(lag)


@cache
def many(kind: type[Task], split: Split = "train") -> Batch:
    """Return enough sequences to estimate a share."""
    task = middle(kind)
    return task.sample(task.keys(split, 0, 0, MANY))


def same(a: Batch, b: Batch) -> bool:
    """Return whether two batches have the same bits."""
    return all(torch.equal(p, q) for p, q in ((a.x, b.x), (a.y, b.y), (a.mask, b.mask)))


def task_declared(kind: type[Task]) -> str | None:
    """It declares a name, a version, its lags with their name and unit, its sizes, and how it is scored."""
    wanted: dict[str, type] = {
        "name": str, "version": int, "knob": str, "knob_unit": str, "lags": range, "loss": str, "causal": bool,
        "measure": str, "higher_is_better": bool,
    }  # fmt: skip
    for attribute, form in wanted.items():
        if not isinstance(getattr(kind, attribute, None), form):
            return f"'{attribute}' is missing or is no {form.__name__}"
    if kind.__abstractmethods__:
        return f"it lacks {', '.join(sorted(kind.__abstractmethods__))}"
    task = middle(kind)
    if not sized(task.inputs):
        return f"'inputs' is {task.inputs!r}; it is a number, or (channels, height, width)"
    for attribute, form in {"outputs": int, "chance": float, "threshold": float}.items():
        value = getattr(task, attribute)
        if isinstance(value, bool) or not isinstance(value, (form, int)):
            return f"'{attribute}' is {value!r}, no {form.__name__}"
    kinds = ("cross_entropy", "mse", "binary_cross_entropy")
    if task.loss not in kinds:
        return f"'loss' is '{task.loss}'; choose from: {', '.join(kinds)}"
    if task.loss != "cross_entropy" and kind.right is Task.right and kind.score is Task.score:
        return f"with the loss '{task.loss}' it needs a 'right' or a 'score' of its own"
    if task.version < 1 or not task.name:
        return "the name is empty, or the version is below 1"
    if not kind.knob:
        return "'knob' is empty; it is a short noun such as 'delay'"
    for attribute, text in (("knob", kind.knob), ("knob_unit", kind.knob_unit)):
        if text != shorten(text, LONGEST_LABEL):
            return f"'{attribute}' is {shorten(text, 80)!r}; it is one line of at most {LONGEST_LABEL} characters"
    if task.is_solved(task.chance):
        return f"answering by chance ({task.chance}) reaches the threshold ({task.threshold})"
    return None


def sized(inputs: Any) -> bool:
    """Return whether this is a number of features or symbols, or the size of a frame."""
    sizes = inputs if isinstance(inputs, tuple) and len(inputs) == 3 else (inputs,)
    return all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes)


def task_shapes(kind: type[Task]) -> str | None:
    """The sequences, answers and mask have the shapes and types that it declares."""
    task, batch = middle(kind), many(kind)
    N, T = batch.x.shape[:2]
    if N != MANY:
        return f"{MANY} identities gave {N} sequences"
    if batch.x.dtype == torch.int64:
        if batch.x.ndim != 2 or isinstance(task.inputs, tuple):
            return f"x holds symbols of shape {tuple(batch.x.shape)}; they must be (N, T), with a number as inputs"
        if not 0 <= int(batch.x.min()) <= int(batch.x.max()) < task.inputs:
            return (
                f"x holds symbols from {batch.x.min()} to {batch.x.max()}; inputs is {task.inputs}"
            )
    else:
        step = task.inputs if isinstance(task.inputs, tuple) else (task.inputs,)
        if batch.x.dtype != torch.float32 or batch.x.shape[2:] != step:
            return f"x is {batch.x.dtype} {tuple(batch.x.shape)}; inputs is {task.inputs}"
    A = batch.y.shape[1]
    if not 1 <= A <= T:
        return f"{A} answers in {T} steps"
    if batch.mask.dtype != torch.bool or batch.mask.shape != (N, A):
        return f"mask is {batch.mask.dtype} {tuple(batch.mask.shape)}; it must be bool {(N, A)}"
    if not batch.mask.any(dim=1).all():
        return "some sequence has no answer due"
    if task.loss != "cross_entropy":
        if batch.y.dtype != torch.float32 or batch.y.shape != (N, A, task.outputs):
            return f"y is {batch.y.dtype} {tuple(batch.y.shape)}; it must be float32 {(N, A, task.outputs)}"
        if task.loss == "binary_cross_entropy" and not ((batch.y == 0) | (batch.y == 1)).all():
            return "y holds values other than 0 and 1"
        return None
    if batch.y.dtype != torch.int64 or batch.y.shape != (N, A):
        return f"y is {batch.y.dtype} {tuple(batch.y.shape)}; it must be int64 {(N, A)}"
    due = batch.y[batch.mask]
    if not 0 <= int(due.min()) <= int(due.max()) < task.outputs:
        return f"y holds classes from {due.min()} to {due.max()}; outputs is {task.outputs}"
    if not 0 <= int(batch.y.min()) <= int(batch.y.max()) < task.outputs:
        return (
            f"y holds {batch.y.min()} to {batch.y.max()} where no answer is due; "
            "there, too, it must be a class, for example 0"
        )
    return None


def task_same_bits(kind: type[Task]) -> str | None:
    """The same identity gives the same bits, whatever stands beside it."""
    task = middle(kind)
    whole = task.sample(task.keys("train", 4, 0, 9))
    if not same(whole, task.sample(task.keys("train", 4, 0, 9))):
        return "two draws of the same identities differ: is there a random state that is not in the keys?"
    for n in range(9):
        alone = task.sample(task.keys("train", 4, n, n + 1))
        if not same(alone, Batch(whole.x[n : n + 1], whole.y[n : n + 1], whole.mask[n : n + 1])):
            return f"sequence {n} alone differs from sequence {n} in a batch of 9"
    return None


def task_splits(kind: type[Task]) -> str | None:
    """Splits, seeds and positions give other sequences."""
    task = middle(kind)
    draws: dict[str, Tensor] = {
        split: task.sample(task.keys(split, 0, 0, 16)).x for split in SPLITS
    }
    draws["another seed"] = task.sample(task.keys("train", 1, 0, 16)).x
    draws["another position"] = task.sample(task.keys("train", 0, 16, 32)).x
    for (name, x), (other, z) in (
        (a, b) for a in draws.items() for b in draws.items() if a[0] < b[0]
    ):
        if torch.equal(x, z):
            return f"'{name}' and '{other}' hold the same sequences"
    return None


def task_finite(kind: type[Task]) -> str | None:
    """All values are finite, and not all the same."""
    batch = many(kind)
    for name, part in (("x", batch.x), ("y", batch.y)):
        if not part.isfinite().all():
            return f"{name} holds a value that is not finite"
        if part.unique().numel() < 2:
            return f"{name} is the same everywhere"
    return None


def task_chance(kind: type[Task]) -> str | None:
    """The best constant answer scores about the chance that it declares."""
    # Chance is of the test, whose score is published; where that is one small finite set, it may be of the training.
    wrong = [off_chance(kind, split) for split in ("test", "train")]
    return wrong[0] if all(wrong) else None


def off_chance(kind: type[Task], split: Split) -> str | None:
    """Return how far the best constant answer is from chance on a split, if it is."""
    task, batch = middle(kind), many(kind, split)
    half = MANY // 2
    seen = Batch(batch.x[:half], batch.y[:half], batch.mask[:half])
    y, mask = batch.y[half:], batch.mask[half:]
    best, noise = None, 0.0
    for output in constants(task, seen):
        outputs = output.expand(1, half, *output.shape)
        score = task.score(outputs, y[None], mask[None]).item()
        if best is None or (score > best) == task.higher_is_better:
            parts = zip(outputs[0].split(50), y.split(50), mask.split(50), strict=True)
            scores = torch.stack([task.score(o[None], a[None], m[None])[0] for o, a, m in parts])
            best, noise = score, scores.std().item() / len(scores) ** 0.5
    if best is None:
        return None
    allowed = 5 * noise + 0.02 * abs(task.chance) + 0.005
    if abs(best - task.chance) > allowed:
        return f"it scores {best:.4f}, but chance is {task.chance:.4f} (± {allowed:.4f})"
    return None


def task_scores(kind: type[Task]) -> str | None:
    """A score is one number a member, within the range of its measure."""
    task, batch = middle(kind), many(kind, "test")
    y, mask = batch.y[None], batch.mask[None]
    low, high = make_scale(task).range
    for output in constants(task, batch):
        score = task.score(output.expand(1, MANY, *output.shape), y, mask)
        if score.shape != (1,):
            return f"the score of 1 member is {tuple(score.shape)}; it must be (E,), here (1,)"
        if not low <= score.item() <= high:
            return (
                f"a constant answer scores {score.item():.4f}; "
                f"'{task.measure}' must lie between {low:g} and {high:g}"
            )
    return None


def constants(task: Task, seen: Batch) -> list[Tensor]:
    """Return outputs ``(A, C)`` that ignore the input, the best of which a score may be compared with."""
    A, C = seen.y.shape[1], task.outputs
    if task.loss == "mse":
        due = seen.y[seen.mask]  # (due, C)
        mean = due.mean(dim=0).expand(A, C)
        low, high = due.min().item(), due.max().item()
        each = (seen.y * seen.mask[..., None]).sum(0) / seen.mask.sum(0).clamp(min=1)[:, None]
        return [
            mean,
            each,
            *(torch.full((A, C), v) for v in torch.linspace(low, high, 41).tolist()),
        ]
    if task.loss == "binary_cross_entropy":
        counts = (seen.y * seen.mask[..., None]).sum(dim=0)  # (A, C)
        due = seen.mask.sum(dim=0)[:, None]
        each = counts / due.clamp(min=1)
        whole = (counts.sum(dim=0) / due.sum()).expand(A, C)
        return [share.logit(eps=1e-3) for share in (each, whole)] + [
            2 * y - 1 for y in seen.y[:GUESSES]
        ]
    at = F.one_hot(seen.y.clamp(0, C - 1), C) * seen.mask[..., None]  # (N, A, C)
    each = at.sum(dim=0) + 1e-3
    whole = each.sum(dim=0).expand(A, C)
    shares = [counts / counts.sum(dim=-1, keepdim=True) for counts in (each, whole)]
    # Where only a whole answer counts, the best guess may be the whole answer of one sequence.
    guesses = [F.one_hot(y.clamp(0, C - 1), C).float() for y in seen.y[:GUESSES]]
    return [share.log() for share in shares] + guesses


def task_lags(kind: type[Task]) -> str | None:
    """A lag that it can't have is refused with a sentence."""
    for lag in (kind.lags.start - 1, kind.lags.stop + kind.lags.step - 1):
        try:
            kind(lag=lag)
        except BadInput:
            continue
        return f"lag {lag} is outside of {kind.lags}, and was accepted"
    return None


def task_trains(kind: type[Task]) -> str | None:
    """A small model can be trained on it, validated and tested."""
    task = middle(kind)
    model = MODELS["frame_average" if isinstance(task.inputs, tuple) else "rnn"]
    keys = Keys.span(model.name, 1, "weights", 0, 0, 1)
    net = model(keys, inputs=task.inputs, outputs=task.outputs, hidden=4, causal=task.causal)
    budget = Budget(steps=2, batch=4, clip=1.0, validate_every=1, validation_size=16, test_size=16)
    (outcome,) = train(task, net, [Member(seed=0, learning_rate=1e-3)], budget, CPU)
    if outcome.verdict == "diverged":
        return "after 2 steps of a small model the loss or the score is not finite"
    return None


TASK_CHECKS: tuple[Callable[[Any], str | None], ...] = (
    task_declared, task_shapes, task_same_bits, task_splits, task_finite, task_chance, task_scores,
    task_lags, task_trains,
)  # fmt: skip
