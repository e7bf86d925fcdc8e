"""What every task and every model must be able to show, built-in or a guest: ``seqbench check NAME``.

A check is a function that returns None, or a sentence on what is wrong; its docstring says what holds if it passes.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqbench.errors import BadInput, DataMissing, describe, unknown
from seqbench.measure import scale
from seqbench.models import MODELS
from seqbench.models.base import count, matched
from seqbench.models.streaming import Streamed, stream
from seqbench.random import Keys
from seqbench.records import Budget, Member
from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Split, Task
from seqbench.train import Stack, answered, draw, encoded, losses, train

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
MANY = 2_000  # sequences, where a share is estimated
GUESSES = 16
SYMBOLS = 4
SEEDS = (3, 5, 7)
PARAMETERS = 2_000
STEPS = 40  # of training, on one batch
CPU = torch.device("cpu")

Check = Callable[[Any], str | None]


@dataclass(frozen=True)
class Finding:
    """What one check found; ``wrong`` is None where all is well."""

    check: str
    wrong: str | None

    def __str__(self) -> str:
        return (
            f"ok     {self.check}" if self.wrong is None else f"WRONG  {self.check}: {self.wrong}"
        )


def check(name: str) -> Iterator[Finding]:
    """Put a task or model through all checks of its kind.

    Parameters
    ----------
    name
        A name in the catalogues, or ``module:attribute``.
    """
    entry = find(name)
    is_task = isinstance(entry, type) and issubclass(entry, Task)
    yield from findings(TASK_CHECKS if is_task else MODEL_CHECKS, entry)


def findings(checks: Sequence[Check], entry: Any) -> Iterator[Finding]:
    """Run checks one by one; nothing can be asked of an entry that fails the first. What was said is not said again."""
    said = set()
    for number, one in enumerate(checks):
        says = (one.__doc__ or "").partition("\n")[0].rstrip(".")
        try:
            wrong = one(entry)
        except DataMissing:
            raise
        except BadInput as error:
            wrong = str(error)
        except Exception as error:
            wrong = describe(error)
        yield Finding(says, "as above" if wrong in said else wrong)
        said |= {wrong} if wrong else set()
        if wrong and not number:
            return


def find(name: str) -> Any:
    """Return a task or model by name or address; what is registered nowhere joins for the life of this process."""
    for catalogue in (TASKS, MODELS):
        if name in catalogue:
            return catalogue[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise unknown("task or model", name, [*TASKS, *MODELS])
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise BadInput(
            f"'{name}' is no address of a class; it is written like my_package.my_module:MyModel"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        entry = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:  # it is somebody's file, and may do anything
        raise BadInput(f"can't import '{name}': {describe(error)}") from error
    if not isinstance(entry, type):
        raise BadInput(f"'{name}' is a {type(entry).__name__}; a task or a model is a class")
    if getattr(entry, "name", None):
        (TASKS if issubclass(entry, Task) else MODELS).add(entry)
    return entry


# Tasks


def middle(kind: type[Task]) -> Task:
    """Return the task at a lag that is quick to draw."""
    return kind(lag=min(max(kind.lags.start, 12), kind.lags[-1]))


@cache
def many(kind: type[Task], split: Split = "train") -> Batch:
    """Return enough sequences to estimate a share."""
    task = middle(kind)
    return task.sample(task.keys(split, 0, 0, MANY))


def same(a: Batch, b: Batch) -> bool:
    """Return whether two batches have the same bits."""
    return all(torch.equal(p, q) for p, q in ((a.x, b.x), (a.y, b.y), (a.mask, b.mask)))


def task_declared(kind: type[Task]) -> str | None:
    """It declares a name, a version, its lags, its sizes, and how it is judged."""
    wanted: dict[str, type] = {
        "name": str, "version": int, "knob": str, "lags": range, "loss": str, "causal": bool,
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
    if task.solved(task.chance):
        return f"whoever answers by chance ({task.chance}) reaches the threshold ({task.threshold})"
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
    low, high = scale(task).range
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
    # Where only a whole answer counts, the best guess may be one that was right for somebody.
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


TASK_CHECKS: tuple[Check, ...] = (
    task_declared, task_shapes, task_same_bits, task_splits, task_finite, task_chance, task_scores,
    task_lags, task_trains,
)  # fmt: skip


# Models


def close(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are the same but for the order of sums in float32."""
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4)


@dataclass(frozen=True)
class Echo(Task):
    """Say the last symbol again: whoever can learn anything learns it."""

    name = "echo"
    inputs: ClassVar[int | tuple[int, int, int]] = SYMBOLS
    outputs = SYMBOLS
    chance = 1 / SYMBOLS
    threshold = 0.9

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)``, y ``(N, 1)``."""
        x = keys.integers("symbols", 0, SYMBOLS, self.lag)
        return Batch.all_due(x, x[:, -1:])


@dataclass(frozen=True)
class Blink(Echo):
    """The same in video: a symbol is a grey frame."""

    name = "blink"
    inputs = (1, 12, 12)

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 1, 12, 12)``, y ``(N, 1)``."""
        batch = super().sample(keys)
        grey = batch.x.to(torch.float32) / (SYMBOLS - 1)
        return Batch.all_due(grey[..., None, None, None].expand(-1, -1, 1, 12, 12), batch.y)


