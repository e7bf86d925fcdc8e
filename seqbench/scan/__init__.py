"""Scans: several ways to run a recurrent cell over time, which must all give the same result.

What may enter: a cell, its input for all steps, and the name of a scan. Scans know nothing of models or training.

``reference``
    The loop over ``step`` that the book shows.
``native``
    Torch's own kernels (oneDNN on a CPU, cuDNN on a GPU) with the same parameters, one member after the other.
``ensemble``
    Torch's operations on all members at once, with a backward pass written out.
``fused``
    One Triton kernel for all steps of all members, forward, and one backward; on a GPU.
``auto``
    The fastest one by measurement (docs/adr/0008-auto-scan.md): on a CPU ``native`` for the LSTM and
    ``ensemble`` for the others; on a GPU ``native`` where there is such a kernel, else ``ensemble``.

A user-defined cell without a ``kernel_spec`` is run by ``reference``.
"""

from functools import cache
from typing import Literal, get_args
from warnings import warn

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.errors import BadInput, unknown
from seqbench.scan.ensemble import run_ensemble
from seqbench.scan.fused import find_lacking, run_fused
from seqbench.scan.native import run_native
from seqbench.scan.reference import RecurrentCell, run_reference

Scan = Literal["auto", "reference", "native", "ensemble", "fused"]
SCANS = {
    "reference": run_reference,
    "native": run_native,
    "ensemble": run_ensemble,
    "fused": run_fused,
}


def choose_scan(cell: RecurrentCell, how: str, device: torch.device) -> str:
    """Return the scan that runs a cell on a device: what ``auto`` stands for, or what stands in for ``fused``.

    Raises
    ------
    BadInput
        Where the cell can't be run in that way anywhere.
    """
    if how not in get_args(Scan):
        raise unknown("scan", how, get_args(Scan))
    if how == "auto":
        if cell.native is not None and (cell.native_on_cpu or device.type != "cpu"):
            return "native"
        return "reference" if cell.spec is None else "ensemble"
    if how == "native" and cell.native is None:
        raise BadInput(
            f"torch has no kernel for {type(cell).__name__}; choose the scan 'reference'"
        )
    if how in ("ensemble", "fused") and cell.spec is None:
        raise BadInput(
            f"{type(cell).__name__} names no spec for the scan '{how}'; choose 'reference'"
        )
    if how == "fused" and (reason := find_lacking(cell, device)):
        if torch.is_autocast_enabled(device.type):  # nobody else computes in half precision
            raise BadInput(f"the scan 'fused' needs {reason}; choose 'reference'")
        _say_once(f"the scan 'fused' needs {reason}; 'ensemble' stands in for it")
        return "ensemble"
    return how


@cache
def _say_once(sentence: str) -> None:
    warn(sentence, stacklevel=4)


def scan(
    cell: RecurrentCell,
    x: Float[Tensor, "E B T D"],
    how: str,
    recompute: bool = False,
    window: int = 0,
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step.

    Parameters
    ----------
    recompute
        Whether the scans that have a backward pass of their own keep no gates for it: less memory, more time.
    window
        Steps over which a gradient flows back, 0 for all of them (``windows.py``).
    """
    return SCANS[choose_scan(cell, how, x.device)](cell, x, recompute, window)
