"""What happens inside of a model: an instrument a file, each pointed at a member before and after its training.

==========  ==============================================================================
gradient    how the gradient fades or grows on its way back through time
gates       whether gates open and shut when the data asks for it
attention   which steps an answer looks at
age         whether what was read first is forgotten first
==========  ==============================================================================

An instrument changes nothing and trains nothing: ``probe.py`` trains the members of a condition as a run does, keeps
their weights, and applies the instruments. What an instrument needs of a model, the model has itself: its cells and
their steps, its attention weights, and what a gradient passes through (``models.base.Model``).
"""

from collections.abc import Callable
from typing import NamedTuple

from seqbench.diagnostics import age, attention, gates, gradient
from seqbench.diagnostics.series import Series
from seqbench.models.base import Model
from seqbench.tasks.base import Task
from seqbench.training.feed import Folded


class Instrument(NamedTuple):
    """What can be looked at, and how.

    Attributes
    ----------
    applies
        Whether there is anything to see of a model on a task.
    look
        Given a task, a model of E members and sequences that they share, returns the series of each member.
    """

    applies: Callable[[Task, Model], bool]
    look: Callable[[Task, Model, Folded], list[Series]]


INSTRUMENTS = {
    "gradient": Instrument(gradient.applies, gradient.look),
    "gates": Instrument(gates.applies, gates.look),
    "attention": Instrument(attention.applies, attention.look),
    "age": Instrument(age.applies, age.look),
}
