"""Learning at every symbol: against the gradient of whole sequences, and against loops over every weight."""

from math import exp

import numpy as np
import pytest

from seqbench.ledger.net import State, draw_net
from seqbench.ledger.realtime import learn_by_symbol
from seqbench.ledger.rows import ONLINE, Elman
from tests.ledger.test_net import SHAPES, inputs, keys

E, T = 2, 7
DUE = np.arange(T) < np.array([[[T]], [[T - 2]]])  # the second sequence is shorter


def made(shape):
    net = draw_net(shape, keys(E), bound=1.0)
    net.weights = {name: w.astype(np.float64) for name, w in net.weights.items()}
    return net


def sequences(shape, seed=0):
    return inputs(E, 1, T, shape.inputs), (inputs(E, 1, T, shape.outputs) > 0).astype(float)


each = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


@each
def test_what_is_learned_in_small_steps_adds_up_to_the_gradient_of_the_sequence(shape):
    net, (x, d) = made(shape), sequences(shape)
    y = net.forward(x)
    after = net.state(DUE.sum(axis=-1))
    wanted = net.gradient((y - d) * DUE[..., None])
    before, rate = dict(net.weights), 1e-7
    answered, state = learn_by_symbol(net, x, d, DUE, rate)
    np.testing.assert_allclose(answered[DUE], y[DUE], atol=1e-5)
    np.testing.assert_allclose(state.a, after.a, atol=1e-5)
    np.testing.assert_allclose(state.c, after.c, atol=1e-5)
    for name, g in wanted.items():
        moved = (before[name] - net.weights[name]) / rate
        np.testing.assert_allclose(moved, g, rtol=1e-4, atol=1e-4 * np.abs(g).max(), err_msg=name)


