"""What the models are made of: parameters with a leading member axis, affine maps, cells and stacks of cells.

E appears here, in the scans and in the trainer only. A parameter is ``(E, …)`` and member e draws it from its own
stream; one ``baddbmm`` multiplies all members at once. A model file then reads like the equations of its paper.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from math import prod, sqrt
from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from seqbench.axes import Gates, Hidden, Outputs, Projected, Sequences
from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.dropout import Dropout
from seqbench.random import Keys
from seqbench.scan import Scan, chosen, scan
from seqbench.scan.specs import CellSpec

TOLERANCE = 0.02  # by which the sizes of compared models may differ from the common one


def uniform(keys: Keys, name: str, *shape: int, bound: float) -> nn.Parameter:
    """Return a parameter ``(E, *shape)``, each member's drawn from its own stream within ±bound."""
    return nn.Parameter(keys.uniform(name, *shape, low=-bound, high=bound))


def affine(
    x: Float[Tensor, "E K D"], W: Float[Tensor, "E D G"], b: Float[Tensor, "E #K G"]
) -> Float[Tensor, "E K G"]:
    """Return x W + b, member by member, in one product."""
    return torch.baddbmm(b, x, W)


class Linear(nn.Module):
    """An affine map of the last axis, whatever lies between it and the member axis."""

    def __init__(
        self, keys: Keys, name: str, inputs: int, outputs: int, scale: float = 1.0
    ) -> None:
        super().__init__()
        bound = 1 / sqrt(inputs)  # as torch.nn.Linear
        self.W = uniform(keys, f"{name}/W", inputs, outputs, bound=scale * bound)
        self.b = uniform(keys, f"{name}/b", 1, outputs, bound=bound)

    def forward(self, x: Float[Tensor, "E *K D"]) -> Float[Tensor, "E *K C"]:
        """Return x W + b."""
        y = affine(x.flatten(1, -2), self.W, self.b)
        return y.unflatten(1, x.shape[1:-1])


class Cell(nn.Module, ABC):
    """One layer of recurrence: what enters it at a step, and what a step does.

    The product with the input does not wait for the state, so it is taken for all steps at once (``project``);
    ``step`` then gets ``a = x_t W_x + b`` and the state, of which the first part is the hidden state h.

    Attributes
    ----------
    gates
        G, the number of blocks of H columns in the weights.
    parts
        How many ``(E, B, H)`` tensors the state has.
    hidden_to_hidden
        Whether it has W_h, the matrix from the state before. A recurrence without one, whose gates see the input
        alone, says False: then it has no such parameters.
    native_on_cpu
        Whether torch's own kernel was measured to be the fastest on a CPU.
    """

    gates: ClassVar[int]
    parts: ClassVar[int] = 1
    hidden_to_hidden: ClassVar[bool] = True
    native_on_cpu: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Let a class whose steps are its own inherit no kernel for those of another."""

        def place(name: str) -> int:
            return next(k for k, base in enumerate(cls.__mro__) if name in vars(base))

        own = min(place(name) for name in ("project", "start", "step", "hidden_to_hidden"))
        for name in ("native", "spec"):
            if own < place(name):
                setattr(cls, name, None)

    def __init__(self, keys: Keys, layer: str, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        bound = 1 / sqrt(hidden)  # as torch.nn.LSTM
        self.W_x = uniform(keys, f"{layer}/W_x", inputs, self.gates * hidden, bound=bound)
        if self.hidden_to_hidden:
            self.W_h = uniform(keys, f"{layer}/W_h", hidden, self.gates * hidden, bound=bound)
        self.b = uniform(keys, f"{layer}/b", 1, self.gates * hidden, bound=bound)

    def project(self, x: Float[Tensor, "E B T D"]) -> Projected:
        """Return x_t W_x + b for every t."""
        return affine(x.flatten(1, 2), self.W_x, self.b).unflatten(1, x.shape[1:3])

    def start(self, a: Projected) -> tuple[Hidden, ...]:
        """Return the state before the first step: zeros."""
        E, B = a.shape[:2]
        return (a.new_zeros(E, B, self.hidden),) * self.parts

    @abstractmethod
    def step(self, a: Gates, *state: Hidden) -> tuple[Hidden, ...]:
        """Return the state after one step."""

    @property
    def native(self) -> Callable[..., Any] | None:
        """Return the function of torch that runs this cell with its own kernel, or None."""
        return None

    @property
    def spec(self) -> CellSpec | None:
        """Return what the scans with a backward pass of their own know this cell as, or None."""
        return None

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return W_x, b, W_h (zeros where there is none), and what else its spec has: peepholes, or the bias of n."""
        if self.hidden_to_hidden:
            return self.W_x, self.b, self.W_h, None
        zeros = self.W_x.new_zeros(len(self.W_x), self.hidden, self.gates * self.hidden)
        return self.W_x, self.b, zeros, None

    def native_weights(self) -> list[list[Tensor]]:
        """Return each member's parameters as torch's kernels take them: W_ih, W_hh, b_ih, b_hh."""
        W_x, b, W_h, _ = self.weights
        rows = zip(W_x.unbind(), W_h.unbind(), b.unbind(), strict=True)
        return [[W_x.t(), W_h.t(), b[0], torch.zeros_like(b[0])] for W_x, W_h, b in rows]


