"""The base class of the mixers that are a diagonal recurrence (``scan/diagonal.py``)."""

from abc import abstractmethod
from typing import Any

from jaxtyping import Float, Inexact
from torch import Tensor

from seqbench.models.residual import Mixer
from seqbench.scan.diagonal import choose_diagonal_scan, scan_diagonal

Steps = Float[Tensor, "E T B H"]  # what enters at the steps, those of one time side by side
States = Inexact[Tensor, "E T B H"]


class Diagonal(Mixer):
    r"""A recurrence :math:`h_t = a_t \odot h_{t-1} + b_t` whose coefficients follow from the input alone.

    A subclass has ``coefficients``, and ``read`` where it adds something else than h to the stream.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    @abstractmethod
    def coefficients(self, x: Steps) -> tuple[Inexact[Tensor, "E #T #B H"], States]:
        """Return a and b at every step."""

    def read(self, h: States, x: Steps) -> Steps:
        """Return what is added to the stream at steps whose states are h and whose inputs are x."""
        return h

    def forward(self, x: Float[Tensor, "E B T H"], answers: int) -> Float[Tensor, "E B A H"]:
        """Return what is added to the stream at the last ``answers`` steps."""
        steps = x.transpose(1, 2)
        h = scan_diagonal(*self.coefficients(steps), self.scan_name)
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
        a, b = self.coefficients(step)
        h = a[:, 0] * state + b[:, 0]
        return self.read(h[:, None], step).transpose(1, 2), h

    @property
    def scan_name(self) -> str:
        """Return the scan that runs it."""
        return choose_diagonal_scan(self.requested_scan)
