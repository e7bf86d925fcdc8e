r"""Whether what was read first is forgotten first.

.. math::
    \mathrm{accuracy}_n = P(\text{the answer is right} \mid n \text{ items came after the one it asks for})

on tasks that show several items and ask for each of them: the load is the same at every age, and the newest item has
age 0. ``age`` counts up from 0, ``accuracy`` goes with it.

In recall the questions come in random order, so the age says when an item was read, and nothing of how long ago it is
asked for. In copy the wait is the same for all, and the oldest item is asked for first.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from seqbench.diagnostics.relevant import RELEVANT, Relevance
from seqbench.diagnostics.series import Series, round_numbers
from seqbench.models.base import Model
from seqbench.tasks.base import Task
from seqbench.training.feed import Folded, encode


def applies(task: Task, model: Model) -> bool:
    """Return whether the task asks for several items, one an answer."""
    if task.name not in RELEVANT:
        return False
    one = RELEVANT[task.name](task.sample(task.keys("test", 0, 0, 1)).x)
    single = one.steps.sum(dim=-1)[one.asked] == 1
    return bool(single.all()) and int(one.relevant.sum()) > 1


@torch.no_grad()
def look(task: Task, model: Model, data: Folded) -> list[Series]:
    """Return the share of right answers against the age of what they ask for, for each member."""
    known = RELEVANT[task.name](data.x[0])
    parameter = next(model.parameters())
    x = encode(task, data.x, parameter.dtype)
    E, y = len(parameter), data.y
    output = model(x.expand(E, *x.shape[1:]), y.shape[2])
    right = task.right(output, y.expand(E, *y.shape[1:]))  # (E, B, A)
    age = count_later(known)  # (B, A)
    every = range(int(age.max()) + 1)
    accuracy = torch.stack([right[:, age == n].double().mean(dim=1) for n in every], dim=1)
    return [{"age": [float(n) for n in every], "accuracy": round_numbers(a)} for a in accuracy]


def count_later(known: Relevance) -> Int[Tensor, "N A"]:
    """Return how many items came after the one that each answer asks for; -1 where none is asked for."""
    items = known.relevant.int()
    after = items.flip(-1).cumsum(dim=-1).flip(-1) - items  # (N, T)
    age = (known.steps * after[:, None]).sum(dim=-1)
    return age.where(known.asked, -1)
