r"""A plain torch module of your own, turned into a model with members.

All it takes is a function that makes the module for one member, which maps ``(B, T, D)`` to ``(B, T, C)``::

    def two_layers(inputs, outputs, hidden):
        return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))

    TwoLayers = adapt("two_layers", two_layers)

The members' parameters and buffers are stacked to ``(E, …)`` under the names that they have in the module, after
``net.``. ``torch.func`` runs all members at once, or one after the other where torch can't batch an operation, such
as the recurrence of ``nn.LSTM``. Torch's own random state is lent to the factory, seeded for each member from its
keys, and given back as it was.
"""

import warnings
from collections.abc import Callable
from functools import partial
from inspect import signature
from itertools import chain
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput
from seqbench.random import Keys

Reads = Literal["sequence", "video"]
State = dict[str, Tensor]


def adapt(
    name: str, factory: Callable[..., nn.Module], version: int = 1, reads: Reads = "sequence"
) -> type["Adapted"]:
    """Return a model class whose members are modules that a factory makes.

    Parameters
    ----------
    name, version
        What the model is called in results, and a number that grows whenever its numbers change.
    factory
        Called as ``factory(inputs, outputs, hidden)``; it is given ``layers`` and ``causal`` as well if it has
        parameters of these names, and the options of the run.
    reads
        ``"video"`` for a module that maps ``(B, T, channels, height, width)``.
    """
    body = {
        "__doc__": factory.__doc__,
        "__module__": factory.__module__,
        "name": name,
        "version": version,
        "reads": reads,
        "factory": staticmethod(factory),
    }
    return type(name, (Adapted,), body)


class Adapted(nn.Module):
    """Modules of one kind, side by side."""

    name: ClassVar[str]
    version: ClassVar[int]
    reads: ClassVar[Reads]
    factory: ClassVar[Callable[..., nn.Module]]

    def __init__(
        self,
        keys: Keys,
        *,
        inputs: int | tuple[int, int, int],
        outputs: int,
        hidden: int,
        layers: int = 1,
        causal: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        known = signature(self.factory).parameters
        if layers != 1 and "layers" not in known:
            raise BadInput(f"{self.name} takes no number of layers; {layers} were asked for")
        shape = {"layers": layers, "causal": causal}
        options |= {name: value for name, value in shape.items() if name in known}
        members = drawn(keys, partial(self.factory, inputs, outputs, hidden, **options))
        self.net = members[0]  # from here on its parameters and buffers are everybody's: (E, …)
        for same in zip(*(chain(m.parameters(), m.buffers()) for m in members), strict=True):
            same[0].data = torch.stack([tensor.data for tensor in same])[: len(keys)]
        self.to(keys.seed.device)
        self.batched: bool | None = None  # not known before the first input

    @classmethod
    def option_sources(cls) -> list[Callable[..., nn.Module]]:
        """Return the function whose keyword arguments are options of this model (``options.py``)."""
        return [cls.factory]

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps."""
        if self.batched is None:
            self.batched = self.can_be_batched(x)
        state = self.state()
        if self.batched:
            y = vmap(self.member)(state, x)
        else:
            y = torch.stack([self.member(of(e, state), x_e) for e, x_e in enumerate(x)])
        return y[:, :, -answers:]

    def state(self) -> State:
        """Return all parameters and buffers by name, each ``(E, …)``."""
        return dict(chain(self.net.named_parameters(), self.net.named_buffers()))

    def member(self, state: State, x: Tensor) -> Tensor:
        """Return what the module gives with the parameters and buffers of one member."""
        y: Tensor = functional_call(self.net, state, (x,))
        return y

    def can_be_batched(self, x: Tensor) -> bool:
        """Return whether torch can run all members at once; refuse a module that draws random numbers."""
        state = {name: t.clone() for name, t in self.state().items()}  # a try leaves no trace
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            before = torch.get_rng_state()
            self.member(of(0, state), x[0])
            if not torch.equal(before, torch.get_rng_state()):
                raise BadInput(
                    f"{self.name} draws random numbers as it runs, so that a member would depend on the others; "
                    "is there a dropout? leave it out"
                )
            warnings.simplefilter("error")  # where it has no rule torch fails, or warns and is slow
            try:
                vmap(self.member)(state, x)
            except (RuntimeError, UserWarning):
                return False
        return True


def of(e: int, state: State) -> State:
    """Return the parameters and buffers of member e."""
    return {name: tensor[e] for name, tensor in state.items()}


def drawn(keys: Keys, make: Callable[[], nn.Module]) -> list[nn.Module]:
    """Return a module for each member, its weights drawn from a stream of its own; and one where there is none."""
    words = keys.to("cpu").words("initial weights", 2).tolist()
    modules = []
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        for high, low in words or [(0, 0)]:
            torch.default_generator.manual_seed(high << 32 | low)
            modules.append(make())
    return modules
