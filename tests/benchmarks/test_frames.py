"""Convolutions of many members: three ways to the same features."""

import torch

from benchmarks.decisions import frames
from seqbench.models import MODELS
from seqbench.random import Keys


def test_a_convolution_is_the_same_in_all_three_ways():
    wanted, *others = (frames.make_step(3, 1, "cpu")(way) for way in frames.WAYS)
    assert wanted.shape == (3, 32 * 9, 8, 3, 3)
    for maps in others:
        torch.testing.assert_close(maps, wanted)


def test_the_groups_are_those_of_the_model():
    keys = Keys.span("cnn_lstm", 1, "weights", 0, 0, 2)
    eye = MODELS["cnn_lstm"](keys, inputs=(1, 12, 12), outputs=2, hidden=4).eye
    layers = [eye.conv_1, eye.conv_2]
    x = torch.rand(6, 2, 1, 12, 12)
    maps = eye.conv_2(eye.conv_1(x.flatten(1, 2))).unflatten(1, (2, -1)).transpose(0, 1)
    torch.testing.assert_close(frames.convolve_groups(x, layers), maps)