def example(model: Any) -> Task:
    """Return a small task that the model can read."""
    return Blink(lag=12) if getattr(model, "reads", "sequence") == "video" else Echo(lag=12)


def both_ways(model: Any) -> bool:
    """Return whether a model says that it can't but look both ways."""
    return getattr(model, "both_ways", False)


def built(
    model: Any,
    seeds: Sequence[int] = SEEDS,
    parameters: int = PARAMETERS,
    causal: bool | None = None,
) -> nn.Module:
    """Return the model for its example task, built as the benchmark builds it; causal, if it can be."""
    task = example(model)
    shape: dict[str, Any] = {
        "inputs": task.inputs,
        "outputs": task.outputs,
        "layers": 1,
        "causal": not both_ways(model) if causal is None else causal,
    }
    seed = torch.tensor(seeds)
    keys = Keys(model.name, getattr(model, "version", 1), "weights", seed, torch.zeros_like(seed))
    return model(keys, **shape, **matched(model, parameters, **shape))


def at_rest(model: Any, seeds: Sequence[int] = SEEDS) -> nn.Module:
    """Return the model as it is evaluated, for checks that compare two passes: in training a buffer may change."""
    return built(model, seeds).eval()


def read(model: Any, seeds: Sequence[int] = SEEDS, B: int = 4) -> Tensor:
    """Return what the model reads, ``(E, B, T, …)``: other sequences for each member."""
    task = example(model)
    return encoded(task, draw(task, "train", seeds, 0, B, CPU).x)


def model_declared(model: Any) -> str | None:
    """It declares a name, a version and what it reads, and is built from keys and sizes."""
    if not isinstance(getattr(model, "name", None), str) or not model.name:
        return "it needs an attribute 'name'; a plain torch module joins through seqbench.models.adapter"
    version, reads = getattr(model, "version", 1), getattr(model, "reads", "sequence")
    if not isinstance(version, int) or version < 1:
        return f"'version' is {version!r}; it is a whole number from 1, which grows when its numbers change"
    if reads not in ("sequence", "video"):
        return f"'reads' is {reads!r}; choose from: sequence, video"
    ways = (False,) if both_ways(model) else (True, False)
    if not all(isinstance(built(model, causal=causal), nn.Module) for causal in ways):
        return "what it builds is no torch.nn.Module"
    return None


def model_outputs(model: Any) -> str | None:
    """It gives (E, B, A, C) for every number A of answers."""
    net, x = at_rest(model), read(model)
    for A in (1, 2, x.shape[2]):
        answered(example(model), net, x, A)
    if not close(net(x, 2), net(x, x.shape[2])[:, :, -2:]):
        return "the last 2 of all answers are not the same as 2 answers"
    return None


def model_leads(model: Any) -> str | None:
    """Every parameter and buffer leads with the member axis E."""
    net = built(model)
    for name, p in [*net.named_parameters(), *net.named_buffers()]:
        if p.ndim < 1 or p.shape[0] != len(SEEDS):
            return f"'{name}' is {tuple(p.shape)}; it must begin with E = {len(SEEDS)}"
    for name, p in net.named_parameters():
        if p.dtype != torch.float32:
            return f"'{name}' is {p.dtype}; parameters must be torch.float32"
    return None


def model_alone(model: Any) -> str | None:
    """A member of an ensemble is what it is alone: weights, outputs, and after three steps of training."""
    together, x = at_rest(model), read(model)
    for e, seed in enumerate(SEEDS):
        alone = at_rest(model, [seed])
        for (name, p), q in zip(together.named_parameters(), alone.parameters(), strict=True):
            if not torch.equal(p[e], q[0]):
                return f"'{name}' of seed {seed} depends on the other members"
        if not close(together(x, 1)[e], alone(x[e : e + 1], 1)[0]):
            return f"the output of seed {seed} depends on the other members"
    losses_together = trained(model, SEEDS, 3)[0]
    losses_alone = trained(model, SEEDS[1:2], 3)[0]
    if not close(losses_together[:, 1], losses_alone[:, 0]):
        return "after three steps a member's loss is not the one it has alone"
    return None


def model_repeats(model: Any) -> str | None:
    """The same weights and input give the same output."""
    net, x = at_rest(model), read(model)
    if not torch.equal(net(x, 1), net(x, 1)):
        return "two passes differ: is there a random state?"
    before = torch.get_rng_state()
    net.train()(x, 1)
    if not torch.equal(before, torch.get_rng_state()):
        return "in training it draws from torch's random state, which members share: is there a dropout?"
    return None


