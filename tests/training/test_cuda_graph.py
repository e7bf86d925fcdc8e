"""A whole step on the device: nothing in it makes the host wait, and a graph of it does what it does.

A CPU knows no CUDA graphs. ``Tape`` stands in for one: it notes every operation with the very tensors that it read and
wrote, and does them all again. What a graph can't follow, a tape can't follow either: a number that Python holds, a
tensor that came to lie elsewhere, an operation whose shape or next line depends on the data.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seqbench.errors import DataMissing
from seqbench.models import MODELS
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.training import cuda_graph
from seqbench.training.checkpoint import Checkpoint
from seqbench.training.cuda_graph import WARM_UP, CudaGraph
from seqbench.training.feed import Feed
from seqbench.training.loop import take_step, train
from seqbench.training.stack import Stack

from .test_loop import ADDING, ECHO, budget, close, members, model_of, trained

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
gpu = pytest.mark.gpu
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def video(kind) -> bool:
    return getattr(kind, "reads", "sequence") == "video"


PAIRS = [
    (task, model)
    for task, model in product(TASKS, MODELS)
    if isinstance(TASKS[task].inputs, tuple) == video(MODELS[model])
    and not (TASKS[task].causal and getattr(MODELS[model], "both_ways", False))
]
each_pair = pytest.mark.parametrize(("name", "model"), PAIRS)


SMALL = {"pixel-mnist": {"pool": 4}}  # a sixteenth of the steps, and the same code


def shortest(name: str) -> Task:
    """Return the task at its smallest lag; skip the test where its data is missing."""
    task = TASKS[name](lag=TASKS[name].lags.start, **SMALL.get(name, {}))
    try:
        task.sample(task.keys("train", 0, 0, 1))
    except DataMissing as missing:
        pytest.skip(str(missing))
    return task


# Nothing to wait for

HOST = {Tensor.item, Tensor.tolist, Tensor.numpy, Tensor.__array__, Tensor.cpu, Tensor.__bool__}
HOST |= {Tensor.__int__, Tensor.__float__, Tensor.__index__, Tensor.__contains__}
HOST |= {torch.tensor, torch.as_tensor, torch.from_numpy}
aten = torch.ops.aten


class NoWords(TorchFunctionMode):
    """No tensor is turned into something of Python, and nothing of Python into a tensor."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        assert func not in HOST, f"the host reads or makes a tensor: {func}"
        return func(*args, **(kwargs or {}))


class NoWaiting(TorchDispatchMode):
    """No operation gives a number to the host, has a shape that the data decide, or takes data from the host."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        indexing = func.overloadpacket in (aten.index, aten.index_put, aten.index_put_)
        if indexing or func is aten._index_put_impl_.default:
            waits = any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])
        else:
            tags = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
            waits = bool(tags.intersection(func.tags))
        waits |= func is aten.is_nonzero.default
        waits |= (
            func is aten.lift_fresh.default and args[0].ndim > 0
        )  # one number fills, many are sent
        assert not waits, f"the host waits for {func}"
        return func(*args, **(kwargs or {}))


def a_few_steps(task: Task, stack: Stack, spoil=lambda: None) -> None:
    """Draw a chunk and take its steps, then those of the next."""
    feed = Feed(task, [0, 1], budget(steps=4), CPU)
    feed.chunk = 2
    with NoWords(), NoWaiting():
        for t in range(4):
            data = feed.step(t)
            take_step(task, stack, 1.0, data.x, data.y, data.mask, t + 1)
            spoil()


@each_pair
def test_no_step_makes_the_host_wait(name, model):
    task = shortest(name)
    stack = Stack(model_of(model, task, [0, 1], hidden=4), [1e-2, 1e-3])
    before = stack.theta.clone()
    a_few_steps(task, stack)
    assert (stack.theta != before).any(dim=1).all()


SPOILS = {
    "a number is read": lambda stack: stack.theta.norm().item(),
    "numbers are read": lambda stack: stack.theta.tolist(),
    "Python decides": lambda stack: 1 if stack.theta.isfinite().all() else 0,
    "a mask chooses": lambda stack: stack.theta[stack.theta > 0],
    "a mask is written through": lambda stack: stack.m.__setitem__(stack.m > 9, stack.m[0, :1]),
    "a place is looked for": lambda stack: stack.theta.nonzero(),
    "a number picks a row": lambda stack: stack.theta[torch.zeros_like(stack.rate[0, 0]).long()],
    "the data say how often": lambda stack: stack.m[0].repeat_interleave(stack.m[0].long()),
    "the host sends numbers": lambda stack: stack.rate * torch.tensor([[1.0], [2.0]]),
    "two are compared": lambda stack: stack.m.equal(stack.v),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_step_that_waits_is_found_out(spoil):
    stack = Stack(model_of("rnn", ADDING, [0, 1]), [1e-2, 1e-3])
    with pytest.raises(AssertionError, match="the host"):
        a_few_steps(ADDING, stack, lambda: spoil(stack))


# A graph, on tape


class Tape(TorchDispatchMode):
    """Every operation with its tensors, to be done again."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = []
        self.before = []  # of tensors that were written to: a capture leaves them as they were

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info and argument.alias_info.is_write:
                self.before.append((value, value.clone()))
        result = func(*args, **kwargs)
        self.calls.append((torch.is_grad_enabled(), func, args, kwargs, result))
        return result

    @torch.no_grad()
    def rewind(self) -> None:
        for tensor, value in reversed(self.before):
            tensor.copy_(value)

    def replay(self) -> None:
        for grad, func, args, kwargs, result in self.calls:
            with torch.set_grad_enabled(grad), torch._C._AutoDispatchBelowAutograd():
                again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(new, Tensor) and old.data_ptr() != new.data_ptr():
                    old.detach().copy_(new)


