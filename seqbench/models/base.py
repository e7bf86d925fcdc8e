"""What a model is, and the base class of the recurrent ones.

A model is E members side by side: every parameter is ``(E, …)``, and member e computes what it would compute alone.
``layers.py`` has what models are made of, ``cell.py`` a layer of recurrence, ``sizing.py`` how sizes are matched. What
the file of a model needs of the first two can be imported from here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from math import prod
from typing import Annotated, Any, ClassVar, get_args

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from seqbench.axes import Hidden, Outputs, Sequences
from seqbench.errors import BadInput, unknown
from seqbench.models.cell import Cell
from seqbench.models.dropout import Dropout
from seqbench.models.facts import Reads
from seqbench.models.layers import Linear, affine, uniform
from seqbench.random import Keys
from seqbench.scan import Scan, choose_scan, scan
from seqbench.scan.reference import Step, iterate_steps
from seqbench.values.options import list_constructors
from seqbench.values.variants import Value

__all__ = ["Cell", "LayerStates", "Linear", "Model", "Recurrent", "affine", "uniform"]

# The state of each layer, in its parts; widths may differ from layer to layer.
LayerStates = list[tuple[Float[Tensor, "E B _"], ...]]

PARTS = ("hidden", "cell")  # what the parts of a cell's state are called

Window = Annotated[
    int, Field(ge=0, le=100_000, description="steps that a gradient flows back; 0 for all of them")
]


class Model(nn.Module, ABC):
    """E members of one architecture, side by side.

    A class of your own derives from this one, or from ``Recurrent`` if a cell says all. It has a ``name``, a
    constructor and ``forward``; all else has a default, which is right for a model without a recurrence. It is built by

        MyModel(keys, *, inputs, outputs, hidden, layers=1, causal=True, **options)

    ``keys`` are the identities of the members: member e draws all its weights from identity e (``keys.uniform``, or
    ``uniform`` and ``Linear`` of ``layers.py``), and nothing else. ``inputs`` is D, the features of a step, or for a
    model that reads video ``(channels, height, width)``; ``outputs`` is C; ``hidden`` is H. ``causal`` says whether an
    answer may use only what came before it. What cannot be built raises ``BadInput``. Further keyword arguments with a
    default are options of the model, which a user may set (``values/options.py``).

    Every parameter and buffer leads with the axis E, and every parameter is float32. No member, and no sequence of a
    batch, may influence another; in a forward pass nothing is drawn from torch's random state. On a GPU a training
    step is captured and replayed: what ``forward`` does to tensors in place happens at every step, what it does in
    Python only at first. ``seqbench check`` tests all of this.

    Attributes
    ----------
    name, version
        The stable id, and a number that grows whenever the numbers of the model change.
    reads
        ``"sequence"`` for ``(E, B, T, D)``, ``"video"`` for ``(E, B, T, channels, height, width)``.
    both_ways
        Whether an answer always uses what comes after it. Such a model raises ``BadInput`` where ``causal`` is True.
    recurrent
        Whether the model has a recurrence, which a scan runs: then ``use_scan`` and ``scan_name`` are about it.
    default_layers
        The number of layers if nobody says.
    attends
        Whether the model has ``attend``.
    streams
        Whether the model has ``start`` and ``advance``, and so can be given a sequence step by step. An instance may
        say otherwise than its class, where that depends on an option.
    forward_dtype
        The type in which products are computed when the model is called: None for that of the parameters, or
        ``torch.bfloat16``, by autocast; the outputs are float32 then. Not for the scan ``native``: under autocast
        cuDNN's kernels for whole recurrences compute in float16, whatever is asked for.
    outer
        The submodules, by name, that are not counted where models are matched on what lies between embedding and
        readout (``sizing.count_inner``); a name may stand for none. The map from the features of a step to the width
        of the model, such as W_x of a recurrence, is counted: every model has one.
    requested_scan, recompute
        What ``use_scan`` was given.
    """

    # Of the class; an instance that stands around another model has those of that model (``embedded.py``).
    name: str = ""
    version: int = 1
    reads: Reads = "sequence"
    both_ways: bool = False
    recurrent: bool = False
    default_layers: ClassVar[int] = 1
    attends: bool = False
    streams: bool = False
    forward_dtype: torch.dtype | None = None
    outer: tuple[str, ...] = ("embedding", "readout")
    requested_scan: str = "auto"
    recompute: bool = False

    @abstractmethod
    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs ``(E, B, A, C)`` at the last A = ``answers`` of the T steps."""

    # Any: what a user's ``forward`` returns may be no tensor; the caller refuses it, with a sentence.
    def __call__(self, x: Sequences, answers: int) -> Any:
        """Return what ``forward`` returns, computed in ``forward_dtype``."""
        if self.forward_dtype is None:
            return super().__call__(x, answers)
        with torch.autocast(x.device.type, self.forward_dtype):
            return super().__call__(x, answers).float()

    # What it is built with

    @classmethod
    def size_options(cls, layers: int = 1, **options: object) -> dict[str, int]:
        """Return the keyword arguments that set the size, coarse before fine, each with the step it is turned up by.

        They are turned up until the model has as many parameters as the others (``sizing.match_sizes``). ``options``
        are all other arguments of the constructor but ``keys``.
        """
        return {"hidden": 1}

    @classmethod
    def option_sources(cls) -> list[Callable[..., object]]:
        """Return the classes and functions whose keyword arguments are options (``values/options.py``)."""
        return [cls]

    @classmethod
    def accepts(cls, option: str) -> bool:
        """Return whether the model, or what its options are passed on to, has a keyword argument of this name."""
        found = (
            signature(constructor).parameters.get(option)
            for source in cls.option_sources()
            for constructor in list_constructors(source)
        )
        return any(p and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in found)

    def list_inner(self) -> list[nn.Parameter]:
        """Return the parameters beyond embedding and readout, that is, beyond ``outer``."""
        outer = tuple(f"{name}." for name in self.outer)
        return [p for name, p in self.named_parameters() if not f"{name}.".startswith(outer)]

    # A sequence step by step. The state is Any, since each model has one of its own kind.

    def start(self, B: int, T: int) -> Any:
        """Return the state before the first of at most T steps, for B sequences a member.

        Raises
        ------
        BadInput
            Where the model can't be given a sequence step by step.
        """
        raise BadInput(f"{self.name} can't be given a sequence step by step")

    def advance(self, x: Float[Tensor, "E B *D"], state: Any) -> tuple[Float[Tensor, "E B C"], Any]:
        """Return the outputs at the next step, and the state after it; the old state is not used again."""
        raise BadInput(f"{self.name} can't be given a sequence step by step")

    def state_size(self, T: int) -> int | None:
        """Return the numbers that a sequence has in the state of a member after T steps, None without such a state.

        These are all tensors of ``start(1, T)``, in tuples, lists and dicts within each other. A complex number is two.
        """
        if not self.streams:
            return None
        return sum(
            prod(tensor.shape[1:]) * (2 if tensor.is_complex() else 1)
            for tensor in list_tensors(self.start(1, T))
        )

    # Recurrences

    def use_scan(self, how: str, recompute: bool = False) -> None:
        """Run the recurrences by this scan from now on; a model without any takes no notice.

        Parameters
        ----------
        how
            A scan, or ``"auto"`` for the fastest on the device (``seqbench.scan``).
        recompute
            Whether the scans with a backward pass of their own compute the gates again there: less memory, more time.
        """
        if how not in get_args(Scan):
            raise unknown("scan", how, get_args(Scan))
        self.requested_scan, self.recompute = how, recompute

    @property
    def scan_name(self) -> str:
        """Return the scan that runs it on its device: what ``auto`` stands for; ``"none"`` without a recurrence."""
        return "none"

    @property
    def cells(self) -> list[Cell]:
        """Return the layers of recurrence through which all that is known of the past passes, the lowest first.

        Empty without a recurrence, and for a model that reads both ways, whose state at a step is not all there is.
        """
        return []

    # What instruments look at

    def record_steps(self, x: Sequences, answers: int) -> tuple[Outputs, list[Step]]:
        """Return the outputs, and every step of the first of ``cells``, from a run by the reference scan."""
        raise BadInput(f"{self.name} has no cell whose steps could be recorded")

    def forward_with_states(
        self, x: Sequences, answers: int
    ) -> tuple[Outputs, dict[str, Sequence[Tensor]]]:
        """Return the outputs, and by name what a gradient passes through on its way back through time.

        Each entry is T tensors ``(E, B, …)``, one a step, that the outputs are computed from. Here that is the input
        itself, named ``input``.
        """
        inputs = [x_t.clone().requires_grad_() for x_t in x.unbind(dim=2)]
        return self(torch.stack(inputs, dim=2), answers), {"input": inputs}

    def attend(self, x: Sequences, answers: int) -> Float[Tensor, "E B M A T"]:
        """Return the attention weights of the last ``answers`` steps, for each of M heads, the first layer's first.

        Raises
        ------
        BadInput
            Where the model does not attend.
        """
        raise BadInput(f"{self.name} has no attention weights")


