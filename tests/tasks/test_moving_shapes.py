"""The order of the frames decides, and nothing else does: the frame average sits at chance by construction."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from seqbench.random import Keys
from seqbench.tasks.moving_shapes import MOVING, PLACES, SHAPES, MovingShapes

VIDEOS = 2 * PLACES * len(SHAPES)  # sense, start, shape
TASK = MovingShapes(lag=3)


@pytest.fixture
def all_videos(monkeypatch):
    """Return keys that draw every video once, those of sense 0 at even places, all with the same noise."""
    keys = TASK.keys("train", 0, 0, VIDEOS)
    monkeypatch.setattr(Keys, "integers", lambda *_: torch.arange(VIDEOS)[:, None])
    return Keys(keys.name, keys.version, keys.split, keys.seed, torch.zeros_like(keys.index))


def test_the_other_answer_shows_the_same_frames_in_reverse(all_videos):
    batch = TASK.sample(all_videos)
    assert batch.y[::2].eq(0).all()
    assert batch.y[1::2].eq(1).all()
    clockwise, counter = batch.x[::2], batch.x[1::2]
    assert torch.equal(clockwise[:, :MOVING].flip(1), counter[:, :MOVING])
    assert torch.equal(clockwise[:, MOVING:], counter[:, MOVING:])


def test_the_kth_frame_is_the_same_lot_under_both_answers(all_videos, monkeypatch):
    monkeypatch.setattr("seqbench.tasks.moving_shapes.noise", lambda keys: 0.0)
    x = TASK.sample(all_videos).x
    for k in range(TASK.lag + MOVING):
        lots = [sorted(frame.numpy().tobytes() for frame in x[sense::2, k]) for sense in (0, 1)]
        assert lots[0] == lots[1]


def test_every_place_is_another_and_no_shape_leaves_the_frame(all_videos, monkeypatch):
    monkeypatch.setattr("seqbench.tasks.moving_shapes.noise", lambda keys: 0.0)
    first = TASK.sample(all_videos).x[::2, 0]
    assert len(first.unique(dim=0)) == PLACES * len(SHAPES)
    assert sorted(first.bool().sum(dim=(1, 2, 3)).unique().tolist()) == [5, 8, 9]


def test_the_answer_is_drawn_evenly_and_apart_from_shape_and_start():
    video = TASK.keys("train", 0, 0, 48_000).integers("video", 0, VIDEOS)
    counts = video.bincount(minlength=VIDEOS)
    assert (counts - 500).abs().max() < 4.5 * 500**0.5


@pytest.mark.parametrize("classifier", [NearestCentroid(), LogisticRegression(max_iter=200)])
@pytest.mark.parametrize("view", ["average", *range(MOVING)])
def test_without_order_a_classifier_is_at_chance(classifier, view):
    N = 1500

    def seen(split: str) -> tuple[np.ndarray, np.ndarray]:
        batch = TASK.sample(TASK.keys(split, 0, 0, N))
        frame = batch.x.mean(dim=1) if view == "average" else batch.x[:, view]
        return frame.flatten(1).numpy(), batch.y[:, 0].numpy()

    accuracy = classifier.fit(*seen("train")).score(*seen("test"))
    assert accuracy == pytest.approx(1 / 2, abs=4 * (1 / 4 / N) ** 0.5)