class Deck:
    """What stands in for ``torch.cuda``."""

    def __init__(self) -> None:
        self.graphs = []
        self.fails = False

    def CUDAGraph(self) -> Tape:  # noqa: N802
        self.graphs.append(Tape())
        return self.graphs[-1]

    @contextmanager
    def graph(self, tape: Tape, stream: object) -> Iterator[None]:
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing\nand much more")
        with tape:
            yield
        tape.rewind()

    def Stream(self, device: torch.device) -> "Deck":  # noqa: N802
        return self

    current_stream = lambda self: self  # noqa: E731
    stream = lambda self, stream: nullcontext()  # noqa: E731
    wait_stream = empty_cache = lambda self, *args: None


@pytest.fixture
def deck(monkeypatch) -> Deck:
    """Let a CPU capture, on tape."""
    deck = Deck()
    monkeypatch.setattr(cuda_graph, "cuda", deck)
    monkeypatch.setattr(cuda_graph, "DEVICES", ("cpu",))
    return deck


def bits(outcomes) -> list:
    return [(o.verdict, o.steps, o.curve, o.test_loss, o.score) for o in outcomes]


@each_pair
def test_a_captured_step_is_the_step(deck, monkeypatch, name, model):
    task, who = shortest(name), members(1e-2, 3e-3)
    short = budget(steps=8, validate_every=4, validation_size=8, test_size=8)

    def run():
        net = model_of(model, task, [0, 1], hidden=4)
        return bits(train(task, net, who, short, CPU)), list(net.parameters())

    captured, theta = run()
    assert len(deck.graphs) == 1
    assert deck.graphs[0].calls
    monkeypatch.undo()
    plain, expected = run()
    assert captured == plain
    assert all(a.equal(b) for a, b in zip(theta, expected, strict=True))


def test_a_captured_step_drops_anew_each_time(deck, monkeypatch):
    def run():
        net = model_of("lstm", ADDING, [0, 1], dropout=0.4)
        return bits(train(ADDING, net, members(1e-2, 3e-3), budget(steps=12), CPU))

    captured = run()
    assert len(deck.graphs) == 1
    monkeypatch.undo()
    assert captured == run()
    stack = Stack(model_of("transformer", ADDING, [0, 1], dropout=0.4), [1e-2, 1e-3])
    a_few_steps(ADDING, stack)


def test_a_member_that_leaves_disturbs_no_other_under_capture(deck, monkeypatch):
    who = members(1e-6, 3e-2, 1e-5, 2e-3)
    captured = trained(ECHO, who, double=False)
    assert len({outcome.steps for outcome in captured}) == 3
    assert len(deck.graphs) == 3  # anew whenever one left
    monkeypatch.undo()
    assert bits(captured) == bits(trained(ECHO, who, double=False))


def test_a_captured_run_goes_on_from_a_snapshot_with_the_same_bits(deck, tmp_path):
    who = members(1e-6, 3e-2, 1e-5)
    whole = trained(ECHO, who, double=False)

    class Stop(Exception):
        pass

    def stop(done: int) -> None:
        if done == 30:
            raise Stop

    for progress in (stop, lambda done: None):
        model = model_of("rnn", ECHO, [0, 1, 2])
        checkpoint = Checkpoint(tmp_path / "job.pt", every=0.0)
        try:
            outcomes = train(ECHO, model, who, budget(), CPU, progress, checkpoint)
        except Stop:
            assert checkpoint.load()["step"] == 25
    assert bits(outcomes) == bits(whole)


def test_what_cannot_be_captured_runs_without_and_says_so_once(deck, monkeypatch):
    deck.fails = True
    who = members(1e-6, 3e-2, 1e-5)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        outcomes = trained(ECHO, who)
    assert [str(each.message) for each in said] == [
        "no CUDA graph can be made of a step, it runs without: "
        "operation not permitted when stream is capturing"
    ]
    monkeypatch.undo()
    assert bits(outcomes) == bits(trained(ECHO, who))