class Recurrent(Model):
    """One or more layers of a cell, and an affine readout of the top layer's h.

    A model of this kind is a cell and a name::

        class LeakyCell(Cell):
            gates = 1

            def step(self, a, h):
                return (0.9 * h + 0.1 * affine(h, self.W_h, a).tanh(),)


        class Leaky(Recurrent):
            name = "leaky"
            cell = LeakyCell

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

    recurrent = True
    streams = True
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
        truncate: Window = 0,
        dropout: float = 0.0,
        **options: Value,
    ) -> None:
        super().__init__()
        if truncate < 0:
            raise BadInput(f"truncate {truncate} is no number of steps; choose 0, for all, or more")
        if bottom and layers == 1:
            raise BadInput(f"bottom={bottom} is the width below others; a single layer has hidden")
        widths = [inputs, bottom or hidden, *[hidden] * (layers - 1)]
        # Any: to a type checker the entries of a ModuleList are no more than Modules.
        self.layers: Any = nn.ModuleList(
            self.cell(keys, f"layer {k}", widths[k], widths[k + 1], **options)
            for k in range(layers)
        )
        self.drops: Any = nn.ModuleList(Dropout(keys, f"layer {k}", dropout) for k in range(layers))
        self.readout = Linear(keys, "readout", hidden, outputs)
        self.truncate = truncate
        self.recorded: list[Step] | None = None  # of the lowest layer, within ``record_steps``

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps."""
        return self.readout(self.states(x)[:, :, -answers:])

    def states(self, x: Sequences) -> Float[Tensor, "E B T H"]:
        """Return the h of the top layer at every step, as it goes to the readout."""
        for k, drop in enumerate(self.drops):
            x = drop(self.run_layer(k, x))
        return x

    def run_layer(self, k: int, x: Float[Tensor, "E B T D"]) -> Float[Tensor, "E B T H"]:
        """Return the h of a layer at every step; while steps are recorded, by the reference scan."""
        if self.recorded is None:
            return scan(self.layers[k], x, self.requested_scan, self.recompute, self.truncate)
        steps = list(iterate_steps(self.layers[k], x, self.truncate))
        if k == 0:
            self.recorded += steps
        return torch.stack([step.after[0] for step in steps], dim=2)

    @classmethod
    def size_options(cls, layers: int = 1, **options: object) -> dict[str, int]:
        """Return what sets the size; in a stack the lowest layer takes up what whole layers leave."""
        return {"hidden": 1, "bottom": 1} if layers > 1 else {"hidden": 1}

    @classmethod
    def option_sources(cls) -> list[Callable[..., object]]:
        """Return the model's class and its cell's."""
        return [cls, cls.cell]

    def start(self, B: int, T: int) -> LayerStates:
        """Return the state of every layer before the first step, of however many."""
        E = len(self.readout.W)
        no_steps = self.readout.W.new_empty(E, B, 0, 0)
        return [layer.start(no_steps) for layer in self.layers]

    def advance(
        self, x: Float[Tensor, "E B *D"], state: LayerStates
    ) -> tuple[Float[Tensor, "E B C"], LayerStates]:
        """Return the outputs at the next step, and the state of every layer after it."""
        h, after = self.advance_layers(x, state)
        return self.readout(h), after

    def advance_layers(
        self, x: Float[Tensor, "E B *D"], state: LayerStates
    ) -> tuple[Hidden, LayerStates]:
        """Return the h of the top layer at the next step, and the state of every layer after it."""
        after = []
        for layer, before in zip(self.layers, state, strict=True):
            a = layer.project(x[:, :, None])[:, :, 0]
            x, *rest = layer.step(a, *before)
            after.append((x, *rest))
        return x, after

    @property
    def scan_name(self) -> str:
        """Return the scan that runs this network."""
        return choose_scan(self.layers[0], self.requested_scan, self.readout.W.device)

    @property
    def cells(self) -> list[Cell]:
        """Return the layers."""
        return list(self.layers)

    def record_steps(self, x: Sequences, answers: int) -> tuple[Outputs, list[Step]]:
        """Return the outputs, and every step of the lowest layer, from a run by the reference scan."""
        steps: list[Step] = []
        self.recorded = steps
        try:
            return self(x, answers), steps
        finally:
            self.recorded = None

    def forward_with_states(
        self, x: Sequences, answers: int
    ) -> tuple[Outputs, dict[str, Sequence[Tensor]]]:
        """Return the outputs, and the states of the lowest layer: ``hidden``, and ``cell`` where there is one."""
        output, steps = self.record_steps(x, answers)
        parts = zip(*(step.after for step in steps), strict=True)
        return output, dict(zip(PARTS, parts, strict=False))


def list_tensors(state: Any) -> Iterator[Tensor]:  # each model has a state of its own kind
    """Yield the tensors of a state, one that stands at two places twice."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, Mapping):
        yield from list_tensors(tuple(state.values()))
    elif isinstance(state, tuple | list):
        for part in state:
            yield from list_tensors(part)