def model_neighbours(model: Any) -> str | None:
    """The answer to a sequence does not depend on those beside it in the batch."""
    net, x = at_rest(model), read(model)
    A = x.shape[2]
    if not close(net(x, A)[:, 1:2], net(x[:, 1:2], A)):
        return "alone a sequence gets another answer than beside others: is it 'batch_first'?"
    return None


def model_causal(model: Any) -> str | None:
    """Asked to be causal, it uses nothing that comes later, or it refuses."""
    if both_ways(model):
        try:
            built(model, causal=True)
        except BadInput:
            return None
        return "it says that it looks both ways, and does not refuse to be causal"
    net, x = at_rest(model), read(model)
    T = x.shape[2]
    before = net(x, T)
    for t in (1, T // 2, T - 1):
        later = x.clone()
        later[:, :, t:] = later[:, :, t:].flip(1)  # what other sequences show from t on
        if not close(net(later, T)[:, :, :t], before[:, :, :t]):
            return f"what is shown from step {t} on changes an answer before it"
    return None


def model_streams(model: Any) -> str | None:
    """Step by step, if it can be given its input so, it answers as it does to the whole."""
    net, x = at_rest(model), read(model)
    if not isinstance(net, Streamed):
        return None
    whole = net(x, x.shape[2])
    for t, y_t in enumerate(stream(net, x)):
        if not close(y_t, whole[:, :, t]):
            return f"'advance' gives another answer at step {t} than the whole sequence does"
    return None


def model_nan(model: Any) -> str | None:
    """A member that is no longer finite leaves the others as they are."""
    net, x = at_rest(model), read(model)
    before = net(x, 1).detach()
    with torch.no_grad():
        for p in net.parameters():
            p[1] = torch.nan
    output = net(x, 1)
    trainable = [p for p in net.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(output.square().sum(), trainable, allow_unused=True)
    for e in (0, 2):
        if not close(output[e], before[e]):
            return f"member 1 is NaN, and member {e} answers otherwise than before"
        if not all(g[e].isfinite().all() for g in gradients if g is not None):
            return f"member 1 is NaN, and so is a gradient of member {e}"
    return None


def model_gradients(model: Any) -> str | None:
    """Gradients are finite and reach every parameter that is to be trained."""
    net, x = built(model), read(model)
    parameters = {name: p for name, p in net.named_parameters() if p.requires_grad}
    output = net(x, x.shape[2])
    weights = torch.linspace(-1, 1, output.numel()).view_as(output)
    gradients = torch.autograd.grad(
        (output * weights).sum(), list(parameters.values()), allow_unused=True
    )
    for name, g in zip(parameters, gradients, strict=True):
        if g is None or not g.reshape(len(g), -1).any(dim=1).all():
            return f"no gradient reaches '{name}'"
        if not g.isfinite().all():
            return f"the gradient of '{name}' is not finite"
    return None


def model_learns(model: Any) -> str | None:
    """A few training steps on one batch lower the loss."""
    loss, _ = trained(model, SEEDS, STEPS)
    first, last = loss[0], loss[-1]
    for seed, a, b in zip(SEEDS, first.tolist(), last.tolist(), strict=True):
        if not b < 0.9 * a:
            return f"seed {seed} has a loss of {a:.3f} at first, and of {b:.3f} after {STEPS} steps"
    return None


def trained(model: Any, seeds: Sequence[int], steps: int) -> tuple[Tensor, nn.Module]:
    """Train on one batch; return the losses ``(steps, E)``, and the model."""
    task, net = example(model), built(model, seeds)
    data = draw(task, "train", seeds, 0, 16, CPU)
    x = encoded(task, data.x)
    stack = Stack(net, [1e-2] * len(seeds))
    history = []
    for t in range(steps):
        loss = losses(task, answered(task, net, x, data.y.shape[2]), data.y, data.mask)
        stack.step(stack.gradient(loss), t + 1, 1.0)
        history.append(loss.detach())
    return torch.stack(history), net


def model_matched(model: Any) -> str | None:
    """Its size can be matched to a number of parameters within 2 %."""
    sizes = []
    for wanted in (10_000, 20_000):  # a hidden unit is a larger share of fewer
        has = count(built(model, SEEDS[:1], wanted))
        if abs(has - wanted) > 0.02 * wanted:
            return f"asked for {wanted} parameters it has {has}"
        sizes.append(has)
    if any(a >= b for a, b in pairwise(sizes)):
        return "its size does not grow with the number asked for"
    return None


MODEL_CHECKS: tuple[Check, ...] = (
    model_declared, model_outputs, model_leads, model_alone, model_repeats, model_neighbours,
    model_causal, model_streams, model_nan, model_gradients, model_learns, model_matched,
)  # fmt: skip
