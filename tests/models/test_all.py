"""What built-in models promise beyond what every model must, which ``seqbench check`` tests (tests/check)."""

import pytest
import torch
from hypothesis import settings
from jaxtyping import TypeCheckError

from seqbench.errors import BadInput
from seqbench.models.base import affine

from . import BACK_ONLY, BOTH_WAYS, CASES, make, normal, read

each = pytest.mark.parametrize("case", CASES)
back_only = pytest.mark.parametrize("case", BACK_ONLY)
few = settings(max_examples=5, deadline=None)
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.parametrize("case", [*[case for case in CASES if "transformer" in case], *BOTH_WAYS])
def test_some_may_look_both_ways(case):
    model, x = make(case, causal=False), read(case)
    later = torch.cat([x[:, :, :-1], normal(*x[:, :, -1:].shape, seed=2)], dim=2)
    assert not torch.isclose(model(x, 6), model(later, 6)).any()


@each
def test_members_differ(case):
    output = make(case)(read(case, E=1).expand(3, *[-1] * (read(case).ndim - 1)), 1)
    assert not torch.isclose(output[0], output[1]).any()


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


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("rnn", {"activation": "rleu"}, "unknown activation 'rleu'; did you mean 'relu'?"),
        (
            "rnn",
            {"start": "zero"},
            "unknown start 'zero'; choose from: identity, orthogonal, uniform",
        ),
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
