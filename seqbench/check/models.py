"""The checks of models, on a small task that every model can learn.

Checks that compare two forward passes put the model in evaluation mode, because in training mode a buffer may change
between the passes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, get_args

import torch
from torch import Tensor

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.base import Model
from seqbench.models.facts import Reads
from seqbench.models.sizing import count, match_sizes
from seqbench.models.streaming import stream
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.training.feed import draw, encode
from seqbench.training.loop import compute_losses, predict
from seqbench.training.stack import Stack

SYMBOLS = 4
SEEDS = (3, 5, 7)
PARAMETERS = 2_000
STEPS = 40  # of training, on one batch
CPU = torch.device("cpu")


def is_close(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are equal up to the rounding of float32 sums."""
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4)


@dataclass(frozen=True)
class Echo(Task):
    """Repeat the last symbol: a task that every model can learn."""

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
    """The same task as video: each symbol is a grey frame."""

    name = "blink"
    inputs = (1, 12, 12)

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 1, 12, 12)``, y ``(N, 1)``."""
        batch = super().sample(keys)
        grey = batch.x.to(torch.float32) / (SYMBOLS - 1)
        return Batch.all_due(grey[..., None, None, None].expand(-1, -1, 1, 12, 12), batch.y)


def example(model: type[Model]) -> Task:
    """Return a small task that the model can read."""
    return Blink(lag=12) if model.reads == "video" else Echo(lag=12)


def build_example(
    model: type[Model],
    seeds: Sequence[int] = SEEDS,
    parameters: int = PARAMETERS,
    causal: bool | None = None,
) -> Model:
    """Return the model for its example task, built as the benchmark builds it; causal, if it can be."""
    task = example(model)
    shape: dict[str, Any] = {
        "inputs": task.inputs,
        "outputs": task.outputs,
        "layers": 1,
        "causal": not model.both_ways if causal is None else causal,
    }
    seed = torch.tensor(seeds)
    keys = Keys(model.name, model.version, "weights", seed, torch.zeros_like(seed))
    return model(keys, **shape, **match_sizes(model, parameters, **shape))


def build_for_evaluation(model: type[Model], seeds: Sequence[int] = SEEDS) -> Model:
    """Return the model in evaluation mode, for checks that compare two forward passes."""
    return build_example(model, seeds).eval()


def draw_inputs(model: type[Model], seeds: Sequence[int] = SEEDS, B: int = 4) -> Tensor:
    """Return an input of the model, ``(E, B, T, …)``, with different sequences for each member."""
    task = example(model)
    return encode(task, draw(task, "train", seeds, 0, B, CPU).x)


def model_declared(model: type[Model]) -> str | None:
    """It is a Model, declares what it is, and is built from keys and sizes."""
    MODELS.examine(model.__name__, model)
    if not isinstance(model.name, str) or not model.name:
        return "it needs an attribute 'name'"
    if type(model.version) is not int or model.version < 1:
        return f"'version' is {model.version!r}; it is a whole number from 1, which grows when its numbers change"
    if model.reads not in get_args(Reads):
        return f"'reads' is {model.reads!r}; choose from: {', '.join(get_args(Reads))}"
    if type(model.default_layers) is not int or model.default_layers < 1:
        return f"'default_layers' is {model.default_layers!r}; it is a whole number from 1"
    if model.__abstractmethods__:
        return f"it lacks {', '.join(sorted(model.__abstractmethods__))}"
    ways = (False,) if model.both_ways else (True, False)
    net, *_ = [build_example(model, causal=causal) for causal in ways]
    facts = {
        "both_ways": model.both_ways, "recurrent": model.recurrent,
        "attends": model.attends, "streams": net.streams,
    }  # fmt: skip
    for name, value in facts.items():
        if type(value) is not bool:
            return f"'{name}' is {value!r}; it is True or False"
    if (net.scan_name != "none") != model.recurrent:
        return f"'recurrent' is {model.recurrent}, and the scan that runs it is '{net.scan_name}'"
    return None


def model_outputs(model: type[Model]) -> str | None:
    """It gives (E, B, A, C) for every number A of answers."""
    net, x = build_for_evaluation(model), draw_inputs(model)
    for A in (1, 2, x.shape[2]):
        predict(example(model), net, x, A)
    if not is_close(net(x, 2), net(x, x.shape[2])[:, :, -2:]):
        return "the last 2 of all answers are not the same as 2 answers"
    return None


def model_leads(model: type[Model]) -> str | None:
    """Every parameter and buffer leads with the member axis E."""
    net = build_example(model)
    for name, p in [*net.named_parameters(), *net.named_buffers()]:
        if p.ndim < 1 or p.shape[0] != len(SEEDS):
            return f"'{name}' is {tuple(p.shape)}; it must begin with E = {len(SEEDS)}"
    for name, p in net.named_parameters():
        if p.dtype != torch.float32:
            return f"'{name}' is {p.dtype}; parameters must be torch.float32"
    return None


def model_alone(model: type[Model]) -> str | None:
    """A member of an ensemble is what it is alone: weights, outputs, and after three steps of training."""
    together, x = build_for_evaluation(model), draw_inputs(model)
    for e, seed in enumerate(SEEDS):
        alone = build_for_evaluation(model, [seed])
        for (name, p), q in zip(together.named_parameters(), alone.parameters(), strict=True):
            if not torch.equal(p[e], q[0]):
                return f"'{name}' of seed {seed} depends on the other members"
        if not is_close(together(x, 1)[e], alone(x[e : e + 1], 1)[0]):
            return f"the output of seed {seed} depends on the other members"
    losses_together = train_briefly(model, SEEDS, 3)
    losses_alone = train_briefly(model, SEEDS[1:2], 3)
    if not is_close(losses_together[:, 1], losses_alone[:, 0]):
        return "after three steps a member's loss is not the one it has alone"
    return None


def model_repeats(model: type[Model]) -> str | None:
    """The same weights and input give the same output."""
    net, x = build_for_evaluation(model), draw_inputs(model)
    if not torch.equal(net(x, 1), net(x, 1)):
        return "two passes differ: is there a random state?"
    before = torch.get_rng_state()
    net.train()(x, 1)
    if not torch.equal(before, torch.get_rng_state()):
        return "in training it draws from torch's random state, which members share: is there a dropout?"
    return None


def model_neighbours(model: type[Model]) -> str | None:
    """The answer to a sequence does not depend on those beside it in the batch."""
    net, x = build_for_evaluation(model), draw_inputs(model)
    A = x.shape[2]
    if not is_close(net(x, A)[:, 1:2], net(x[:, 1:2], A)):
        return "alone a sequence gets another answer than beside others: is it 'batch_first'?"
    return None


def model_causal(model: type[Model]) -> str | None:
    """Asked to be causal, it uses nothing that comes later, or it refuses."""
    if model.both_ways:
        try:
            build_example(model, causal=True)
        except BadInput:
            return None
        return "it says that it looks both ways, and does not refuse to be causal"
    net, x = build_for_evaluation(model), draw_inputs(model)
    T = x.shape[2]
    before = net(x, T)
    for t in (1, T // 2, T - 1):
        later = x.clone()
        later[:, :, t:] = later[:, :, t:].flip(1)  # what other sequences show from t on
        if not is_close(net(later, T)[:, :, :t], before[:, :, :t]):
            return f"what is shown from step {t} on changes an answer before it"
    return None


def model_streams(model: type[Model]) -> str | None:
    """Step by step, if it can be given its input so, it answers as it does to the whole."""
    net, x = build_for_evaluation(model), draw_inputs(model)
    if not net.streams:
        return None
    whole = net(x, x.shape[2])
    for t, y_t in enumerate(stream(net, x)):
        if not is_close(y_t, whole[:, :, t]):
            return f"'advance' gives another answer at step {t} than the whole sequence does"
    return None


def model_attends(model: type[Model]) -> str | None:
    """Its attention weights, if it has any, are (E, B, M, A, T), and those of an answer add up to 1."""
    if not model.attends:
        return None
    net, x = build_for_evaluation(model), draw_inputs(model)
    with torch.no_grad():
        W = net.attend(x, 2)
    wanted = (*x.shape[:2], W.shape[2] if W.ndim == 5 else 1, 2, x.shape[2])
    if W.shape != wanted:
        return f"'attend' gives {tuple(W.shape)}; it must give (E, B, M, A, T), here {wanted}"
    if (W < 0).any() or not is_close(W.sum(dim=-1), torch.ones_like(W[..., 0])):
        return "what 'attend' gives is no share of an answer's attention: it must be positive and add up to 1"
    return None


def model_nan(model: type[Model]) -> str | None:
    """A member that is no longer finite leaves the others as they are."""
    net, x = build_for_evaluation(model), draw_inputs(model)
    before = net(x, 1).detach()
    with torch.no_grad():
        for p in net.parameters():
            p[1] = torch.nan
    output = net(x, 1)
    trainable = [p for p in net.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(output.square().sum(), trainable, allow_unused=True)
    for e in (0, 2):
        if not is_close(output[e], before[e]):
            return f"member 1 is NaN, and member {e} answers otherwise than before"
        if not all(g[e].isfinite().all() for g in gradients if g is not None):
            return f"member 1 is NaN, and so is a gradient of member {e}"
    return None


def model_gradients(model: type[Model]) -> str | None:
    """Gradients are finite and reach every parameter that is to be trained."""
    net, x = build_example(model), draw_inputs(model)
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


def model_learns(model: type[Model]) -> str | None:
    """A few training steps on one batch lower the loss."""
    loss = train_briefly(model, SEEDS, STEPS)
    first, last = loss[0], loss[-1]
    for seed, a, b in zip(SEEDS, first.tolist(), last.tolist(), strict=True):
        if not b < 0.9 * a:
            return f"seed {seed} has a loss of {a:.3f} at first, and of {b:.3f} after {STEPS} steps"
    return None


def train_briefly(model: type[Model], seeds: Sequence[int], steps: int) -> Tensor:
    """Train on one batch; return the losses ``(steps, E)``."""
    task, net = example(model), build_example(model, seeds)
    data = draw(task, "train", seeds, 0, 16, CPU)
    x = encode(task, data.x)
    stack = Stack(net, [1e-2] * len(seeds))
    history = []
    for t in range(steps):
        loss = compute_losses(task, predict(task, net, x, data.y.shape[2]), data.y, data.mask)
        stack.step(stack.gradient(loss), t + 1, 1.0)
        history.append(loss.detach())
    return torch.stack(history)


def model_matched(model: type[Model]) -> str | None:
    """Its size can be matched to a number of parameters within 2 %."""
    sizes = []
    for wanted in (10_000, 20_000):  # a hidden unit is a larger share of fewer
        has = count(build_example(model, SEEDS[:1], wanted))
        if abs(has - wanted) > 0.02 * wanted:
            return f"asked for {wanted} parameters it has {has}"
        sizes.append(has)
    if any(a >= b for a, b in pairwise(sizes)):
        return "its size does not grow with the number asked for"
    return None


MODEL_CHECKS: tuple[Callable[[Any], str | None], ...] = (
    model_declared, model_outputs, model_leads, model_alone, model_repeats, model_neighbours,
    model_causal, model_streams, model_attends, model_nan, model_gradients, model_learns, model_matched,
)  # fmt: skip
