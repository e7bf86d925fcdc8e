"""The nets: against a slow plain loop, their gradient against torch's with everything detached but the cells."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from seqbench.ledger.net import draw_net
from seqbench.ledger.rows import ONLINE, Blocks, Elman
from seqbench.random import Keys

BLOCKS = Blocks(3, 2, 2, 2, gate_biases=(("i", (-1.0, -2.0)),))
SHAPES = {
    "plain": BLOCKS,
    "all biased": replace(BLOCKS, cells_biased=True, outputs_biased=True),
    "forget gates": replace(BLOCKS, gates=("i", "f", "o"), gate_biases=(("f", (1.0, 2.0)),)),
    "cells feed back": replace(
        BLOCKS, gates=("i", "f", "o"), gate_biases=(), gates_feed_back=False, shortcut=True
    ),
    "Elman": Elman(3, 2, 4),
}
E, B, T = 2, 3, 7


def keys(n=E):
    return Keys.span("made", 1, "weights", 0, 0, n)


def made(shape, seeds=None):
    """Return nets in float64, with weights large enough that every nonlinearity shows."""
    net = draw_net(shape, keys(), bound=1.0)
    net.weights = {name: w.astype(np.float64) for name, w in net.weights.items()}
    return net


def inputs(*shape):
    return np.random.default_rng(0).normal(size=shape)


def sigma(n):
    return 1 / (1 + torch.exp(-n))


def slow(shape, w, x, cut, state=None):
    """Return y of one net, step by step as the paper has it; ``cut`` is applied to what is fed back."""
    if isinstance(shape, Elman):
        h = torch.zeros(len(x), shape.hidden, dtype=x.dtype)
        ys = []
        for t in range(x.shape[1]):
            h = sigma(x[:, t] @ w["W_x"] + cut(h) @ w["W_h"])
            ys.append(sigma(h @ w["V"]))
        return torch.stack(ys, dim=1)
    M, S = shape.blocks, shape.cells
    G = len(shape.gates) * M
    a = torch.zeros(len(x), G + M * S, dtype=x.dtype)
    c = torch.zeros(len(x), M * S, dtype=x.dtype)
    b = torch.zeros(G + M * S, dtype=x.dtype)
    b[: w["b"].shape[1]] += w["b"][0].detach()
    b = torch.cat([w["b"][0], b[w["b"].shape[1] :]])
    ys = []
    for t in range(x.shape[1]):
        r = cut(a if shape.gates_feed_back else a[:, G:])
        n = x[:, t] @ w["W_x"] + r @ w["W_r"] + b
        gate = {
            name: sigma(n[:, k * M : (k + 1) * M]).repeat_interleave(S, dim=1)
            for k, name in enumerate(shape.gates)
        }
        c = gate.get("f", 1) * c + gate["i"] * (4 * sigma(n[:, G:]) - 2)
        h = gate["o"] * (2 * sigma(c) - 1)
        a = torch.cat([sigma(n[:, :G]), h], dim=1)
        seen = torch.cat([h, x[:, t]], dim=1) if shape.shortcut else h
        ys.append(sigma(seen @ w["V"] + w.get("v", 0)))
    return torch.stack(ys, dim=1)


def tensors(net, e):
    return {n: torch.from_numpy(w[e].copy()).requires_grad_() for n, w in net.weights.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_forward_is_the_plain_loop(name):
    net = made(SHAPES[name])
    x = inputs(E, B, T, 3)
    y = net.forward(x)
    for e in range(E):
        plain = slow(SHAPES[name], tensors(net, e), torch.from_numpy(x[e]), lambda r: r)
        np.testing.assert_allclose(y[e], plain.detach().numpy(), atol=1e-13)


@pytest.mark.parametrize("name", SHAPES)
def test_gradient_is_that_of_a_net_whose_feedback_is_a_constant(name):
    net = made(SHAPES[name])
    x, d = inputs(E, B, T, 3), np.random.default_rng(1).uniform(size=(E, B, T, 2))
    due = np.random.default_rng(2).uniform(size=(E, B, T, 1)) < 0.5
    found = net.gradient((net.forward(x) - d) * due)
    whole_differs = False
    for e in range(E):
        for cut in (torch.Tensor.detach, lambda r: r):
            w = tensors(net, e)
            y = slow(SHAPES[name], w, torch.from_numpy(x[e]), cut)
            loss = (((y - torch.from_numpy(d[e])) * torch.from_numpy(due[e])) ** 2).sum() / 2
            loss.backward()
            same = [np.allclose(found[n][e], w[n].grad.numpy(), atol=1e-12) for n in w]
            if cut is torch.Tensor.detach:
                assert all(same), dict(zip(w, same, strict=True))
            else:
                whole_differs |= not all(same)
    assert whole_differs  # it is cut, indeed


def test_members_do_not_meet():
    together = draw_net(BLOCKS, keys(2), bound=0.5)
    for e in range(2):
        alone = draw_net(BLOCKS, Keys.span("made", 1, "weights", 0, e, e + 1), bound=0.5)
        for name, w in alone.weights.items():
            assert np.array_equal(w[0], together.weights[name][e])


def test_the_state_goes_on_where_a_sequence_ended():
    net = made(SHAPES["forget gates"])
    x = inputs(E, B, T, 3)
    whole = net.forward(x)
    net.forward(x[:, :, :4])
    state = net.state(np.full((E, B), 4))
    np.testing.assert_allclose(net.forward(x[:, :, 4:], state), whole[:, :, 4:], atol=1e-14)
    net.forward(x)  # as if the rest were padding
    np.testing.assert_allclose(net.state(np.full((E, B), 4)).c, state.c, atol=1e-14)


@pytest.mark.parametrize(
    ("row", "weights"),
    {
        "hs97-reber": 276,
        "hs97-adding-100": 93,
        "hs97-order-4": 156,
        "hs97-order-8": 308,
        "gers2000-stream": 424,
    }.items(),
)
def test_the_papers_numbers_of_weights(row, weights):
    assert draw_net(ONLINE[row].net, keys(1), 0.1).parameters == weights


@pytest.mark.parametrize("row", ONLINE)
def test_first_weights_are_those_of_the_paper(row):
    shape, bound = ONLINE[row].net, ONLINE[row].bound
    net = draw_net(shape, keys(), bound)
    biases = dict(getattr(shape, "gate_biases", ()))
    for gate, values in biases.items():
        at = shape.gates.index(gate) * shape.blocks
        found = net.weights["b"][:, 0, at : at + shape.blocks]
        assert np.array_equal(found, np.tile(np.float32(values), (E, 1)))
        net.weights["b"][:, 0, at : at + shape.blocks] = 0
    for w in net.weights.values():
        assert np.abs(w).max() <= bound
    assert max(np.abs(w).max() for w in net.weights.values()) > 0.9 * bound
