"""The tasks on real data solved by hand: the files are read again, in plain Python, and every answer is looked up.

Nothing of the tasks is used here but their options; where a sum or a transform is needed, it is another one.
"""

import csv
import gzip
import json
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from math import log10
from statistics import fmean, pstdev
from typing import Any
from zipfile import ZipFile

import numpy as np
from scipy.io import wavfile
from scipy.signal import spectrogram

from seqbench.tasks.base import Task
from seqbench.tasks.sources import locate

Due = dict[int, Any]


# MNIST


@cache
def mnist() -> dict[bytes, int]:
    """Return the digit of every image, train and test."""
    found = {}
    for part in ("train", "t10k"):
        pixels, digits = (
            gzip.decompress(locate("mnist", f"{part}-{kind}-ubyte.gz").read_bytes())
            for kind in ("images-idx3", "labels-idx1")
        )
        for n, digit in enumerate(digits[8:]):
            found[pixels[16 + 784 * n : 16 + 784 * (n + 1)]] = digit
    assert len(found) == 70_000
    return found


def pixel_mnist(task: Task, x: list[list[float]]) -> Due:
    values = [value for (value,) in x]
    assert values[784:] == [0] * task.lag
    return {len(x) - 1: mnist()[bytes(round(255 * value) for value in values[:784])]}


# Spoken digits


@cache
def sounds() -> dict[str, np.ndarray]:
    with ZipFile(locate("fsdd", "fsdd-v1.0.10-recordings.zip")) as archive:
        return {
            name.rpartition("/")[2]: wavfile.read(BytesIO(archive.read(name)))[1]
            for name in archive.namelist()
            if name.endswith(".wav")
        }


def heard(sound: np.ndarray) -> np.ndarray:
    """Return the loudness of the bands by scipy's spectrogram."""
    sound = sound[: 63 * 128 + 256].astype(float)
    sound = np.append(sound, np.zeros(max(0, 256 - len(sound))))
    hertz, _, power = spectrogram(
        sound, 8000, np.hanning(256), noverlap=128, detrend=False, scaling="spectrum"
    )
    power[1:-1] /= 2  # scipy counts both sides of the spectrum
    mel = [2595 * log10(1 + f / 700) for f in hertz]
    edge = [n * mel[-1] / 21 for n in range(22)]
    bands = [np.interp(mel, edge[n : n + 3], [0, 1, 0]) @ power for n in range(20)]
    level = 10 * np.log10(np.maximum(np.array(bands).T, 1e-30))  # (frames, 20)
    steps = np.round(255 * np.clip(1 + (level - level.max()) / 60, 0, 1)).astype(int)
    return np.vstack([steps, np.zeros((64 - len(steps), 20), dtype=int)])


@cache
def words() -> dict[bytes, str]:
    """Return the name of every recording by what is heard of it."""
    found = {heard(sound).tobytes(): name for name, sound in sounds().items()}
    assert len(found) == 3_000
    return found


def spoken_digits(task: Task, x: list[list[float]]) -> Due:
    assert x[64:] == [[0] * 20] * task.lag
    name = words()[np.array([[round(255 * v) for v in frame] for frame in x[:64]]).tobytes()]
    return {len(x) - 1: int(name[0])}


# Shakespeare


def shakespeare(task: Task, x: list[int]) -> Due:
    plays = locate("tinyshakespeare", "input.txt").read_text("ascii")
    letters = sorted(set(plays))
    window = "".join(letters[symbol] for symbol in x)
    assert plays.count(window) == 1
    after = plays[plays.index(window) + 1 :][: task.lag]
    return {t: letters.index(letter) for t, letter in enumerate(after)}


# Sentences

SIGNS = "▁* abcdefghijklmnopqrstuvwxyz0.,!?'-"


def signs(sentence: str) -> str:
    """Return a sentence sign by sign as it is said to be shown."""
    shown = ""
    for letter in sentence.strip().lower():
        if letter.isspace():
            shown += "" if shown.endswith(" ") else " "
        elif letter in "0123456789":
            shown += "0"
        else:
            shown += letter if letter in SIGNS[2:] else "*"
    return shown


@cache
def reviews() -> dict[str, int]:
    found: dict[str, int] = {}
    for shop in ("amazon_cells", "imdb", "yelp"):
        raw = locate("uci_sentiment", f"{shop}_labelled.txt").read_bytes().decode()
        lines = raw.removesuffix("\n").split("\n")
        assert len(lines) == 1000
        for line in lines:
            assert line[-2] == "\t"
            found.setdefault(signs(line[:-2]), int(line[-1]))
    return found


