"""The window MLP against torch's own layers over windows that are cut out one by one."""

import pytest
import torch
from torch import nn

from . import SEEDS, gradients, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
T, D, H = 9, 3, 8


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("window", [1, 4, 9, 12])
def test_it_is_a_perceptron_on_each_window(window, layers):
    model = make("window_mlp", window=window, layers=layers)
    x = normal(len(SEEDS), 2, T, D).requires_grad_()
    rows = []
    for e in range(len(SEEDS)):
        parts = []
        for layer in (*model.layers, model.readout):
            part = nn.Linear(*layer.W.shape[1:]).double()
            part.weight, part.bias = nn.Parameter(layer.W[e].T), nn.Parameter(layer.b[e, 0])
            parts += [part, nn.ReLU()]
        net = nn.Sequential(*parts[:-1])
        before = torch.cat([torch.zeros(2, window - 1, D, dtype=torch.float64), x[e]], dim=1)
        cut = [before[:, t : t + window].flatten(1) for t in range(T)]
        rows.append(torch.stack([net(each) for each in cut], dim=1))
    wanted = torch.stack(rows)
    for answers in (1, 4, T):
        torch.testing.assert_close(model(x, answers), wanted[:, :, -answers:], **CLOSE)
    torch.testing.assert_close(gradients(model(x, T), x)[0], gradients(wanted, x)[0], **CLOSE)


@pytest.mark.parametrize("window", [1, 3])
def test_what_is_older_than_the_window_changes_nothing(window):
    model, x = make("window_mlp", window=window), normal(len(SEEDS), 2, T, D)
    for t in range(T):
        other = x.clone()
        other[:, :, t] += 1
        same = torch.isclose(model(x, 1), model(other, 1))
        assert same.all() if t < T - window else not same.any()


def test_a_signal_keeps_its_size():
    model = make("window_mlp", window=16, hidden=256)
    x = normal(len(SEEDS), 64, 40, D)
    v = model.layers[0](x.unfold(2, 16, 1).transpose(-1, -2).flatten(3)).relu()
    assert v.square().mean().item() == pytest.approx(1, rel=0.2)
