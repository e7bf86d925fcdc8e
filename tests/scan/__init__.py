"""The cells that the scans are tested with."""

import pytest
import torch

from seqbench.models import MODELS
from seqbench.scan import scan
from tests.models import CASES, RECURRENT, SEEDS, identities, normal

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
AGAIN = (
    "two layers",
    "from the identity",
    "orthogonal",
    "chrono",
    "echo_state",
)  # other stacks and first weights of cells that are there already
CELLS = {case: CASES[case] for case in RECURRENT if not any(words in case for words in AGAIN)}
each = pytest.mark.parametrize("case", CELLS)


def cell_of(case, H, D=3, E=3, noise=0.3):
    """Return a cell in float64, its peepholes open."""
    name, options = CELLS[case]
    cell = MODELS[name].cell(identities(name, SEEDS[:E]), "layer 0", D, H, **options).double()
    with torch.no_grad():
        for k, p in enumerate(cell.parameters()):
            p.add_(normal(*p.shape, seed=k), alpha=noise)
    return cell


def derivatives(cell, x, how, recompute=False):
    """Return h and the derivatives of a sum in which every h has a weight of its own."""
    h = scan(cell, x, how, recompute)
    weighted = (h * normal(*h.shape, seed=1).to(h)).sum()
    return h.detach(), torch.autograd.grad(weighted, [x, *cell.parameters()])


def poison(monkeypatch):
    """Fill with NaN what is not filled: who reads before it is written can't get away with it."""

    def new_empty(t, *shape, **options):
        return t.new_full(shape[0] if isinstance(shape[0], tuple) else shape, torch.nan, **options)

    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)

    def empty_like(t, **options):
        return torch.full_like(t, torch.nan, **options)

    monkeypatch.setattr(torch, "empty_like", empty_like)
