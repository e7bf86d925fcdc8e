"""The scan with its backward pass written out: against autograd, however a sequence is cut into chunks."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqbench.scan import recurrence, scan
from seqbench.scan.ensemble import loops
from tests.models import SEEDS, normal
from tests.scan import CLOSE, cell_of, derivatives, each


@each
@pytest.mark.parametrize("recompute", [False, True])
@given(
    E=st.integers(1, 3),
    B=st.integers(1, 3),
    T=st.integers(1, 12),
    H=st.integers(1, 9),
    K=st.integers(1, 12),
)
@settings(max_examples=10, deadline=None)
def test_it_agrees_with_autograd_in_chunks_of_any_length(case, recompute, E, B, T, H, K):
    cell, x = cell_of(case, H, E=E), normal(E, B, T, 3, seed=4).requires_grad_()
    wanted, wanted_grads = derivatives(cell, x, "reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "NUMBERS", K * E * B * max(1, loops(cell.spec).blocks) * H)
        h, grads = derivatives(cell, x, "ensemble", recompute)
        with torch.no_grad():
            h_alone = scan(cell, x, "ensemble")
    torch.testing.assert_close(h, wanted, **CLOSE)
    torch.testing.assert_close(h_alone, wanted, **CLOSE)
    for g, g_wanted in zip(grads, wanted_grads, strict=True):
        torch.testing.assert_close(g, g_wanted, **CLOSE)


@each
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_are_the_derivatives(case, recompute):
    cell = cell_of(case, 2, 2, E=2)
    layer = Layer(cell, recompute)
    names, values = zip(*layer.named_parameters(), strict=True)

    def h(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(h, (normal(2, 2, 3, 2).requires_grad_(), *values))


class Layer(torch.nn.Module):
    def __init__(self, cell, recompute):
        super().__init__()
        self.cell, self.recompute = cell, recompute

    def forward(self, x):
        return scan(self.cell, x, "ensemble", self.recompute)


@each
def test_a_second_layer_gets_its_gradient(case):
    below, above = cell_of(case, 3), cell_of(case, 4)
    x = normal(len(SEEDS), 2, 5, 3).requires_grad_()
    found = {}
    for how in ("reference", "ensemble"):
        h = scan(above, scan(below, x, how), how)
        found[how] = torch.autograd.grad((h * normal(*h.shape, seed=1)).sum(), [x, below.W_h])
    for g, g_wanted in zip(found["ensemble"], found["reference"], strict=True):
        torch.testing.assert_close(g, g_wanted, **CLOSE)


@each
def test_it_keeps_what_it_says(case):
    """The gates and states, and with recompute the states alone."""
    H, B, T = 8, 2, 400
    cell = cell_of(case, H)
    x = normal(len(SEEDS), B, T, 3)
    tokens = len(SEEDS) * B * T
    kept = {}
    for recompute in (False, True):
        sizes = []
        own = {p.data_ptr() for p in (x, *cell.parameters())}

        def pack(t, sizes=sizes, own=own):
            if t.data_ptr() not in own:
                sizes.append(t.numel())
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            scan(cell, x, "ensemble", recompute)
        kept[recompute] = sum(sizes) / (tokens * H)
    assert kept[False] <= 6.5 * (1 + 1 / T)  # row 0 of the states
    assert kept[True] <= 2.5 * (1 + 1 / T)
    assert kept[False] - kept[True] == pytest.approx(loops(cell.spec).blocks)


@each
def test_without_gradients_nothing_but_h_is_longer_than_a_chunk(case, monkeypatch):
    B, T, H, K = 2, 40, 8, 5
    cell, x, lengths = cell_of(case, H), normal(len(SEEDS), B, T, 3), []
    new_empty = torch.Tensor.new_empty

    def noted(t, *shape, **options):
        lengths.append(shape[1])
        return new_empty(t, *shape, **options)

    blocks = max(1, loops(cell.spec).blocks)
    monkeypatch.setattr(recurrence, "NUMBERS", K * len(SEEDS) * B * blocks * H)
    monkeypatch.setattr(torch.Tensor, "new_empty", noted)
    with torch.no_grad():
        scan(cell, x, "ensemble")
    h, *others = lengths
    assert h == T + 1
    assert max(others) <= K + 1


@each
@pytest.mark.parametrize("recompute", [False, True])
def test_weights_that_are_frozen_let_the_gradient_through(case, recompute):
    cell = cell_of(case, 4).requires_grad_(False)
    x = normal(len(SEEDS), 2, 5, 3).requires_grad_()
    (g_wanted,) = torch.autograd.grad(scan(cell, x, "reference").square().sum(), x)
    (g,) = torch.autograd.grad(scan(cell, x, "ensemble", recompute).square().sum(), x)
    torch.testing.assert_close(g, g_wanted, **CLOSE)


def test_a_second_derivative_is_refused():
    cell = cell_of("lstm", 3)
    x = normal(len(SEEDS), 2, 4, 3).requires_grad_()
    (g,) = torch.autograd.grad(scan(cell, x, "ensemble").square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_scans_of_one_chunk_and_of_many_are_one():
    cell = cell_of("gru", 5)
    x = normal(len(SEEDS), 2, 30, 3)
    found = []
    for numbers in (1, 500, 2**18):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recurrence, "NUMBERS", numbers)
            found.append(scan(cell, x, "ensemble").detach())
    for one, other in pairwise(found):
        torch.testing.assert_close(one, other, **CLOSE)


def test_it_computes_in_the_precision_of_its_weights():
    cell = cell_of("gru", 5).float()
    x = normal(len(SEEDS), 2, 30, 3).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        h = scan(cell, x, "ensemble")
        grads = torch.autograd.grad(h.sum(), list(cell.parameters()))
    wanted = scan(cell, x.float(), "ensemble")
    torch.testing.assert_close(
        h, wanted
    )  # to the rounding of float32; that of bfloat16 is coarser by far
    for g, g_wanted in zip(
        grads, torch.autograd.grad(wanted.sum(), list(cell.parameters())), strict=True
    ):
        torch.testing.assert_close(g, g_wanted)


def test_nobody_has_no_state():
    assert scan(cell_of("lstm_peephole", 3), normal(3, 0, 4, 3), "ensemble").shape == (3, 0, 4, 3)
