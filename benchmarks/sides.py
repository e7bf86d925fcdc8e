"""What is compared: one training step of E members, as seqbench takes it and as one would without it.

A step is forward, mean squared error at the last time step, backward, clipping and Adam, on data that lies there
already: x ``(E, B, T, D)``, y ``(E, B, 1)``. Sides differ in nothing but who computes it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from seqbench.machine import products_in
from seqbench.models import MODELS
from seqbench.random import Keys
from seqbench.training.cuda_graph import CudaGraph
from seqbench.training.loop import Stack

D = 2
RATE = 1e-4  # small: what is timed is not what the weights become
CLIP = 1.0

Step = Callable[[], Any]


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

    def data(self) -> tuple[Tensor, Tensor]:
        """Return x and y, the same for every side."""
        keys = Keys.span("peers", 1, "train", 0, 0, self.E).to(self.device)
        return keys.uniform("x", self.B, self.T, D), keys.uniform("y", self.B, 1)


def under(precision: str, make: Callable[[], Step]) -> Callable[[], Step]:
    """Return the maker of a step whose products are in a precision."""

    @contextmanager
    def inside() -> Iterator[None]:
        half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
        with (
            products_in("tf32" if precision == "tf32" else "float32"),
            # A cast that is remembered from before a capture would be no part of the graph.
            torch.autocast("cuda", half, enabled=half is not None, cache_enabled=False),
        ):
            yield

    def made() -> Step:
        with inside():
            step = make()

        def run() -> Any:
            with inside():
                return step()

        return run

    return made


# As seqbench does it


def members(
    model: str, shape: Shape, scan: str = "auto", recompute: bool = False, **options: Any
) -> Step:
    """Return a step of all members at once."""
    x, y = shape.data()
    keys = Keys.span(model, 1, "weights", 0, 0, shape.E).to(shape.device)
    net: Any = MODELS[model](keys, inputs=D, outputs=1, hidden=shape.H, **options)
    net.use_scan(scan, recompute)
    stack = Stack(net, [RATE] * shape.E)

    def step(x: Tensor, y: Tensor, t: int | Tensor) -> None:
        loss = (net(x, 1)[:, :, 0] - y).square().mean(dim=(1, 2))
        stack.step(stack.gradient(loss), t, CLIP)

    advance = CudaGraph(step, torch.device(shape.device))  # as the trainer does
    return lambda: advance(x, y, 1)


def in_turn(model: str, shape: Shape, scan: str = "reference", **options: Any) -> Step:
    """Return a step of the members one by one: seqbench's own network with E = 1."""
    one = Shape(1, shape.B, shape.T, shape.H, shape.device)
    steps = [members(model, one, scan, **options) for _ in range(shape.E)]
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
        found = []
        for x_t in x.unbind(dim=1):
            state = self.cell(x_t, state)
            found.append(state[0] if isinstance(state, tuple) else state)
        return (torch.stack(found, dim=1),)


CELLS = {nn.RNN: nn.RNNCell, nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}


def one_by_one(make: Callable[[Shape], nn.Module], shape: Shape) -> Step:
    """Return a step of E networks, one after the other."""
    steps = trained(make, shape)
    return lambda: [step() for step in steps]


def trained(make: Callable[[Shape], nn.Module], shape: Shape, **adam: Any) -> list[Step]:
    """Return a step for each network."""
    x, y = shape.data()
    return [trained_on(make(shape), x_e, y_e, **adam) for x_e, y_e in zip(x, y, strict=True)]


def trained_on(recurrent: nn.Module, x: Tensor, y: Tensor, **adam: Any) -> Step:
    """Return a step of one network."""
    hidden = getattr(recurrent, "hidden_size", None) or recurrent.hidden
    net = Net(recurrent, hidden).to(x.device)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True, **adam)

    def step() -> None:
        loss = F.mse_loss(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        clip_grad_norm_(net.parameters(), CLIP)
        optimiser.step()

    return step


def module(kind: type[nn.RNNBase]) -> Callable[[Shape], nn.Module]:
    """Return the maker of torch's own module: oneDNN on a CPU, cuDNN on a GPU."""
    return lambda shape: kind(D, shape.H, batch_first=True)


def loop(kind: type[nn.RNNBase]) -> Callable[[Shape], nn.Module]:
    """Return the maker of the eager loop over torch's cell."""
    return lambda shape: Loop(CELLS[kind](D, shape.H), shape.H)


def compiled(kind: type[nn.RNNBase]) -> Callable[[Shape], nn.Module]:
    """Return the maker of the loop under torch.compile."""

    def make(shape: Shape) -> nn.Module:
        net = Loop(CELLS[kind](D, shape.H), shape.H)
        net.compile(fullgraph=True)
        return net

    return make


def torchrl(kind: type[nn.RNNBase]) -> Callable[[Shape], nn.Module]:
    """Return the maker of torchrl's module: in Python on a CPU, its Triton kernels on a GPU."""

    def make(shape: Shape) -> nn.Module:
        from torchrl import modules

        if shape.device == "cpu":
            return getattr(modules, kind.__name__)(D, shape.H, batch_first=True)
        return TorchRL(getattr(modules, f"{kind.__name__}Module"), shape.H)

    return make


class TorchRL(nn.Module):
    """A recurrent module of torchrl's on its Triton backend, which reads and writes dictionaries."""

    def __init__(self, kind: Any, hidden: int) -> None:
        super().__init__()
        self.hidden_size = hidden
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


def on_streams(kind: type[nn.RNNBase], shape: Shape, count: int = 8) -> Step:
    """Return a step of E networks of cuDNN's, shared out among streams."""
    steps = trained(module(kind), shape)
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


def in_a_graph(kind: type[nn.RNNBase], shape: Shape, streams: int = 1) -> Step:
    """Return a step of E networks of cuDNN's, captured in one CUDA graph."""
    steps = trained(module(kind), shape, capturable=True)
    step = spread(steps, [torch.cuda.Stream() for _ in range(streams)])
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
