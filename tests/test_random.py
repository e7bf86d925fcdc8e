"""The generator against its authors' vectors, and the properties that the data of the tasks rests on."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqbench import random
from seqbench.random import MASK, MULTIPLIERS, WEYL, Keys, philox

KEYS = Keys.span("name", 1, "train", 0, 0, 50)

# Counter, key and result, from kat_vectors of Random123 (Salmon et al., 2011): zeros, ones, digits of pi.
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def plain_philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x32-10 as its paper writes it, in Python's unbounded integers."""
    L0, R0, L1, R1 = counter
    k0, k1 = key
    for _ in range(10):
        product0, product1 = MULTIPLIERS[0] * L0, MULTIPLIERS[1] * L1
        L0, R0, L1, R1 = (
            product1 // 2**32 ^ R0 ^ k0,
            product1 % 2**32,
            product0 // 2**32 ^ R1 ^ k1,
            product0 % 2**32,
        )
        k0, k1 = (k0 + WEYL[0]) % 2**32, (k1 + WEYL[1]) % 2**32
    return [L0, R0, L1, R1]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_the_published_vectors(counter, key, words):
    counter, key, words = (
        [int(word, 16) for word in line.split()] for line in (counter, key, words)
    )
    result = philox(tuple(torch.tensor([word]) for word in counter), tuple(key))
    assert [int(word) for word in result] == words
    assert plain_philox(counter, key) == words


@given(
    counter=st.lists(st.integers(0, MASK), min_size=4, max_size=4),
    key=st.lists(st.integers(0, MASK), min_size=2, max_size=2),
)
def test_any_counter_as_in_plain_python(counter, key):
    result = philox(tuple(torch.tensor([word]) for word in counter), tuple(key))
    assert [int(word) for word in result] == plain_philox(counter, key)


def test_the_counter_is_as_documented():
    keys = Keys("name", 3, "test", torch.tensor([5]), torch.tensor([7]))
    whole = random.hash_bits("name/3/test", 64)
    expected = []
    for block in (0, 1):
        counter = [block, random.hash_bits("draw", 32), 7, 5]
        expected += plain_philox(counter, [whole % 2**32, whole // 2**32])
    assert keys.words("draw", 6)[0].tolist() == expected[:6]


@settings(deadline=None)
@given(chunk=st.integers(1, 40), count=st.integers(1, 23))
def test_words_do_not_depend_on_how_they_are_cut(chunk, count):
    whole = KEYS.words("draw", 23)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random, "CHUNK", chunk)
        assert torch.equal(KEYS.words("draw", count), whole[:, :count])


@pytest.mark.parametrize(
    "other",
    [
        Keys.span("other", 1, "train", 0, 0, 50),
        Keys.span("name", 2, "train", 0, 0, 50),
        Keys.span("name", 1, "test", 0, 0, 50),
        Keys.span("name", 1, "train", 1, 0, 50),
        Keys.span("name", 1, "train", 0, 50, 100),
    ],
)
def test_another_identity_has_other_words(other):
    here, there = (set(keys.words("draw", 8).flatten().tolist()) for keys in (KEYS, other))
    assert not here & there
    assert not here & set(KEYS.words("another draw", 8).flatten().tolist())


def test_no_identity_has_no_words():
    nobody = Keys.span("name", 1, "train", 0, 3, 3)
    assert nobody.words("draw", 5).shape == (0, 5)
    assert nobody.uniform("draw", 2, 3).shape == (0, 2, 3)
    assert nobody.permutation("draw", 4).shape == (0, 4)


@given(
    seed=st.integers(0, MASK),
    index=st.integers(0, MASK),
    low=st.floats(-1e3, 1e3, width=32),
    width=st.floats(1, 1e3, width=32),
)
def test_uniform_lies_in_its_range(seed, index, low, width):
    keys = Keys("name", 1, "train", torch.tensor([seed]), torch.tensor([index]))
    value = keys.uniform("draw", 3, 4, low=low, high=low + width)
    assert value.shape == (1, 3, 4)
    assert value.dtype == torch.float32
    assert low <= value.min()
    assert value.max() <= low + width  # the upper end only by rounding


def test_uniform_is_even_and_in_steps_of_24_bits():
    value = KEYS.uniform("draw", 2000).flatten()
    assert torch.equal(value * 2**24, (value * 2**24).floor())
    assert value.max() < 1
    assert stats.kstest(value.numpy(), "uniform").pvalue > 1e-3


@given(
    low=st.integers(-(2**20), 2**20),
    width=st.integers(1, 2**31),
    seed=st.integers(0, MASK),
)
def test_integers_lie_in_their_range(low, width, seed):
    keys = Keys("name", 1, "train", torch.tensor([seed]), torch.tensor([0]))
    value = keys.integers("draw", low, low + width, 2, 3)
    assert value.shape == (1, 2, 3)
    assert value.dtype == torch.int64
    assert low <= value.min()
    assert value.max() < low + width


@pytest.mark.parametrize("sides", [2, 3, 7, 10])
def test_integers_are_even(sides):
    value = KEYS.integers("draw", 5, 5 + sides, 1000).flatten()
    assert stats.chisquare(value.bincount()[5:]).pvalue > 1e-3


def test_no_integers_between_equal_bounds():
    with pytest.raises(ValueError, match="no integers between 3 and 3"):
        KEYS.integers("draw", 3, 3)


@given(n=st.integers(1, 70), seed=st.integers(0, MASK))
def test_a_permutation_has_everything_once(n, seed):
    keys = Keys("name", 1, "train", torch.tensor([seed]), torch.tensor([1]))
    assert sorted(keys.permutation("draw", n)[0].tolist()) == list(range(n))


def test_permutations_are_even():
    drawn = Keys.span("name", 1, "train", 0, 0, 24_000).permutation("draw", 4).tolist()
    counts = [drawn.count(list(order)) for order in permutations(range(4))]
    assert sum(counts) == 24_000
    assert stats.chisquare(counts).pvalue > 1e-3


def test_neighbours_are_not_alike():
    """Successive seeds, indices and words are uncorrelated."""
    grid = torch.stack(
        [Keys.span("name", 1, "train", s, 0, 100).uniform("draw", 100) for s in range(100)]
    )
    for axis in range(3):
        a, b = grid.narrow(axis, 0, 99).flatten(), grid.narrow(axis, 1, 99).flatten()
        assert torch.corrcoef(torch.stack([a, b]))[0, 1].abs() < 4.5 / len(a) ** 0.5