class Recurrent(nn.Module):
    """One or more layers of a cell, and an affine readout of the top layer's h.

    Parameters
    ----------
    keys
        The identities of the E members; all weights are drawn from them.
    inputs, outputs, hidden, layers
        D, C, H, and the number of layers.
    causal
        Taken for the sake of one signature for all models: a recurrence is always causal.
    bottom
        The hidden units of the lowest layer of a stack: as ``hidden`` if not given.
    truncate
        Steps over which a gradient flows back through time, 0 for all of them (``scan/windows.py``).
    dropout
        The share of h that is dropped in training on its way to the layer above and to the readout (``dropout.py``).
    options
        What the cell alone understands, such as the reset of the GRU.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    reads: ClassVar[Literal["sequence", "video"]] = "sequence"
    cell: ClassVar[type[Cell]]

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: int,
        outputs: int,
        hidden: int,
        layers: int = 1,
        causal: bool = True,
        bottom: int | None = None,
        truncate: Annotated[
            int,
            Field(
                ge=0, le=100_000, description="steps that a gradient flows back; 0 for all of them"
            ),
        ] = 0,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__()
        if truncate < 0:
            raise BadInput(f"truncate {truncate} is no number of steps; choose 0, for all, or more")
        if bottom and layers == 1:
            raise BadInput(f"bottom={bottom} is the width below others; a single layer has hidden")
        widths = [inputs, bottom or hidden, *[hidden] * (layers - 1)]
        self.layers: Any = nn.ModuleList(
            self.cell(keys, f"layer {k}", widths[k], widths[k + 1], **options)
            for k in range(layers)
        )
        self.drops: Any = nn.ModuleList(Dropout(keys, f"layer {k}", dropout) for k in range(layers))
        self.readout = Linear(keys, "readout", hidden, outputs)
        self.truncate = truncate
        self.scan: Scan = "auto"
        self.recompute = False  # the gates, in the backward pass: less memory, more time

    @classmethod
    def option_sources(cls) -> list[type]:
        """Return the classes whose keyword arguments are options of this model (``options.py``)."""
        return [cls, cls.cell]

    @property
    def scanned(self) -> str:
        """Return the scan that runs this network."""
        return chosen(self.layers[0], self.scan, self.readout.W.device)

    @classmethod
    def size_options(cls, layers: int = 1, **options: Any) -> dict[str, int]:
        """Return what sets the size, coarse before fine, and in which steps (see ``matched``).

        A unit more in every layer is too coarse a step for a stack: the lowest layer takes up what is left.
        """
        return {"hidden": 1, "bottom": 1} if layers > 1 else {"hidden": 1}

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps."""
        return self.readout(self.states(x)[:, :, -answers:])

    def states(self, x: Sequences) -> Float[Tensor, "E B T H"]:
        """Return the h of the top layer at every step, as it goes to the readout."""
        for layer, drop in zip(self.layers, self.drops, strict=True):
            x = drop(scan(layer, x, self.scan, self.recompute, self.truncate))
        return x

    def start(self, B: int, T: int) -> list[tuple[Hidden, ...]]:
        """Return the state of every layer before the first step, of however many."""
        E = len(self.readout.W)
        no_steps = self.readout.W.new_empty(E, B, 0, 0)
        return [layer.start(no_steps) for layer in self.layers]

    def advance(
        self, x: Float[Tensor, "E B *D"], state: list[tuple[Hidden, ...]]
    ) -> tuple[Float[Tensor, "E B C"], list[tuple[Hidden, ...]]]:
        """Return the outputs at the next step, and the state of every layer after it."""
        h, after = self.stepped(x, state)
        return self.readout(h), after

    def stepped(
        self, x: Float[Tensor, "E B *D"], state: list[tuple[Hidden, ...]]
    ) -> tuple[Hidden, list[tuple[Hidden, ...]]]:
        """Return the h of the top layer at the next step, and the state of every layer after it."""
        after = []
        for layer, before in zip(self.layers, state, strict=True):
            a = layer.project(x[:, :, None])[:, :, 0]
            x, *rest = layer.step(a, *before)
            after.append((x, *rest))
        return x, after


