"""What every task promises, for every entry of TASKS; a new one is tested the moment it is listed.

The golden hashes hold the data of each task to the bit. Where they are meant to change, raise the task's version and
run ``SEQBENCH_REFRESH=1 pytest tests/tasks/test_all.py -k golden``.
"""

import json
import os
from collections.abc import Callable
from hashlib import blake2b
from math import log, sqrt
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from seqbench.errors import BadInput
from seqbench.random import Keys, hashed
from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task

from . import needs_data

GOLDEN = Path(__file__).parents[1] / "golden" / "tasks.json"
SPLITS = ("train", "validation", "test")
PARTS = ("x", "y", "mask")
CASES: dict[str, tuple[str, dict[str, bool | int]]] = {name: (name, {}) for name in TASKS} | {
    "temporal-order of three": ("temporal-order", {"relevant": 3}),
    "pixel-mnist permuted": ("pixel-mnist", {"permuted": True, "pool": 4}),
}
RARE = ("shakespeare", "sentiment", "topics")  # 500 sequences need not show every symbol and class
STANDARDISED = ("series", "anomaly")  # values are not bounded by 0 and 1

each = pytest.mark.parametrize("case", CASES)
words = st.integers(0, 2**32 - 1)


def make(case: str, beyond: int = 6) -> Task:
    """Return the task with a lag a little beyond its shortest; skip the test where its data is missing."""
    name, options = CASES[case]
    needs_data(name)
    task: Task = TASKS[name](TASKS[name].lags.start + beyond, **options)
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
def test_no_sequence_is_in_two_splits(case):
    task = make(case, beyond=40)
    streams = {hashed(f"{task.name}/{task.version}/{split}", 64) for split in SPLITS}
    assert len(streams) == 3
    if case == "timed-spikes":
        pytest.skip("there are only F different sequences")
    rows = {
        split: {row.numpy().tobytes() for row in task.sample(task.keys(split, 0, 0, 100)).x}
        for split in SPLITS
    }
    assert not rows["train"] & rows["test"]
    assert not rows["validation"] & rows["test"]
    if case != "parity":  # its shortest strings recur
        assert not rows["train"] & rows["validation"]


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
            assert used == list(range(task.inputs))
        assert set(used) <= set(range(task.inputs))
    else:
        assert x.dtype == torch.float32
        features = task.inputs if isinstance(task.inputs, tuple) else (task.inputs,)
        assert x.shape[2:] == features
        if task.name in STANDARDISED:
            assert x.abs().max() < 10
        else:
            assert x.min() >= 0
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
    if A > 1:
        assert task.causal


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


BLIND: dict[str, Callable[[Task], Tensor]] = {
    "adding": lambda task: torch.ones(1),
    "timed-spikes": a_train_of_one_phase,
    "time-machine": frequencies,
    "shakespeare": frequencies,
    "series": lambda task: torch.zeros(24),
}


@each
def test_a_blind_answer_scores_chance(case):
    if case == "sequential-digits":
        pytest.skip("a finite set: counted below")
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


def test_a_memoryless_copy_costs_what_is_said():
    task = make("copy")
    batch = task.sample(task.keys("train", 0, 0, 10))
    T = batch.x.shape[1]
    answer = torch.full((T, 9), -1e9)
    answer[:-10, 8] = 0  # blank
    answer[-10:, :8] = 0  # any of the eight
    loss = F.cross_entropy(answer.repeat(10, 1), batch.y.flatten()).item()
    assert loss == pytest.approx(10 * log(8) / (task.lag + 20))


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
    else:
        answer = 1e4 * F.one_hot(batch.y, task.outputs).float()
    best = score(task, answer, batch)
    assert best == (1.0 if task.higher_is_better else 0.0)
    assert task.solved(best)
    assert not task.solved(task.chance)


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
    for lag in (lags.start - 1, lags[-1] + 1):
        with pytest.raises(BadInput, match=f"{name} .*{lag}.*from {lags.start} to {lags[-1]}"):
            TASKS[name](lag, **options)


def test_temporal_order_of_four_is_refused_with_the_choices():
    with pytest.raises(BadInput, match="choose from 2, 3"):
        TASKS["temporal-order"](20, relevant=4)
