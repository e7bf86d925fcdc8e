r"""How the gradient fades or grows on its way back through time.

L is the loss of the last answer of a sequence, T the step at which it is due, and k steps before that

.. math::
    g_k = \exp \frac{1}{B} \sum_b \ln \left\lVert \frac{\partial L_b}{\partial h_{T-k}} \right\rVert,
    \qquad\text{for the plain network}\quad
    \frac{\partial L}{\partial h_{T-k}} =
    \frac{\partial L}{\partial h_T} \prod_{t=T-k+1}^{T} \mathrm{diag}(1 - h_t^2)\, W_h^\top .

A product of k factors has a geometric scale, so the mean over the B sequences is geometric: g_k / g_0 is then the mean
of the ratios, too. It is 0 if the gradient of any sequence is.

A cell with two parts of state has two ways back: ``hidden`` is the derivative by h with c held, ``cell`` that by c,
which h hears of in the same step. A model without a recurrence has no state: what stands at a step is its embedding,
or the input itself, and the series has that name. ``series[name][k]`` is g_k. All of it is float64, in which k factors
of .1 are not yet zero.

Source: Hochreiter (1991); Bengio, Simard and Frasconi (1994); Pascanu, Mikolov and Bengio (2013).
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqbench.axes import Outputs, Sequences
from seqbench.diagnostics.series import Series, listed
from seqbench.diagnostics.walk import first_cell, walk
from seqbench.tasks.base import Task
from seqbench.training.loop import Folded, encoded, losses

SEQUENCES = 32  # at most: every state of every step is kept until the end
PARTS = ("hidden", "cell")


def suits(task: Task, model: Any) -> bool:
    """Return True: every model that learns has a gradient."""
    return True


def look(task: Task, model: Any, data: Folded) -> list[Series]:
    """Return the mean norm of the gradient against the lag, for each member."""
    data = data.columns(0, SEQUENCES)
    model = deepcopy(model).double()
    E = len(next(model.parameters()))
    B, T = data.x.shape[1:3]
    x = encoded(task, data.x, torch.float64)
    last = last_due(data.mask[0])  # (B, A)
    output, passed = through(model, x.expand(E, *x.shape[1:]), data.y.shape[2])
    y = data.y.expand(E, *data.y.shape[1:])
    L = losses(task, output, y, last.expand(E, *last.shape)).sum() * B  # no mean over the sequences
    due = T - last.shape[1] + last.int().argmax(dim=1)  # (B,)
    flat = [step for steps in passed.values() for step in steps]
    found = iter(torch.autograd.grad(L, flat, materialize_grads=True))
    seen: list[Series] = [{} for _ in range(E)]
    for name, steps in passed.items():
        norm = torch.stack([next(found).flatten(2).norm(dim=-1) for _ in steps], dim=2)
        for member, g in zip(seen, by_lag(norm, due), strict=True):
            member[name] = listed(g)
    return seen


def last_due(mask: Bool[Tensor, "B A"]) -> Bool[Tensor, "B A"]:
    """Return the mask of the last answer due alone."""
    to_come = mask.flip(-1).cumsum(dim=-1).flip(-1)
    return mask & (to_come == 1)


def by_lag(norm: Float[Tensor, "E B T"], due: Int[Tensor, " B"]) -> Float[Tensor, "E K"]:
    """Return the geometric mean over the sequences that reach back k = 0, 1, … steps from where their answer is due."""
    t = due[:, None] - torch.arange(int(due.max()) + 1, device=due.device)  # (B, K)
    there = t >= 0
    logs = norm.log().gather(2, t.clamp(min=0).expand(len(norm), *t.shape))  # (E, B, K)
    return (logs.where(there, 0).sum(dim=1) / there.sum(dim=0)).exp()


def through(model: Any, x: Sequences, answers: int) -> tuple[Outputs, dict[str, Sequence[Tensor]]]:
    """Return the outputs, and by name the T tensors ``(E, B, …)`` that the gradient passes through on its way back."""
    if first_cell(model) is not None:
        output, steps = walk(model, x, answers)
        states = zip(*(step.after for step in steps), strict=True)
        return output, dict(zip(PARTS, states, strict=False))
    if not hasattr(model, "embed"):
        inputs = [x_t.clone().requires_grad_() for x_t in x.unbind(dim=2)]
        return model(torch.stack(inputs, dim=2), answers), {"input": inputs}
    rows: list[Tensor] = []

    def cut(embed: Any, given: Any, embedded: Tensor) -> Tensor:
        rows.extend(embedded.unbind(dim=2))
        return torch.stack(rows, dim=2)

    hook = model.embed.register_forward_hook(cut)
    try:
        return model(x, answers), {"embedding": rows}
    finally:
        hook.remove()
