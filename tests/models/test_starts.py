"""Starts by the steps to bridge, and orthogonal recurrent weights: against their definitions."""

from math import log

import pytest
import torch

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.adapter import adapt
from seqbench.models.starts import draw_normal

from . import CELLS, SEEDS, identities, make, read

H = 200
# The blocks of b that remember and that let in, and how many there are.
GATES = {
    "lstm": (1, 0, 4),
    "lstm_peephole": (1, 0, 4),
    "lstm_1997": (None, 0, 3),
    "lstm_no_output": (1, 0, 3),
    "gru": (1, None, 3),
}
BUILT_OF_THEM = ("lstm_attention", "cnn_lstm", "pixel_lstm")
each = pytest.mark.parametrize("name", GATES)


def biases(name, **options):
    """Return the first biases of the lowest layer, a row for each block: (E, blocks, H)."""
    cell = make(name, hidden=H, **options).layers[0]
    return cell.b.detach().unflatten(-1, (cell.gates, H))[:, 0]


def test_every_gated_cell_is_tested():
    assert {*GATES, "rnn", "echo_state"} == set(CELLS)


@each
@pytest.mark.parametrize("longest", [3, 10, 1000])
def test_units_remember_for_every_time_up_to_the_longest(name, longest):
    keeps, lets_in, blocks = GATES[name]
    plain, chrono = biases(name), biases(name, start="chrono", longest=longest)
    assert chrono.shape[1] == blocks
    u = chrono[:, keeps].exp() if keeps is not None else (-chrono[:, lets_in]).exp()
    assert u.min() >= 1 - 1e-6
    assert u.max() <= longest - 1 + 1e-3
    deviation = (longest - 2) / 12**0.5
    for member in u:  # evenly spread
        assert abs(member.mean() - longest / 2) < 4 * deviation / H**0.5
        assert abs(member.std() - deviation) < 0.2 * deviation
    if keeps is not None and lets_in is not None:
        assert torch.equal(chrono[:, keeps], -chrono[:, lets_in])
    rest = [k for k in range(blocks) if k not in (keeps, lets_in)]
    assert torch.equal(chrono[:, rest], plain[:, rest])


@each
def test_the_biases_are_a_members_and_a_layers_own(name):
    model = make(name, hidden=H, layers=2, start="chrono", longest=100)
    below, above = (layer.b for layer in model.layers)
    plain = make(name, hidden=H, layers=2)
    changed = below != plain.layers[0].b
    assert changed[0].any()
    assert not (below[0] == below[1])[changed[0]].any()
    assert not (below == above)[changed].any()
    alone = make(name, SEEDS[1:2], hidden=H, layers=2, start="chrono", longest=100)
    for whole, own in zip(model.parameters(), alone.parameters(), strict=True):
        assert torch.equal(whole[1], own[0])


@each
@pytest.mark.parametrize("longest", [1, 2])
def test_where_no_time_lies_between_all_biases_are_0(name, longest):
    keeps, lets_in, _ = GATES[name]
    chrono = biases(name, start="chrono", longest=longest)
    for block in (keeps, lets_in):
        assert block is None or not chrono[:, block].any()
    assert make(name, start="chrono", longest=longest)(read(name), 1).isfinite().all()


@pytest.mark.parametrize("name", BUILT_OF_THEM)
def test_models_built_of_these_cells_start_so_too(name):
    cell = make(name, start="chrono", longest=50).layers[0]
    b_i, b_f, *_ = cell.b.chunk(4, dim=-1)
    assert torch.equal(b_i, -b_f)
    assert 0 <= b_f.min() < b_f.max() <= log(49) + 1e-6


def test_both_directions_of_a_bilstm_start_so():
    model = make("bilstm", start="chrono", longest=50)
    starts = [cell.b.chunk(4, dim=-1) for cell in (model.ahead[0], model.back[0])]
    for b_i, b_f, *_ in starts:
        assert torch.equal(b_i, -b_f)
    assert not torch.isclose(starts[0][1], starts[1][1]).any()


