r"""Which steps an answer looks at.

.. math::
    W = \mathrm{softmax}\Big(\frac{Q K^\top}{\sqrt{d}} + M\Big), \qquad
    \mathrm{share} = \frac{1}{|\mathcal A|} \sum_{a \in \mathcal A} \sum_{t \in R_a} W_{a t}

for each head: R_a are the steps that answer a rests on, and the mean goes over all answers that rest on any. Whoever
looks at every step alike has the share ``even``: :math:`|R_a|` of the steps that can be seen.

In a second block the step itself may hold what the first one gathered there, so a head that finds nothing to gather
may have little weight on any relevant step, and the model be right all the same: the weights say where a head looks,
not what is known (Jain and Wallace, 2019).

``share`` has a number a head, block by block, ``best`` the place of the head with the largest. ``map`` holds the
``rows`` of W of that head for the first answers, one after the other; ``relevant`` is 1 where their steps are.

Any model that attends is looked at: W is what its ``attend(x, answers)`` returns, ``(E, B, M, A, T)`` for M heads.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.diagnostics.relevant import RELEVANT, Relevance
from seqbench.diagnostics.series import Series, round_numbers
from seqbench.models.base import Model
from seqbench.tasks.base import Task
from seqbench.training.feed import Folded, encode

ROWS = 12  # answers in the map


def applies(task: Task, model: Model) -> bool:
    """Return whether the model attends, and the relevant steps of the task are known."""
    return model.attends and task.name in RELEVANT


@torch.no_grad()
def look(task: Task, model: Model, data: Folded) -> list[Series]:
    """Return the share of the weight that lies on relevant steps, and a map, for each member."""
    known = RELEVANT[task.name](data.x[0])
    parameter = next(model.parameters())
    x = encode(task, data.x, parameter.dtype)
    W = model.attend(x.expand(len(parameter), *x.shape[1:]), data.y.shape[2])
    asked, steps = known.asked, known.steps  # (B, A), (B, A, T)
    share = (W * steps[:, None]).sum(dim=-1).transpose(2, 3)[:, asked].mean(dim=1)  # (E, M)
    best = share.argmax(dim=1)
    return [
        {
            "share": round_numbers(share[e]),
            "even": round_numbers(share_of_all(task, known)[None]),
            "best": round_numbers(best[e, None]),
            "map": round_numbers(W[e, :, best[e]][asked][:ROWS].flatten()),
            "rows": [float(len(steps[asked][:ROWS]))],
            "relevant": round_numbers(steps[asked][:ROWS].flatten()),
        }
        for e in range(len(parameter))
    ]


def share_of_all(task: Task, known: Relevance) -> Float[Tensor, ""]:
    """Return the share of relevant steps among all that may be looked at."""
    A, T = known.steps.shape[1:]
    seen = torch.full((A,), T, device=known.steps.device)
    if task.causal:
        seen = torch.arange(T - A + 1, T + 1, device=seen.device)
    return (known.steps.sum(dim=-1) / seen)[known.asked].mean()
