r"""Dropout with one mask a sequence, the same at every step.

.. math::
    \mathrm{drop}(h_t) = \frac{m \odot h_t}{1 - p}, \qquad m \in \{0, 1\}^H, \quad P(m = 0) = p

The mask is drawn anew for every sequence of every training step, and divides what is left so that the mean stays; where
a model is evaluated nothing is dropped. It lies on what leaves a layer, on its way up: the state of a recurrence is
handed on whole.

The numbers are a pure function of the member's seed, of how many training steps it has taken, and of the place in the
model. Both lie in buffers with a row a member, so that a member draws what it draws alone, also after others left, and
a run that is taken up again draws what it would have drawn.

Source: Gal and Ghahramani (2016) for one mask a sequence, which they put on the recurrence as well; Zaremba, Sutskever
and Vinyals (2014) for leaving the recurrence out.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqbench.errors import BadInput
from seqbench.random import Keys


class Dropout(nn.Module):
    """Dropout at one place in a model; at a rate of 0 it does nothing and holds nothing.

    Parameters
    ----------
    keys
        The identities of the E members.
    place
        A name for the draw that no other place in the model has.
    rate
        p, the share that is dropped.
    """

    seed: Tensor
    steps: Tensor

    def __init__(self, keys: Keys, place: str, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise BadInput(f"dropout {rate} is no share to drop; choose from 0 to below 1")
        self.place, self.rate = place, rate
        if rate:
            self.keys = replace(keys, split="dropout")
            self.register_buffer("seed", keys.seed.clone())
            self.register_buffer("steps", torch.zeros_like(keys.seed))  # of training, so far

    def forward(self, h: Float[Tensor, "E B T H"]) -> Float[Tensor, "E B T H"]:
        """Return h with some units silent, in training; a training step calls it once."""
        if not (self.rate and self.training):
            return h
        keys = replace(self.keys, seed=self.seed, index=self.steps)
        kept = keys.uniform(self.place, h.shape[1], 1, h.shape[3]) >= self.rate
        self.steps += 1
        return h * (kept.to(h.dtype) / (1 - self.rate))
