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

A model that is no transformer is looked at if it has ``attend(x, answers)``, which returns W as ``(E, B, A, T)``.
"""

from contextlib import ExitStack
from math import inf, sqrt
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seqbench.axes import Sequences
from seqbench.diagnostics.relevant import RELEVANT, Relevance
from seqbench.diagnostics.series import Series, listed
from seqbench.models.transformer import Attention
from seqbench.tasks.base import Task
from seqbench.training.loop import Folded, encoded

ROWS = 12  # answers in the map


def suits(task: Task, model: Any) -> bool:
    """Return whether the model attends, and it is known to what it should."""
    attends = hasattr(model, "attend") or any(isinstance(m, Attention) for m in model.modules())
    return attends and task.name in RELEVANT


@torch.no_grad()
def look(task: Task, model: Any, data: Folded) -> list[Series]:
    """Return the share of the weight that lies on relevant steps, and a map, for each member."""
    known = RELEVANT[task.name](data.x[0])
    parameter = next(model.parameters())
    x = encoded(task, data.x, parameter.dtype)
    W = attended(model, x.expand(len(parameter), *x.shape[1:]), data.y.shape[2])
    asked, steps = known.asked, known.steps  # (B, A), (B, A, T)
    share = (W * steps[:, None]).sum(dim=-1).transpose(2, 3)[:, asked].mean(dim=1)  # (E, M)
    best = share.argmax(dim=1)
    return [
        {
            "share": listed(share[e]),
            "even": listed(even(task, known)[None]),
            "best": listed(best[e, None]),
            "map": listed(W[e, :, best[e]][asked][:ROWS].flatten()),
            "rows": [float(len(steps[asked][:ROWS]))],
            "relevant": listed(steps[asked][:ROWS].flatten()),
        }
        for e in range(len(parameter))
    ]


def even(task: Task, known: Relevance) -> Float[Tensor, ""]:
    """Return the share of whoever looks at all steps alike that may be seen."""
    A, T = known.steps.shape[1:]
    seen = torch.full((A,), T, device=known.steps.device)
    if task.causal:
        seen = torch.arange(T - A + 1, T + 1, device=seen.device)
    return (known.steps.sum(dim=-1) / seen)[known.asked].mean()


def attended(model: Any, x: Sequences, answers: int) -> Float[Tensor, "E B M A T"]:
    """Return the weights of the last ``answers`` steps for each of M heads, those of the first block first."""
    if hasattr(model, "attend"):
        W: Tensor = model.attend(x, answers)
        return W[:, :, None]
    found: list[Tensor] = []

    def note(attention: Attention, given: tuple[Any, ...]) -> None:
        stream, angle, _ = given
        W = weights(attention, stream, angle, answers)  # (EB, heads, A, T)
        found.append(W.unflatten(0, x.shape[:2]))

    with ExitStack() as hooks:
        for module in model.modules():
            if isinstance(module, Attention):
                hook = module.register_forward_pre_hook(note)
                hooks.callback(hook.remove)
        model(x, answers)
    return torch.cat(found, dim=2)


def weights(
    attention: Attention,
    x: Float[Tensor, "E B T H"],
    angle: Float[Tensor, "T half"] | None,
    answers: int,
) -> Float[Tensor, "EB heads A T"]:
    """Return W for the last ``answers`` steps."""
    q, k, _ = attention.split(x, angle)
    scores = q[:, :, -answers:] @ k.mT / sqrt(q.shape[-1])
    if attention.causal:
        scores = scores.masked_fill(ahead(answers, x.shape[2], x.device), -inf)
    return scores.softmax(dim=-1)


def ahead(A: int, T: int, device: torch.device) -> Bool[Tensor, "A T"]:
    """Return which of T steps lie ahead of each of the last A."""
    return torch.ones(A, T, dtype=torch.bool, device=device).triu(T - A + 1)
