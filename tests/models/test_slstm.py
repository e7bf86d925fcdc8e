"""sLSTM: its equations without the stabiliser, its start, and numbers that would overflow without m."""

import pytest
import torch

from seqbench.models.slstm import SLSTMCell
from seqbench.scan import scan

from . import SEEDS, gradients, identities, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
T, D, H = 7, 3, 5


def cell_of(noise=0.5):
    """Return a cell in float64, off its start."""
    cell = SLSTMCell(identities("slstm"), "layer 0", D, H).double()
    with torch.no_grad():
        for k, p in enumerate(cell.parameters()):
            p.add_(normal(*p.shape, seed=k), alpha=noise)
    return cell


def by_hand(cell, x):
    """Return h by the equations that m cancels in: gates are plain exponentials and sigmoids."""
    h = c = n = x.new_zeros(len(x), x.shape[1], H)
    hs = []
    for t in range(x.shape[2]):
        i, f, z, o = (x[:, :, t] @ cell.W_x + h @ cell.W_h + cell.b).split(H, dim=-1)
        c = f.sigmoid() * c + i.exp() * z.tanh()
        n = f.sigmoid() * n + i.exp()
        h = o.sigmoid() * c / n
        hs.append(h)
    return torch.stack(hs, dim=2)


def test_it_is_the_equations_without_m():
    cell, x = cell_of(), normal(len(SEEDS), 2, T, D).requires_grad_()
    h, wanted = scan(cell, x, "auto"), by_hand(cell, x)
    torch.testing.assert_close(h, wanted, **CLOSE)
    leaves = [x, *cell.parameters()]
    for g, g_wanted in zip(gradients(h, *leaves), gradients(wanted, *leaves), strict=True):
        torch.testing.assert_close(g, g_wanted, **CLOSE)


@pytest.mark.parametrize("size", [200.0, -200.0])
def test_no_input_gate_overflows_or_vanishes(size):
    """In float32 its exponential is infinite, or zero at every step so that c / n would be 0 / 0."""
    cell = cell_of().float()
    with torch.no_grad():
        cell.b[..., :H] = size
    x = normal(len(SEEDS), 2, T, D).float().requires_grad_()
    h = scan(cell, x, "auto")
    assert h.isfinite().all()
    assert (h.abs() < 1).all()
    assert all(g.isfinite().all() for g in gradients(h, x, *cell.parameters()))


def test_an_input_gate_that_is_large_once_outweighs_what_was_stored():
    cell = cell_of(noise=0.0)
    with torch.no_grad():
        cell.W_x.zero_()
        cell.b.zero_()
        cell.W_x[:, 0, :H] = 1.0  # the first feature opens the input gate
        cell.W_x[:, 1, 2 * H : 3 * H] = 1.0  # the second is what is let in
        cell.b[..., H : 2 * H] = 20.0  # nothing is forgotten
    x = torch.zeros(len(SEEDS), 1, T, D, dtype=torch.float64)
    x[:, :, :, 1] = -0.5
    x[:, :, 3, :2] = torch.tensor([30.0, 0.8], dtype=torch.float64)
    h = scan(cell, x, "auto")
    for t in range(T):
        wanted = 0.5 * torch.tensor(-0.5 if t < 3 else 0.8).double().tanh()
        torch.testing.assert_close(h[:, :, t], wanted.expand_as(h[:, :, t]), rtol=1e-6, atol=1e-6)


def test_it_starts_as_the_papers():
    hidden = 80
    model = make("slstm", hidden=hidden, layers=3)
    for block, power in zip(model.blocks, (0.3, 0.95, 1.6), strict=True):
        cell = block.mixer.cell
        assert not cell.W_h.any()
        b_i, b_f, b_z, b_o = cell.b.split(hidden, dim=-1)
        assert not any(b.any() for b in (b_i, b_z, b_o))
        wanted = [5 - 12 * (j / (hidden - 1)) ** power for j in range(hidden)]
        for member in b_f[:, 0].tolist():
            assert member == pytest.approx(wanted, rel=1e-5, abs=1e-5)
        z = cell.W_x.detach().flatten() / (2 / (5 * hidden)) ** 0.5
        assert abs(z.mean()) < 4 / len(z) ** 0.5
        assert abs(z.square().mean() - 1) < 4 * (2 / len(z)) ** 0.5
        assert abs(z.pow(4).mean() - 3) < 4 * (96 / len(z)) ** 0.5


def test_it_is_run_by_the_loop():
    model = make("slstm")
    assert model.scan_name == "reference"
    assert [type(cell) for cell in model.cells] == [SLSTMCell] * 2
