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
which h depends on in the same step. A model without such a state says itself what the gradient passes through, the
embedding or the input, and the series has that name (``Model.forward_with_states``). ``series[name][k]`` is g_k. All of
it is float64, in which k factors of .1 are not yet zero.

Source: Hochreiter (1991); Bengio, Simard and Frasconi (1994); Pascanu, Mikolov and Bengio (2013).
"""

from copy import deepcopy

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqbench.diagnostics.series import Series, round_numbers
from seqbench.models.base import Model
from seqbench.tasks.base import Task
from seqbench.training.feed import Folded, encode
from seqbench.training.loop import compute_losses

SEQUENCES = 32  # at most: every state of every step is kept until the end


def applies(task: Task, model: Model) -> bool:
    """Return True: every model that learns has a gradient."""
    return True


def look(task: Task, model: Model, data: Folded) -> list[Series]:
    """Return the mean norm of the gradient against the lag, for each member."""
    data = data.columns(0, SEQUENCES)
    model = deepcopy(model).double()
    E = len(next(model.parameters()))
    B, T = data.x.shape[1:3]
    x = encode(task, data.x, torch.float64)
    last = select_last_due(data.mask[0])  # (B, A)
    output, passed = model.forward_with_states(x.expand(E, *x.shape[1:]), data.y.shape[2])
    y = data.y.expand(E, *data.y.shape[1:])
    losses = compute_losses(task, output, y, last.expand(E, *last.shape))
    L = losses.sum() * B  # no mean over the sequences
    due = T - last.shape[1] + last.int().argmax(dim=1)  # (B,)
    flat = [step for steps in passed.values() for step in steps]
    gradients = iter(torch.autograd.grad(L, flat, materialize_grads=True))
    series: list[Series] = [{} for _ in range(E)]
    for name, steps in passed.items():
        norm = torch.stack([next(gradients).flatten(2).norm(dim=-1) for _ in steps], dim=2)
        for member, g in zip(series, average_by_lag(norm, due), strict=True):
            member[name] = round_numbers(g)
    return series


def select_last_due(mask: Bool[Tensor, "B A"]) -> Bool[Tensor, "B A"]:
    """Return the mask of the last answer due alone."""
    to_come = mask.flip(-1).cumsum(dim=-1).flip(-1)
    return mask & (to_come == 1)


def average_by_lag(norm: Float[Tensor, "E B T"], due: Int[Tensor, " B"]) -> Float[Tensor, "E K"]:
    """Return the geometric mean over the sequences that reach back k = 0, 1, … steps from where their answer is due."""
    t = due[:, None] - torch.arange(int(due.max()) + 1, device=due.device)  # (B, K)
    there = t >= 0
    logs = norm.log().gather(2, t.clamp(min=0).expand(len(norm), *t.shape))  # (E, B, K)
    return (logs.where(there, 0).sum(dim=1) / there.sum(dim=0)).exp()
