"""The numbers of an instrument, as a record keeps them."""

from math import isfinite

from jaxtyping import Shaped
from torch import Tensor

Series = dict[str, list[float | None]]


def round_numbers(values: Shaped[Tensor, " K"]) -> list[float | None]:
    """Return numbers with six significant digits; None stands for one that is not finite."""
    return [float(f"{v:.6g}") if isfinite(v) else None for v in values.double().tolist()]
