r"""The nets of 1997 to 2000 and their truncated gradients: memory cells in blocks with shared gates.

A block has ``cells`` cells, one input gate and one output gate; since 2000 also a forget gate (otherwise f = 1). With
the logistic function σ, and with r for the previous output of the hidden layer, its cells and usually its gates as
well:

.. math::
    n_t &= x_t W_x + r_{t-1} W_r + b, \qquad i_t, f_t, o_t = \sigma(n_t), \qquad
    g_t = 4 \sigma(n_t) - 2 \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot (2 \sigma(c_t) - 1), \qquad y_t = \sigma([h_t, x_t] V + v)

Error flows back in time through the cells only: an error that reaches a net input n_t changes the weights leading to it
and is truncated there. So r is a constant for the gradient, and everything but the sum along c is computed for all t at
once.
With the squared error :math:`\tfrac12 \lVert y_t - d_t \rVert^2`, and δ for the error of a net input:

.. math::
    \delta^y_t &= (y_t - d_t) \odot y_t \odot (1 - y_t), \qquad \delta^h_t = \delta^y_t V^\top \\
    \delta^o_t &= o_t (1 - o_t) \textstyle\sum_{\text{block}} \delta^h_t \odot (2 \sigma(c_t) - 1) \\
    \epsilon_t &= \delta^h_t \odot o_t \odot h'(c_t) + f_{t+1} \odot \epsilon_{t+1} \\
    \delta^z_t &= \epsilon_t \odot i_t \odot g'(n_t), \qquad
    \delta^i_t = i_t (1 - i_t) \textstyle\sum_{\text{block}} \epsilon_t \odot g_t, \qquad
    \delta^f_t = f_t (1 - f_t) \textstyle\sum_{\text{block}} \epsilon_t \odot c_{t-1}

All squashing functions are scaled and shifted tanh of half their argument; in the code g and c are half of the above,
so that they are plain tanh. The code uses NumPy: the arrays are so small that the call overhead dominates, and that of
torch is larger.

Source: Hochreiter and Schmidhuber (1997), appendix A.1; Gers, Schmidhuber and Cummins (2000) for the forget gate; Elman
(1990) for the other net.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from seqbench.ledger.rows import Blocks, Elman
from seqbench.random import Keys

Array = np.ndarray
Inputs = Float[Array, "E B T D"]
Answers = Float[Array, "E B T C"]
Weights = dict[str, Array]


class State(NamedTuple):
    """The state carried to the next step: activations a of the hidden layer, and cells c.

    With a weight update at every symbol, also p, the derivatives of the cells by the weights (``realtime``).
    """

    a: Float[Array, "E B U"]
    c: Float[Array, "E B M S"]
    p: Float[Array, "E N M S R"] | None = None

    def map_parts(self, change: Callable[[Array], Array]) -> "State":
        """Return the state with a function applied to every part."""
        return State(change(self.a), change(self.c), None if self.p is None else change(self.p))


class Trace(NamedTuple):
    """Everything that the gradient needs of a forward pass, time first; a and c include the initial state."""

    x: Float[Array, "T E B D"]
    a: Float[Array, "T1 E B U"]
    c: Float[Array, "T1 E B M S"]
    g: Float[Array, "T E B M S"]
    y: Float[Array, "T E B C"]


class Net(ABC):
    """E nets side by side; the first axis of every weight is E."""

    weights: Weights
    trace: Trace

    @abstractmethod
    def forward(self, x: Inputs, state: State | None = None) -> Answers:
        """Return y for every step, and keep the trace."""

    @abstractmethod
    def gradient(self, error: Answers) -> Weights:
        """Return the truncated gradient for the errors y - d of the last forward pass, 0 where no answer is due."""

    def descend(self, error: Answers, rate: float) -> None:
        """Take one step of plain gradient descent."""
        for name, g in self.gradient(error).items():
            self.weights[name] -= rate * g

    def state(self, length: Int[Array, "E B"]) -> State:
        """Return the state of each sequence after the given number of steps."""
        E, B = length.shape
        e, b = np.arange(E)[:, None], np.arange(B)
        return State(self.trace.a[length, e, b], self.trace.c[length, e, b])

    def select(self, rows: Int[Array, " K"]) -> None:
        """Keep only these nets."""
        self.weights = {name: w[rows] for name, w in self.weights.items()}

    @property
    def parameters(self) -> int:
        """Return the number of weights of one net."""
        return sum(prod(w.shape[1:]) for w in self.weights.values())


def draw_weights(keys: Keys, name: str, *shape: int, bound: float) -> Array:
    """Return weights ``(E, *shape)`` drawn evenly within ±bound, each net's from its own keys."""
    return keys.uniform(name, *shape, low=-bound, high=bound).numpy()