def count(model: nn.Module) -> int:
    """Return P, the numbers in all parameters of one member."""
    return sum(prod(parameter.shape[1:]) for parameter in model.parameters())


@cache
def common_size(
    models: tuple[str, ...],
    parameters: int,
    *,
    inputs: int | tuple[int, int, int],
    outputs: int,
    causal: bool = True,
) -> int:
    """Return the count nearest to ``parameters`` that each of these models can have within 2 %.

    A hidden unit more or less is 2 / H of an LSTM's parameters, so that no count suits all models by itself; of the
    counts within a tenth of the one asked for, some suit them all. Where none does, the one that suits best is taken.
    Models with a second dial (see ``matched``) can have any count and have no say.
    """
    sizes = [
        counts
        for model in models
        if (
            counts := counts_of_hidden(
                MODELS[model], 1.2 * parameters, inputs=inputs, outputs=outputs, causal=causal
            )
        )
    ]

    def worst(P: int) -> float:
        return max((min(abs(count - P) for count in counts) / P for counts in sizes), default=0.0)

    tenth = parameters // 10
    near = sorted(
        range(parameters - tenth, parameters + tenth + 1), key=lambda P: (abs(P - parameters), P)
    )
    return next((P for P in near if worst(P) <= TOLERANCE), min(near, key=worst))


def counts_of_hidden(model: Any, most: float, **shape: Any) -> list[int]:
    """Return the counts up to ``most`` that a model's hidden width can give it; none if it has another dial, too."""
    if hasattr(model, "size_options") and list(model.size_options()) != ["hidden"]:
        return []
    nobody = Keys.span(model.name, 1, "weights", 0, 0, 0)
    counts: list[int] = []
    while not counts or counts[-1] < most:
        counts.append(count(model(nobody, hidden=len(counts) + 1, **shape)))
    return counts


def matched(
    model: str | type[nn.Module],
    parameters: int,
    *,
    inputs: int | tuple[int, int, int],
    outputs: int,
    **options: Any,
) -> dict[str, int]:
    """Return the sizes that give a model as nearly as can be so many parameters a member.

    A model says by ``size_options(**options)`` what sets its size: ``{"hidden": 8, "feedforward": 1}`` turns
    ``hidden`` up in steps of 8 as far as it fits, then ``feedforward`` for the rest. Without such a
    method ``hidden`` alone is turned. Every try is a model of no members: it has shapes, and no numbers to be drawn.

    Parameters
    ----------
    model
        A name, or the class itself.
    parameters
        The count to be matched. What remains is at most half of what one step of the last dial adds; a hidden unit
        more or less is about 2 / H of an LSTM or GRU.
    options
        What else the model is given: layers, causal and its own options. A size among them stays as it is.

    Raises
    ------
    BadInput
        Where the smallest size has too many.
    """
    cls: Any = MODELS[model] if isinstance(model, str) else model
    nobody = Keys.span(cls.name, 1, "weights", 0, 0, 0)
    if hasattr(cls, "dials"):  # the name of the method in version 0.1
        raise BadInput(f"model '{cls.name}' has a method 'dials'; its name is 'size_options' now")
    size_options = cls.size_options(**options) if hasattr(cls, "size_options") else {"hidden": 1}

    def size(sizes: dict[str, int]) -> int:
        return count(cls(nobody, inputs=inputs, outputs=outputs, **options, **sizes))

    near: list[dict[str, int]] = [{}]
    for dial, step in size_options.items():
        if dial in options:
            continue
        top = 1
        while top < parameters and size(near[0] | {dial: top * step}) <= parameters:
            top *= 2
        tries = [near[0] | {dial: n * step} for n in range(1, top + 1)]
        fits = bisect_right(tries, parameters, key=size)
        near = tries[max(fits - 1, 0) : fits + 1]  # the largest that fits, and the next
    least = size(near[0])
    if near[0] and least > parameters:
        raise BadInput(f"{cls.name} has at least {least} parameters here; {parameters} are too few")
    return min(near, key=lambda sizes: abs(size(sizes) - parameters))
