"""Each task solved by hand: from x alone, one sequence at a time, by the rule as one would say it.

A solver returns what is due and when, ``{step: answer}``; the task must agree on both.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from sklearn.datasets import load_digits

from seqbench.data import locate
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task

from . import needs_data, real


def latch(task: Task, x: list[int]) -> dict[int, Any]:
    cue, *distractors = x
    assert len(distractors) == task.lag
    assert cue in (0, 1)
    assert all(2 <= symbol <= 9 for symbol in distractors)
    return {len(x) - 1: cue}


def adding(task: Task, x: list[list[float]]) -> dict[int, Any]:
    marked = [t for t, (_, mark) in enumerate(x) if mark == 1]
    assert len(x) == task.lag
    assert len(marked) == 2
    assert marked[0] < task.lag // 2 <= marked[1]
    return {len(x) - 1: [sum(x[t][0] for t in marked)]}


def temporal_order(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("abcdEBXY"[symbol] for symbol in x)
    assert len(string) == task.lag
    assert re.fullmatch("E[abcdXY]*B", string)
    places = [t for t, letter in enumerate(string) if letter in "XY"]
    windows = {2: ("10-20", "50-60"), 3: ("10-20", "33-43", "66-76")}[task.relevant]
    for place, window in zip(places, windows, strict=True):
        low, high = (int(hundredths) * task.lag // 100 for hundredths in window.split("-"))
        assert low <= place < high
    order = "".join(string[t] for t in places)
    classes = {
        2: "XX XY YX YY",
        3: "XXX XXY XYX XYY YXX YXY YYX YYY",
    }[task.relevant].split()
    return {len(x) - 1: classes.index(order)}


def copy(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("01234567_:"[symbol] for symbol in x)
    assert len(string) == task.lag + 20
    assert re.fullmatch("[0-7]{10}_*:_{10}", string)
    said = "_" * (string.index(":") + 1) + string[:10]
    return {t: "01234567_".index(letter) for t, letter in enumerate(said)}


def parity(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("01_"[symbol] for symbol in x)
    assert re.fullmatch("[01]+_*", string)
    bits = string.rstrip("_")
    return {len(bits) - 1: bits.count("1") % 2}


def timed_spikes(task: Task, x: list[list[float]]) -> dict[int, Any]:
    (start,) = [t for t, (value,) in enumerate(x) if value == 1]
    assert start < task.lag
    assert sum(value for (value,) in x) == 1
    due, clock = {start: 0}, 0
    for t in range(start + 1, len(x)):
        clock += 1
        due[t] = 0
        if clock == task.lag:
            due[t], clock = 1, 0
    assert sum(due.values()) == 5
    return due


def recall(task: Task, x: list[int]) -> dict[int, Any]:
    pairs, questions = x[: 2 * task.lag], x[2 * task.lag :]
    assert all(key < 64 <= value < 80 for key, value in zip(pairs[::2], pairs[1::2], strict=True))
    memory = dict(zip(pairs[::2], pairs[1::2], strict=True))
    assert len(memory) == task.lag
    assert sorted(questions) == sorted(memory)
    return {2 * task.lag + k: memory[key] - 64 for k, key in enumerate(questions)}


def moving_shapes(task: Task, x: list[list[list[list[float]]]]) -> dict[int, Any]:
    centres = []
    for (frame,) in x[:8]:
        bright = [(r, c) for r in range(12) for c in range(12) if frame[r][c] > 0.5]
        rows, columns = zip(*bright, strict=True)
        centres.append((sum(rows) / len(rows) - 6, sum(columns) / len(columns) - 6))
    assert not any(value for (frame,) in x[8:] for row in frame for value in row)
    # Rows grow downwards: clockwise is from the right (column +) to below (row +).
    turns = [(a[1] * b[0] - a[0] * b[1]) for a, b in pairwise(centres)]
    assert all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)
    return {len(x) - 1: 0 if turns[0] > 0 else 1}


def sequential_digits(task: Task, x: list[list[float]]) -> dict[int, Any]:
    values = [value for (value,) in x]
    assert values[64:] == [0] * task.lag
    data = load_digits()
    (item,) = [n for n in range(1797) if data.data[n].tolist() == [16 * v for v in values[:64]]]
    return {len(x) - 1: int(data.target[item])}


def time_machine(task: Task, x: list[int]) -> dict[int, Any]:
    book = locate("timemachine", "timemachine.txt").read_text("utf-8").lower()
    letters = "".join(a if "a" <= a <= "z" else " " for a in book)
    plain = " ".join([*letters.split(), ""])  # one space between words, and one at the end
    window = "".join(" abcdefghijklmnopqrstuvwxyz"[symbol] for symbol in x)
    assert plain.count(window) == 1
    after = plain[plain.index(window) + 1 :][: task.lag]
    return {t: " abcdefghijklmnopqrstuvwxyz".index(letter) for t, letter in enumerate(after)}


SOLVERS: dict[str, Callable[[Task, Any], dict[int, Any]]] = {
    "latch": latch,
    "adding": adding,
    "temporal-order": temporal_order,
    "copy": copy,
    "parity": parity,
    "timed-spikes": timed_spikes,
    "recall": recall,
    "moving-shapes": moving_shapes,
    "sequential-digits": sequential_digits,
    "time-machine": time_machine,
    **real.SOLVERS,
}
SETTINGS = [
    ("latch", {"lag": 1}), ("latch", {"lag": 30}),
    ("adding", {"lag": 2}), ("adding", {"lag": 31}),
    ("temporal-order", {"lag": 10}), ("temporal-order", {"lag": 100}),
    ("temporal-order", {"lag": 10, "relevant": 3}), ("temporal-order", {"lag": 100, "relevant": 3}),
    ("copy", {"lag": 1}), ("copy", {"lag": 13}),
    ("parity", {"lag": 41}), ("parity", {"lag": 50}),
    ("timed-spikes", {"lag": 2}), ("timed-spikes", {"lag": 9}),
    ("recall", {"lag": 1}), ("recall", {"lag": 64}),
    ("moving-shapes", {"lag": 1}), ("moving-shapes", {"lag": 5}),
    ("sequential-digits", {"lag": 0}), ("sequential-digits", {"lag": 5}),
    ("time-machine", {"lag": 60}),
    *real.SETTINGS,
]  # fmt: skip


def test_every_task_has_a_solver():
    assert set(SOLVERS) == set(TASKS.builtin) == {name for name, _ in SETTINGS}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_the_answers_are_those_of_the_solver(name, setting, split):
    needs_data(name)
    task = TASKS[name](**setting)
    batch = task.sample(task.keys(split, 2, 10, 50))
    T, A = batch.x.shape[1], batch.y.shape[1]
    rows = zip(batch.x.tolist(), batch.y.tolist(), batch.mask.tolist(), strict=True)
    for x, y, mask in rows:
        asked = {T - A + a: y[a] for a in range(A) if mask[a]}
        due = SOLVERS[name](task, x)
        assert asked.keys() == due.keys()
        for step, answer in asked.items():
            assert answer == pytest.approx(due[step], abs=1e-6)


@pytest.mark.parametrize(
    ("split", "lag", "lengths"),
    [
        ("train", 41, range(1, 41)),
        ("validation", 41, range(1, 41)),
        ("test", 41, range(41, 42)),
        ("test", 50, range(41, 51)),
    ],
)
def test_parity_has_every_length_and_no_other(split, lag, lengths):
    batch = TASKS["parity"](lag).sample(TASKS["parity"](lag).keys(split, 0, 0, 2000))
    found = (batch.x != 2).sum(dim=1)
    assert sorted(set(found.tolist())) == list(lengths)
    assert found.bincount()[lengths.start :].min() > 0.4 * 2000 / len(lengths)


def test_held_out_windows_lie_side_by_side_and_begin_again():
    needs_data("time-machine")
    task = TASKS["time-machine"](5000)  # three windows fit into a tenth of the text
    x = task.sample(task.keys("validation", 9, 0, 4)).x
    y = task.sample(task.keys("validation", 0, 0, 4)).y
    assert (y[0, -1], y[1, -1]) == (x[1, 0], x[2, 0])
    assert x[3].equal(x[0])


def test_held_out_digits_come_in_order_whatever_the_seed():
    task = TASKS["sequential-digits"](0)
    for split in ("validation", "test"):
        x = task.sample(task.keys(split, 1, 0, 600)).x
        assert x[:300].equal(x[300:])
        assert x[:300].equal(task.sample(task.keys(split, 2, 0, 300)).x)
