"""One layer of recurrence, and which kernels may run it in place of the loop over its steps."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from math import sqrt
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqbench.axes import Gates, Hidden, Projected
from seqbench.models.layers import affine, uniform
from seqbench.random import Keys
from seqbench.scan.specs import CellSpec

# What a kernel computes in place of a cell: a class that overrides any of these takes other steps than its parent.
STEPS = ("project", "start", "step", "hidden_to_hidden")

TorchKernel = Callable[..., Any]  # torch.lstm and the like: each has a signature of its own


class Cell(nn.Module, ABC):
    """One layer of recurrence: what enters it at a step, and what a step does.

    The product with the input does not wait for the state, so it is taken for all steps at once (``project``);
    ``step`` then gets ``a = x_t W_x + b`` and the state, of which the first part is the hidden state h. A subclass has
    ``gates``, ``step``, and ``parts`` where its state has more than h.

    A cell whose steps a kernel computes, too, says so by ``torch_kernel`` or ``kernel_spec``; the scans read ``native``
    and ``spec``, which follow from these (``describes_own_steps``).

    Parameters
    ----------
    keys, layer
        The identities of the E members, and the name of the layer: all weights are drawn from these.
    inputs, hidden
        D and H.

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

    def torch_kernel(self) -> TorchKernel | None:
        """Return the function of torch that computes the steps of this class, or None."""
        return None

    def kernel_spec(self) -> CellSpec | None:
        """Return what the scans with a backward pass of their own know the steps of this class as, or None."""
        return None

    @classmethod
    def describes_own_steps(cls, declaration: str) -> bool:
        """Return whether ``torch_kernel`` or ``kernel_spec``, as this class has it, is about the steps of this class.

        A declaration holds for the class that makes it and for subclasses that take the same steps. A subclass that
        overrides ``project``, ``start``, ``step`` or ``hidden_to_hidden`` takes other steps: until it declares a
        kernel itself, it is run by the loop over ``step``.
        """
        return describes_steps(cls, declaration, STEPS)

    @property
    def native(self) -> TorchKernel | None:
        """Return the function of torch that runs this cell with its own kernel, or None."""
        return self.torch_kernel() if self.describes_own_steps("torch_kernel") else None

    @property
    def spec(self) -> CellSpec | None:
        """Return what the scans with a backward pass of their own know this cell as, or None."""
        return self.kernel_spec() if self.describes_own_steps("kernel_spec") else None

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return W_x, b, W_h (zeros if it has none), and what else its spec has: peepholes, the bias of n, or None."""
        if self.hidden_to_hidden:
            return self.W_x, self.b, self.W_h, None
        zeros = self.W_x.new_zeros(len(self.W_x), self.hidden, self.gates * self.hidden)
        return self.W_x, self.b, zeros, None

    def native_weights(self) -> list[list[Tensor]]:
        """Return each member's W_ih ``(G H, D)``, W_hh ``(G H, H)``, b_ih and b_hh, as torch's kernels take them."""
        W_x, b, W_h, _ = self.weights
        rows = zip(W_x.unbind(), W_h.unbind(), b.unbind(), strict=True)
        return [[W_x.t(), W_h.t(), b[0], torch.zeros_like(b[0])] for W_x, W_h, b in rows]


def describes_steps(cls: type, declaration: str, steps: Collection[str]) -> bool:
    """Return whether a declaration that a class makes or inherits is about the steps that the class takes.

    It is not where the class, or one between it and the class that declares, overrides one of the steps.
    """
    for base in cls.__mro__:  # the class itself first
        if declaration in vars(base):
            return True
        if not vars(base).keys().isdisjoint(steps):
            return False
    return False
