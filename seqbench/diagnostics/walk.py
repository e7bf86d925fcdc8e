"""A recurrence walked by the reference loop, with every step written down.

Only ``step`` knows what a cell does, so it is the place to look from: for as long as the walk lasts, the cell's own
``step`` notes what it is given and what it returns.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from seqbench.axes import Gates, Hidden, Outputs, Sequences
from seqbench.models.base import Cell


class Step(NamedTuple):
    """One step of a cell: its projected input ``a``, and the state before and after."""

    a: Gates
    before: tuple[Hidden, ...]
    after: tuple[Hidden, ...]


def first_cell(model: Any) -> Cell | None:
    """Return the layer of recurrence that is nearest to the input, or None of a model that has none."""
    layer = next(iter(getattr(model, "layers", ())), None)
    return layer if isinstance(layer, Cell) else None


@contextmanager
def noted(cell: Cell) -> Iterator[list[Step]]:
    """Write down every step that the cell takes within."""
    steps: list[Step] = []
    plain = cell.step

    def step(a: Gates, *state: Hidden) -> tuple[Hidden, ...]:
        after = plain(a, *state)
        steps.append(Step(a, state, after))
        return after

    cell.step = step  # type: ignore[method-assign]
    try:
        yield steps
    finally:
        del cell.step  # the class has it again


def walk(model: Any, x: Sequences, answers: int) -> tuple[Outputs, list[Step]]:
    """Return the outputs at the last ``answers`` steps, and the steps of the first cell."""
    cell = first_cell(model)
    assert cell is not None
    scan, model.scan = model.scan, "reference"  # the only scan that calls ``step``
    try:
        with noted(cell) as steps:
            output = model(x, answers)
    finally:
        model.scan = scan
    return output, steps
