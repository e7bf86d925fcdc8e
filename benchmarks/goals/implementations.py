"""What is compared: one training step of E members, as seqbench takes it and as one would without it.

A step is forward, mean squared error at the last time step, backward, clipping and Adam, on data that is on the device
already: x ``(E, B, T, D)``, y ``(E, B, 1)``. Both sides of a comparison take the same step and differ only in the code
that computes it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from seqbench.machine import set_product_precision
from seqbench.models import MODELS
from seqbench.random import Keys
from seqbench.training.cuda_graph import CudaGraph
from seqbench.training.stack import Stack

D = 2
RATE = 1e-4  # small: what is timed is not what the weights become
CLIP = 1.0

Step = Callable[[], object]


@dataclass(frozen=True)
class Shape:
    """How many members, sequences, steps and hidden units."""

    E: int
    B: int
    T: int
    H: int
    device: str = "cpu"

    @property
    def tokens(self) -> int:
        """Return how many tokens a step works on."""
        return self.E * self.B * self.T

    def draw(self) -> tuple[Tensor, Tensor]:
        """Return x and y, the same for every side."""
        keys = Keys.span("peers", 1, "train", 0, 0, self.E).to(self.device)
        return keys.uniform("x", self.B, self.T, D), keys.uniform("y", self.B, 1)


def use_precision(precision: str, make: Callable[[], Step]) -> Callable[[], Step]:
    """Return a function that makes the same step with its products in a precision."""

    @contextmanager
    def enter_precision() -> Iterator[None]:
        half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
        with (
            set_product_precision("tf32" if precision == "tf32" else "float32"),
            # Autocast must not cache a cast from before a capture: it would be no part of the graph.
            torch.autocast("cuda", half, enabled=half is not None, cache_enabled=False),
        ):
            yield

    def make_step() -> Step:
        with enter_precision():
            step = make()

        def run_step() -> object:
            with enter_precision():
                return step()

        return run_step

    return make_step


# As seqbench does it


def make_ensemble(
    model: str, shape: Shape, scan: str = "auto", recompute: bool = False, **options: Any
) -> Step:
    """Return a step of all members at once; the options are those of the model."""
    x, y = shape.draw()
    keys = Keys.span(model, 1, "weights", 0, 0, shape.E).to(shape.device)
    net = MODELS[model](keys, inputs=D, outputs=1, hidden=shape.H, **options)
    net.use_scan(scan, recompute)
    stack = Stack(net, [RATE] * shape.E)

    def step(x: Tensor, y: Tensor, t: int | Tensor) -> None:
        loss = (net(x, 1)[:, :, 0] - y).square().mean(dim=(1, 2))
        stack.step(stack.gradient(loss), t, CLIP)

    advance = CudaGraph(step, torch.device(shape.device))  # as the trainer does
    return lambda: advance(x, y, 1)


def make_members_one_by_one(
    model: str, shape: Shape, scan: str = "reference", **options: Any
) -> Step:
    """Return a step of the members one by one: seqbench's own network with E = 1."""
    one = Shape(1, shape.B, shape.T, shape.H, shape.device)
    steps = [make_ensemble(model, one, scan, **options) for _ in range(shape.E)]
    return lambda: [step() for step in steps]


# As one would without it


class Net(nn.Module):
    """A recurrent module and an affine readout of its last h."""

    def __init__(self, recurrent: nn.Module, hidden: int) -> None:
        super().__init__()
        self.recurrent, self.readout = recurrent, nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        h, *_ = self.recurrent(x)
        return self.readout(h[:, -1])


class Loop(nn.Module):
    """The loop over a cell of torch's that one would write."""

    def __init__(self, cell: nn.Module, hidden: int) -> None:
        super().__init__()
        self.cell, self.hidden = cell, hidden

    def forward(self, x: Tensor) -> tuple[Tensor]:
        h = x.new_zeros(len(x), self.hidden)
        state = (h, h) if isinstance(self.cell, nn.LSTMCell) else h
        outputs = []
        for x_t in x.unbind(dim=1):
            state = self.cell(x_t, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return (torch.stack(outputs, dim=1),)


CELLS = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}
Build = Callable[[type[nn.RNNBase], Shape], nn.Module]  # for example build_module