@cache
def questions(part: str) -> list[tuple[str, str]]:
    with locate("banking77", f"{part}.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [(signs(text), category) for text, category in rows]


def ending(task: Task, x: list[int], sentences: list[tuple[str, Any]]) -> Any:
    """Return the one label of the sentences that end like this."""
    assert len(x) == task.lag
    window = "".join(SIGNS[symbol] for symbol in x)
    shown = window.lstrip("▁")
    labels = {
        label
        for text, label in sentences
        if text == shown or (shown == window and text.endswith(shown))
    }
    assert len(labels) == 1
    return labels.pop()


def sentiment(task: Task, x: list[int]) -> Due:
    return {len(x) - 1: ending(task, x, list(reviews().items()))}


def topics(task: Task, x: list[int]) -> Due:
    every = questions("train") + questions("test")
    matters = sorted({matter for _, matter in every}, key=str.casefold)
    assert len(matters) == 77
    return {len(x) - 1: matters.index(ending(task, x, every))}


# Series


@cache
def transformer() -> list[list[float]]:
    """Return the seven values of every hour, standardised by the first 360 days."""
    with locate("etth1", "ETTh1.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    columns = list(zip(*([float(v) for v in row[1:]] for row in rows), strict=True))
    means = [fmean(column[:8640]) for column in columns]
    spreads = [pstdev(column[:8640]) for column in columns]
    return [
        [(v - m) / s for v, m, s in zip(row, means, spreads, strict=True)]
        for row in zip(*columns, strict=True)
    ]


def near(a: list[float], b: list[float]) -> bool:
    return all(abs(p - q) < 1e-5 for p, q in zip(a, b, strict=True))


def series(task: Task, x: list[list[float]]) -> Due:
    hours = transformer()
    (start,) = [
        t
        for t in range(len(hours) - task.lag)
        if near(hours[t], x[0]) and all(map(near, hours[t : t + task.lag], x))
    ]
    ahead = hours[start + task.lag :][:24]
    return {len(x) - 1: [oil for *_, oil in ahead]}


# Anomaly

FILES = ("machine_temperature_system_failure", "nyc_taxi", "ambient_temperature_system_failure")


@cache
def logs() -> dict[str, tuple[list[float], list[int]]]:
    """Return the standardised value of every hour that has one, and whether it is marked."""
    marked = json.loads(locate("nab", "combined_windows.json").read_text())
    found = {}
    for name in FILES:
        periods = [
            [datetime.fromisoformat(end) for end in period]
            for period in marked[f"realKnownCause/{name}.csv"]
        ]
        by_hour: dict[datetime, list[float]] = {}
        with locate("nab", f"{name}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                at = datetime.fromisoformat(row["timestamp"])
                hour = at - timedelta(minutes=at.minute, seconds=at.second)
                by_hour.setdefault(hour, []).append(float(row["value"]))
        hours = sorted(by_hour)
        means = [fmean(by_hour[hour]) for hour in hours]
        train = means[: len(means) * 60 // 100]
        mean, spread = fmean(train), pstdev(train)
        values = [(v - mean) / spread for v in means]
        labels = [int(any(a <= hour <= b for a, b in periods)) for hour in hours]
        found[name] = values, labels
    return found


def anomaly(task: Task, x: list[list[float]]) -> Due:
    window = [value for (value,) in x]
    labels = [
        marks[t + task.lag - 1]
        for values, marks in logs().values()
        for t in range(len(values) - task.lag + 1)
        if abs(values[t] - window[0]) < 1e-5 and near(values[t : t + task.lag], window)
    ]
    assert len(labels) == 1
    return {len(x) - 1: labels[0]}


SOLVERS = {
    "pixel-mnist": pixel_mnist,
    "spoken-digits": spoken_digits,
    "shakespeare": shakespeare,
    "sentiment": sentiment,
    "topics": topics,
    "series": series,
    "anomaly": anomaly,
}
SETTINGS = [
    ("pixel-mnist", {"lag": 0}), ("pixel-mnist", {"lag": 3}),
    ("spoken-digits", {"lag": 0}), ("spoken-digits", {"lag": 5}),
    ("shakespeare", {"lag": 60}),
    ("sentiment", {"lag": 60}), ("sentiment", {"lag": 400}),
    ("topics", {"lag": 60}), ("topics", {"lag": 433}),
    ("series", {"lag": 24}), ("series", {"lag": 50}),
    ("anomaly", {"lag": 3}), ("anomaly", {"lag": 50}),
]  # fmt: skip
