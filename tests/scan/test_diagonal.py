"""The diagonal recurrence: the scan with a backward pass of its own against the loop, and against the derivatives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqbench.errors import BadInput
from seqbench.models.mingru import MinGRUMixer
from seqbench.models.minlstm import MinLSTMMixer
from seqbench.models.residual import Place
from seqbench.scan import diagonal
from seqbench.scan.diagonal import choose_diagonal_scan, scan_diagonal, scan_gates
from tests.models import gradients, identities, normal

CLOSE = {"rtol": 1e-11, "atol": 1e-11}
size = st.integers(1, 4)


def draw(*shape, seed, is_complex):
    x, y = normal(*shape, seed=seed), normal(*shape, seed=seed + 10)
    return (torch.complex(x, y) if is_complex else x).requires_grad_()


def real(h):
    """Return the numbers of h, of a complex one both parts."""
    return torch.view_as_real(h) if h.is_complex() else h


@given(
    E=size, T=st.integers(1, 9), B=size, H=size,
    shared=st.tuples(st.booleans(), st.booleans()), is_complex=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_scan_is_the_loop_forward_and_in_every_gradient(E, T, B, H, shared, is_complex):
    a = draw(E, 1 if shared[0] else T, 1 if shared[1] else B, H, seed=1, is_complex=is_complex)
    b = draw(E, T, B, H, seed=2, is_complex=is_complex)
    wanted = scan_diagonal(a, b, "reference")
    found = scan_diagonal(a, b, "ensemble")
    torch.testing.assert_close(found, wanted, **CLOSE)
    for g, g_wanted in zip(
        gradients(real(found), a, b), gradients(real(wanted), a, b), strict=True
    ):
        assert g.shape == g_wanted.shape
        torch.testing.assert_close(g, g_wanted, **CLOSE)


@pytest.mark.parametrize("how", ["reference", "ensemble"])
@pytest.mark.parametrize("is_complex", [False, True])
def test_gradients_are_the_derivatives(how, is_complex):
    a = draw(2, 3, 2, 2, seed=1, is_complex=is_complex)
    b = draw(2, 3, 2, 2, seed=2, is_complex=is_complex)
    assert torch.autograd.gradcheck(lambda a, b: real(scan_diagonal(a, b, how)), (a, b))


def test_it_is_the_sum_of_what_came_in_times_what_was_kept_since():
    a, b = (draw(1, 6, 1, 2, seed=seed, is_complex=False).detach() for seed in (1, 2))
    h = scan_diagonal(a, b)
    for t in range(6):
        terms = [b[:, s] * a[:, s + 1 : t + 1].prod(dim=1) for s in range(t + 1)]
        torch.testing.assert_close(h[:, t], sum(terms), **CLOSE)


@pytest.mark.parametrize("how", ["reference", "ensemble"])
def test_what_enters_is_left_as_it_was_whatever_its_layout(how):
    whole = normal(2, 3, 4, 10)
    a, b = whole.transpose(1, 2).chunk(2, dim=-1)  # views, as a layer hands them over
    before = whole.clone()
    h = scan_diagonal(a.requires_grad_(), b, how)
    (g,) = gradients(h, a)
    assert torch.equal(whole, before)
    wanted = scan_diagonal(a.detach().clone().requires_grad_(), b.clone(), "reference")
    torch.testing.assert_close(h, wanted, **CLOSE)
    assert not g[:, 0].any()  # before the first step there is nothing to keep


def test_coefficients_without_a_gradient_get_none():
    a, b = normal(2, 3, 2, 2), normal(2, 3, 2, 2, seed=1).requires_grad_()
    (found,) = gradients(scan_diagonal(a, b), b)
    (wanted,) = gradients(scan_diagonal(a, b, "reference"), b)
    torch.testing.assert_close(found, wanted, **CLOSE)


@pytest.mark.parametrize("how", ["reference", "ensemble"])
def test_a_long_sequence_in_half_precision_is_summed_in_float32(how):
    """In bfloat16 a sum of ones would stop at 256."""
    ones = torch.ones(1, 1000, 1, 1, dtype=torch.bfloat16)
    h = scan_diagonal(ones, ones, how)
    assert h.dtype == torch.float32
    assert h[0, -1].item() == 1000


def test_a_member_that_is_not_finite_leaves_the_others():
    a, b = normal(3, 5, 2, 2).requires_grad_(), normal(3, 5, 2, 2, seed=1).requires_grad_()
    wanted, grads = scan_diagonal(a, b), gradients(scan_diagonal(a, b), a, b)
    broken = b.detach().clone()
    broken[1] = torch.nan
    found = scan_diagonal(a, broken.requires_grad_())
    others = gradients(found, a, broken)
    for e in (0, 2):
        assert torch.equal(found[e], wanted[e])
        for g, g_wanted in zip(others, grads, strict=True):
            torch.testing.assert_close(g[e], g_wanted[e], **CLOSE)


# Gates with their derivatives written out

mixers = pytest.mark.parametrize("kind", [MinGRUMixer, MinLSTMMixer])


@mixers
@given(E=size, T=st.integers(1, 9), B=size, H=size, K=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_gates_in_chunks_are_the_coefficients_of_the_model(kind, E, T, B, H, K):
    mixer = kind(identities("mingru"), Place(0, 2), H)
    k = (3 * normal(E, T, B, kind.gates.blocks * H)).requires_grad_()
    wanted = scan_diagonal(*mixer.coefficients(k), "reference")
    (g_wanted,) = gradients(wanted, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagonal, "NUMBERS", K * E * B * k.shape[-1])
        assert [c.stop - c.start for c in diagonal.split(k)][:1] == [min(K, T)]
        found = scan_gates(kind.gates, k)
        (g_found,) = gradients(found, k)
    torch.testing.assert_close(found, wanted, **CLOSE)
    torch.testing.assert_close(g_found, g_wanted, **CLOSE)


@mixers
def test_gates_far_from_zero_have_finite_derivatives(kind):
    """Float32 sigmoids are 0 and 1 there."""
    ends = torch.tensor([-200.0, -100.0, 0.0, 100.0, 200.0])
    grid = torch.cartesian_prod(*[ends] * kind.gates.blocks)  # every gate at every end
    k = grid.expand(1, 4, *grid.shape).clone().requires_grad_()
    h = scan_gates(kind.gates, k)
    (g,) = gradients(h, k)
    assert h.isfinite().all()
    assert g.isfinite().all()


@mixers
def test_a_mixer_with_coefficients_of_its_own_inherits_no_gates(kind):
    class Same(kind):
        pass

    class Halved(kind):
        def coefficients(self, k):
            a, b = super().coefficients(k)
            return a / 2, b

    assert Same.own_gates() is kind.gates
    assert Halved.own_gates() is None
    x = normal(3, 2, 5, 4)
    mixer, same, halved = (
        one(identities("mingru"), Place(0, 2), 4).double() for one in (kind, Same, Halved)
    )
    assert torch.equal(same(x, 5), mixer(x, 5))
    wanted = scan_diagonal(*halved.coefficients(halved.project(x.transpose(1, 2))), "reference")
    torch.testing.assert_close(halved(x, 5), wanted.transpose(1, 2), **CLOSE)


def test_only_the_input_of_the_gates_and_the_states_are_kept():
    k = normal(1, 50, 2, 6).requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        scan_gates(MinGRUMixer.gates, k)
    assert sorted(kept) == [50 * 2 * 3, 50 * 2 * 6]


def test_the_names_of_scans():
    assert {how: choose_diagonal_scan(how) for how in ("auto", "ensemble", "reference")} == {
        "auto": "ensemble", "ensemble": "ensemble", "reference": "reference",
    }  # fmt: skip
    for how in ("native", "fused"):
        with pytest.raises(BadInput, match=f"a diagonal recurrence has no scan '{how}'; choose"):
            choose_diagonal_scan(how)
    with pytest.raises(BadInput, match="unknown scan 'fast'"):
        choose_diagonal_scan("fast")
