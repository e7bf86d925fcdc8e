"""Diagnostics: what happens inside a model. One instrument per file, applied to a member before and after training.

What may enter: a task, a model with its members, and test sequences. An instrument changes no weights; it
returns series.

==========  ==============================================================================
gradient    how the gradient fades or grows on its way back through time
gates       whether gates open and close when the data asks for it
attention   which steps an answer looks at
age         whether what was read first is forgotten first
==========  ==============================================================================

``probe.py`` trains the members of a condition as a run does, keeps
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
    """An instrument: where it applies, and how it looks into a model.

    Attributes
    ----------
    applies
        Whether it can look into a model on a task.
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
