r"""Real-time recurrent learning: the weights change after every symbol, so gradients are computed forward in time.

A cell depends on the weights through all previous steps. Its derivatives p by the weights of its own net input and of
the gates of its block are therefore carried along with it. With s for the sources of a net input (the input, the
fed-back units, and 1 for the bias), and otherwise the notation of ``net``:

.. math::
    s_t &= [x_t, r_{t-1}, 1] \\
    p^z_t &= f_t\, p^z_{t-1} + i_t\, g'(n_t)\, s_t, \qquad
    p^i_t = f_t\, p^i_{t-1} + i_t (1 - i_t)\, g_t\, s_t, \qquad
    p^f_t = f_t\, p^f_{t-1} + f_t (1 - f_t)\, c_{t-1}\, s_t \\
    \epsilon_t &= \delta^h_t \odot o_t \odot h'(c_t), \qquad
    \nabla W^z = \epsilon_t\, p^z_t, \qquad
    \nabla W^i = \textstyle\sum_{\text{block}} \epsilon_t\, p^i_t, \qquad
    \nabla W^f = \textstyle\sum_{\text{block}} \epsilon_t\, p^f_t, \qquad
    \nabla W^o = \delta^o_t\, s_t

If the weights are constant, the sum of these over a sequence is the gradient of ``net``.

Source: Hochreiter and Schmidhuber (1997), appendix A.1, equations of the forward computation of partial derivatives.
"""

import numpy as np
from jaxtyping import Bool, Float

from seqbench.ledger.net import Answers, Array, BlockLSTM, ElmanNet, Inputs, State, logistic


def learn_by_symbol(
    net: BlockLSTM | ElmanNet,
    x: Inputs,
    d: Answers,
    due: Bool[Array, "E B T"],
    rate: float,
    state: State | None = None,
) -> tuple[Answers, State]:
    """Answer one sequence per net, ``(E, 1, T, …)``, step by step, and learn from every due answer.

    Parameters
    ----------
    net
        The nets; their weights are changed.
    x, d, due
        The inputs, the targets, and the steps at which targets are due; a sequence ends at the last due step.
    rate
        The step of plain gradient descent.
    state
        The state carried over from the previous sequence, or None.

    Returns
    -------
    The answers, each computed before learning from it, and the state after the last step of each sequence.
    """
    sequence = x[:, 0], d[:, 0], due[:, 0], rate, state
    if isinstance(net, BlockLSTM):
        y, after = _learn_blocks(net, *sequence)
    else:
        y, after = _learn_elman(net, *sequence)
    return y[:, None], after


def _learn_blocks(
    net: BlockLSTM,
    x: Float[Array, "E T D"],
    d: Float[Array, "E T C"],
    due: Bool[Array, "E T"],
    rate: float,
    state: State | None,
) -> tuple[Float[Array, "E T C"], State]:
    w, shape, G = net.weights, net.shape, net.G
    M, S = shape.blocks, shape.cells
    E, T, D = x.shape
    K, U = M * S, G + M * S
    R = w["W_r"].shape[1]
    biased = w["b"].shape[-1]
    W = np.zeros((E, D + R + 1, U), x.dtype)  # of all sources of a net input
    W[:, :D], W[:, D:-1], W[:, -1:, :biased] = w["W_x"], w["W_r"], w["b"]
    V = np.concatenate([w["V"], w["v"]], axis=1) if "v" in w else w["V"].copy()
    if state is None:
        state = State(np.zeros((E, 1, U), x.dtype), np.zeros((E, 1, M, S), x.dtype))
    a, c = state.a[:, 0], state.c[:, 0]
    leading = [name for name in shape.gates if name != "o"]  # their weights reach a cell
    start = np.zeros((E, 1 + len(leading), M, S, D + R + 1), x.dtype)
    p = start if state.p is None else state.p
    ys = np.empty(d.shape, x.dtype)
    one = np.ones((E, 1), x.dtype)
    for t in range(T):
        live = due[:, t, None, None]
        s = np.concatenate([x[:, t], a[:, net.first :], one], axis=1)
        n = (s[:, None] @ W)[:, 0]
        gates = logistic(n[:, :G])
        gate = {name: gates[:, k * M : (k + 1) * M, None] for k, name in enumerate(shape.gates)}
        i, o, f = gate["i"], gate["o"], gate.get("f", np.ones(1, x.dtype))
        g = np.tanh(0.5 * n[:, G:]).reshape(E, M, S)
        ways = {"z": 0.5 * i * (1 - g * g), "i": i * (1 - i) * g, "f": f * (1 - f) * c}
        into = np.stack([ways[name] for name in ("z", *leading)], axis=1)
        after = f[:, None, ..., None] * p + into[..., None] * s[:, None, None, None]
        p = np.where(live[..., None, None], after, p)
        c = np.where(live, f * c + i * g, c)
        q = np.tanh(c)
        h = o * q
        a = np.where(live[..., 0], np.concatenate([gates, h.reshape(E, K)], axis=1), a)
        sources = [h.reshape(E, K)]
        sources += [x[:, t]] * shape.shortcut + [one] * ("v" in w)
        v = np.concatenate(sources, axis=1)
        y = ys[:, t] = logistic((v[:, None] @ V)[:, 0])

        d_y = (y - d[:, t]) * y * (1 - y) * live[..., 0]
        d_h = (V[:, :K] @ d_y[..., None]).reshape(E, M, S)
        e = d_h * o * (1 - q * q)
        V -= rate * v[..., None] * d_y[:, None]
        by_weight = e[:, None, ..., None] * p  # (E, z and gates, M, S, R)
        found = {"z": by_weight[:, 0].reshape(E, K, -1)}
        found |= {name: by_weight[:, 1 + k].sum(axis=2) for k, name in enumerate(leading)}
        found["o"] = (d_h * q).sum(axis=-1, keepdims=True) * o * (1 - o) * s[:, None]
        g_W = np.concatenate([*(found[name] for name in shape.gates), found["z"]], axis=1)
        g_W[:, biased:, -1] = 0
        W -= rate * g_W.transpose(0, 2, 1)
    w["W_x"], w["W_r"], w["b"] = W[:, :D], W[:, D:-1], W[:, -1:, :biased]
    w["V"], rest = V[:, : w["V"].shape[1]], V[:, w["V"].shape[1] :]
    w |= {"v": rest} if "v" in w else {}
    return ys, State(a[:, None], c[:, None], p)


def _learn_elman(
    net: ElmanNet,
    x: Float[Array, "E T D"],
    d: Float[Array, "E T C"],
    due: Bool[Array, "E T"],
    rate: float,
    state: State | None,
) -> tuple[Float[Array, "E T C"], State]:
    w = net.weights
    E, T, _ = x.shape
    h = state.a[:, 0] if state else np.zeros((E, w["W_h"].shape[1]), x.dtype)
    ys = np.empty(d.shape, x.dtype)
    for t in range(T):
        live, before = due[:, t, None], h
        n = x[:, t, None] @ w["W_x"] + before[:, None] @ w["W_h"]
        h = np.where(live, logistic(n[:, 0]), before)
        y = ys[:, t] = logistic((h[:, None] @ w["V"])[:, 0])
        d_y = (y - d[:, t]) * y * (1 - y) * live
        d_n = (w["V"] @ d_y[..., None])[..., 0] * h * (1 - h)
        for name, source, delta in (("W_x", x[:, t], d_n), ("W_h", before, d_n), ("V", h, d_y)):
            w[name] = w[name] - rate * source[..., None] * delta[:, None]
    none = np.zeros((E, 1, 0, 0), x.dtype)
    return ys, State(h[:, None], none)
