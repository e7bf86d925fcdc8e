"""One Triton kernel for all steps of all members, forward, and one backward."""

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.scan.reference import Steps


def lacking(cell: Steps, device: torch.device) -> str | None:
    """Return what is missing here to run the cell by a kernel, if anything is."""
    return "a GPU"


def fused(
    cell: Steps, x: Float[Tensor, "E B T D"], recompute: bool = False
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step."""
    raise NotImplementedError
