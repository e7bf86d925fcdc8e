"""The features of a frame against a convolution for each member, and what the LSTM is given."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from . import SEEDS, gradients, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
sides = st.integers(1, 17)


def features(eye, x, e):
    """Return the features of every frame of one member, ``(B, T, features)``."""
    y = x[e].flatten(0, 1)
    for conv in (eye.conv_1, eye.conv_2):
        y = F.conv2d(y, conv.W[e], conv.b[e], stride=2, padding=1).clamp(min=0)
    u = y.flatten(1) @ eye.out.W[e] + eye.out.b[e]
    return u.clamp(min=0).unflatten(0, x.shape[1:3])


@given(E=st.integers(1, 3), channels=st.integers(1, 3), height=sides, width=sides)
@settings(max_examples=20, deadline=None)
def test_every_member_sees_its_own_frames(E, channels, height, width):
    shape = (channels, height, width)
    eye = make("cnn_lstm", SEEDS[:E], inputs=shape, maps=4).eye
    with torch.no_grad():
        for conv in (eye.conv_1, eye.conv_2):
            conv.b.copy_(normal(*conv.b.shape, seed=3))
    x = normal(E, 2, 3, *shape).requires_grad_()
    leaves = [x, *eye.parameters()]
    u = eye(x)
    wanted = torch.stack([features(eye, x, e) for e in range(E)])
    torch.testing.assert_close(u, wanted, **CLOSE)
    for g, g_wanted in zip(gradients(u, *leaves), gradients(wanted, *leaves), strict=True):
        torch.testing.assert_close(g, g_wanted, **CLOSE)


def test_the_lstm_reads_the_features():
    model, lstm = make("cnn_lstm", features=5), make("lstm", inputs=5)
    for part in ("layers", "readout"):
        getattr(lstm, part).load_state_dict(getattr(model, part).state_dict())
    x = normal(len(SEEDS), 2, 4, 2, 5, 7)
    torch.testing.assert_close(model(x, 3), lstm(model.eye(x), 3), **CLOSE)


def test_a_signal_keeps_its_size_through_the_eye():
    model = make("cnn_lstm", inputs=(1, 16, 16), hidden=64, maps=32)
    u = model.eye(normal(len(SEEDS), 4, 4, 1, 16, 16))
    assert u.square().mean().item() == pytest.approx(1, rel=0.6)
    assert not model.eye.conv_1.b.any()
