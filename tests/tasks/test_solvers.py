"""Each task solved by hand: from x alone, one sequence at a time, by the rule as one would say it.

A solver returns what is due and when, ``{step: answer}``; the task must agree on both.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from itertools import pairwise, product
from typing import Any

import pytest
from sklearn.datasets import load_digits

from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.tasks.sources import locate

from . import needs_data, real


def latch(task: Task, x: list[int]) -> dict[int, Any]:
    cue, *distractors = x
    assert len(distractors) == task.lag
    assert cue in (0, 1)
    assert all(2 <= symbol <= 9 for symbol in distractors)
    return {len(x) - 1: cue}


def noisy_latch(task: Task, x: list[list[float]]) -> dict[int, Any]:
    assert len(x) == task.lag + 10
    assert all(0 < abs(symbol) < 2 and abs(abs(symbol) - 1) < 0.9 for symbol, _ in x)
    _, cue = max((mark, symbol) for symbol, mark in x[:10])  # a smaller mark is a distractor's
    return {len(x) - 1: int(cue > 0)}


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
    classes = ["".join(each) for each in product("XY", repeat=task.relevant)]
    return {len(x) - 1: classes.index(order)}


def copy(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("01234567_:"[symbol] for symbol in x)
    S = task.symbols
    assert len(string) == task.lag + 2 * S
    assert re.fullmatch(f"[0-7]{{{S}}}_*:_{{{S}}}", string)
    said = "_" * (string.index(":") + 1) + string[:S]
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
    if task.label == "shape":
        return {len(x) - 1: {9: 0, 5: 1, 8: 2}[len(bright)]}  # pixels of square, plus, ring
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


def of_1997(task: Task, x: list[list[float]]) -> tuple[int, float, float]:
    """Return the last step and the two values marked 1."""
    ends = [t for t, (_, mark) in enumerate(x) if mark == -1]
    first, second = sorted(t for t, (_, mark) in enumerate(x) if mark == 1)
    assert ends[0] == 0
    assert len(ends) == 2
    assert task.lag <= ends[1] + 1 <= 1.1 * task.lag
    assert len(x) == task.lag + task.lag // 10
    assert 1 <= first <= 9
    assert second < task.lag // 2
    assert not any(value or mark for value, mark in x[ends[1] + 1 :])
    return ends[1], x[first][0], x[second][0]


def adding_1997(task: Task, x: list[list[float]]) -> dict[int, Any]:
    last, one, other = of_1997(task, x)
    assert all(-1 <= value < 1 for value, _ in x)
    return {last: [0.5 + (one + other) / 4]}


def multiplication(task: Task, x: list[list[float]]) -> dict[int, Any]:
    last, one, other = of_1997(task, x)
    assert all(0 <= value < 1 for value, _ in x)
    return {last: [one * other]}


RULES = {  # what a node says, and where that leads
    "start": {"B": "fork"},
    "fork": {"T": "upper", "P": "lower"},
    "upper": {"S": "upper", "X": "upper right"},
    "lower": {"T": "lower", "V": "lower right"},
    "upper right": {"X": "lower", "S": "last"},
    "lower right": {"P": "upper right", "V": "last"},
    "last": {"E": "over"},
}


def may_follow(string: str, rounds: int) -> str:
    """Return what may come after the beginning of an embedded Reber string; nothing if it is whole."""
    opening, rest = string[: 2 * rounds], string[2 * rounds :]
    if len(opening) < 2 * rounds:
        return "TP" if len(opening) % 2 else "B"
    node = "start"
    while rest and node != "over":
        node, rest = RULES[node][rest[0]], rest[1:]
    if node != "over":
        return "".join(RULES[node])
    closing = "".join(f"{letter}E" for letter in reversed(opening[1::2]))
    assert closing.startswith(rest)
    return closing[len(rest) : len(rest) + 1]


def as_a_set(symbols: str, alphabet: str = "BTPSXVE") -> list[float]:
    return [float(letter in symbols) for letter in alphabet]


def reber(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("BTPSXVE_"[symbol] for symbol in x)
    assert len(string) == 4 * task.lag + 29
    assert re.fullmatch("[BTPSXVE]+_*", string)
    string = string.rstrip("_")
    for t, letter in enumerate(string):
        assert letter in may_follow(string[:t], task.lag)
    sets = [may_follow(string[: t + 1], task.lag) for t in range(len(string))]
    assert all(sets[:-1])
    assert len(string) == len(x) or not sets[-1]
    return {t: as_a_set(symbols) for t, symbols in enumerate(sets) if symbols}


def reber_stream(task: Task, x: list[int]) -> dict[int, Any]:
    assert len(x) == task.lag
    string, due = "", {}
    for t, symbol in enumerate(x):
        letter = "BTPSXVE"[symbol]
        assert letter in may_follow(string, 1)
        string += letter
        if not may_follow(string, 1):
            string = ""
        due[t] = as_a_set(may_follow(string, 1))
    return due


def spike_delay(task: Task, x: list[list[float]]) -> dict[int, Any]:
    values = [value for (value,) in x]
    first, second = [t for t, value in enumerate(values) if value]
    assert set(values) == {0, 1}
    assert len(values) == task.lag + 19
    assert task.lag + 9 <= second
    return {second: second - first - task.lag}


def counting(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("_Sabc"[symbol] for symbol in x).rstrip("_")
    n = string.count("a")
    assert string == "S" + "".join(n * letter for letter in "abc"[: task.symbols])
    due = {}
    for t in range(len(string)):
        after = f"{string}T"[t + 1]
        may = "ab" if string[t] == "a" else after
        due[t] = as_a_set(may, "abcT" if task.symbols == 3 else "abT")
    return due


def cycle(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("-0+_"[symbol] for symbol in x)
    assert re.fullmatch("[-0+]+_*", string)
    walk = string.rstrip("_")
    return {len(walk) - 1: (walk.count("+") - walk.count("-")) % 5}


def mod_arithmetic(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join("01234+-*_"[symbol] for symbol in x)
    assert re.fullmatch(r"[0-4]([-+*][0-4])*_*", string)
    expression = string.rstrip("_")
    return {len(expression) - 1: eval(expression) % 5}


def rewriting(rule: Callable[[str], str]) -> Callable[[Task, list[int]], dict[int, Any]]:
    def solver(task: Task, x: list[int]) -> dict[int, Any]:
        string = "".join(str(symbol) for symbol in x).replace(str(task.inputs - 1), "_")
        assert re.fullmatch("[0-4]+_+", string)
        assert string.strip("_") + "_" * string.count("_") == string
        given = string.rstrip("_")
        answer = rule(given)
        assert len(x) >= len(given) + len(answer)
        return {len(given) + a: int(symbol) for a, symbol in enumerate(answer)}

    return solver


def selective_copy(task: Task, x: list[int]) -> dict[int, Any]:
    assert len(x) == task.lag + task.symbols
    assert x[task.lag :] == [17] * task.symbols
    symbols = [symbol for symbol in x[: task.lag] if symbol != 16]
    assert len(symbols) == task.symbols
    assert all(symbol < 16 for symbol in symbols)
    return {task.lag + a: symbol for a, symbol in enumerate(symbols)}


def induction(task: Task, x: list[int]) -> dict[int, Any]:
    assert x[-1] == 16
    (place,) = [t for t, symbol in enumerate(x[:-1]) if symbol == 16]
    assert x[place + 1] < 16
    return {len(x) - 1: x[place + 1]}


def tagging(task: Task, x: list[int]) -> dict[int, Any]:
    assert len(x) == 4 * task.lag
    assert x[0] < 8 <= x[-1]
    due = {}
    for t, word in enumerate(x):
        if word < 8:
            cue = next(symbol - 8 for symbol in x[t:] if symbol >= 8)
            due[t] = word if word < 4 else (word - 4 + cue) % 4
    return due


FORMS = (
    "{d} %B %Y", "{d} %b %Y", "%B {d}, %Y", "%b {d}, %Y", "%d.%m.%Y", "%m/%d/%Y", "%a {d} %b %Y",
    "%A, %B {d}, %Y", "%Y, %B {d}", "{d}.{roman}.%Y", "%B the {nth}, %Y", "the {nth} of %B %Y",
)  # fmt: skip
ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")


@cache
def readings() -> dict[str, tuple[int, date]]:
    """Return the way and the day of everything that can be read."""
    found = {}
    day = date(1900, 1, 1)
    while day.year < 2100:
        last = day.day % 10 if day.day // 10 != 1 else 0
        nth = f"{day.day}{ ({1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th')) }"
        for way, form in enumerate(FORMS):
            words = form.format(d=day.day, nth=nth, roman=ROMANS[day.month - 1])
            _, other = found.setdefault(day.strftime(words).lower(), (way, day))
            assert other == day  # no writing has two readings
        day += timedelta(1)
    return found


def date_translation(task: Task, x: list[int]) -> dict[int, Any]:
    string = "".join(" :,./0123456789abcdefghijlmnoprstuvwxy"[symbol] for symbol in x)
    assert len(string) == 40
    assert string[29:] == ":" + " " * 10
    way, day = readings()[string[:29].lstrip()]
    assert way < task.lag
    return {30 + a: "0123456789-".index(letter) for a, letter in enumerate(f"{day:%Y-%m-%d}")}


SOLVERS: dict[str, Callable[[Task, Any], dict[int, Any]]] = {
    "latch": latch,
    "noisy-latch": noisy_latch,
    "adding": adding,
    "temporal-order": temporal_order,
    "copy": copy,
    "parity": parity,
    "cycle": cycle,
    "mod-arithmetic": mod_arithmetic,
    "bucket-sort": rewriting(lambda string: "".join(sorted(string))),
    "reverse": rewriting(lambda string: string[::-1]),
    "duplicate": rewriting(lambda string: 2 * string),
    "selective-copy": selective_copy,
    "induction": induction,
    "date-translation": date_translation,
    "tagging": tagging,
    "timed-spikes": timed_spikes,
    "recall": recall,
    "moving-shapes": moving_shapes,
    "sequential-digits": sequential_digits,
    "time-machine": time_machine,
    "adding-1997": adding_1997,
    "multiplication": multiplication,
    "reber": reber,
    "reber-stream": reber_stream,
    "spike-delay": spike_delay,
    "counting": counting,
    **real.SOLVERS,
}
SETTINGS = [
    ("latch", {"lag": 1}), ("latch", {"lag": 30}),
    ("noisy-latch", {"lag": 1}), ("noisy-latch", {"lag": 30}),
    ("adding", {"lag": 2}), ("adding", {"lag": 31}),
    ("temporal-order", {"lag": 10}), ("temporal-order", {"lag": 100}),
    ("temporal-order", {"lag": 10, "relevant": 3}), ("temporal-order", {"lag": 100, "relevant": 3}),
    ("copy", {"lag": 1}), ("copy", {"lag": 13}),
    ("copy", {"lag": 1, "symbols": 1}), ("copy", {"lag": 13, "symbols": 32}),
    ("parity", {"lag": 1}), ("parity", {"lag": 40}), ("parity", {"lag": 9, "tested": 50}),
    ("timed-spikes", {"lag": 2}), ("timed-spikes", {"lag": 9}),
    ("recall", {"lag": 1}), ("recall", {"lag": 64}),
    ("moving-shapes", {"lag": 1}), ("moving-shapes", {"lag": 5}),
    ("moving-shapes", {"lag": 5, "label": "shape"}),
    ("sequential-digits", {"lag": 0}), ("sequential-digits", {"lag": 5}),
    ("time-machine", {"lag": 60}),
    ("adding-1997", {"lag": 20}), ("adding-1997", {"lag": 55}),
    ("multiplication", {"lag": 20}), ("multiplication", {"lag": 55}),
    ("reber", {"lag": 1}), ("reber", {"lag": 3}),
    ("reber-stream", {"lag": 50}), ("reber-stream", {"lag": 120}),
    ("spike-delay", {"lag": 1}), ("spike-delay", {"lag": 20}),
    ("counting", {"lag": 2}), ("counting", {"lag": 40}), ("counting", {"lag": 9, "tested": 50}),
    ("counting", {"lag": 40, "symbols": 3}), ("counting", {"lag": 9, "tested": 50, "symbols": 3}),
    ("cycle", {"lag": 1}), ("cycle", {"lag": 40}), ("cycle", {"lag": 9, "tested": 50}),
    ("mod-arithmetic", {"lag": 1}), ("mod-arithmetic", {"lag": 40}), ("mod-arithmetic", {"lag": 9, "tested": 50}),
    ("mod-arithmetic", {"lag": 40, "tested": 301}),
    ("bucket-sort", {"lag": 1}), ("bucket-sort", {"lag": 40}), ("bucket-sort", {"lag": 9, "tested": 50}),
    ("reverse", {"lag": 1}), ("reverse", {"lag": 40}), ("reverse", {"lag": 9, "tested": 50}),
    ("duplicate", {"lag": 1}), ("duplicate", {"lag": 40}), ("duplicate", {"lag": 9, "tested": 50}),
    ("selective-copy", {"lag": 16}), ("selective-copy", {"lag": 50}),
    ("selective-copy", {"lag": 1, "symbols": 1}), ("selective-copy", {"lag": 50, "symbols": 32}),
    ("induction", {"lag": 3}), ("induction", {"lag": 100}),
    ("date-translation", {"lag": 1}), ("date-translation", {"lag": 12}),
    ("tagging", {"lag": 2}), ("tagging", {"lag": 9}),
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
    ("name", "blank", "step"),
    [
        ("parity", 2, 1),
        ("cycle", 3, 1),
        ("mod-arithmetic", 8, 2),
        ("bucket-sort", 5, 1),
        ("reverse", 2, 1),
        ("duplicate", 2, 1),
    ],
)
@pytest.mark.parametrize(
    ("split", "lag", "tested", "low", "high"),
    [
        ("train", 40, None, 1, 40),
        ("train", 9, 50, 1, 9),
        ("validation", 9, 50, 1, 9),
        ("test", 40, None, 1, 40),
        ("test", 9, 49, 49, 49),
        ("test", 9, 50, 50, 50),
        ("test", 40, 5, 5, 5),
    ],
)
def test_strings_have_every_length_and_no_other(name, blank, step, split, lag, tested, low, high):
    task = TASKS[name](lag) if tested is None else TASKS[name](lag).at(tested)
    # arithmetic has odd lengths only
    lengths = [n for n in range(low, high + 1) if n % step == 1 % step] or [high - 1]
    found = (task.sample(task.keys(split, 0, 0, 2000)).x != blank).sum(dim=1)
    assert sorted(set(found.tolist())) == lengths
    assert found.bincount()[lengths].min() > 0.4 * 2000 / len(lengths)


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