@each
def test_what_is_longest_matters_to_chrono_alone(name):
    for p, q in zip(
        make(name).parameters(), make(name, start="uniform", longest=9).parameters(), strict=True
    ):
        assert torch.equal(p, q)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("lstm", {}, r"^start 'chrono' needs 'longest', the steps that the model has to bridge$"),
        ("gru", {}, r"^start 'chrono' needs 'longest'"),
        ("lstm", {"longest": 0}, "longest 0 is no number of steps to bridge; choose 1 or more"),
        ("lstm", {"longest": 9, "forget_bias": 3.0}, "sets .* 'forget_bias' is about; leave one"),
        ("bilstm", {"longest": 9, "forget_bias": 0.0}, "'forget_bias' is about"),
        ("gru", {"longest": 9, "forget_bias": 1.0}, "'forget_bias' is about"),
        ("lstm_1997", {"longest": 9, "input_bias": -3.0}, "'input_bias' is about"),
    ],
)
def test_errors_teach(name, options, sentence):
    with pytest.raises(BadInput, match=sentence):
        make(name, start="chrono", **options)


@each
def test_an_unknown_start_is_named(name):
    with pytest.raises(BadInput, match="unknown start 'chron'; did you mean 'chrono'"):
        make(name, start="chron")


def test_the_output_bias_of_1997_goes_with_it():
    shut = biases("lstm_1997", start="chrono", longest=9, output_bias=-2.0)
    difference = shut - biases("lstm_1997", start="chrono", longest=9)
    assert difference[:, 2].allclose(torch.tensor(-2.0, dtype=torch.float64), atol=1e-6)
    assert not difference[:, :2].any()


def test_the_gru_has_a_forget_bias():
    difference = biases("gru", forget_bias=3.0) - biases("gru")
    wanted = torch.tensor([0.0, 3.0, 0.0], dtype=torch.float64)[:, None].expand_as(difference)
    torch.testing.assert_close(difference, wanted, rtol=0, atol=1e-6)


# Orthogonal weights


def test_recurrent_weights_may_be_orthogonal():
    model, plain = make("rnn", start="orthogonal", layers=2), make("rnn", layers=2)
    for layer in model.layers:
        products = layer.W_h.mT @ layer.W_h
        torch.testing.assert_close(
            products, torch.eye(8).expand_as(products).double(), atol=1e-6, rtol=0
        )
    own = dict(model.named_parameters())
    for name, p in plain.named_parameters():
        assert torch.equal(p, own[name]) == ("W_h" not in name)
    assert not torch.isclose(model.layers[0].W_h, model.layers[1].W_h).any()
    assert not torch.isclose(model.layers[0].W_h[0], model.layers[0].W_h[1]).any()


def test_a_member_has_the_matrix_that_it_has_alone():
    whole = make("rnn", start="orthogonal", hidden=40).layers[0].W_h
    for e, seed in enumerate(SEEDS):
        assert torch.equal(
            make("rnn", (seed,), start="orthogonal", hidden=40).layers[0].W_h[0], whole[e]
        )


def test_turns_and_mirrors_are_equally_likely():
    """Without the signs of R, LAPACK's Q would favour some of them."""
    W_h = make("rnn", tuple(range(400)), start="orthogonal", hidden=3).layers[0].W_h.detach()
    turns = (torch.linalg.det(W_h) > 0).double().mean()
    assert abs(turns - 0.5) < 4 * 0.5 / 400**0.5
    assert (W_h.mean(dim=0).abs() < 4 * (1 / 3 / 400) ** 0.5).all()


def test_normal_numbers_are_normal():
    z = draw_normal(identities("rnn"), "z", 20_000)
    for member in z:
        moments = [(member**k).mean().item() for k in (1, 2, 3, 4)]
        assert moments == pytest.approx([0, 1, 0, 3], abs=0.15)
    assert abs((z[0] * z[1]).mean()) < 0.04


# What a model takes


def test_a_model_says_which_keyword_arguments_it_takes():
    takes = {name for name in MODELS.builtin if MODELS[name].accepts("longest")}
    assert takes == {*GATES, *BUILT_OF_THEM, "bilstm"}
    assert all(MODELS[name].accepts("hidden") for name in MODELS.builtin)
    assert MODELS["gru"].accepts("reset")
    assert MODELS["gru"].accepts("truncate")
    assert not MODELS["lstm"].accepts("reset")
    assert not MODELS["lstm"].accepts("options")  # **options stands for others


def test_an_adapted_module_takes_what_its_function_takes():
    def factory(inputs, outputs, hidden, *, longest=None, **rest):
        raise AssertionError

    model = adapt("mine", factory)
    assert model.accepts("longest")
    assert not model.accepts("rest")
    assert not model.accepts("start")