def test_a_number_that_python_holds_would_be_found_out(deck):
    total, held = torch.zeros(()), iter(range(100))

    def spoiled(t: Tensor) -> None:
        total.add_(t).add_(next(held))

    captured = CudaGraph(spoiled, CPU)
    for t in range(10):
        captured(t)
    assert total.item() == sum(range(10)) + sum(range(WARM_UP)) + 7 * WARM_UP


def test_a_short_run_is_never_captured(deck):
    trained(ECHO, members(1e-6), steps=WARM_UP)
    assert not deck.graphs


# A graph, on a GPU


@pytest.fixture
def quiet():
    """Torch's own remarks on CUDA are no errors here: weights lie apart, a kernel is not deterministic."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Attempting to run cuBLAS, but there was no current")
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")
        warnings.filterwarnings("ignore", ".*deterministic")
        torch.use_deterministic_algorithms(True, warn_only=True)
        yield
    torch.use_deterministic_algorithms(False)


def on_gpu(task: Task, model: str, who, **changes):
    net = model_of(model, task, [member.seed for member in who]).cuda()
    return train(task, net, who, budget(**changes), CUDA)


@gpu
@needs_cuda
@pytest.mark.usefixtures("quiet")
@each_pair
def test_captured_or_not_or_on_a_cpu_a_training_is_the_same(monkeypatch, name, model):
    task, who = shortest(name), members(1e-3, 3e-4)
    short = {"steps": 12, "validate_every": 4}
    replays = []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(
        torch.cuda.CUDAGraph, "replay", lambda self: (replays.append(1), replay(self))
    )
    captured = on_gpu(task, model, who, **short)
    assert len(replays) == 12 - WARM_UP
    monkeypatch.setattr(cuda_graph, "DEVICES", ())
    plain = on_gpu(task, model, who, **short)
    here = train(task, model_of(model, task, [0, 1]), who, budget(**short), CPU)
    for one, other, third in zip(captured, plain, here, strict=True):
        for pair in ((one, other, 1e-5), (one, third, 1e-3)):
            a, b, tolerance = pair
            assert a.curve.step == b.curve.step
            assert a.curve.loss == pytest.approx(b.curve.loss, rel=tolerance)
            assert a.test_loss == pytest.approx(b.test_loss, rel=tolerance)


@gpu
@needs_cuda
@pytest.mark.usefixtures("quiet")
def test_a_member_that_leaves_disturbs_no_other_on_a_gpu():
    who = members(1e-6, 3e-2, 1e-5, 2e-3)
    for member, outcome in zip(who, on_gpu(ECHO, "rnn", who), strict=True):
        net = model_of("rnn", ECHO, [member.seed]).cuda()
        (alone,) = train(ECHO, net, [member], budget(), CUDA)
        close(outcome, alone, 1e-3)


@gpu
@needs_cuda
@pytest.mark.usefixtures("quiet")
def test_the_same_again_on_a_gpu_is_the_same_to_the_bit():
    who = members(1e-2, 3e-3)
    one, other = (bits(on_gpu(ADDING, "lstm_peephole", who, steps=20)) for _ in range(2))
    assert one == other


@gpu
@needs_cuda
@pytest.mark.usefixtures("quiet")
@each_pair
def test_cuda_itself_sees_no_waiting(name, model):
    task = shortest(name)
    stack = Stack(model_of(model, task, [0, 1], hidden=4).cuda(), [1e-2, 1e-3])
    feed = Feed(task, [0, 1], budget(steps=4), CUDA)
    feed.chunk = 2
    feed.step(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for t in range(4):
            data = feed.step(t)
            take_step(task, stack, 1.0, data.x, data.y, data.mask, t + 1)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@gpu
@needs_cuda
@pytest.mark.usefixtures("quiet")
def test_a_model_that_waits_is_trained_without_a_graph():
    net = model_of("rnn", ECHO, [0]).cuda()
    forward = net.forward
    net.forward = lambda x, answers: forward(x, answers) * (1.0 if x.sum().item() >= 0 else 2.0)
    with pytest.warns(UserWarning, match="no CUDA graph can be made"):
        (outcome,) = train(ECHO, net, members(3e-2), budget(), CUDA)
    close(outcome, on_gpu(ECHO, "rnn", members(3e-2))[0], 1e-3)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


@gpu
@needs_cuda
@pytest.mark.usefixtures("quiet")
def test_the_memory_of_a_graph_is_given_back():
    def left(E: int) -> int:
        net = model_of("rnn", ADDING, list(range(E)), hidden=256).cuda()
        train(ADDING, net, members(*[1e-3] * E), budget(steps=10), CUDA)
        del net
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved()

    before = left(1)  # what the libraries keep for good
    assert left(64) <= before + 2**25  # the graph alone had more than 2**26 bytes
    assert torch.cuda.max_memory_reserved() > before + 2**26
