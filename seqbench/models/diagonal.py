"""The base class of the mixers that are a diagonal recurrence (``scan/diagonal.py``)."""

from abc import abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float, Inexact
from torch import Tensor

from seqbench.models.cell import describes_steps
from seqbench.models.residual import Mixer
from seqbench.scan.diagonal import (
    DiagonalGates,
    choose_diagonal_scan,
    scan_diagonal,
    scan_gates,
)

Steps = Float[Tensor, "E T B H"]  # the steps lead the sequences: those of one time lie side by side
States = Inexact[Tensor, "E T B H"]
Projected = Inexact[Tensor, "E T B GH"]  # what the coefficients are computed from


class Diagonal(Mixer):
    r"""A recurrence :math:`h_t = a_t \odot h_{t-1} + b_t` whose coefficients follow from the input alone.

    A subclass has ``project`` and ``coefficients``, and ``read`` where it adds something else than h to the stream.

    Attributes
    ----------
    gates
        The same coefficients with their derivatives written out, for the scan ``ensemble``, or None. They hold for the
        class that names them, and for subclasses that have its ``coefficients``.
    """

    gates: ClassVar[DiagonalGates | None] = None

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    @abstractmethod
    def project(self, x: Steps) -> Projected:
        """Return what the coefficients are computed from: all products with weights."""

    @abstractmethod
    def coefficients(self, k: Projected) -> tuple[Inexact[Tensor, "E #T #B H"], States]:
        """Return a and b at every step."""

    def read(self, h: States, x: Steps) -> Steps:
        """Return what is added to the stream at steps whose states are h and whose inputs are x."""
        return h

    def forward(self, x: Float[Tensor, "E B T H"], answers: int) -> Float[Tensor, "E B A H"]:
        """Return what is added to the stream at the last ``answers`` steps."""
        steps = x.transpose(1, 2)
        k, gates = self.project(steps), self.own_gates()
        if gates is not None and self.scan_name == "ensemble":
            h = scan_gates(gates, k)
        else:
            h = scan_diagonal(*self.coefficients(k), self.scan_name)
        return self.read(h[:, -answers:], steps[:, -answers:]).transpose(1, 2)

    def start(self, B: int, T: int) -> Any:
        """Return the state before the first step: zeros."""
        p = next(self.parameters())
        return p.new_zeros(len(p), B, self.hidden)

    def advance(
        self, x: Float[Tensor, "E B 1 H"], t: int, state: Any
    ) -> tuple[Float[Tensor, "E B 1 H"], Any]:
        """Return what is added to the stream at the next step, and h after it."""
        step = x.transpose(1, 2)
        a, b = self.coefficients(self.project(step))
        h = a[:, 0] * state + b[:, 0]
        return self.read(h[:, None], step).transpose(1, 2), h

    @classmethod
    def own_gates(cls) -> DiagonalGates | None:
        """Return the gates that hold for the coefficients of this class, or None."""
        return cls.gates if describes_steps(cls, "gates", ("coefficients",)) else None

    @property
    def scan_name(self) -> str:
        """Return the scan that runs it."""
        return choose_diagonal_scan(self.requested_scan)
