"""The baselines for video: no order of frames, no convolution."""

from itertools import permutations

import pytest
import torch
from torch import nn

from . import FRAME, SEEDS, gradients, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
T = 4


def test_the_average_is_that_of_the_frames_so_far():
    model, x = make("frame_average"), normal(len(SEEDS), 2, T, *FRAME).requires_grad_()
    u = model.eye(x)
    means = [u[:, :, : t + 1].mean(dim=2) for t in range(T)]
    wanted = torch.stack([m @ model.readout.W + model.readout.b for m in means], dim=2)
    for answers in (1, 2, T):
        torch.testing.assert_close(model(x, answers), wanted[:, :, -answers:], **CLOSE)
    torch.testing.assert_close(gradients(model(x, T), x)[0], gradients(wanted, x)[0], **CLOSE)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_average_knows_no_order(layers):
    model, x = make("frame_average", layers=layers), normal(len(SEEDS), 2, T, *FRAME)
    ordered, moving = model(x, 1), make("cnn_lstm")
    for order in permutations(range(T)):
        torch.testing.assert_close(model(x[:, :, order], 1), ordered, **CLOSE)
        same = torch.isclose(moving(x[:, :, order], 1), moving(x, 1))
        assert same.all() if order == tuple(range(T)) else not same.any()


def test_the_average_sees_with_the_eye_of_the_cnn_lstm():
    model, other = make("frame_average"), make("cnn_lstm")
    model.eye.load_state_dict(other.eye.state_dict())
    x = normal(len(SEEDS), 2, T, *FRAME)
    assert torch.equal(model.eye(x), other.eye(x))


def test_pixels_are_read_as_a_list():
    model, lstm = make("pixel_lstm", features=5), make("lstm", inputs=5)
    for part in ("layers", "readout"):
        getattr(lstm, part).load_state_dict(getattr(model, part).state_dict())
    x = normal(len(SEEDS), 2, T, *FRAME).requires_grad_()
    seen = []
    for e in range(len(SEEDS)):
        dense = nn.Linear(70, 5).double()
        dense.weight = nn.Parameter(model.eye.out.W[e].T)
        dense.bias = nn.Parameter(model.eye.out.b[e, 0])
        seen.append(nn.Sequential(nn.Flatten(2), dense, nn.ReLU())(x[e]))
    wanted = lstm(torch.stack(seen), 3)
    torch.testing.assert_close(model(x, 3), wanted, **CLOSE)
    torch.testing.assert_close(gradients(model(x, 3), x)[0], gradients(wanted, x)[0], **CLOSE)


def test_a_pixel_has_weights_of_its_own_and_no_neighbours():
    """Pixels that are shuffled, with the weights shuffled likewise, are the same to it."""
    model, x = make("pixel_lstm"), normal(len(SEEDS), 2, T, *FRAME)
    before, order = model(x, 1), torch.randperm(70, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.eye.out.W.copy_(model.eye.out.W[:, order])
    shuffled = x.flatten(3)[..., order].view_as(x)
    torch.testing.assert_close(model(shuffled, 1), before, **CLOSE)
    assert not torch.isclose(model(x, 1), before).any()