def make_one_by_one(build: Build, kind: type[nn.RNNBase], shape: Shape) -> Step:
    """Return a step of E networks, one after the other."""
    steps = make_steps(build, kind, shape)
    return lambda: [step() for step in steps]


def make_steps(
    build: Build, kind: type[nn.RNNBase], shape: Shape, capturable: bool = False
) -> list[Step]:
    """Return a step for each of E networks; one of Adam that can be captured in a CUDA graph, if asked for."""
    x, y = shape.draw()
    return [
        make_step(Net(build(kind, shape), shape.H), x_e, y_e, capturable)
        for x_e, y_e in zip(x, y, strict=True)
    ]


def make_step(net: Net, x: Tensor, y: Tensor, capturable: bool) -> Step:
    """Return a step of one network, which is moved to where its data is."""
    net.to(x.device)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True, capturable=capturable)

    def step() -> None:
        loss = F.mse_loss(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        clip_grad_norm_(net.parameters(), CLIP)
        optimiser.step()

    return step


def build_module(kind: type[nn.RNNBase], shape: Shape) -> nn.Module:
    """Return torch's own module: oneDNN on a CPU, cuDNN on a GPU."""
    return kind(D, shape.H, batch_first=True)


def build_loop(kind: type[nn.RNNBase], shape: Shape) -> nn.Module:
    """Return the eager loop over torch's cell."""
    return Loop(CELLS[kind](D, shape.H), shape.H)


def build_compiled_loop(kind: type[nn.RNNBase], shape: Shape) -> nn.Module:
    """Return the loop under torch.compile."""
    net = build_loop(kind, shape)
    net.compile(fullgraph=True)
    return net


def build_torchrl(kind: type[nn.RNNBase], shape: Shape) -> nn.Module:
    """Return torchrl's module: in Python on a CPU, its Triton kernels on a GPU."""
    from torchrl import modules

    if shape.device == "cpu":
        return {nn.LSTM: modules.LSTM, nn.GRU: modules.GRU}[kind](D, shape.H, batch_first=True)
    return TorchRL({nn.LSTM: modules.LSTMModule, nn.GRU: modules.GRUModule}[kind], shape.H)


class TorchRL(nn.Module):
    """A recurrent module of torchrl's on its Triton backend, which reads and writes dictionaries."""

    def __init__(self, kind: type[nn.Module], hidden: int) -> None:
        super().__init__()
        self.module = kind(
            input_size=D,
            hidden_size=hidden,
            in_key="x",
            out_key="h",
            recurrent_backend="triton",
            default_recurrent_mode=True,
        )

    def forward(self, x: Tensor) -> tuple[Tensor]:
        from tensordict import TensorDict

        start = torch.zeros(*x.shape[:2], 1, dtype=torch.bool, device=x.device)
        return (self.module(TensorDict({"x": x, "is_init": start}, x.shape[:2]))["h"],)


# On a GPU


def make_on_streams(kind: type[nn.RNNBase], shape: Shape, count: int = 8) -> Step:
    """Return a step of E networks of cuDNN's, shared out among streams."""
    steps = make_steps(build_module, kind, shape)
    return spread(steps, [torch.cuda.Stream() for _ in range(count)])


def spread(steps: list[Step], streams: list[torch.cuda.Stream]) -> Step:
    """Return one step that takes each step on one of the streams."""

    def step() -> None:
        current = torch.cuda.current_stream()
        for stream in streams:
            stream.wait_stream(current)
        for k, each in enumerate(steps):
            with torch.cuda.stream(streams[k % len(streams)]):
                each()
        for stream in streams:
            current.wait_stream(stream)

    return step


def make_in_graph(kind: type[nn.RNNBase], shape: Shape, streams: int = 1) -> Step:
    """Return a step of E networks of cuDNN's, captured in one CUDA graph."""
    steps = make_steps(build_module, kind, shape, capturable=True)
    step = spread(steps, [torch.cuda.Stream() for _ in range(streams)])
    warm_up = torch.cuda.Stream()
    warm_up.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(warm_up):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(warm_up)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
