"""What happens inside of a model: an instrument a file, each pointed at a member before and after its training.

==========  ==============================================================================
gradient    how the gradient fades or grows on its way back through time
gates       whether gates open and shut when the data asks for it
attention   which steps an answer looks at
age         whether what was read first is forgotten first
==========  ==============================================================================

An instrument changes nothing and trains nothing: ``probe.py`` trains the members of a cell as a run does, holds on to
their weights, and lets the instruments look.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from seqbench.diagnostics import age, attention, gates, gradient
from seqbench.diagnostics.series import Series
from seqbench.tasks.base import Task
from seqbench.training.loop import Folded


class Instrument(NamedTuple):
    """What can be looked at, and how.

    Attributes
    ----------
    suits
        Whether there is anything to see of a model on a task.
    look
        Given a task, a model of E members and sequences that they share, returns the series of each member.
    """

    suits: Callable[[Task, Any], bool]
    look: Callable[[Task, Any, Folded], list[Series]]


INSTRUMENTS = {
    "gradient": Instrument(gradient.suits, gradient.look),
    "gates": Instrument(gates.suits, gates.look),
    "attention": Instrument(attention.suits, attention.look),
    "age": Instrument(age.suits, age.look),
}
