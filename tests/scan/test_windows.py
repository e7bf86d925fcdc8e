"""Truncated backpropagation through time: the same forward pass, and gradients that stay in their window."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqbench.models.streaming import stream
from seqbench.scan import recurrence, scan
from seqbench.scan.windows import windows
from tests.models import RECURRENT, SEEDS, gradients, list_trained, make, normal
from tests.scan import CLOSE, cell_of, each

B, D = 2, 3
SCANS = ("reference", "native", "ensemble")


def has(cell, how):
    return how != "native" or cell.native is not None


@given(T=st.integers(1, 40), window=st.integers(0, 50))
def test_windows_are_whole_but_for_the_first(T, window):
    found = windows(T, window)
    assert [t for first, last in found for t in range(first, last)] == list(range(T))
    lengths = [last - first for first, last in found]
    assert lengths[1:] == [window] * (len(lengths) - 1)
    assert lengths[0] == (T if window == 0 else (T - 1) % window + 1)


def by_hand(cell, x, window):
    """Return h by a loop that looks at the step's distance from the end."""
    a = cell.project(x)
    state, hs, T = cell.start(a), [], x.shape[2]
    for t in range(T):
        if window and (T - t) % window == 0:
            state = [part.detach() for part in state]
        state = cell.step(a[:, :, t], *state)
        hs.append(state[0])
    return torch.stack(hs, dim=2)


@each
@pytest.mark.parametrize("how", SCANS)
@given(T=st.integers(1, 12), window=st.integers(0, 14), K=st.integers(1, 12))
@settings(max_examples=8, deadline=None)
def test_every_scan_cuts_the_gradient_where_the_loop_does(case, how, T, window, K):
    cell = cell_of(case, 4)
    if not has(cell, how):
        return
    x = normal(len(SEEDS), B, T, D, seed=4).requires_grad_()
    leaves = [x, *cell.parameters()]
    wanted = by_hand(cell, x, window)
    grads = gradients(wanted, *leaves)
    for recompute in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recurrence, "NUMBERS", K * len(SEEDS) * B * 16)
            h = scan(cell, x, how, recompute, window)
            found = gradients(h, *leaves)
        torch.testing.assert_close(h, wanted, **CLOSE)
        for g, g_wanted in zip(found, grads, strict=True):
            torch.testing.assert_close(g, g_wanted, **CLOSE)


@pytest.mark.parametrize("case", RECURRENT)
@pytest.mark.parametrize("how", SCANS)
def test_an_answer_at_the_end_reaches_back_over_one_window(case, how):
    """Nothing at all comes from before; within the window it is the gradient that is not truncated."""
    T, window = 11, 4
    full, short = make(case), make(case, truncate=window)
    x = normal(len(SEEDS), B, T, D).requires_grad_()
    if not has(full.layers[0], how):
        return
    full.use_scan(how)
    short.use_scan(how)
    torch.testing.assert_close(full(x, T), short(x, T), **CLOSE)
    (g_full,), (g,) = gradients(full(x, 1), x), gradients(short(x, 1), x)
    assert not g[:, :, : T - window].any()
    assert g_full[:, :, : T - window].flatten(2).any(dim=-1).all()
    torch.testing.assert_close(g[:, :, T - window :], g_full[:, :, T - window :], **CLOSE)
    assert g[:, :, T - window :].flatten(2).any(dim=-1).all()


@pytest.mark.parametrize("case", RECURRENT)
def test_one_window_over_all_steps_is_none(case):
    x = normal(len(SEEDS), B, 6, D).requires_grad_()
    full, same = make(case), make(case, truncate=6)
    for g, wanted in zip(
        gradients(same(x, 3), x, *list_trained(same)),
        gradients(full(x, 3), x, *list_trained(full)),
        strict=True,
    ):
        torch.testing.assert_close(g, wanted, **CLOSE)


def test_a_truncated_model_streams_as_the_whole():
    model, x = make("gru", truncate=2), normal(len(SEEDS), B, 7, D)
    y = torch.stack(list(stream(model, x)), dim=2)
    torch.testing.assert_close(y, model(x, 7).detach(), **CLOSE)
