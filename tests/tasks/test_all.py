"""What every task promises, for every entry of TASKS; a new one is tested the moment it is listed.

The golden hashes hold the data of each task to the bit. Where they are meant to change, raise the task's version and
run ``SEQBENCH_REFRESH=1 pytest tests/tasks/test_all.py -k golden``.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from itertools import combinations
from math import log, sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from seqbench.errors import BadInput
from seqbench.random import Keys, hash_bits
from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task
from seqbench.values.options import check_options, list_options

from . import needs_data
from .test_solvers import as_a_set, may_follow

GOLDEN = Path(__file__).parents[1] / "golden" / "tasks.json"
SPLITS = ("train", "validation", "test")
PARTS = ("x", "y", "mask")
FINITE = {"timed-spikes", "spike-delay", "counting", "copy of four"}  # tasks of few sequences
CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in TASKS} | {
    "temporal-order of three": ("temporal-order", {"relevant": 3}),
    "copy of four": ("copy", {"symbols": 4}),
    "selective-copy of four": ("selective-copy", {"symbols": 4}),
    "parity at 50": ("parity", {"tested": 50}),
    "counting of three": ("counting", {"symbols": 3}),
    "moving-shapes by shape": ("moving-shapes", {"label": "shape"}),
    "pixel-mnist permuted": ("pixel-mnist", {"permuted": True, "pool": 4}),
}
STRINGS = {
    "parity",
    "parity at 50",
    "cycle",
    "mod-arithmetic",
    "bucket-sort",
    "reverse",
    "duplicate",
}
ANY_LENGTH = STRINGS | {"counting", "counting of three"}  # tested at any length once trained
LOOK_AHEAD = {"tagging"}  # an answer needs what comes after it
RARE = ("shakespeare", "sentiment", "topics")  # 500 sequences need not show every symbol and class
STANDARDISED = ("series", "anomaly")  # values are not bounded by 0 and 1

each = pytest.mark.parametrize("case", CASES)
words = st.integers(0, 2**32 - 1)


def make(case: str, beyond: int = 6) -> Task:
    """Return the task with a lag a little beyond its shortest; skip the test where its data is missing."""
    name, options = CASES[case]
    needs_data(name)
    lags = TASKS[name].lags
    task: Task = TASKS[name](min(lags.start + beyond, lags[-1]), **options)
    return task


def same(a: Batch, b: Batch) -> bool:
    return all(torch.equal(getattr(a, part), getattr(b, part)) for part in PARTS)


def score(task: Task, output: Tensor, batch: Batch) -> float:
    """Return the score of one member that answers ``output``, ``(N, A, C)`` or what broadcasts to it."""
    y, mask = batch.y[None], batch.mask[None]
    shape = (*mask.shape, task.outputs)
    return task.score(output.expand(shape), y, mask).item()


@each
@settings(max_examples=15, deadline=None)
@given(who=st.lists(st.tuples(words, words), min_size=1, max_size=6), split=st.sampled_from(SPLITS))
def test_the_same_identity_has_the_same_bits_in_any_batch(case, who, split):
    task = make(case)

    def sample(identities: list[tuple[int, int]]) -> Batch:
        seed, index = torch.tensor(identities).T
        return task.sample(Keys(task.name, task.version, split, seed, index))

    batch = sample(who)
    backwards = sample(who[::-1])
    assert same(batch, Batch(*(getattr(backwards, part).flip(0) for part in PARTS)))
    among_others = sample([(7, 7), *who, (8, 8)])
    assert same(batch, Batch(*(getattr(among_others, part)[1:-1] for part in PARTS)))
    for n, identity in enumerate(who):
        assert same(sample([identity]), Batch(*(getattr(batch, part)[n : n + 1] for part in PARTS)))


@each
def test_nothing_global_is_read(case):
    task = make(case)
    keys = task.keys("train", 1, 0, 9)
    before = task.sample(keys)
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    try:
        state = torch.get_rng_state()
        assert same(before, task.sample(keys))
        assert torch.equal(state, torch.get_rng_state())
    finally:
        torch.set_default_dtype(torch.float32)


@each
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_the_same_identity_has_the_same_bits_on_any_device(case):
    task = make(case)
    keys = task.keys("train", 1, 0, 99)
    there = task.sample(keys.to("cuda"))
    assert same(task.sample(keys), Batch(*(getattr(there, part).cpu() for part in PARTS)))


@each
def test_splits_are_drawn_apart_and_share_no_sequence_unless_there_are_few(case):
    task = make(case, beyond=40)
    if case in STRINGS:  # the longest alone in the test, since the shortest recur
        task = task.at(task.lag)
    streams = {hash_bits(f"{task.name}/{task.version}/{split}", 64) for split in SPLITS}
    assert len(streams) == 3
    draws = {
        split: [row.numpy().tobytes() for row in task.sample(task.keys(split, 0, 0, 100)).x]
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        assert draws[one] != draws[other]
        few = {case, task.name} & FINITE or (case in STRINGS and other != "test")
        assert few or not set(draws[one]) & set(draws[other])


@each
@pytest.mark.parametrize("split", SPLITS)
def test_shapes_types_and_ranges_are_as_declared(case, split):
    task = make(case, beyond=40)
    N = 500
    batch = task.sample(task.keys(split, 0, 0, N))
    x, y, mask = batch.x, batch.y, batch.mask
    A = y.shape[1]
    assert len(x) == len(y) == N
    assert 1 <= A <= x.shape[1]
    assert mask.shape == (N, A)
    assert mask.dtype == torch.bool
    assert mask.any(dim=1).all()
    if x.dtype == torch.int64:
        assert x.ndim == 2
        used = x.unique().tolist()
        if split == "train" and task.name not in RARE:
            others = {"counting": {4}}.get(case, set())  # c is of the other language
            assert set(used) | others == set(range(task.inputs))
        assert set(used) <= set(range(task.inputs))
    else:
        assert x.dtype == torch.float32
        features = task.inputs if isinstance(task.inputs, tuple) else (task.inputs,)
        assert x.shape[2:] == features
        if task.name in STANDARDISED:
            assert x.abs().max() < 10
        elif task.name == "noisy-latch":
            assert x.abs().max() < 2
        else:
            assert x.min() >= (-1 if case in ("adding-1997", "multiplication") else 0)
            assert x.max() <= 1
    if task.loss == "cross_entropy":
        assert y.dtype == torch.int64
        assert y.shape == (N, A)
        answers = y[mask].unique().tolist()
        assert set(answers) <= set(range(task.outputs))
        assert task.name in RARE or len(answers) == task.outputs
    else:
        assert y.dtype == torch.float32
        assert y.shape == (N, A, task.outputs)
        assert y.isfinite().all()
        if task.loss == "binary_cross_entropy":
            assert y[mask].unique().tolist() == [0, 1]
    if A > 1:
        assert task.causal == (case not in LOOK_AHEAD)


# The best answer of one who does not see the input: (C,) or (A, C) for all sequences alike.
def any_class(task: Task) -> Tensor:
    return F.one_hot(torch.tensor(1), task.outputs).float()


def a_train_of_one_phase(task: Task) -> Tensor:
    t = torch.arange(6 * task.lag)
    spike = (t > 1) & (t % task.lag == 1)
    return F.one_hot(spike.long(), 2).float()


def frequencies(task: Task) -> Tensor:
    whole = task.text("train")
    return torch.tensor([whole.count(a) / len(whole) for a in task.alphabet]).log()


def along(task: Task, string: str, rounds: int) -> Tensor:
    """Return what may follow at every step of an embedded Reber string that begins anew when it is over."""
    sets: list[str] = []
    begun = ""
    while len(sets) < 4 * task.lag + 29:
        begun += string[len(begun)]
        begun = begun if may_follow(begun, rounds) else ""
        sets.append(may_follow(begun, rounds))
    return torch.tensor([as_a_set(may) for may in sets])


def likeliest(task: Task) -> Tensor:
    return along(task, task.lag * "BT" + "BTXSE" + task.lag * "TE", task.lag)


def likeliest_on_and_on(task: Task) -> Tensor:
    return along(task, "BTBTXSETE", 1)[: task.lag]


def one_n(task: Task) -> Tensor:
    sets = ["a", "ab", "ab", "b", "c" if task.symbols == 3 else "T", "c", "T"]
    alphabet = "abcT" if task.symbols == 3 else "abT"
    known = [as_a_set(may, alphabet) for may in sets[: 2 * task.symbols + 1]]
    rest = (task.lag * task.symbols + 1 - len(known)) * [as_a_set("", alphabet)]
    return torch.tensor(known + rest) - 0.5


def a_constant_date(task: Task) -> Tensor:
    answer = ["0123456789-".index(a) for a in "1999-03-07"]
    return F.one_hot(torch.tensor(answer), 11).float()


BLIND: dict[str, Callable[[Task], Tensor]] = {
    "adding": lambda task: torch.ones(1),
    "cycle": lambda task: torch.eye(5)[0],
    "mod-arithmetic": lambda task: torch.eye(5)[0],
    "timed-spikes": a_train_of_one_phase,
    "time-machine": frequencies,
    "adding-1997": lambda task: torch.full((1,), 0.5),
    "multiplication": lambda task: torch.full((1,), 0.04),
    "reber": likeliest,
    "reber-stream": likeliest_on_and_on,
    "counting": one_n,
    "date-translation": a_constant_date,
    "shakespeare": frequencies,
    "series": lambda task: torch.zeros(24),
}


@each
def test_a_blind_answer_scores_chance(case):
    if case == "sequential-digits":
        pytest.skip("a finite set: counted below")
    if case == "bucket-sort":
        pytest.skip("the best answer knows the lengths: counted in test_weak_formal.py")
    task = make(case)
    N = 4000
    batch = task.sample(task.keys("train", 0, 0, N))
    blind = BLIND.get(task.name, any_class)(task)
    error = 4 * sqrt(task.chance * (1 - task.chance) / N) if task.higher_is_better else 0.02
    assert score(task, blind, batch) == pytest.approx(task.chance, abs=error)


def test_the_three_splits_are_all_digits_and_the_most_frequent_one_scores_chance():
    task = make("sequential-digits")
    sizes = {"train": 1197, "validation": 300, "test": 300}
    images = set()
    for split, size in sizes.items():
        x = task.sample(task.keys(split, 0, 0, 20 * size)).x[:, :64]
        assert len(x.unique(dim=0)) == size
        images |= {image.numpy().tobytes() for image in x}
    assert len(images) == sum(sizes.values())
    target = load_digits().target.tolist()
    assert len(target) == len(images)
    assert max(target.count(digit) for digit in range(10)) / len(target) == task.chance


def test_spiking_always_or_never_is_never_right():
    task = make("timed-spikes")
    batch = task.sample(task.keys("test", 0, 0, 100))
    for constant in torch.eye(2):
        assert score(task, constant, batch) == 0


@pytest.mark.parametrize(
    ("name", "answer", "error"),
    [("adding-1997", 1 / 2, 1 / 24), ("multiplication", 1 / 4, 7 / 144)],
)
def test_the_mean_of_1997_costs_what_is_said(name, answer, error):
    task = TASKS[name](20)
    batch = task.sample(task.keys("train", 0, 0, 20_000))
    squares = (batch.y[batch.mask] - answer).square()
    assert squares.mean().item() == pytest.approx(error, abs=4 * squares.std().item() / 20_000**0.5)


def test_the_mean_product_is_right_in_fewer():
    task = TASKS["multiplication"](20)
    batch = task.sample(task.keys("train", 0, 0, 20_000))
    found = score(task, torch.full((1,), 0.25), batch)
    assert found == pytest.approx(0.1112, abs=4 * (0.1112 * 0.8888 / 20_000) ** 0.5)


@pytest.mark.parametrize("name", ["adding-1997", "multiplication"])
def test_every_length_and_every_pair_of_marks_occurs_equally_often(name):
    N = 30_000
    task = TASKS[name](20)
    batch = task.sample(task.keys("train", 0, 0, N))
    assert batch.mask.sum(dim=0).tolist() == pytest.approx([N / 3] * 3, abs=4 * (N / 3) ** 0.5)
    marked = (batch.x[..., 1] == 1).float()
    together = torch.triu(marked.T @ marked, diagonal=1)  # both marks lie in 1 … 9
    assert (together > 0).sum() == 9 * 8 / 2
    assert (together[together > 0] - N / 36).abs().max() < 4.5 * (N / 36) ** 0.5


def test_the_likeliest_string_is_as_frequent_as_said():
    task = TASKS["reber"](1)
    batch = task.sample(task.keys("train", 0, 0, 20_000))
    found = score(task, likeliest(task), batch)
    assert found == pytest.approx(1 / 16, abs=4 * (1 / 16 / 20_000) ** 0.5)
    assert task.chance == 1 / 16


@cache
def most_in_a_row(reached: frozenset[tuple[str, float]], steps: int) -> float:
    """Return how many predictions in a row the best blind answer has right, by trying every set at every step.

    The strings that may have been begun, and their shares; what ends begins anew.
    """
    if not steps:
        return 0.0
    sets: dict[str, dict[str, float]] = {}
    for begun, share in reached:
        may = may_follow(begun, 1)
        for symbol in may:
            after = begun + symbol if may_follow(begun + symbol, 1) else ""
            then = sets.setdefault("".join(sorted(may_follow(after, 1))), {})
            then[after] = then.get(after, 0) + share / len(may)
    best = 0.0
    for then in sets.values():
        right = sum(then.values())
        rest = frozenset((begun, share / right) for begun, share in then.items())
        best = max(best, right * (1 + most_in_a_row(rest, steps - 1)))
    return best


def test_no_blind_answer_gets_farther_in_a_stream_than_said():
    begun = frozenset({("", 1.0)})
    assert most_in_a_row(begun, 14) == pytest.approx(4.5625, abs=1e-9)
    task = TASKS["reber-stream"](50)
    assert task.chance * 50 == pytest.approx(3 + 1 + 1 / 8 + 3 / 16 + 4.6 / 16)
    batch = task.sample(task.keys("train", 0, 0, 20_000))
    found = 50 * score(task, likeliest_on_and_on(task), batch)
    assert found == pytest.approx(4.6, abs=0.1)


def test_a_reber_string_is_as_long_as_said():
    N = 20_000
    x = TASKS["reber"](1).sample(TASKS["reber"](1).keys("train", 0, 0, N)).x
    length = (x != 7).sum(dim=1).float()
    assert length.min() == 9
    assert length.mean().item() == pytest.approx(8 + 4, abs=4 * length.std().item() / N**0.5)
    cut = (length == x.shape[1]).float().mean().item()  # or as long as that
    assert cut < 3 * 1 / 2700


def test_every_edge_of_the_reber_grammar_is_taken_equally_often():
    N = 20_000
    x = TASKS["reber"](1).sample(TASKS["reber"](1).keys("train", 0, 0, N)).x
    strings = ["".join("BTPSXVE_"[symbol] for symbol in row) for row in x.tolist()]
    for beginnings in (("BT", "BP"), ("BTBT", "BTBP"), ("BTBTS", "BTBTX"), ("BPBPT", "BPBPV")):
        one, other = (sum(s.startswith(b) for s in strings) for b in beginnings)
        assert abs(one - other) < 4 * (one + other) ** 0.5


@pytest.mark.parametrize("name", ["reber", "reber-stream"])
def test_one_illegal_symbol_among_the_first_is_a_mistake(name):
    task = TASKS[name](TASKS[name].lags.start)
    batch = task.sample(task.keys("test", 0, 0, 200))
    for place in (0, 3, 5):
        answer = 2 * batch.y - 1
        least = answer[:, place].where(batch.y[:, place] == 1, torch.inf).amin(dim=1)
        wrong = (batch.y[:, place] == 0).int().argmax(dim=1)
        answer[torch.arange(200), place, wrong] = least  # as large is not larger
        share = 0 if name == "reber" else place / task.lag
        assert score(task, answer, batch) == pytest.approx(share)
        answer[torch.arange(200), place, wrong] = least - 0.1
        assert score(task, answer, batch) == 1


def test_a_stream_counts_until_the_first_mistake_only():
    task = TASKS["reber-stream"](50)
    batch = task.sample(task.keys("test", 0, 0, 10))
    answer = 2 * batch.y - 1
    answer[:, 20] *= -1
    assert score(task, answer, batch) == pytest.approx(20 / 50)
    answer[:, 30:] *= -1
    assert score(task, answer, batch) == pytest.approx(20 / 50)


def test_one_output_on_the_wrong_side_of_nought_is_a_mistake_in_counting():
    task = TASKS["counting"](9).at(31)
    batch = task.sample(task.keys("test", 0, 0, 10))
    for symbol in range(3):
        answer = 2 * batch.y - 1
        answer[:, 4, symbol] *= -1
        assert score(task, answer, batch) == 0


@pytest.mark.parametrize(
    ("split", "tested", "ns"),
    [
        ("train", None, range(1, 31)),
        ("train", 50, range(1, 31)),
        ("validation", 50, range(1, 31)),
        ("test", None, range(1, 31)),
        ("test", 50, range(50, 51)),
    ],
)
def test_counting_has_every_n_and_no_other(split, tested, ns):
    task = TASKS["counting"](30, tested=tested)
    counts = (task.sample(task.keys(split, 0, 0, 4000)).x == 2).sum(dim=1).bincount()
    assert counts.nonzero().flatten().tolist() == list(ns)
    assert counts[ns.start :].min() > 0.7 * 4000 / len(ns)


def test_delay_and_place_of_the_spikes_are_drawn_evenly_and_apart():
    task = TASKS["spike-delay"](12)
    batch = task.sample(task.keys("train", 0, 0, 20_000))
    counts = (10 * batch.y[:, 0] + batch.mask.int().argmax(dim=1) - (12 + 9)).bincount()
    assert len(counts) == 100
    assert (counts - 200).abs().max() < 4.5 * 200**0.5


@pytest.mark.parametrize(("case", "S"), [("copy", 10), ("copy of four", 4)])
def test_a_memoryless_copy_costs_what_is_said(case, S):
    task = make(case)
    batch = task.sample(task.keys("train", 0, 0, 10))
    T = batch.x.shape[1]
    answer = torch.full((T, 9), -1e9)
    answer[:-S, 8] = 0  # blank
    answer[-S:, :8] = 0  # any of the eight
    loss = F.cross_entropy(answer.repeat(10, 1), batch.y.flatten()).item()
    assert loss == pytest.approx(S * log(8) / (task.lag + 2 * S))


@pytest.mark.parametrize("case", ["copy", "copy of four"])
def test_blanks_of_a_copy_do_not_count(case):
    task = make(case)
    batch = task.sample(task.keys("test", 0, 0, 20))
    answer = F.one_hot(batch.y, 9).float()
    answer[:, : -task.symbols] = 0
    assert score(task, answer, batch) == 1
    answer[:, -task.symbols :] = answer[:, -task.symbols :].roll(1, dims=2)
    assert score(task, answer, batch) == 0


def test_selective_copy_has_room_for_its_symbols():
    task = TASKS["selective-copy"]
    assert task(4, symbols=4).lag == 4
    with pytest.raises(BadInput, match=r"selective-copy can't have .*15.*; choose from 16 to"):
        task(15)
    with pytest.raises(BadInput, match=r"selective-copy:symbols=32 can't .*31.*; choose from 32"):
        task(31, symbols=32)


def test_values_without_keys_recall_what_is_said():
    task = TASKS["recall"](8)
    batch = task.sample(task.keys("train", 0, 0, 4000))
    most_frequent = F.one_hot(batch.y, 16).sum(dim=1).argmax(dim=1)
    answer = F.one_hot(most_frequent, 16).float()[:, None]
    assert score(task, answer, batch) == pytest.approx(0.26, abs=0.005)


@each
def test_the_right_answer_is_right_and_solves(case):
    task = make(case)
    batch = task.sample(task.keys("test", 0, 0, 50))
    if task.loss == "mse":
        answer = batch.y
    elif task.loss == "binary_cross_entropy":
        answer = 2 * batch.y - 1
    else:
        answer = 1e4 * F.one_hot(batch.y, task.outputs).float()
    best = score(task, answer, batch)
    assert best == (1.0 if task.higher_is_better else 0.0)
    assert task.is_solved(best)
    assert not task.is_solved(task.chance)


@each
def test_what_is_not_due_does_not_count(case):
    task = make(case)
    batch = task.sample(task.keys("test", 0, 0, 50))
    answer = torch.randn(
        *batch.mask.shape, task.outputs, generator=torch.Generator().manual_seed(0)
    )
    other = answer.where(batch.mask[..., None], -answer)
    assert score(task, answer, batch) == score(task, other, batch)


@each
def test_the_data_is_the_golden_data(case):
    task = make(case)
    digest = blake2b(digest_size=16)
    for split in SPLITS:
        batch = task.sample(task.keys(split, 3, 5, 37))
        for part in PARTS:
            tensor = getattr(batch, part)
            digest.update(f"{split} {part} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
    name = f"{case}, version {task.version}, lag {task.lag}"
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("SEQBENCH_REFRESH"):
        golden = {key: golden[key] for key in golden if not key.startswith(f"{case}, ")}
        golden[name] = digest.hexdigest()
        GOLDEN.write_text(json.dumps(golden, indent=2, sort_keys=True) + "\n")
    assert golden[name] == digest.hexdigest()


@each
def test_a_lag_out_of_range_is_refused_with_the_choices(case):
    name, options = CASES[case]
    lags = TASKS[name].lags
    first = make(case).list_lags().start
    for lag in (first - 1, lags[-1] + 1):
        with pytest.raises(BadInput, match=f"{name}.* {lag} .*from {first} to {lags[-1]}"):
            TASKS[name](lag, **options)


@each
def test_a_task_at_another_lag_has_its_test_and_is_otherwise_the_same(case):
    name, options = CASES[case]
    task, first = make(case), make(case).list_lags().start
    other = task.at(first)
    assert (other.inputs, other.outputs, other.loss) == (task.inputs, task.outputs, task.loss)
    if case not in ANY_LENGTH:
        assert other == TASKS[name](first, **options)
    with pytest.raises(BadInput, match=rf"{name}.* can't (have|be tested at) lag "):
        task.at(0 if case in ANY_LENGTH else first - 1)


@pytest.mark.parametrize("case", sorted(ANY_LENGTH - {"parity at 50"}))
def test_strings_of_another_length_are_in_the_test_alone(case):
    task = make(case)
    other = task.at(23)
    assert other != task
    for split in ("train", "validation"):
        assert same(*(t.sample(t.keys(split, 1, 0, 20)) for t in (task, other)))
    assert lengths(other, "test") > lengths(other, "train") == lengths(task, "test")
    assert other.at(task.lag + 50).at(23) == other
    assert "tested" not in list_options(type(task))


RETAINED = ("latch", "noisy-latch", "adding", "temporal-order", "copy", "selective-copy", "timed-spikes",
            "spike-delay", "sequential-digits", "moving-shapes", "reber-stream")  # fmt: skip


@pytest.mark.parametrize("name", RETAINED)
def test_a_model_can_be_tested_at_a_hundred_thousand_steps(name):
    assert TASKS[name](100).at(100_000).lag == 100_000


@pytest.mark.parametrize(
    ("name", "option", "value", "choices"),
    [
        ("counting", "symbols", 4, "2 or 3"),
        ("copy", "symbols", 0, "a whole number from 1 to 1,000"),
        ("selective-copy", "symbols", 1001, "a whole number from 1 to 1,000"),
        ("moving-shapes", "label", "colour", "order or shape"),
        ("temporal-order", "relevant", 4, "2 or 3"),
        ("pixel-mnist", "pool", 3, "1 or 2 or 4 or 7 or 14"),
        ("pixel-mnist", "permuted", 1, "true or false"),
    ],
)
def test_an_option_that_a_task_cannot_have_is_refused_with_the_choices(
    name, option, value, choices
):
    with pytest.raises(BadInput, match=f"'{option}' .* can't be '{value}'; choose {choices}"):
        check_options("task", name, TASKS[name], {option: value})
    if type(value) is type(getattr(TASKS[name], option)):
        with pytest.raises(BadInput, match=f"choose {choices}"):
            TASKS[name](TASKS[name].lags.start, **{option: value})


ENDS = re.compile(r"Training stops by the score on the (training|test) lengths")


@pytest.mark.parametrize("name", TASKS)
def test_a_task_that_is_tested_on_other_lengths_says_by_which_a_run_ends(name):
    needs_data(name)
    task = TASKS[name](lag=min(max(TASKS[name].lags.start, 100), TASKS[name].lags[-1]))
    train, validation, test = (lengths(task, split) for split in ("train", "validation", "test"))
    module = sys.modules[type(task).__module__]
    says = ENDS.findall(" ".join(module.__doc__.split()))
    if train == validation == test:
        assert says == []
    else:
        assert says == ["training"]
        assert validation == train


def lengths(task, split):
    """Return the steps of a sequence of a split."""
    return task.sample(task.keys(split, 0, 0, 2)).x.shape[1]
