"""How a recurrence is run over time: three ways that must agree.

``reference``
    The loop over ``step`` that the book shows.
``native``
    Torch's own kernels (oneDNN on a CPU, cuDNN on a GPU) with the same parameters, one member after the other.
``auto``
    The one that was measured to be faster: ``native`` for every cell that has one on a GPU, and on a CPU for the LSTM;
    ``reference`` for the others, whose members it runs side by side (docs/adr/0008-auto-scan.md).
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.errors import unknown
from seqbench.scan.native import native
from seqbench.scan.reference import Steps, reference

Scan = Literal["auto", "reference", "native"]
SCANS = {"reference": reference, "native": native}


def chosen(cell: Steps, how: Scan, device: torch.device) -> str:
    """Return the way in which a cell is run on a device: what ``auto`` stands for."""
    if how not in get_args(Scan):
        raise unknown("scan", how, get_args(Scan))
    if how != "auto":
        return how
    fast = cell.native is not None and (cell.native_on_cpu or device.type != "cpu")
    return "native" if fast else "reference"


def scan(cell: Steps, x: Float[Tensor, "E B T D"], how: Scan) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step."""
    return SCANS[chosen(cell, how, x.device)](cell, x)
