"""The tasks on real data: what their splits hold, what is trained on, and what their baselines come to by hand."""

from collections import Counter
from fractions import Fraction
from math import cos, log2, log10, pi

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestCentroid

from seqbench.random import Keys
from seqbench.tasks import TASKS, ngram
from seqbench.tasks.anomaly import compute_area
from seqbench.tasks.base import Batch
from seqbench.tasks.sentences import ALPHABET, normalise, score_words
from seqbench.tasks.spoken_digits import frames

from . import needs_data, real

SPLITS = ("train", "validation", "test")
# How many examples each split has, counted from what the sources say of the files.
SIZES = {
    "pixel-mnist": (55_000, 5_000, 10_000),
    "spoken-digits": (2_400, 300, 300),
    "sentiment": (2_085, 298, 596),
    "topics": (9_003, 1_000, 3_080),
    "series": (8_640 - 24 + 1 - 24, 2_880 - 24 + 1, 2_880 - 24 + 1),
    "anomaly": (8_590, 2_290, 3_438),
}
LAGS = {"series": 24, "anomaly": 1, "sentiment": 512, "topics": 512}


def every(name: str, split: str, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """Return each example of a split once, in order: to train, too."""
    needs_data(name)
    task = TASKS[name](LAGS.get(name, 0), **({"pool": 4} if name == "pixel-mnist" else {}))
    size = dict(zip(SPLITS, SIZES[name], strict=True))[split]
    monkeypatch.setattr(Keys, "integers", lambda keys, draw, low, high: low + keys.index)
    return task.sample(task.keys(split, 0, 0, size))


def rows(batch: Batch) -> list[bytes]:
    return [
        x.numpy().tobytes() + y.numpy().tobytes() for x, y in zip(batch.x, batch.y, strict=True)
    ]


@pytest.mark.parametrize("name", SIZES)
def test_training_draws_from_all_of_its_part_and_from_nothing_else(name):
    needs_data(name)
    task = TASKS[name](LAGS.get(name, 0), **({"pool": 4} if name == "pixel-mnist" else {}))
    asked = []

    class Noted(Keys):
        def integers(self, draw, low, high, *shape):
            asked.append((draw, low, high, shape))
            return super().integers(draw, low, high, *shape)

    keys = task.keys("train", 0, 0, 3)
    task.sample(Noted(keys.name, keys.version, keys.split, keys.seed, keys.index))
    assert asked == [("example", 0, SIZES[name][0], ())]


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_held_out_examples_come_in_one_order_and_begin_again(name, split):
    needs_data(name)
    task = TASKS[name](LAGS.get(name, 0), **({"pool": 4} if name == "pixel-mnist" else {}))
    size = dict(zip(SPLITS, SIZES[name], strict=True))[split]
    one = rows(task.sample(task.keys(split, 7, 0, 20)))
    assert one == rows(task.sample(task.keys(split, 8, size, size + 20)))
    assert one != rows(task.sample(task.keys(split, 8, 1, 21)))


def test_every_image_is_in_one_split_with_its_digit(monkeypatch):
    batches = [every("pixel-mnist", split, monkeypatch) for split in SPLITS]
    digits = [batch.y.flatten().tolist() for batch in batches]
    official = list(real.mnist().values())
    assert digits[0] == official[:55_000]
    assert digits[1] == official[55_000:60_000]
    assert digits[2] != official[60_000:]  # in an order of its own
    assert sorted(digits[2]) == sorted(official[60_000:])
    assert Counter(digits[2]).most_common(1) == [(1, 1135)]
    assert TASKS["pixel-mnist"](0).chance == 1135 / 10_000
    light = [sum(image) for image in real.mnist()]  # of all pixels; pooled or not, it is the same
    shown = [(batch.x.double().sum(dim=(1, 2)) * 255 * 16).round().tolist() for batch in batches]
    assert shown[0] + shown[1] == light[:60_000]
    assert sorted(shown[2]) == sorted(light[60_000:])


def test_pooled_pixels_are_means_and_permuted_ones_the_same_elsewhere():
    needs_data("pixel-mnist")

    def images(**options) -> list[list[float]]:
        task = TASKS["pixel-mnist"](2, **options)
        return task.sample(task.keys("test", 0, 0, 20)).x[..., 0].tolist()

    whole, pooled, permuted = images(), images(pool=4), images(permuted=True)
    for image, small in zip(whole, pooled, strict=True):
        assert len(small) == 49 + 2
        for place, value in enumerate(small[:49]):
            row, column = divmod(place, 7)
            cell = [image[28 * (4 * row + r) + 4 * column + c] for r in range(4) for c in range(4)]
            assert value == pytest.approx(sum(cell) / 16, abs=1e-6)
    order = TASKS["pixel-mnist"](2, permuted=True)
    assert order.sample(order.keys("train", 5, 0, 3)).x[:, 784:].eq(0).all()
    # One order for all: a pixel's values over the images are those of one pixel of the other.
    columns, moved = (Counter(zip(*lines, strict=True)) for lines in (whole, permuted))
    assert columns == moved
    assert whole != permuted


@pytest.mark.filterwarnings("ignore:.*zero standard deviation")  # some pixels are always black
def test_the_nearest_mean_is_that_of_scikit_learn(monkeypatch):
    (x, y), (x_test, y_test) = (
        (batch.x[..., 0].numpy(), batch.y[:, 0].numpy())
        for batch in (every("pixel-mnist", split, monkeypatch) for split in ("train", "test"))
    )
    model = NearestCentroid().fit(x, y)
    found = TASKS["pixel-mnist"](0, pool=4).threshold
    assert found == pytest.approx(model.score(x_test, y_test), abs=2e-4)  # a tie may go either way


def test_recordings_are_split_by_their_number(monkeypatch):
    shown: dict[str, list[str]] = {}
    for split in SPLITS:
        steps = (every("spoken-digits", split, monkeypatch).x * 255).round().long().numpy()
        shown[split] = [real.words()[frames.tobytes()] for frames in steps]
    for split, numbers in (("test", (0, 5)), ("validation", (5, 10)), ("train", (10, 50))):
        wanted = {n for n in real.sounds() if int(n[:-4].split("_")[2]) in range(*numbers)}
        assert set(shown[split]) == wanted
        assert len(shown[split]) == len(wanted)


def test_frames_by_hand():
    # One frame of a tone that lies on the 32nd frequency, 1000 Hz, and a second one of silence.
    tone = [round(1000 * cos(2 * pi * 32 * t / 256)) for t in range(256)]
    sound = tone + [0] * 128
    window = [0.5 - 0.5 * cos(2 * pi * t / 255) for t in range(256)]
    mel = [2595 * log10(1 + 8000 / 256 * k / 700) for k in range(129)]
    width = mel[128] / 21
    levels = []
    for start in (0, 128):
        cut = [v * w for v, w in zip(sound[start : start + 256], window, strict=True)]
        power = [
            abs(sum(v * np.exp(-2j * pi * k * t / 256) for t, v in enumerate(cut))) ** 2
            for k in range(129)
        ]
        levels.append(
            [
                sum(p * max(0, 1 - abs(m / width - band)) for p, m in zip(power, mel, strict=True))
                for band in range(1, 21)
            ]
        )
    loudest = max(map(max, levels))
    expected = [
        [round(255 * max(0, 1 + 10 * log10(max(p / loudest, 1e-12)) / 60)) for p in frame]
        for frame in levels
    ]
    found = frames(np.array(sound, dtype=np.int16))
    assert (found[:2] * 255).round().astype(int).tolist() == expected
    assert found[2:].max() == 0
    assert found.shape == (64, 20)


def test_all_of_shakespeare_is_in_one_part():
    needs_data("shakespeare")
    task = TASKS["shakespeare"](10)
    parts = [task.text(split) for split in SPLITS]
    assert [len(part) for part in parts] == [1_003_854, 55_770, 55_770]
    assert set(parts[0]) == set(task.alphabet)


@pytest.mark.parametrize("name", ["sentiment", "topics"])
def test_every_sentence_is_in_one_split(name):
    needs_data(name)
    task = TASKS[name](16)
    parts = {split: task.sentences(split) for split in SPLITS}
    assert tuple(map(len, parts.values())) == SIZES[name]
    if name == "sentiment":
        assert sorted(sum(parts.values(), ())) == sorted(real.reviews().items())
    else:
        matters = sorted({m for _, m in real.questions("test")}, key=str.casefold)
        for shown, part in (
            (parts["train"] + parts["validation"], "train"),
            (parts["test"], "test"),
        ):
            questions = [(text, matters.index(matter)) for text, matter in real.questions(part)]
            assert sorted(shown) == sorted(questions)
    labels = [label for _, label in parts["test"]]
    assert task.chance == max(Counter(labels).values()) / len(labels)


def test_a_sentence_is_written_in_the_alphabet():
    assert (
        normalise(" Wow...  \x85 It's 24°C, NO-ONE cares?! ") == "wow... it's 00*c, no-one cares?!"
    )
    assert len(set(ALPHABET)) == len(ALPHABET) == 36


def test_words_decide_and_only_those_of_the_window():
    train = (("very good", 1), ("good", 1), ("very bad", 0), ("bad", 0)) * 3
    test = (("bad things. good", 1), ("good things. bad", 0), ("good", 0))
    assert score_words(train, test, 16) != score_words(train, test, 4)
    assert score_words(train, test, 4) == 2 / 3


def test_forecasts_lie_in_their_parts_and_meet_every_hour(monkeypatch):
    needs_data("series")
    oil = [values[-1] for values in real.transformer()]
    for split, (first, last) in {
        "train": (24, 8_640),
        "validation": (8_640, 11_520),
        "test": (11_520, 14_400),
    }.items():
        batch = every("series", split, monkeypatch)
        found = Counter((batch.y[:, 0, 0] * 1e4).round().long().tolist())
        ahead = [torch.tensor(value).float() for value in oil[first : last - 23]]
        assert found == Counter((torch.stack(ahead) * 1e4).round().long().tolist())


def test_forecasts_without_learning_by_hand():
    needs_data("series")
    oil = [values[-1] for values in real.transformer()]
    sums = {"training mean": 0.0, "last hour": 0.0, "same hour of the last day": 0.0}
    starts = range(11_520, 14_400 - 23)
    for t in starts:
        for k in range(24):
            truth = oil[t + k]
            sums["training mean"] += truth**2
            sums["last hour"] += (truth - oil[t - 1]) ** 2
            sums["same hour of the last day"] += (truth - oil[t + k - 24]) ** 2
    task = TASKS["series"](24)
    found = task.baselines()
    assert found == pytest.approx({k: v / 24 / len(starts) for k, v in sums.items()}, rel=1e-5)
    assert task.threshold == min(found["last hour"], found["same hour of the last day"])
    assert sum(value**2 for value in oil[:8_640]) / 8_640 == pytest.approx(task.chance)


def test_every_hour_is_asked_for_in_one_split_and_all_have_marked_ones(monkeypatch):
    needs_data("anomaly")
    shown = Counter()
    for split, periods in (("train", 4), ("validation", 2), ("test", 5)):
        batch = every("anomaly", split, monkeypatch)
        values = (batch.x[:, -1, 0] * 1e4).round().long().tolist()
        shown.update(zip(values, batch.y.flatten().tolist(), strict=True))
        first, last = {"train": (0, 60), "validation": (60, 76), "test": (76, 100)}[split]
        begun = 0
        for values, marks in real.logs().values():
            part = marks[len(values) * first // 100 : len(values) * last // 100]
            begun += sum(b > a for a, b in zip([0, *part], part, strict=False))
        assert begun == periods
    whole = [pair for v, m in real.logs().values() for pair in zip(v, m, strict=True)]
    values, marks = zip(*whole, strict=True)
    rounded = (torch.tensor(values).float() * 1e4).round().long().tolist()
    assert shown == Counter(zip(rounded, marks, strict=True))


def test_alarms_without_learning_by_hand():
    needs_data("anomaly")
    loud: dict[str, list[float]] = {name: [] for name in TASKS["anomaly"](1).baselines()}
    wrong = []
    for values, marks in real.logs().values():
        weight, total, norm = 0.5 ** (1 / 24), 0.0, 0.0
        for t, value in enumerate(values):
            if t >= len(values) * 76 // 100:
                wrong.append(marks[t])
                expected = (0.0, total / norm, values[t - 1], values[t - 24])
                for name, forecast in zip(loud, expected, strict=True):
                    loud[name].append(abs(value - forecast))
            total, norm = weight * total + value, weight * norm + 1
    by_hand = {name: roc_auc_score(wrong, alarm) for name, alarm in loud.items()}
    assert TASKS["anomaly"](1).baselines() == pytest.approx(
        by_hand, abs=1e-5
    )  # what ties is up to rounding
    assert TASKS["anomaly"](1).threshold == pytest.approx(max(by_hand.values()))


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    generator = torch.Generator().manual_seed(0)
    alarm = torch.randint(0, 6, (3, 40), generator=generator).float()  # with many ties
    wrong = torch.randint(0, 2, (3, 40), generator=generator)
    counts = torch.rand(3, 40, generator=generator) > 0.3
    for e, found in enumerate(compute_area(alarm, wrong, counts).tolist()):
        each = zip(alarm[e].tolist(), wrong[e].tolist(), counts[e].tolist(), strict=True)
        said = [(a, w) for a, w, due in each if due]
        pairs = [(a > b) + (a == b) / 2 for a, w in said if w for b, v in said if not v]
        assert found == pytest.approx(sum(pairs) / len(pairs))


def test_without_both_answers_there_is_nothing_to_tell_apart():
    alarm, all_due = torch.tensor([[1.0, 2.0]]), torch.tensor([[True, True]])
    assert compute_area(alarm, torch.tensor([[1, 1]]), all_due).item() == 0.5
    assert compute_area(alarm, torch.tensor([[0, 1]]), torch.tensor([[True, False]])).item() == 0.5


# n-grams

TEXT = "abracadabra"


def by_hand(a: str, h: str) -> Fraction:
    """Return p(a | h) in letters a to e after Witten and Bell, from the text itself."""
    after = [TEXT[i + len(h)] for i in range(len(TEXT) - len(h)) if TEXT.startswith(h, i)]
    less = by_hand(a, h[1:]) if h else Fraction(1, 5)
    types = len(set(after))
    return (after.count(a) + types * less) / (len(after) + types) if after else less


def test_an_n_gram_by_hand():
    counts = ngram.NGram(TEXT, 3, 5)
    # No context: a 5, b 2, r 2, c 1, d 1 of 11, five different ones: p(a) = (5 + 5/5) / (11 + 5) = 3/8.
    assert counts.probability("a", "") == 3 / 8
    # After b came r, twice, and nothing else: p(r | b) = (2 + 1 · p(r)) / (2 + 1), and p(r) = 3/16.
    assert counts.probability("r", "b") == pytest.approx((2 + 3 / 16) / 3)
    # Nothing ever followed "cc": what counts is what follows "c", one a: p(d | c) = (0 + 1/8) / 2.
    assert counts.probability("d", "cc") == pytest.approx(1 / 16)


@pytest.mark.parametrize("h", ["", "a", "br", "ra", "ce", "dd", "rr"])
def test_n_grams_sum_to_one_and_are_those_of_the_text(h):
    counts = ngram.NGram(TEXT, 3, 5)
    found = [counts.probability(a, h) for a in "abcdr"]
    assert sum(found) == pytest.approx(1)
    assert found == pytest.approx([float(by_hand(a, h)) for a in "abcdr"])


def test_a_window_begins_without_context_and_its_first_symbol_is_only_read():
    counts = ngram.NGram(TEXT, 3, 5)
    first = [("b", "a"), ("r", "ab"), ("d", "br")]
    second = [("a", "d"), ("b", "da")]
    costs = [-log2(by_hand(a, h)) for a, h in first + second]
    assert counts.bits(["abrd", "dab"]) == pytest.approx(sum(costs) / 5)


def test_windows_lie_side_by_side_as_those_of_the_task():
    needs_data("time-machine")
    task = TASKS["time-machine"](1_000)
    test = task.text("test")
    windows = (len(test) - 1) // 1_000
    batch = task.sample(task.keys("test", 0, 0, windows))
    symbols = torch.cat([batch.x, batch.y[:, -1:]], dim=1).tolist()
    shown = ["".join(task.alphabet[symbol] for symbol in window) for window in symbols]
    counts = ngram.NGram(task.text("train"), 2, 27)
    assert task.baselines()["2-gram"] == counts.bits(shown)
    assert task.baselines().keys() == {"1-gram", "2-gram", "3-gram", "5-gram"}


def test_more_context_costs_fewer_bits():
    for name in ("time-machine", "shakespeare"):
        needs_data(name)
        task = TASKS[name](1_000)
        bits = list(task.baselines().values())
        assert bits == sorted(bits, reverse=True)
        assert bits[0] == pytest.approx(task.chance, abs=0.1)
        assert bits[1] == pytest.approx(task.threshold, abs=0.02)
