"""A net behind an embedding is the net on embedded symbols, in every way that a model is used."""

import pytest
import torch
from torch.nn.functional import one_hot

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.embedded import Embedded
from seqbench.models.sizing import count, count_inner
from seqbench.models.streaming import stream
from seqbench.training.stack import Stack

from . import BACK_ONLY, CASES, SEEDS, gradients, identities, make

V, W, T = 5, 3, 6
SEQUENCES = [case for case, (name, _) in CASES.items() if MODELS[name].reads == "sequence"]
TRAINED = [case for case in SEQUENCES if "echo_state" not in case]
each = pytest.mark.parametrize("case", SEQUENCES)
trained = pytest.mark.parametrize("case", TRAINED)
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def embed(case, seeds=SEEDS, **shape):
    """Return the net of a case behind an embedding, in float64."""
    keys = identities(CASES[case][0], seeds)
    return Embedded(keys, make(case, seeds, inputs=W, **shape), symbols=V, width=W).double()


def draw_symbols(B=4):
    """Return symbols and their one-hot vectors."""
    symbols = torch.randint(V, (len(SEEDS), B, T), generator=torch.Generator().manual_seed(0))
    return symbols, one_hot(symbols, V).double()


def look_up(model, symbols):
    """Return the rows of the symbols."""
    return torch.stack([W[row] for W, row in zip(model.embedding.W, symbols, strict=True)])


@each
@pytest.mark.parametrize("answers", [1, T])
def test_it_is_the_net_on_the_rows_of_its_symbols(case, answers):
    model, (symbols, x) = embed(case), draw_symbols()
    rows = look_up(model, symbols)
    torch.testing.assert_close(model(x, answers), model.net(rows, answers), **CLOSE)


def test_a_row_starts_about_as_long_as_a_one_hot_vector():
    for width in (4, 64):
        model = Embedded(identities("rnn"), make("rnn", inputs=width), symbols=2_000, width=width)
        rows = model.embedding.W
        assert rows.abs().max() <= (3 / width) ** 0.5
        assert rows.square().sum(dim=-1).mean(dim=-1).tolist() == pytest.approx([1] * 3, abs=0.03)


@each
def test_a_member_is_what_it_is_alone(case):
    model, (_, x) = embed(case), draw_symbols()
    output = model(x, 2)
    for e, seed in enumerate(SEEDS):
        alone = embed(case, (seed,))
        assert torch.equal(alone.embedding.W[0], model.embedding.W[e])
        torch.testing.assert_close(alone(x[e : e + 1], 2)[0], output[e], **CLOSE)
    assert not torch.isclose(model.embedding.W[0], model.embedding.W[1]).any()


@pytest.mark.parametrize("case", [case for case in SEQUENCES if case in BACK_ONLY])
def test_step_by_step_is_the_whole_sequence(case):
    model, (_, x) = embed(case, causal=True), draw_symbols()
    assert model.streams
    y = torch.stack(list(stream(model, x)), dim=2)
    torch.testing.assert_close(y, model(x, T).detach(), **CLOSE)


@trained
def test_gradients_reach_the_rows_of_the_symbols_that_were_there(case):
    model, (symbols, x) = embed(case), draw_symbols()
    x[..., 0] += x[..., 4]  # so that one symbol never comes
    x[..., 4] = 0
    (gradient,) = gradients(model(x, T), model.embedding.W)
    assert gradient[:, :4].any(dim=-1).all()
    assert not gradient[:, 4].any()
    rows = look_up(model, symbols % 4).detach().requires_grad_()
    (by_rows,) = gradients(model.net(rows, T), rows)
    for e in range(len(SEEDS)):
        for v in range(4):
            torch.testing.assert_close(gradient[e, v], by_rows[e][symbols[e] % 4 == v].sum(dim=0))


@each
def test_it_trains_unless_the_net_trains_its_readout_alone(case):
    model = embed(case)
    before = model.embedding.W.detach().clone()
    stack, (_, x) = Stack(model, [0.1] * len(SEEDS)), draw_symbols()
    stack.step(stack.gradient(model(x, 1).square().mean(dim=(1, 2, 3))), 1, 1.0)
    changed = (before != model.embedding.W).any(dim=(1, 2)).tolist()
    assert changed == [case in TRAINED] * len(SEEDS)
    assert model.embedding.W.requires_grad == (case in TRAINED)