@each
def test_a_sequence_goes_on_where_the_one_before_was_left(shape):
    x, d = sequences(shape)
    whole, parts = made(shape), made(shape)
    due = np.ones((E, 1, T), bool)
    y, end = learn_by_symbol(whole, x, d, due, 0.5)
    first, state = learn_by_symbol(parts, x[:, :, :3], d[:, :, :3], due[:, :, :3], 0.5)
    rest, state = learn_by_symbol(parts, x[:, :, 3:], d[:, :, 3:], due[:, :, 3:], 0.5, state)
    np.testing.assert_allclose(np.concatenate([first, rest], axis=2), y, rtol=1e-12)
    for name, w in whole.weights.items():
        np.testing.assert_allclose(parts.weights[name], w, rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(state.c, end.c, rtol=1e-12)


@each
def test_nets_do_not_meet_and_nothing_is_learned_after_the_end(shape):
    (x, d), together = sequences(shape), made(shape)
    _, left = learn_by_symbol(together, x, d, DUE, 0.5)
    for e in range(E):
        alone, length = made(shape), int(DUE[e].sum())
        alone.select(np.array([e]))
        _, state = learn_by_symbol(
            alone, *(part[e : e + 1, :, :length] for part in (x, d, DUE)), 0.5
        )
        for name, part in state._asdict().items():
            if part is not None:
                kept = getattr(left, name)[e]
                np.testing.assert_allclose(kept, part[0], rtol=1e-12, err_msg=name)
        for name, w in alone.weights.items():
            np.testing.assert_allclose(together.weights[name][e], w[0], rtol=1e-12, err_msg=name)


def slow(net, x, d, rate):
    """Learn from one sequence, weight by weight and cell by cell; return the answers. No biases but the gates'."""
    w = {name: part[0].tolist() for name, part in net.weights.items()}
    M, S = net.shape.blocks, net.shape.cells
    G, K = 2 * M, M * S
    D, C = net.shape.inputs, net.shape.outputs
    sigma = lambda n: 1 / (1 + exp(-n))  # noqa: E731
    a, c = [0.0] * (G + K), [0.0] * K
    p_z = [[0.0] * (D + G + K + 1) for _ in range(K)]
    p_i = [[0.0] * (D + G + K + 1) for _ in range(K)]

    def at(s, u):  # where the weight from source s to unit u is
        return (
            (w["W_x"][s], u) if s < D else (w["W_r"][s - D], u) if s < D + G + K else (w["b"][0], u)
        )

    ys = []
    for x_t, d_t in zip(x, d, strict=True):
        s = [*x_t, *a, 1.0]
        n = []
        for u in range(G + K):
            seen = [*s[:-1], 1.0 if u < G else 0.0]
            n.append(sum(v * at(k, u)[0][u] for k, v in enumerate(seen) if v or u < G))
        i, o = [sigma(v) for v in n[:M]], [sigma(v) for v in n[M:G]]
        h, g = [], []
        for k in range(K):
            m, z = k // S, sigma(n[G + k])
            g.append(4 * z - 2)
            c[k] += i[m] * g[k]
            h.append(o[m] * (2 * sigma(c[k]) - 1))
            for q, v in enumerate(s):
                p_z[k][q] += i[m] * 4 * z * (1 - z) * (v if q < len(s) - 1 else 0.0)
                p_i[k][q] += i[m] * (1 - i[m]) * g[k] * v
        y = [sigma(sum(h[k] * w["V"][k][j] for k in range(K))) for j in range(C)]
        ys.append(y)
        d_y = [(y[j] - d_t[j]) * y[j] * (1 - y[j]) for j in range(C)]
        d_h = [sum(w["V"][k][j] * d_y[j] for j in range(C)) for k in range(K)]
        for k in range(K):
            for j in range(C):
                w["V"][k][j] -= rate * h[k] * d_y[j]
        for m in range(M):
            cells = range(m * S, (m + 1) * S)
            d_o = sum(d_h[k] * (2 * sigma(c[k]) - 1) for k in cells) * o[m] * (1 - o[m])
            e = {k: d_h[k] * o[m] * 2 * sigma(c[k]) * (1 - sigma(c[k])) for k in cells}
            for q, v in enumerate(s):
                row, _ = at(q, 0)
                row[M + m] -= rate * d_o * v
                row[m] -= rate * sum(e[k] * p_i[k][q] for k in cells)
                for k in cells if q < len(s) - 1 else ():
                    row[G + k] -= rate * e[k] * p_z[k][q]
        a = [*i, *o, *h]
    return ys, w


def test_it_is_the_rule_of_the_paper():
    shape = SHAPES["plain"]
    net, (x, d) = made(shape), sequences(shape)
    net.select(np.array([0]))
    wanted, weights = slow(net, x[0, 0].tolist(), d[0, 0].tolist(), 0.5)
    y, _ = learn_by_symbol(net, x[:1], d[:1], np.ones((1, 1, T), bool), 0.5)
    np.testing.assert_allclose(y[0, 0], wanted, rtol=1e-12)
    for name, w in weights.items():
        np.testing.assert_allclose(net.weights[name][0], w, rtol=1e-10, err_msg=name)


def test_an_elman_net_learns_at_every_step_what_it_would_from_that_step_alone():
    shape = Elman(3, 2, 4)
    net, step = made(shape), made(shape)
    x, d = sequences(shape)
    learn_by_symbol(net, x, d, np.ones((E, 1, T), bool), 0.5)
    state = None
    for t in range(T):
        y = step.forward(x[:, :, t : t + 1], state)
        state = State(step.trace.a[1], step.trace.c[1])
        step.descend(y - d[:, :, t : t + 1], 0.5)
    for name, w in net.weights.items():
        np.testing.assert_allclose(w, step.weights[name], rtol=1e-12, err_msg=name)


def test_the_reber_rows_learn_at_every_symbol():
    at_symbols = {id_ for id_, row in ONLINE.items() if row.update == "symbol"}
    assert at_symbols == {id_ for id_, row in ONLINE.items() if row.source.name == "embedded-reber"}
