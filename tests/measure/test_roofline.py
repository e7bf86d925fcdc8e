"""The two ceilings, and the counting of what a step does."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from seqbench.measure import roofline
from seqbench.measure.roofline import COPIED, ROUNDS, SIDE, count_work, measure_ceilings


def test_a_product_is_counted_forward_and_backward():
    x, W = torch.randn(3, 4), torch.randn(4, 5, requires_grad=True)
    assert count_work(lambda: x @ W, [x, W]) == (2 * 3 * 4 * 5, 0)  # both were given
    assert count_work(lambda: (x @ W).sum().backward(), [x, W]).flops == 2 * (2 * 3 * 4 * 5)


def test_what_is_saved_counts_once():
    x, W = torch.randn(3, 4), torch.randn(4, 5, requires_grad=True)
    assert count_work(lambda: torch.tanh(x @ W), [x, W]).saved == 4 * 3 * 5
    assert count_work(lambda: (x @ W).tanh().square(), [x, W]).saved == 4 * 3 * 5  # the same tensor
    assert count_work(lambda: torch.tanh(x @ W), [W]).saved == 4 * (3 * 5 + 3 * 4)
    with torch.no_grad():
        assert count_work(lambda: torch.tanh(x @ W), [x, W]).saved == 0


@pytest.mark.parametrize(("causal", "pairs"), [(False, 7 * 7), (True, 7 * 8 // 2)])
def test_attention_is_counted_without_what_is_hidden(causal, pairs):
    N, heads, d = 2, 3, 4
    q, k, v = torch.randn(3, N, heads, 7, d).requires_grad_().unbind()
    attend = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal)  # noqa: E731
    forward = 2 * 2 * N * heads * d * pairs
    assert count_work(attend, [q, k, v]).flops == forward
    assert count_work(lambda: attend().sum().backward(), [q, k, v]).flops == 3 * forward


def test_a_ceiling_is_the_best_of_a_few_rounds(monkeypatch):
    """The product takes 4 seconds at best, the copy 2."""
    ends = [9, 7, 4, 5, 6, 8, 9, 3, 2, 4, 5, 6]  # the first of each warms up
    assert len(ends) == 2 * (1 + ROUNDS)
    looks = iter(itertools.chain.from_iterable((0.0, float(end)) for end in ends))
    monkeypatch.setattr(roofline, "perf_counter", lambda: next(looks))
    measure_ceilings.cache_clear()
    try:
        n, copied = SIDE["cpu"], COPIED["cpu"]
        assert measure_ceilings("cpu", "float32") == (2 * n**3 / 4, 2 * copied / 2)
    finally:
        measure_ceilings.cache_clear()
