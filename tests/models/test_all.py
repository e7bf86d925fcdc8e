"""What every model promises, for every entry of MODELS; a new one is tested the moment it is listed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.base import affine, count, matched
from seqbench.random import Keys

from . import BACK_ONLY, BOTH_WAYS, CASES, FRAME, SEEDS, gradients, identities, make, normal, read

each = pytest.mark.parametrize("case", CASES)
back_only = pytest.mark.parametrize("case", BACK_ONLY)
few = settings(max_examples=5, deadline=None)
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@each
@given(
    E=st.integers(1, 3),
    B=st.integers(1, 3),
    T=st.integers(1, 9),
    C=st.integers(1, 4),
    data=st.data(),
)
@few
def test_the_last_answers_are_given(case, E, B, T, C, data):
    A = data.draw(
        st.integers(min(2, T) if case in BOTH_WAYS else 1, T)
    )  # one is read from both ends
    model, x = make(case, SEEDS[:E], outputs=C), read(case, E, B, T)
    output = model(x, A)
    assert output.shape == (E, B, A, C)
    torch.testing.assert_close(output, model(x, T)[:, :, T - A :], **CLOSE)


@back_only
@given(T=st.integers(2, 9), data=st.data())
@few
def test_what_comes_later_changes_nothing(case, T, data):
    t = data.draw(st.integers(1, T - 1))
    model, x = make(case, causal=True), read(case, T=T)
    later = torch.cat([x[:, :, :t], normal(*x[:, :, t:].shape, seed=2)], dim=2)
    before, after = model(x, T), model(later, T)
    torch.testing.assert_close(before[:, :, :t], after[:, :, :t], **CLOSE)
    assert not torch.isclose(before[:, :, t:], after[:, :, t:]).all()


@pytest.mark.parametrize("case", [*[case for case in CASES if "transformer" in case], *BOTH_WAYS])
def test_some_may_look_both_ways(case):
    model, x = make(case, causal=False), read(case)
    later = torch.cat([x[:, :, :-1], normal(*x[:, :, -1:].shape, seed=2)], dim=2)
    assert not torch.isclose(model(x, 6), model(later, 6)).any()


@each
def test_a_member_is_the_run_with_its_seed_alone(case):
    together, x = make(case), read(case)
    output = together(x, 3)
    grads = gradients(output, *together.parameters())
    for e, seed in enumerate(SEEDS):
        alone = make(case, (seed,))
        for (name, p), q in zip(together.named_parameters(), alone.parameters(), strict=True):
            assert torch.equal(p[e], q[0]), name
        output_alone = alone(x[e : e + 1], 3)
        torch.testing.assert_close(output[e], output_alone[0], **CLOSE)
        weights = normal(*output.shape, seed=1)[e]
        loss = (output_alone[0] * weights).sum()
        for g, g_alone in zip(
            grads, torch.autograd.grad(loss, list(alone.parameters())), strict=True
        ):
            torch.testing.assert_close(g[e], g_alone[0], **CLOSE)


@each
def test_members_differ(case):
    output = make(case)(read(case, E=1).expand(3, *[-1] * (read(case).ndim - 1)), 1)
    assert not torch.isclose(output[0], output[1]).any()


@each
def test_a_member_that_is_not_finite_leaves_the_others(case):
    model, x = make(case), read(case)
    before = model(x, 2).detach()
    with torch.no_grad():
        for p in model.parameters():
            p[1] = torch.nan
    output = model(x, 2)
    assert output[1].isnan().all()
    grads = gradients(output, *model.parameters())
    for e in (0, 2):
        torch.testing.assert_close(output[e], before[e], **CLOSE)
        assert all(g[e].isfinite().all() for g in grads)


@each
def test_every_parameter_is_reached_and_leads_with_e(case):
    model, x = make(case), read(case)
    assert not list(model.buffers())
    for (name, p), g in zip(
        model.named_parameters(), gradients(model(x, 6), *model.parameters()), strict=True
    ):
        assert p.shape[0] == len(SEEDS), name
        assert g.flatten(1).abs().amax(dim=1).all(), name


@each
def test_weights_depend_on_seed_name_and_nothing_else(case):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again = make(case), make(case)
    assert torch.equal(state, torch.get_rng_state())
    assert all(
        torch.equal(p, q) for p, q in zip(first.parameters(), again.parameters(), strict=True)
    )


def test_a_shape_that_is_not_the_written_one_is_found_out_under_test():
    x, W, b = normal(2, 5, 3), normal(2, 3, 4), normal(2, 1, 4)
    assert affine(x, W, b).shape == (2, 5, 4)
    for wrong in ((x[0], W, b), (x, W.mT, b), (x, W, b[:, :, :3])):
        with pytest.raises(TypeCheckError):
            affine(*wrong)


@each
def test_it_runs_at_any_length_without_gradients(case):
    with torch.no_grad():
        assert make(case)(read(case, T=50), 1).isfinite().all()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("parameters", [4_000, 10_000, 50_000])
@given(inputs=st.integers(1, 30), outputs=st.integers(1, 30), layers=st.integers(1, 4))
@few
def test_sizes_match_a_number_of_parameters(name, parameters, inputs, outputs, layers):
    shape = {
        "inputs": FRAME if MODELS[name].reads == "video" else inputs,
        "outputs": outputs,
        "layers": layers,
    }
    sizes = matched(name, parameters, **shape)

    last = [*MODELS[name].size_options(layers=layers)][-1]

    def size(more=0):
        changed = {last: max(sizes[last] + more, 1)}
        return count(MODELS[name](identities(name), **shape, **sizes | changed))

    miss = abs(size() - parameters)
    assert miss <= min(abs(size(more) - parameters) for more in (1, -1))
    if size(1) - size() <= 0.04 * parameters:  # where the last dial is that fine
        assert miss <= 0.02 * parameters


def test_a_size_that_is_given_stays():
    shape = {"inputs": 3, "outputs": 2}
    assert matched("transformer", 5_000, hidden=12, **shape).keys() == {"feedforward"}
    assert matched("transformer", 5_000, hidden=12, feedforward=9, **shape) == {}


def test_no_model_is_smaller_than_its_smallest():
    with pytest.raises(BadInput, match="lstm has at least 34 parameters here; 20 are too few"):
        matched("lstm", 20, inputs=6, outputs=1)


def test_numbers_are_counted_for_one_member():
    model = MODELS["lstm"](Keys.span("lstm", 1, "weights", 0, 0, 5), inputs=3, outputs=2, hidden=7)
    assert count(model) == 4 * 7 * (3 + 7 + 1) + 2 * (7 + 1)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("rnn", {"activation": "rleu"}, "unknown activation 'rleu'; did you mean 'relu'?"),
        ("rnn", {"start": "zero"}, "unknown start 'zero'; choose from: identity, uniform"),
        ("gru", {"reset": "befor"}, "unknown reset 'befor'; did you mean 'before'?"),
        (
            "transformer",
            {"positions": "rotarry"},
            "unknown positions 'rotarry'; did you mean 'rotary'?",
        ),
        ("transformer", {"heads": 3}, "hidden width 8 does not suit 3 heads .* a multiple of 6"),
        (
            "bilstm",
            {"causal": True},
            "bilstm looks both ways, .* choose a model that looks back only",
        ),
        ("window_mlp", {"window": 0}, "window 0 has no step in it; choose 1 or more"),
        ("lstm_attention", {"kind": "decode"}, "unknown kind 'decode'; did you mean 'decoder'?"),
        ("lstm_attention", {"score": "sum"}, "unknown score 'sum'; choose from: additive, dot"),
        ("lstm", {"truncate": -1}, "truncate -1 is no number of steps; choose 0, for all, or more"),
        ("gru", {"dropout": 1.0}, "dropout 1.0 is no share to drop; choose from 0 to below 1"),
    ],
)
def test_errors_teach(name, options, sentence):
    with pytest.raises(BadInput, match=sentence):
        make(name, **options)


def test_a_class_that_names_its_sizes_in_the_old_way_is_told_the_new_one():
    class Old(MODELS["rnn"]):
        name = "old"

        @classmethod
        def dials(cls, **options):
            return {"hidden": 8}

    with pytest.raises(
        BadInput, match=r"^model 'old' has a method 'dials'; its name is 'size_options' now$"
    ):
        matched(Old, 1_000, inputs=2, outputs=1)
