"""What a weak baseline sees decides nothing: neither a short window, nor one frame, nor the past, nor a constant.

Where something is given away after all, it is counted, and a score is to be compared with it.
"""

from fractions import Fraction
from itertools import product
from math import comb, sqrt

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.nn import functional as F

from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.bucket_sort import compute_likeliest_share
from seqbench.tasks.date_translation import DATES, PARTS, make_calendar
from seqbench.tasks.moving_shapes import MOVING

SPLITS = ("train", "validation", "test")
N = 1500
K = 6  # steps of a window


def sampled(task: Task, half: int, split: str = "test", n: int = N) -> Batch:
    """Return one half of the sequences of a split: one to learn from, another to be judged by."""
    return task.sample(task.keys(split, 0, half * n, (half + 1) * n))


def accuracy(x: list[Tensor], y: list[Tensor], model=None) -> float:
    """Return the accuracy of a classifier, learned on one half and judged by the other; symbols become one-hot."""
    seen = [F.one_hot(part) if part.dtype == torch.int64 else part for part in x]
    model = model or LogisticRegression(max_iter=300)
    learned = model.fit(seen[0].flatten(1).numpy(), y[0].numpy())
    return learned.score(seen[1].flatten(1).numpy(), y[1].numpy())


def near(share: float, n: int = N) -> object:
    return pytest.approx(share, abs=4 * sqrt(share * (1 - share) / n))


# Windows


@pytest.mark.parametrize("name", ["parity", "cycle", "mod-arithmetic"])
@pytest.mark.parametrize("view", ["first", "last"])
def test_a_window_of_a_long_string_says_nothing(name, view):
    task = TASKS[name](40).at(61)
    features, y = [], []
    for half in (0, 1):
        batch = sampled(task, half)
        end = batch.mask.long().argmax(dim=1, keepdim=True)  # the step of the answer
        window = torch.arange(K) + (0 if view == "first" else end - K + 1)
        features.append(batch.x.gather(1, window.expand(N, K)))
        y.append(batch.y.gather(1, end)[:, 0])
    assert accuracy(features, y) == near(task.chance)


def test_the_whole_of_a_short_string_says_all():
    task = TASKS["cycle"](40)
    batch = sampled(task, 0, "train", 20_000)
    short = batch.mask[:, :3].any(dim=1)
    x, y = batch.x[short, :3], batch.y[short].gather(1, batch.mask[short].long().argmax(1)[:, None])
    assert accuracy([x, x], [y[:, 0]] * 2, KNeighborsClassifier(1)) == 1


@pytest.mark.parametrize("name", ["reverse", "duplicate"])
def test_the_last_answers_are_in_no_window(name):
    task = TASKS[name](40).at(61)
    features, y = [], []
    for half in (0, 1):
        batch = sampled(task, half)
        end = (batch.x != 2).sum(dim=1, keepdim=True)  # (N, 1): the length
        last = (1 + task.times) * end - 1
        features.append(batch.x.gather(1, last - torch.arange(K)))
        y.append(batch.y.gather(1, last)[:, 0])
    assert accuracy(features, y) == near(task.chance)


def test_selective_copying_needs_more_than_the_last_steps_before_it_is_asked():
    task = TASKS["selective-copy"](64)
    halves = [sampled(task, half) for half in (0, 1)]
    windows = [batch.x[:, 64 - K : 64] for batch in halves]
    assert accuracy(windows, [batch.y[:, 0] for batch in halves]) == near(task.chance)


def test_selective_copying_is_no_fixed_delay():
    batch = sampled(TASKS["selective-copy"](64), 0, n=4000)
    echo = batch.x[:, :64, None] == batch.y[:, None]  # (N, place, answer)
    # The k-th symbol stands at a given place in a quarter of the sequences at most: the first, at the first.
    assert echo.float().mean(dim=0).max() < 1 / 4 + 4.5 * sqrt(3 / 16 / 4000)


