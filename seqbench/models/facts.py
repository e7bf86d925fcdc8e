"""What is known of a model before its module is imported, and the catalogue that knows it.

Plans and reports ask what a model reads, or how many layers it has, and need no torch for the answer.
"""

from dataclasses import dataclass
from typing import Any, Literal

from seqbench.catalogue import Catalogue, load
from seqbench.errors import BadInput

Reads = Literal["sequence", "video"]
BASE = "seqbench.models.base:Model"  # an address, since importing it would import torch


@dataclass(frozen=True)
class ModelFacts:
    """The facts that a model's class declares, under the same names (see ``models.base.Model``).

    Attributes
    ----------
    version
        Grows whenever the model's numbers change.
    reads
        Whether the model reads sequences or video.
    layers
        The number of layers if nobody says: ``default_layers`` of the class.
    both_ways
        Whether an answer uses what comes after it, whatever the task asks for.
    recurrent
        Whether it has a recurrence, which a scan runs.
    """

    version: int = 1
    reads: Reads = "sequence"
    layers: int = 1
    both_ways: bool = False
    recurrent: bool = False


class ModelCatalogue(Catalogue):
    """The models by name.

    Parameters
    ----------
    builtin
        The built-in models, ``name -> ("module:attribute", facts)``.
    group
        The entry-point group through which installed packages add theirs.
    """

    def __init__(self, builtin: dict[str, tuple[str, ModelFacts]], group: str) -> None:
        super().__init__("model", {name: address for name, (address, _) in builtin.items()}, group)
        self.known = {name: facts for name, (_, facts) in builtin.items()}

    def facts(self, name: str) -> ModelFacts:
        """Return the facts of a model: of a built-in one without importing it, of any other from its class.

        Raises
        ------
        BadInput
            Where no model has this name, or a user-defined one can't be imported.
        """
        if name in self.builtin and name not in self.added:
            return self.known[name]
        model = self[name]
        return ModelFacts(
            model.version, model.reads, model.default_layers, model.both_ways, model.recurrent
        )

    def examine(self, name: str, entry: Any) -> None:
        """Raise BadInput where an entry that somebody adds is no model class."""
        if not isinstance(entry, type) or not issubclass(entry, load(BASE)):
            raise BadInput(
                f"model '{name}' is no seqbench.models.base.Model: derive from it (CONTRIBUTING.md), "
                "or adapt a module by seqbench.models.adapter.adapt"
            )