@each
def test_its_parameters_are_those_of_the_net_and_one_more(case):
    model = embed(case)
    names = [name for name, _ in model.named_parameters()]
    assert names == ["embedding.W", *(f"net.{name}" for name, _ in model.net.named_parameters())]
    for name, p in make(case, inputs=W).named_parameters():
        assert torch.equal(p, dict(model.net.named_parameters())[name])
    state = model.state_dict()
    again = embed(case, tuple(seed + 1 for seed in SEEDS))
    again.load_state_dict(state)
    _, x = draw_symbols()
    assert torch.equal(again(x, 1), model(x, 1))


@each
def test_it_is_what_its_net_is(case):
    model = embed(case)
    net = model.net
    for fact in ("name", "version", "reads", "both_ways", "recurrent", "attends", "streams"):
        assert getattr(model, fact) == getattr(net, fact)
    assert len(model.cells) == len(net.cells)
    assert all(a is b for a, b in zip(model.cells, net.cells, strict=True))
    assert count_inner(model) == count_inner(net)
    assert count(model) == count(net) + V * W
    assert model.state_size(T) == net.state_size(T)


@pytest.mark.parametrize("how", ["reference", "native", "ensemble"])
def test_the_scan_is_the_nets(how):
    model, (_, x) = embed("gru"), draw_symbols()
    wanted = model(x, T)
    model.use_scan(how, recompute=True)
    assert (model.scan_name, model.net.scan_name, model.net.recompute) == (how, how, True)
    torch.testing.assert_close(model(x, T), wanted, **CLOSE)
    with pytest.raises(BadInput, match="unknown scan 'fast'"):
        model.use_scan("fast")


@pytest.mark.parametrize("case", ["lstm", "gru", "lstm of two layers"])
def test_the_steps_of_the_nets_cell_are_recorded(case):
    model, (symbols, x) = embed(case), draw_symbols()
    output, steps = model.record_steps(x, 2)
    torch.testing.assert_close(output, model(x, 2), **CLOSE)
    _, wanted = model.net.record_steps(look_up(model, symbols), 2)
    for step, other in zip(steps, wanted, strict=True):
        torch.testing.assert_close(step.after, other.after, **CLOSE)


@pytest.mark.parametrize("case", ["lstm", "transformer", "window_mlp", "bilstm"])
def test_what_a_gradient_passes_through_is_the_nets(case):
    model, (symbols, x) = embed(case), draw_symbols()
    output, passed = model.forward_with_states(x, 2)
    torch.testing.assert_close(output, model(x, 2), **CLOSE)
    assert passed.keys() == model.net.forward_with_states(look_up(model, symbols), 2)[1].keys()
    assert all(len(series) == T for series in passed.values())
    nearly_last = [series[-2] for series in passed.values()]
    assert all(g.any() for g in gradients(output, *nearly_last))


@pytest.mark.parametrize("case", ["transformer", "lstm_attention"])
def test_it_attends_as_its_net(case):
    model, (symbols, x) = embed(case), draw_symbols()
    wanted = model.net.attend(look_up(model, symbols), 2)
    torch.testing.assert_close(model.attend(x, 2), wanted, **CLOSE)
    with pytest.raises(BadInput, match="gru has no attention weights"):
        embed("gru").attend(x, 2)


@pytest.mark.parametrize("case", ["transformer", "window_mlp"])
def test_half_precision_is_the_nets_and_that_of_the_embedding(case):
    _, x = draw_symbols()
    model, x = embed(case).float(), x.float()
    wide = model(x, T)
    model.forward_dtype = torch.bfloat16
    assert model.net.forward_dtype is torch.bfloat16
    kinds = []
    model.embedding.register_forward_hook(lambda module, given, rows: kinds.append(rows.dtype))
    narrow = model(x, T)
    assert kinds == [torch.bfloat16]
    assert narrow.dtype is torch.float32
    assert not torch.equal(narrow, wide)
    torch.testing.assert_close(narrow, wide, rtol=0.1, atol=0.1)


def test_a_net_that_is_in_half_precision_already_stays_so():
    net = make("transformer", inputs=W).float()
    net.forward_dtype = torch.bfloat16
    model = Embedded(identities("transformer"), net, symbols=V, width=W)
    assert model.forward_dtype is torch.bfloat16


def test_errors_teach():
    keys = identities("cnn_lstm")
    with pytest.raises(BadInput, match="cnn_lstm reads video, which has no symbols to embed"):
        Embedded(keys, make("cnn_lstm"), symbols=V, width=W)
    with pytest.raises(BadInput, match="an embedding of 5 symbols in 0 features is empty"):
        Embedded(keys, make("rnn", inputs=W), symbols=5, width=0)
    with pytest.raises(BadInput, match="bilstm can't be given a sequence step by step"):
        embed("bilstm").start(1, T)