@pytest.mark.parametrize("view", ["first", "last"])
def test_induction_needs_more_than_a_window(view):
    task = TASKS["induction"](64)
    halves = [sampled(task, half, n=4000) for half in (0, 1)]
    # Sequences whose trigger stands within the window, or just before, are another matter: they are left out.
    inside = slice(0, K) if view == "first" else slice(64 - K - 1, 63)
    away = [~(batch.x[:, inside] == 16).any(dim=1) for batch in halves]
    window = slice(0, K) if view == "first" else slice(64 - K, 64)
    features = [batch.x[rows, window] for batch, rows in zip(halves, away, strict=True)]
    y = [batch.y[rows, 0] for batch, rows in zip(halves, away, strict=True)]
    assert len(y[1]) > 3000
    assert accuracy(features, y) == near(task.chance, len(y[1]))


def test_induction_is_no_fixed_delay():
    task = TASKS["induction"](64)
    batch = sampled(task, 0, n=4000)
    expected = 1 / 16 + (15 / 16) / (64 - 2)
    for place in range(1, 63):
        assert (batch.x[:, place] == batch.y[:, 0]).float().mean() == near(expected, 4000)


# Tagging: the past


def test_a_reader_of_the_past_is_held_to_five_eighths():
    task = TASKS["tagging"](8)
    before = 4
    features, y = [], []
    for half in (0, 1):
        batch = sampled(task, half)
        t = 16
        due = batch.mask[:, t]
        features.append(batch.x[due, t - before : t + 1])
        y.append(batch.y[due, t])
    assert accuracy(features, y) == near(5 / 8, len(y[1]))


def test_plain_words_and_a_guess_are_worth_five_eighths():
    task = TASKS["tagging"](8)
    batch = sampled(task, 0)
    guess = batch.x % 4  # an ambiguous word taken as if its cue were 0
    right = (guess == batch.y)[batch.mask].float().mean().item()
    assert right == pytest.approx(5 / 8, abs=0.01)
    assert not task.is_solved(5 / 8)
    plain = batch.mask & (batch.x < 4)
    assert torch.equal(guess[plain], batch.y[plain])


def test_ambiguous_words_have_every_tag_as_often_whatever_came_before():
    task = TASKS["tagging"](4)
    batch = sampled(task, 0, n=8000)
    counts = torch.zeros(12, 4, 4)  # what came just before, ambiguous word, tag
    for t in range(1, 15):
        rows = batch.mask[:, t] & (batch.x[:, t] >= 4)
        counts.index_put_(
            (batch.x[rows, t - 1], batch.x[rows, t] - 4, batch.y[rows, t]),
            torch.tensor(1.0),
            accumulate=True,
        )
    share = counts / counts.sum(dim=2, keepdim=True)
    few = counts.sum(dim=2).min().item()
    assert (share - 1 / 4).abs().max() < 4.5 * sqrt(3 / 16 / few)


# Moving shapes: one frame


@pytest.mark.parametrize("frame", [0, MOVING - 1])
def test_one_frame_tells_the_shape_but_not_the_sense(frame):
    found = {}
    for label in ("shape", "order"):
        task = TASKS["moving-shapes"](2, label=label)
        halves = [sampled(task, half) for half in (0, 1)]
        seen = [batch.x[:, frame] for batch in halves]
        y = [batch.y[:, 0] for batch in halves]
        found[label] = accuracy(seen, y, KNeighborsClassifier(1))
    assert found["shape"] == 1
    assert found["order"] == near(1 / 2)


def test_both_labels_are_asked_of_the_same_videos():
    order, shape = (TASKS["moving-shapes"](3, label=label) for label in ("order", "shape"))
    a, b = sampled(order, 0, "train", 300), sampled(shape, 0, "train", 300)
    assert torch.equal(a.x, b.x)
    pairs = (3 * a.y + b.y).flatten().bincount(minlength=6)
    assert (pairs - 50).abs().max() < 4.5 * sqrt(50)


# Constants, counted