def sum_over_time(source: Float[Array, "T E B K"], delta: Float[Array, "T E B G"]) -> Array:
    """Return the gradient ``(E, K, G)`` of the weights between a source and a net input."""
    T, E, B, K = source.shape
    rows = source.transpose(1, 3, 0, 2).reshape(E, K, T * B)
    return rows @ delta.transpose(1, 0, 2, 3).reshape(E, T * B, -1)


def put_time_first(x: Inputs) -> Float[Array, "T E B D"]:
    """Return the array with time as the first axis."""
    return np.ascontiguousarray(x.transpose(2, 0, 1, 3))


def logistic(n: Array) -> Array:
    """Return σ(n) without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * n)


@dataclass
class BlockLSTM(Net):
    """Memory cells in blocks.

    The columns of W_x and W_r, and the units of the hidden layer a, are the gates i, f, o of all blocks, then the
    cells: M blocks of S cells, U units in total. The units from ``first`` on are fed back.
    """

    shape: Blocks
    weights: Weights = field(repr=False)

    @classmethod
    def draw(cls, shape: Blocks, keys: Keys, bound: float) -> "BlockLSTM":
        """Return nets with weights within ±bound and the gate biases of the shape."""
        D, C, M, K = shape.inputs, shape.outputs, shape.blocks, shape.blocks * shape.cells
        U = len(shape.gates) * M + K
        sources = U if shape.gates_feed_back else K
        biased = U if shape.cells_biased else U - K
        sizes = {"W_x": (D, U), "W_r": (sources, U), "b": (1, biased)}
        sizes["V"] = (K + D * shape.shortcut, C)
        if shape.outputs_biased:
            sizes["v"] = (1, C)
        weights = {
            name: draw_weights(keys, name, *size, bound=bound) for name, size in sizes.items()
        }
        for gate, biases in shape.gate_biases:
            start = shape.gates.index(gate) * M
            weights["b"][:, 0, start : start + M] = biases
        return cls(shape, weights)

    @property
    def G(self) -> int:
        """Return the number of gates of all blocks."""
        return len(self.shape.gates) * self.shape.blocks

    @property
    def first(self) -> int:
        """Return the index of the first unit that is fed back."""
        return 0 if self.shape.gates_feed_back else self.G

    def split_units(self, a: Float[Array, "T E B U"]) -> tuple[Array, Array | None, Array, Array]:
        """Return views of the gates i, f, o ``(T, E, B, M, 1)``, and of the cells ``(T, E, B, M, S)``."""
        M, S = self.shape.blocks, self.shape.cells
        gate = {name: a[..., k * M : (k + 1) * M, None] for k, name in enumerate(self.shape.gates)}
        cells = a[..., self.G :].reshape(*a.shape[:-1], M, S)
        return gate["i"], gate.get("f"), gate["o"], cells

    def forward(self, x: Inputs, state: State | None = None) -> Answers:
        """Return y for every step, and keep the trace."""
        w, G, M, S = self.weights, self.G, self.shape.blocks, self.shape.cells
        E, B, T, _ = x.shape
        x_t = put_time_first(x)
        n = x_t @ w["W_x"]  # (T, E, B, U)
        n[..., : w["b"].shape[-1]] += w["b"]
        n *= 0.5
        W_r = 0.5 * w["W_r"]
        a = np.zeros((T + 1, *n.shape[1:]), n.dtype)
        c = np.zeros((T + 1, E, B, M, S), n.dtype)
        g = np.empty((T, E, B, M, S), n.dtype)
        q = np.empty((E, B, M, S), n.dtype)
        if state is not None:
            a[0], c[0] = state.a, state.c
        r, after = a[..., self.first :], a[1:]
        i, f, o, h = self.split_units(after)
        for t in range(T):
            np.matmul(r[t], W_r, out=after[t])
            after[t] += n[t]
            np.tanh(h[t], out=g[t])
            gates = after[t, ..., :G]
            np.tanh(gates, out=gates)
            gates *= 0.5
            gates += 0.5
            np.multiply(i[t], g[t], out=c[t + 1])
            c[t + 1] += c[t] if f is None else f[t] * c[t]
            np.tanh(c[t + 1], out=q)
            np.multiply(o[t], q, out=h[t])
        y = logistic(self.make_output_inputs(a, x_t) @ w["V"] + w.get("v", 0))
        self.trace = Trace(x_t, a, c, g, y)
        return y.transpose(1, 2, 0, 3)

    def make_output_inputs(self, a: Float[Array, "T1 E B U"], x: Float[Array, "T E B D"]) -> Array:
        """Return the inputs of the output layer: the cells, and x if there is a shortcut."""
        h = a[1:, ..., self.G :]
        return np.concatenate([h, x], axis=-1) if self.shape.shortcut else h

    def gradient(self, error: Answers) -> Weights:
        """Return the truncated gradient for the errors y - d of the last forward pass."""
        x, a, c, g, y = self.trace
        i, f, o, _ = self.split_units(a[1:])
        q = np.tanh(c[1:])
        d_y = put_time_first(error) * y * (1 - y)
        d_h = d_y @ self.weights["V"][:, : c[0, 0, 0].size].transpose(0, 2, 1)
        d_h = d_h.reshape(q.shape)
        d_o = (d_h * q).sum(axis=-1, keepdims=True) * o * (1 - o)
        e = d_h * o * (1 - q * q)
        if f is None:
            e = e[::-1].cumsum(axis=0)[::-1]
        else:
            for t in range(len(e) - 2, -1, -1):
                e[t] += f[t + 1] * e[t + 1]
        d = {"i": (e * g).sum(axis=-1, keepdims=True) * i * (1 - i), "o": d_o}
        if f is not None:
            d["f"] = (e * c[:-1]).sum(axis=-1, keepdims=True) * f * (1 - f)
        d_z = 0.5 * e * i * (1 - g * g)
        parts = [*(d[gate] for gate in self.shape.gates), d_z]
        d_n = np.concatenate([part.reshape(*part.shape[:3], -1) for part in parts], axis=-1)
        found = {
            "W_x": sum_over_time(x, d_n),
            "W_r": sum_over_time(a[:-1, ..., self.first :], d_n),
            "b": d_n[..., : self.weights["b"].shape[-1]].sum(axis=(0, 2))[:, None],
            "V": sum_over_time(self.make_output_inputs(a, x), d_y),
        }
        if "v" in self.weights:
            found["v"] = d_y.sum(axis=(0, 2))[:, None]
        return found


@dataclass
class ElmanNet(Net):
    r"""An Elman net: the previous hidden layer is a constant input, so errors are not propagated through time.

    .. math::
        h_t = \sigma(x_t W_x + h_{t-1} W_h), \qquad y_t = \sigma(h_t V)
    """

    shape: Elman
    weights: Weights = field(repr=False)

    @classmethod
    def draw(cls, shape: Elman, keys: Keys, bound: float) -> "ElmanNet":
        """Return nets with weights within ±bound."""
        D, H, C = shape.inputs, shape.hidden, shape.outputs
        sizes = {"W_x": (D, H), "W_h": (H, H), "V": (H, C)}
        return cls(
            shape, {name: draw_weights(keys, name, *s, bound=bound) for name, s in sizes.items()}
        )

    def forward(self, x: Inputs, state: State | None = None) -> Answers:
        """Return y for every step, and keep the trace."""
        w = self.weights
        x_t = put_time_first(x)
        n = x_t @ w["W_x"]  # (T, E, B, H)
        a = np.zeros((len(n) + 1, *n.shape[1:]), n.dtype)
        if state is not None:
            a[0] = state.a
        for t in range(len(n)):
            a[t + 1] = logistic(a[t] @ w["W_h"] + n[t])
        y = logistic(a[1:] @ w["V"])
        none = np.zeros((*a.shape[:3], 0, 0), n.dtype)
        self.trace = Trace(x_t, a, none, none[1:], y)
        return y.transpose(1, 2, 0, 3)

    def gradient(self, error: Answers) -> Weights:
        """Return the gradient within each step, for the errors y - d of the last forward pass."""
        x, a, _, _, y = self.trace
        h = a[1:]
        d_y = put_time_first(error) * y * (1 - y)
        d_n = d_y @ self.weights["V"].transpose(0, 2, 1) * h * (1 - h)
        return {
            "W_x": sum_over_time(x, d_n),
            "W_h": sum_over_time(a[:-1], d_n),
            "V": sum_over_time(h, d_y),
        }


def draw_net(shape: Blocks | Elman, keys: Keys, bound: float) -> BlockLSTM | ElmanNet:
    """Return a net of this shape for each identity."""
    return (
        BlockLSTM.draw(shape, keys, bound)
        if isinstance(shape, Blocks)
        else ElmanNet.draw(shape, keys, bound)
    )
