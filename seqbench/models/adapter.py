r"""A plain torch module of your own, turned into a model with members.

All it takes is a function that makes the module for one member, which maps ``(B, T, D)`` to ``(B, T, C)``::

    def two_layers(inputs, outputs, hidden):
        return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))

    TwoLayers = adapt("two_layers", two_layers)

The members' parameters and buffers are stacked to ``(E, …)`` under the names that they have in the module, after
``net.``. ``torch.func`` runs all members at once, or one after the other where torch can't batch an operation, such
as the recurrence of ``nn.LSTM``. Torch's own random state is lent to the factory, seeded for each member from its
keys, and given back as it was.

What may be adapted: modules whose parameters are float32, of any shape, down to a single number. A parameter may have
several names, and so may a submodule; one with ``requires_grad=False`` stays as it was drawn. A buffer may change as
the module runs, if it is changed in place (``self.steps += 1``). What is refused, with a sentence that says what to do
instead: complex parameters and those of another precision, lazy ones, modules that draw random numbers as they run
(dropout), modules that keep a state in Python from one call to the next, and outputs that are no ``(B, T, C)``:
``nn.LSTM`` gives a tuple, whose first part a module of your own hands to a readout. A sequence must not depend on
those beside it (``batch_first=True``): ``seqbench check`` finds out.

What sets the size: ``hidden``, turned up one by one until the module has as many parameters as the other models, the
frozen ones included. A factory that can't have every width names the steps, and what else there is to set::

    Attention = adapt("attention", attention, size_options={"hidden": 8, "feedforward": 1})  # of 8 heads

turns ``hidden`` up by 8 as far as it fits, then ``feedforward`` for the rest, and calls
``attention(inputs, outputs, hidden, feedforward=…)``. Where models are matched on what lies between embedding and
readout, the submodules that the module itself calls ``embedding`` and ``readout`` are not counted.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from itertools import chain
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.parameter import is_lazy

from seqbench.axes import Outputs, Sequences
from seqbench.errors import BadInput
from seqbench.models.base import Model
from seqbench.models.facts import Reads
from seqbench.random import Keys
from seqbench.values.arguments import Count, check_arguments
from seqbench.values.fields import Name

State = dict[str, Tensor]
HIDDEN = {"hidden": 1}  # the width alone sets the size, by one


@check_arguments
def adapt(
    name: Name,
    factory: Callable[..., nn.Module],
    version: Count = 1,
    reads: Reads = "sequence",
    size_options: Annotated[Mapping[Name, Count], Field(min_length=1)] = HIDDEN,
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
    size_options
        What sets the size, coarse before fine, and in which steps (see ``models.sizing.match_sizes``).
    """
    body = {
        "__doc__": factory.__doc__,
        "__module__": factory.__module__,
        "name": name,
        "version": version,
        "reads": reads,
        "factory": staticmethod(factory),
        "steps": dict(size_options),
    }
    return type(name, (Adapted,), body)