def test_zero_is_the_value_of_as_many_expressions_as_is_said():
    # P(0) is 1/5 + 4/5 u, where u is 0 for an even value and 1 for a 0 that is certain. A term of k factors has
    # u = 1 - (4/5)^(k-1), and a sum the product of those of its terms. The first of m numbers opens a term of k.
    u = [Fraction(1)]
    for m in range(1, 22):
        opens = [Fraction(2, 3) * Fraction(1, 3) ** (k - 1) for k in range(1, m)]
        opens.append(1 - sum(opens))
        parts = [
            p * (1 - Fraction(4, 5) ** (k - 1)) * u[m - k] for k, p in enumerate(opens, start=1)
        ]
        u.append(sum(parts, Fraction(0)))
    zero = [Fraction(1, 5) + Fraction(4, 5) * part for part in u]

    values = [eval(f"{a}{op}{b}") % 5 for a, op, b in product(range(5), "+-*", range(5))]
    assert zero[2] == Fraction(values.count(0), len(values))
    in_training = float(sum(zero[1:21]) / 20)
    assert f"{in_training:.3f}" == "0.206"
    assert f"{float(zero[21]):.4f}" == "0.2000"
    task = TASKS["mod-arithmetic"](40)
    assert task.chance == pytest.approx(in_training)
    assert task.at(41).chance == pytest.approx(float(zero[21]))
    assert task.at(4).chance == pytest.approx(float(zero[2]))
    batch = sampled(task, 0, "train", 20_000)
    assert (batch.y[:, 0] == 0).float().mean() == near(in_training, 20_000)


def test_place_zero_is_as_likely_after_a_walk_as_is_said():
    ring = np.array([1.0, 0, 0, 0, 0])
    at_zero = []
    for n in range(1, 42):
        ring = (np.roll(ring, 1) + ring + np.roll(ring, -1)) / 3
        at_zero.append(ring[0])
        assert ring[0] == max(ring)
        assert TASKS["cycle"](40).at(n).chance == pytest.approx(ring[0])
    assert f"{np.mean(at_zero[:40]):.2f}" == "0.21"
    assert TASKS["cycle"](40).chance == pytest.approx(np.mean(at_zero[:40]))
    assert abs(ring - 1 / 5).max() < 1e-10


def test_sorted_digits_are_given_away_by_their_number_as_is_said():
    task = TASKS["bucket-sort"](3)
    batch = sampled(task, 0, n=4000)
    n = batch.mask.sum(dim=1).tolist()
    share = 0.0
    for length in (1, 2, 3):
        rows = [batch.y[i, length : 2 * length] for i in range(4000) if n[i] == length]
        answers = torch.stack(rows)
        likeliest = F.one_hot(answers, 5).sum(dim=0).argmax(dim=1)
        share += (answers == likeliest).float().mean().item() * len(rows) / 4000
    assert share == pytest.approx(task.chance, abs=0.01)


def test_the_chance_of_sorted_digits_is_that_of_the_binomial():
    n = 41
    below = [
        [sum(comb(n, k) * c**k * (5 - c) ** (n - k) for k in range(a + 1)) / 5**n for c in range(6)]
        for a in range(n)
    ]
    best = sum(max(row[c] - row[c + 1] for c in range(5)) for row in below) / n
    assert TASKS["bucket-sort"](40).at(41).chance == pytest.approx(best)
    assert [f"{compute_likeliest_share(n):.2f}" for n in (41, 500)] == ["0.78", "0.94"]


def test_every_string_weighs_the_same():
    task = TASKS["reverse"](160)
    batch = sampled(task, 0, n=200)
    length = batch.mask.sum(dim=1)
    first = (
        torch.arange(batch.x.shape[1]) == length[:, None]
    ).long()  # right at the first answer only
    output = F.one_hot(torch.where(first.bool(), batch.y, 1 - batch.y), 2).float()
    score = task.score(output[None], batch.y[None], batch.mask[None]).item()
    assert score == pytest.approx((1 / length).mean().item())


def test_every_date_is_in_one_part_and_read_in_no_other():
    starts, stops = zip(*(PARTS[split] for split in SPLITS), strict=True)
    assert (0, *stops) == (*starts, len(DATES))
    iso = make_calendar(torch.device("cpu"))[1]
    assert len(iso.unique(dim=0)) == len(DATES) == 73_049
    task = TASKS["date-translation"](12)
    assert task.chance == 1 / (PARTS["test"][1] - PARTS["test"][0])
    for split in SPLITS:
        part = {bytes(row) for row in iso[slice(*PARTS[split])].to(torch.uint8).numpy()}
        assert {bytes(row) for row in sampled(task, 0, split).y.to(torch.uint8).numpy()} <= part


def test_every_way_to_write_is_taken_as_often():
    way = TASKS["date-translation"](12).keys("train", 0, 0, 12_000).integers("way", 0, 12)
    assert (way.bincount(minlength=12) - 1000).abs().max() < 4.5 * sqrt(1000)
