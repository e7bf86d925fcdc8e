"""The recurrent models against torch's own modules, against their equations, and against each other."""

import re
from functools import partial
from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.lstm import LSTMCell
from seqbench.scan import choose_scan
from seqbench.scan.specs import LSTMSpec

from . import CASES, RECURRENT, SEEDS, gradients, identities, list_trained, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
TORCH = {
    "rnn": nn.RNN,
    "rnn, relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
T, H = 7, 8
HERE = ("reference", "native", "ensemble")  # the scans that need no GPU

recurrent = pytest.mark.parametrize("case", RECURRENT)


def bare(case, **shape):
    """Return a model whose outputs are the hidden state of its top layer."""
    model = make(case, outputs=H, **shape)
    with torch.no_grad():
        model.readout.W.copy_(torch.eye(H))
        model.readout.b.zero_()
    return model


@pytest.mark.parametrize("how", HERE)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("case", TORCH)
def test_it_is_torchs_network(case, layers, how):
    ours = bare(case, layers=layers)
    ours.use_scan(how)
    torch.manual_seed(0)
    theirs = [TORCH[case](3, H, layers, batch_first=True).double() for _ in SEEDS]
    with torch.no_grad():
        for e, net in enumerate(theirs):
            for k in range(layers):
                for name, value in as_ours(net, k, "data").items():
                    getattr(ours.layers[k], name)[e] = value

    x = normal(len(SEEDS), 4, T, 3).requires_grad_()
    z = x.detach().clone().requires_grad_()
    h = ours(x, T)
    h_theirs = torch.stack([net(z_e)[0] for net, z_e in zip(theirs, z, strict=True)])
    torch.testing.assert_close(h, h_theirs, **CLOSE)

    weights = normal(*h.shape, seed=1)
    (h * weights).sum().backward()
    (h_theirs * weights).sum().backward()
    torch.testing.assert_close(x.grad, z.grad, **CLOSE)
    for e, net in enumerate(theirs):
        for k in range(layers):
            for name, grad in as_ours(net, k, "grad").items():
                torch.testing.assert_close(getattr(ours.layers[k], name).grad[e], grad, **CLOSE)


def as_ours(net, layer, part):
    """Return torch's parameters (data) or gradients (grad) of a layer under our names."""
    names = (f"{name}_l{layer}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    W_ih, W_hh, b_ih, b_hh = (torch.atleast_2d(getattr(getattr(net, n), part)) for n in names)
    b = b_ih + b_hh if part == "data" else b_ih  # of a sum, each has the gradient
    if not isinstance(net, nn.GRU):
        return {"W_x": W_ih.T, "W_h": W_hh.T, "b": b}
    b = torch.cat([b[:, : 2 * H], b_ih[:, 2 * H :]], 1)  # n keeps two: r multiplies the second
    return {"W_x": W_ih.T, "W_h": W_hh.T, "b": b, "b_hn": b_hh[:, 2 * H :]}


@recurrent
@given(E=st.integers(1, 3), B=st.integers(1, 3), steps=st.integers(1, 12))
@settings(max_examples=5, deadline=None)
def test_every_scan_agrees_with_the_reference(case, E, B, steps):
    model, x = make(case, SEEDS[:E]), normal(E, B, steps, 3).requires_grad_()
    leaves = [x, *list_trained(model)]
    model.use_scan("reference")
    wanted = model(x, steps)
    grads = gradients(wanted, *leaves)
    for how in HERE:
        model.use_scan(how)
        if how == "native" and model.layers[0].native is None:
            with pytest.raises(BadInput, match="torch has no kernel for"):
                model(x, steps)
            continue
        assert model.scan_name == how
        h = model(x, steps)
        torch.testing.assert_close(h, wanted, **CLOSE)
        for g, g_wanted in zip(gradients(h, *leaves), grads, strict=True):
            torch.testing.assert_close(g, g_wanted, **CLOSE)


@recurrent
def test_gradients_are_the_derivatives(case):
    model = make(case, SEEDS[:2], inputs=2, hidden=2)
    names, values = zip(*model.named_parameters(), strict=True)

    def output(x, *parameters):
        return torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (x, 2))

    model.use_scan("reference")
    assert torch.autograd.gradcheck(output, (normal(2, 2, 3, 2).requires_grad_(), *values))


# Against the equations, one unit vector at a time and in other words


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn(gate, h, c, w, activation="tanh", **_):
    a = gate("h", h)
    return (np.tanh(a) if activation == "tanh" else np.maximum(a, 0)), c


def lstm(gate, h, c, w, **_):
    c = sigmoid(gate("f", h)) * c + sigmoid(gate("i", h)) * np.tanh(gate("g", h))
    return sigmoid(gate("o", h)) * np.tanh(c), c


def lstm_peephole(gate, h, c, w, **_):
    p_i, p_f, p_o = w["p"]
    i, f = sigmoid(gate("i", h) + p_i * c), sigmoid(gate("f", h) + p_f * c)
    c = f * c + i * np.tanh(gate("g", h))
    return sigmoid(gate("o", h) + p_o * c) * np.tanh(c), c


def lstm_1997(gate, h, c, w, **_):
    c = c + sigmoid(gate("i", h)) * np.tanh(gate("g", h))
    return sigmoid(gate("o", h)) * np.tanh(c), c


def lstm_no_output(gate, h, c, w, **_):
    c = sigmoid(gate("f", h)) * c + sigmoid(gate("i", h)) * np.tanh(gate("g", h))
    return np.tanh(c), c


def gru(gate, h, c, w, reset="after", **_):
    r, z = sigmoid(gate("r", h)), sigmoid(gate("z", h))
    if reset == "before":
        n = np.tanh(gate("n", r * h))
    else:
        a_n = gate("n", 0 * h)  # without the part that r multiplies
        n = np.tanh(a_n + r * (gate("n", h) - a_n + w["b_hn"][0]))
    return (1 - z) * n + z * h, c


EQUATIONS = {
    "rnn": (rnn, "h"),
    "lstm": (lstm, "ifgo"),
    "lstm_peephole": (lstm_peephole, "ifgo"),
    "lstm_1997": (lstm_1997, "igo"),
    "lstm_no_output": (lstm_no_output, "ifg"),
    "gru": (gru, "rzn"),
    "echo_state": (rnn, "h"),
}


@recurrent
def test_it_obeys_its_equations(case):
    name, options = CASES[case]
    model, x = bare(case), normal(len(SEEDS), 2, T, 3)
    with torch.no_grad():
        for k, p in enumerate(model.layers.parameters()):
            p.add_(normal(*p.shape, seed=k), alpha=0.3)  # peepholes start at zero
    output = model(x, T).detach()
    step, letters = EQUATIONS[name]
    for e in range(len(SEEDS)):
        for b in range(2):
            h = x[e, b].numpy()
            for layer in model.layers:
                w = {key: value[e].detach().numpy() for key, value in layer.named_parameters()}
                h = walked(step, letters, w, h, options)
            torch.testing.assert_close(output[e, b], torch.from_numpy(h), rtol=1e-12, atol=1e-12)


def walked(step, letters, w, xs, options):
    """Return h at every step; ``gate(k, h)`` is x_t W_xk + h W_hk + b_k."""
    W_x, W_h, b = (
        dict(zip(letters, np.split(w[key], len(letters), axis=-1), strict=True))
        for key in ("W_x", "W_h", "b")
    )
    h = c = np.zeros(H)
    hs = []
    for x in xs:

        def gate(k, h, x=x):
            return x @ W_x[k] + h @ W_h[k] + b[k][0]

        h, c = step(gate, h, c, w, **options)
        hs.append(h)
    return np.array(hs)


# Against each other


def test_without_peepholes_it_is_the_lstm():
    ours, plain = make("lstm_peephole"), make("lstm")
    state = ours.state_dict()
    assert not state.pop("layers.0.p").any()  # they start at zero
    plain.load_state_dict(state)
    x = normal(len(SEEDS), 4, T, 3)
    torch.testing.assert_close(ours(x, T), plain(x, T), rtol=0, atol=1e-12)


def test_with_an_open_forget_gate_the_lstm_is_that_of_1997():
    ours, plain = make("lstm_1997"), make("lstm")
    rest = [*range(H), *range(2 * H, 4 * H)]  # i, g, o
    with torch.no_grad():
        for name in ("W_x", "W_h", "b"):
            getattr(plain.layers[0], name)[..., rest] = getattr(ours.layers[0], name)
        plain.layers[0].b[..., H : 2 * H] = 100
        plain.readout.load_state_dict(ours.readout.state_dict())
    x = normal(len(SEEDS), 4, T, 3)
    torch.testing.assert_close(ours(x, T), plain(x, T), rtol=0, atol=1e-12)


def test_with_an_output_gate_that_stands_open_the_lstm_is_that_without():
    ours, plain = make("lstm_no_output"), make("lstm")
    with torch.no_grad():
        for name in ("W_x", "W_h", "b"):
            getattr(plain.layers[0], name)[..., : 3 * H] = getattr(ours.layers[0], name)
        plain.layers[0].W_x[..., 3 * H :] = plain.layers[0].W_h[..., 3 * H :] = 0
        plain.layers[0].b[..., 3 * H :] = 50
        plain.readout.load_state_dict(ours.readout.state_dict())
    x = normal(len(SEEDS), 4, T, 3)
    torch.testing.assert_close(ours(x, T), plain(x, T), rtol=0, atol=1e-12)


def test_no_gradient_is_lost_in_the_gate_that_stands_open():
    """In float32, too, its value is 1 and its derivative 0: what the scans give is the loop's, to rounding."""
    model = make("lstm_no_output").float()
    opened = model.layers[0].weights[1][..., 3 * H :].sigmoid()
    assert (opened == 1).all()
    assert not (opened * (1 - opened)).any()


# The start


@recurrent
def test_weights_start_within_their_bound(case):
    hidden, model = 64, make(case, hidden=64)
    bound = 1 / sqrt(hidden)
    for name, p in model.named_parameters():
        if name.endswith("p"):
            assert not p.any()
        elif "identity" in case and "layers" in name and "W_x" not in name:
            assert torch.equal(p[1], torch.eye(hidden) if "W_h" in name else 0 * p[1])
        elif "W_h" in name and ("orthogonal" in case or "echo_state" in case):
            continue  # test_starts.py, test_echo_state.py
        elif "chrono" in case and name == "layers.0.b":
            continue
        else:
            start = p.detach().clone()
            if "lstm" in case and "1997" not in case and re.match(r"layers\.\d\.b", name):
                start[..., hidden : 2 * hidden] -= 1  # remember by default
            assert start.abs().max() <= bound
            assert start.numel() < 200 or start.abs().max() > 0.97 * bound
            assert abs(start.mean()) < 4 * bound / sqrt(3 * start.numel())


@pytest.mark.parametrize(("option", "first"), [("input_bias", 0), ("output_bias", 2)])
def test_gates_of_1997_may_start_nearly_shut(option, first):
    plain, shut = make("lstm_1997"), make("lstm_1997", **{option: -3.0})
    difference = shut.layers[0].b - plain.layers[0].b
    wanted = torch.zeros(3, H, dtype=torch.float64)
    wanted[first] = -3
    torch.testing.assert_close(difference, wanted.flatten().expand(len(SEEDS), 1, -1))


@pytest.mark.parametrize(
    "name", ["lstm", "lstm_peephole", "cnn_lstm", "pixel_lstm", "lstm_attention"]
)
def test_the_forget_bias_is_an_option(name):
    plain, open_wide = make(name, forget_bias=0.0), make(name, forget_bias=3.0)
    difference = open_wide.layers[0].b - plain.layers[0].b
    wanted = torch.zeros(4, H, dtype=torch.float64)
    wanted[1] = 3
    torch.testing.assert_close(difference, wanted.flatten().expand(len(SEEDS), 1, -1))


def test_on_a_cpu_the_lstm_and_what_has_its_steps_run_on_torchs_kernel():
    how = {name: make(name).scan_name for name in MODELS if MODELS[name].recurrent}
    native = {name for name, scan in how.items() if scan == "native"}
    others = {"rnn", "lstm_peephole", "lstm_1997", "gru", "echo_state", "mingru", "minlstm", "lru"}
    assert how.pop("slstm") == "reference"  # nobody else knows its steps
    assert native == {name for name in how if "lstm" in name or name == "block"} - others
    assert {how[name] for name in others} == {"ensemble"}


class Slow:
    def step(self, a, h, c):
        h_new, c_new = super().step(a, h, c)
        return (h + h_new) / 2, c_new


class SlowCell(Slow, LSTMCell):
    pass


class Scaled(LSTMCell):
    def project(self, x):
        return 2 * super().project(x)


class Started(LSTMCell):
    def start(self, a):
        return tuple(part + 1 for part in super().start(a))


class Stepped(LSTMCell):
    def step(self, a, h, c):
        return super().step(a, h / 2, c)


@pytest.mark.parametrize("kind", [SlowCell, Scaled, Started, Stepped])
def test_a_cell_whose_steps_are_its_own_inherits_no_kernel(kind):
    cell = kind(identities("lstm"), "layer 0", 3, H)
    assert cell.native is None
    assert cell.spec is None
    assert choose_scan(cell, "auto", torch.device("cpu")) == "reference"
    sentence = f"{kind.__name__} names no spec for the scan 'ensemble'; choose 'reference'"
    with pytest.raises(BadInput, match=sentence):
        choose_scan(cell, "ensemble", torch.device("cpu"))


def test_a_cell_that_changes_nothing_keeps_its_kernel():
    class Renamed(LSTMCell):
        pass

    assert Renamed(identities("lstm"), "layer 0", 3, H).spec == LSTMSpec()


def test_layers_draw_from_streams_of_their_own():
    model = MODELS["rnn"](identities("rnn"), inputs=H, outputs=2, hidden=H, layers=2)
    first, second = model.layers
    assert not torch.isclose(first.W_x, second.W_x).any()