class Adapted(Model):
    """Modules of one kind, side by side."""

    outer = ("net.embedding", "net.readout")
    factory: ClassVar[Callable[..., nn.Module]]
    steps: ClassVar[dict[str, int]]

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
        members = draw_members(keys, partial(self.factory, inputs, outputs, hidden, **options))
        refuse(self.name, members[0])
        self.net = members[0]  # from here on its parameters and buffers are everybody's: (E, …)
        for same in zip(*(chain(m.parameters(), m.buffers()) for m in members), strict=True):
            same[0].data = torch.stack([tensor.data for tensor in same])[: len(keys)]
        self.to(keys.seed.device)
        self.batched: dict[
            bool, bool
        ] = {}  # in training and else: not known before the first input

    @classmethod
    def size_options(cls, layers: int = 1, **options: Any) -> dict[str, int]:
        """Return what ``adapt`` was given."""
        return cls.steps

    @classmethod
    def option_sources(cls) -> list[Callable[..., nn.Module]]:
        """Return the factory, whose keyword arguments are the options."""
        return [cls.factory]

    def forward(self, x: Sequences, answers: int) -> Outputs:
        """Return the outputs at the last ``answers`` steps."""
        if self.training not in self.batched:
            self.try_out(x[0])
            self.batched[self.training] = self.can_be_batched(x)
        state = self.state()
        if self.batched[self.training]:
            y = vmap(self.member)(state, x)
        else:
            y = torch.stack([self.member(take_member(e, state), x_e) for e, x_e in enumerate(x)])
        return y[:, :, -answers:]

    def state(self) -> State:
        """Return all parameters and buffers by name, each ``(E, …)``; one that has two names is there twice."""
        return dict(tensors(self.net))

    def member(self, state: State, x: Tensor) -> Tensor:
        """Return what the module gives with the parameters and buffers of one member."""
        # A submodule of two names has its tensors under the first alone: torch would change them twice, back but once.
        y: Any = functional_call(self.net, state, (x,), tie_weights=False)
        if not isinstance(y, Tensor):
            raise TypeError(
                f"the module of model '{self.name}' gives a {type(y).__name__}; it must give a tensor (B, T, C): "
                "take the part that it is to answer with"
            )
        if y.ndim != 3 or y.shape[:2] != x.shape[:2]:
            wanted = (*x.shape[:2], y.shape[-1] if y.ndim else 1)
            raise ValueError(
                f"the module of model '{self.name}' gives {tuple(y.shape)} for an input of {tuple(x.shape)}; "
                f"it must give (B, T, C), here {wanted}"
            )
        return y

    @torch.no_grad()
    def try_out(self, x: Tensor) -> None:
        """Run the first member twice, without a trace; refuse a module whose members would depend on each other."""
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns again when it runs
            before = torch.get_rng_state()
            first, second = (self.watch(x) for _ in range(2))
            if not torch.equal(before, torch.get_rng_state()):
                raise BadInput(
                    f"{self.name} draws random numbers as it runs, so that a member would depend on the others; "
                    "is there a dropout? leave it out"
                )
        if not torch.allclose(first, second, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise BadInput(
                f"{self.name} keeps a state in Python from one call to the next, so that a member would get it from "
                "the others; begin anew at every call, or keep it in a buffer (register_buffer)"
            )

    def watch(self, x: Tensor) -> Tensor:
        """Return what the first member gives; refuse a module that puts another buffer in the place of its own."""
        state = take_member(0, {name: t.clone() for name, t in self.state().items()})

        def compare(net: nn.Module, *_: Any) -> None:
            for name, tensor in tensors(net):
                if tensor is not state[name]:
                    raise BadInput(
                        f"{self.name} assigns '{name}' anew as it runs, which is lost after the call; change it in "
                        "place (+=, copy_)"
                    )

        with self.net.register_forward_hook(compare):
            return self.member(state, x)

    def can_be_batched(self, x: Tensor) -> bool:
        """Return whether torch can run all members at once."""
        state = {name: t.clone() for name, t in self.state().items()}  # a try leaves no trace
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # where it has no rule torch fails, or warns and is slow
            try:
                vmap(self.member)(state, x)
            except (RuntimeError, UserWarning):
                return False
        return True


def take_member(e: int, state: State) -> State:
    """Return the parameters and buffers of member e."""
    return {name: tensor[e] for name, tensor in state.items()}


def tensors(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters and buffers of every submodule, each submodule by its first name."""
    for path, module in net.named_modules():
        own = chain(
            module.named_parameters(path, recurse=False, remove_duplicate=False),
            module.named_buffers(path, recurse=False, remove_duplicate=False),
        )
        yield from own


def refuse(model: str, net: nn.Module) -> None:
    """Raise at parameters that no table of float32 numbers can hold."""
    for name, p in net.named_parameters():
        if is_lazy(p):
            raise BadInput(
                f"the parameter '{name}' of model '{model}' has no shape before the first input; "
                "give its module the number of inputs"
            )
        if p.is_complex():
            raise BadInput(
                f"the parameter '{name}' of model '{model}' is complex; keep its real and imaginary parts in one of "
                "float32 (*shape, 2), and take torch.view_as_complex of it in forward"
            )
        if p.dtype != torch.float32:
            raise BadInput(
                f"the parameter '{name}' of model '{model}' is {p.dtype}; it must be torch.float32"
            )


def draw_members(keys: Keys, make: Callable[[], nn.Module]) -> list[nn.Module]:
    """Return a module for each member, its weights drawn from a stream of its own; and one where there is none."""
    words = keys.to("cpu").words("initial weights", 2).tolist()
    modules = []
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        for high, low in words or [(0, 0)]:
            torch.default_generator.manual_seed(high << 32 | low)
            modules.append(make())
    return modules
