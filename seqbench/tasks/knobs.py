"""What the lag of a task is called, and the catalogue that knows it.

``lag`` stands for another size in each task: a delay, a length, a number of pairs. Reports name it, and need no torch
for that.
"""

from typing import NamedTuple

from seqbench.catalogue import Catalogue, load
from seqbench.errors import BadInput
from seqbench.values.variants import strip_options

BASE = "seqbench.tasks.base:Task"  # an address, since importing it would import torch


class Knob(NamedTuple):
    """The name and the unit of a task's lag, as its class declares them by ``knob`` and ``knob_unit``.

    A name that ends with the unit, such as ``blank frames`` in ``frames``, is a number of them.
    """

    name: str = "lag"
    unit: str = ""

    @property
    def label(self) -> str:
        """Return the name with its unit: ``delay in steps``, ``pairs``."""
        return self.name if self.name.endswith(self.unit) else f"{self.name} in {self.unit}"

    def spell(self, lag: int) -> str:
        """Return a lag in words: ``delay of 50 steps``, ``8 pairs``; without a unit ``lag 50``."""
        if not self.unit:
            return f"{self.name} {lag}"
        counted = self.name if self.name.endswith(self.unit) else self.unit
        number = f"{lag} {counted.removesuffix('s') if lag == 1 else counted}"
        return number if counted == self.name else f"{self.name} of {number}"


class TaskCatalogue(Catalogue):
    """The tasks by name.

    Parameters
    ----------
    builtin
        The built-in tasks, ``name -> ("module:attribute", knob)``.
    group
        The entry-point group through which installed packages add theirs.
    """

    def __init__(self, builtin: dict[str, tuple[str, Knob]], group: str) -> None:
        super().__init__("task", {name: address for name, (address, _) in builtin.items()}, group)
        self.known = {name: knob for name, (_, knob) in builtin.items()}

    def knob(self, task: str) -> Knob:
        """Return the knob of a task without importing it; that of a task whose code may not be here is a lag.

        Parameters
        ----------
        task
            The name, with options or without: they don't change what the lag is.
        """
        name = strip_options(task)
        if name in self.added:
            return Knob(self.added[name].knob, self.added[name].knob_unit)
        return self.known.get(name, Knob())

    def examine(self, name: str, entry: object) -> None:
        """Raise BadInput where an entry that somebody adds is no task class."""
        if not isinstance(entry, type) or not issubclass(entry, load(BASE)):
            raise BadInput(
                f"task '{name}' is no seqbench.tasks.base.Task: derive from it (CONTRIBUTING.md)"
            )
