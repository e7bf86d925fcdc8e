r"""The members in training as tables: parameters, gradient and the moments of Adam, a row for each member.

The parameters of the members lie in one table :math:`\theta` of shape (E, P), and so do the gradient and the moments of
Adam. A step, for every member at once:

.. math::
    g &\leftarrow g \cdot \min(1,\ \mathrm{clip} / \lVert g \rVert) \\
    m &\leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \\
    \theta &\leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

Norm, clipping and learning rate are a member's own.

Source: Kingma and Ba (2015) for Adam.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbench.axes import PerMember
from seqbench.models.base import Model
from seqbench.protocol.settings import BETAS, EPSILON

Weights = dict[str, Tensor]  # a member's parameters and buffers, by name


class Stack:
    """The members in training: a model, and its state as tables with a row for each member.

    Parameters
    ----------
    model
        Every parameter and buffer leads with the member axis E.
    rates
        The learning rate of each member.
    """

    def __init__(self, model: Model, rates: Sequence[float]) -> None:
        self.model = model
        rows = [p.detach().reshape(len(p), -1) for p in model.parameters()]
        self.theta = torch.cat(rows, dim=1)  # (E, P)
        self.m = torch.zeros_like(self.theta)
        self.v = torch.zeros_like(self.theta)
        self.rate = torch.tensor(rates, dtype=self.theta.dtype, device=self.theta.device)[:, None]
        self._share()
        if not any(p.requires_grad for p in self.parameters):
            raise ValueError("no parameter of the model is to be trained: all of them are frozen")

    def _share(self) -> None:
        """Let every parameter be a view of the table; a new one, since autograd remembers the shape of the old."""
        old = list(self.model.parameters())
        parts = self.theta.split([p[0].numel() for p in old], dim=1)
        self.parameters = [
            nn.Parameter(part.view(-1, *p.shape[1:]), p.requires_grad)
            for p, part in zip(old, parts, strict=True)
        ]
        new = dict(zip(old, self.parameters, strict=True))
        for module in self.model.modules():
            for name, p in list(module.named_parameters(recurse=False, remove_duplicate=False)):
                setattr(module, name, new[p])

    def gradient(self, loss: PerMember) -> Float[Tensor, "E P"]:
        """Return the gradient of each member's loss by its own parameters."""
        trained = [p for p in self.parameters if p.requires_grad]
        found = iter(torch.autograd.grad(loss.sum(), trained, materialize_grads=True))
        # Of 0 for a frozen parameter, which Adam then leaves as it is.
        parts = [next(found) if p.requires_grad else torch.zeros_like(p) for p in self.parameters]
        return torch.cat([part.reshape(len(part), -1) for part in parts], dim=1)

    @torch.no_grad()
    def step(self, g: Float[Tensor, "E P"], t: int | Float[Tensor, ""], clip: float) -> None:
        """Take Adam's step t = 1, 2, … along the gradient, clipped member by member."""
        beta1, beta2 = BETAS
        norm = g.norm(dim=1, keepdim=True)  # (E, 1)
        g = g * (clip / norm.clamp(min=clip))
        self.m.lerp_(g, 1 - beta1)
        self.v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = (self.v / (1 - beta2**t)).sqrt_().add_(EPSILON)
        self.theta.addcdiv_(self.m * (self.rate / (1 - beta1**t)), root, value=-1)

    @property
    def tables(self) -> list[Tensor]:
        """Return all that a step changes, a row a member."""
        return [self.theta, self.m, self.v, *self.model.buffers()]

    def weights(self, e: int) -> Weights:
        """Return what the model knows of member e, by name: a copy of its parameters and buffers."""
        return {name: table[e].clone() for name, table in self.model.state_dict().items()}

    def copy(self, rows: Int[Tensor, " K"]) -> "Stack":
        """Return a stack of copies of these members, to evaluate them alone."""
        part = Stack(deepcopy(self.model), self.rate[:, 0].tolist())
        part.keep(rows)
        return part

    def keep(self, rows: Int[Tensor, " K"]) -> None:
        """Let all members go but these."""
        self.theta, self.m, self.v = self.theta[rows], self.m[rows], self.v[rows]
        self.rate = self.rate[rows]
        for buffer in self.model.buffers():
            buffer.data = buffer.data[rows]
        self._share()
