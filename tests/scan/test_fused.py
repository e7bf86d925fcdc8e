"""The kernels under Triton's interpreter, without a GPU: against the loop and its gradients, in float64.

It can't show a barrier that is missing, and it multiplies bfloat16 wrongly (there the product is replaced).
"""

import sys
from importlib import import_module
from importlib.util import find_spec

import pytest
import torch

from seqbench.scan import fused, scan
from tests.models import normal
from tests.scan import CLOSE, cell_of, derivatives, each, poison

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
OF_TRITON = ("triton.", "seqbench.scan.kernels.", "tests.scan.widened.")


@pytest.fixture(autouse=True, scope="module")
def interpreter():
    """Import a second Triton, which interprets; what had been imported before comes back afterwards."""

    def loaded():
        names = [n for n in sys.modules if (n + ".").startswith(OF_TRITON)]
        return [n for n in names if not n.startswith("triton._C")]  # the one thing that is built

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        for name in loaded():
            patch.delitem(sys.modules, name)
        yield
        for name in loaded():
            del sys.modules[name]


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    poison(monkeypatch)


@pytest.fixture
def tiles(monkeypatch):
    """Return a function that sets the width of the kernels' tiles."""

    def set_to(width):
        how = fused.Configuration(width, warps=4, stages=1)
        monkeypatch.setattr(fused, "configuration", lambda *_: how)

    return set_to


def agrees(cell, x, recompute=False, close=CLOSE):
    x = x.requires_grad_()
    h, grads = derivatives(cell, x, "fused", recompute)
    wanted, wanted_grads = derivatives(cell, x, "reference")
    torch.testing.assert_close(h, wanted, **close)
    for g, g_wanted in zip(grads, wanted_grads, strict=True):
        torch.testing.assert_close(g, g_wanted, **close)


@each
@pytest.mark.parametrize(("B", "H"), [(17, 10), (2, 33), (1, 16)])
def test_it_agrees_with_the_loop(case, B, H):
    """Programs that are not full, and tiles wider than H: 10 units in 16, and 33, filled up to 48, in 64."""
    agrees(cell_of(case, H, E=2), normal(2, B, 3, 3, seed=4))


@each
@pytest.mark.parametrize("width", [16, 32])
def test_so_it_does_in_blocks_of_units(case, width, tiles):
    tiles(width)
    agrees(cell_of(case, 33, E=2), normal(2, 3, 3, 3, seed=4))


@each
@pytest.mark.parametrize("split", [False, True])
def test_chunks_hand_on_their_states_and_derivatives(case, split, tiles, monkeypatch):
    tiles(16 if split else 32)
    monkeypatch.setattr(fused, "STEPS", 2)
    cell, x = cell_of(case, 20, E=2), normal(2, 2, 5, 3, seed=4)
    agrees(cell, x, recompute=True)
    with torch.no_grad():
        torch.testing.assert_close(scan(cell, x, "fused"), scan(cell, x, "reference"), **CLOSE)


@each
def test_a_sequence_and_a_member_that_are_lost_leave_the_others_as_they_were(case):
    cell, x = cell_of(case, 5, E=2), normal(2, 3, 4, 3, seed=4)
    h = scan(cell, x, "fused")
    x[0, 1] = torch.nan
    with torch.no_grad():
        cell.W_h[1] = torch.nan
    again = scan(cell, x, "fused")
    torch.testing.assert_close(again[0, 0::2], h[0, 0::2], **CLOSE)
    assert again[0, 1].isnan().all()
    assert again[1, :, 1:].isnan().all()


@each
def test_a_derivative_may_come_in_any_layout(case):
    """That of a plain sum is one number, expanded; that of a sum over steps is one row."""
    cell, x = cell_of(case, 16, E=2), normal(2, 3, 4, 3, seed=4).requires_grad_()
    for total in (torch.sum, lambda h: (h.sum(dim=2) * normal(2, 3, 16)).sum()):
        found, wanted = (
            torch.autograd.grad(total(scan(cell, x, how)), cell.W_h)
            for how in ("fused", "reference")
        )
        torch.testing.assert_close(found, wanted, **CLOSE)


@each
@pytest.mark.parametrize(("width", "recompute"), [(32, False), (32, True), (16, False)])
def test_in_bfloat16_it_is_near_and_the_gradients_are_float32(
    case, width, recompute, tiles, monkeypatch
):
    """What is stored is rounded, nothing else is: c and the gradients are as wide as the weights."""
    tiles(width)
    monkeypatch.setattr(fused, "STEPS", 2)
    for family in ("rnn", "lstm", "gru"):
        monkeypatch.setattr(
            import_module(f"seqbench.scan.kernels.{family}"),
            "dot",
            import_module("tests.scan.widened").dot,
        )
    cell, x = cell_of(case, 20, E=2).float(), normal(2, 2, 3, 3, seed=4).float().requires_grad_()
    wanted, wanted_grads = derivatives(cell, x, "reference")
    with torch.autocast("cpu", torch.bfloat16):
        h = scan(cell, x, "fused", recompute)
    grads = torch.autograd.grad((h * normal(*h.shape, seed=1)).sum(), [x, *cell.parameters()])
    assert h.dtype == torch.bfloat16
    for g, g_wanted in zip((h.float(), *grads), (wanted, *wanted_grads), strict=True):
        assert g.dtype == torch.float32
        assert (g - g_wanted).norm() < 0.03 * g_wanted.norm()


def test_what_flows_back_from_step_to_step_is_as_wide_as_the_weights(monkeypatch):
    widths = []

    def backward(self, dh, carry, gates, states, W_h, extra):
        widths.append([*(c.dtype for c in carry), *(s.dtype for s in states)])
        return torch.zeros_like(gates), torch.zeros_like(W_h), None

    monkeypatch.setattr(fused.FusedLSTM, "forward", lambda *_: None)
    monkeypatch.setattr(fused.FusedLSTM, "backward", backward)
    with torch.autocast("cpu", torch.bfloat16):
        h = scan(cell_of("lstm", 4).float(), normal(3, 2, 5, 3).float(), "fused")
    h.sum().backward()
    assert widths == [[torch.float32, torch.float32, torch.bfloat16, torch.float32]]


def test_what_is_lacking_is_said(monkeypatch):
    cpu, cell = torch.device("cpu"), cell_of("lstm", 8)
    assert fused.find_lacking(cell, cpu) is None  # under the interpreter
    assert fused.find_lacking(cell_of("lstm", 257), cpu) == "at most 256 hidden units"
    monkeypatch.setattr(fused, "interpreting", lambda: False)
    assert fused.find_lacking(cell, cpu) == "a GPU"
    assert fused.find_lacking(cell, torch.device("cuda")) == "weights in float32"
    assert fused.find_lacking(cell.float(), torch.device("cuda")) is None
    monkeypatch.setattr(fused, "find_spec", lambda name: None)
    assert fused.find_lacking(cell, torch.device("cuda")) == "Triton"
