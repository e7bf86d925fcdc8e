"""What a scan with a backward pass of its own must know of a cell: its family, and which of the family it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RNNSpec:
    """The plain recurrent network; its activation is "tanh" or "relu"."""

    activation: str = "tanh"


@dataclass(frozen=True)
class LSTMSpec:
    """Long short-term memory: columns i, f, g, o, or i, g, o without a forget gate; peepholes are i, f, o."""

    forget: bool = True
    peepholes: bool = False


@dataclass(frozen=True)
class GRUSpec:
    """Gated recurrent unit: columns r, z, n; its reset is "after" or "before" the product."""

    reset: str = "after"


CellSpec = RNNSpec | LSTMSpec | GRUSpec
