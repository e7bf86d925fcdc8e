r"""Long short-term memory.

.. math::
    \bar a_o &= \bar h_t \odot k_o &&k_o = \tanh(c_t)\, o\, (1 - o) \\
    \bar c_t &\leftarrow \bar c_t + \bar h_t \odot k_c &&k_c = o\, (1 - \tanh^2 c_t)\ [+\ p_o k_o] \\
    \bar a_i, \bar a_f, \bar a_g &= \bar c_t \odot (k_i, k_f, k_g)
        &&k_i = g\, i\, (1 - i), \quad k_f = c_{t-1} f\, (1 - f), \quad k_g = i\, (1 - g^2) \\
    \bar c_{t-1} &= \bar c_t \odot k_d &&k_d = f\ [+\ p_i k_i + p_f k_f] \\
    \bar h_{t-1} &\leftarrow \bar y_{t-1} + \bar a W_h^\top


With peepholes the terms in brackets are added; without a forget gate f is 1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqbench.axes import Hidden
from seqbench.scan.ensemble.parts import before, columns, product, slope, tanh_, through
from seqbench.scan.recurrence import Chunk, Kept, Loops, States
from seqbench.scan.specs import LSTMSpec


class LSTMLoops(Loops):
    """Long short-term memory in all its forms."""

    parts = 2

    def __init__(self, spec: LSTMSpec) -> None:
        self.spec = spec
        self.blocks = 4 if spec.forget else 3

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h, c and the gates."""
        H = W_h.shape[1]
        g_columns = slice((self.blocks - 2) * H, (self.blocks - 1) * H)
        W_h = W_h.clone()
        for t in (a, W_h):
            t[..., g_columns] *= 2  # tanh x = 2 σ(2x) - 1
        h, c = (part.unbind(dim=1) for part in states)
        i, *f, g, o = columns(gates, H)
        whole = gates.unbind(dim=1)
        all_but_o = gates[..., :-H].unbind(dim=1)
        minus_one, u, y = (
            -a.new_ones(()),
            torch.empty_like(a[:, 0]),
            torch.empty_like(a[:, 0, :, :H]),
        )
        u_if, u_o = u[..., : 2 * H].unflatten(-1, (2, H)), u[..., -H:]
        for k, a_k in enumerate(a.unbind(dim=1)):
            torch.baddbmm(a_k, h[k], W_h, out=u)
            if extra is None:
                torch.sigmoid(u, out=whole[k])
            else:
                u_if.addcmul_(c[k][:, :, None], extra[:, None, :2])
                torch.sigmoid(u[..., :-H], out=all_but_o[k])
            torch.add(minus_one, g[k], alpha=2, out=g[k])
            if f:
                torch.mul(f[0][k], c[k], out=c[k + 1]).addcmul_(i[k], g[k])
            else:
                torch.addcmul(c[k], i[k], g[k], out=c[k + 1])
            if extra is not None:
                torch.sigmoid(u_o.addcmul_(c[k + 1], extra[:, None, 2]), out=o[k])
            torch.mul(c[k + 1], 2, out=y).sigmoid_()
            torch.add(minus_one, y, alpha=2, out=y)
            torch.mul(o[k], y, out=h[k + 1])

    def recompute_gates(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
        """Return i, f, g, o."""
        a = a + through(states[0], W_h)
        i, *f, g, o = a.split(W_h.shape[1], dim=-1)
        if extra is not None:
            c = states[1]
            p_i, p_f, p_o = extra[:, :, None, None].unbind(dim=1)  # (E, 1, 1, H)
            i.addcmul_(c[:, :-1], p_i)
            f[0].addcmul_(c[:, :-1], p_f)
            o.addcmul_(c[:, 1:], p_o)
        for gate in (i, *f, o):
            gate.sigmoid_()
        tanh_(g)
        return a

    def backward(
        self,
        dh: Tensor,
        carry: Sequence[Hidden],
        gates: Kept,
        states: States,
        W_h: Tensor,
        extra: Tensor | None,
    ) -> tuple[Chunk, Tensor, Tensor | None]:
        """Return the derivatives by a, W_h and the peepholes."""
        H = W_h.shape[1]
        c_old, c_new = states[1][:, :-1], states[1][:, 1:]
        i, *f, g, o = gates.split(H, dim=-1)
        tanh_c = tanh_(c_new.clone())
        da = torch.empty_like(gates)  # the coefficients, then the derivatives
        k_i, *k_f, k_g, k_o = da.split(H, dim=-1)
        torch.mul(slope(i), g, out=k_i)
        torch.addcmul(i, i, g * g, value=-1, out=k_g)
        torch.mul(slope(o), tanh_c, out=k_o)
        k_c = torch.addcmul(o, o, tanh_c.square_(), value=-1)
        k_d = f[0] if f else None
        if f:
            torch.mul(slope(f[0]), c_old, out=k_f[0])
        if extra is not None:
            p_i, p_f, p_o = extra[:, :, None, None].unbind(dim=1)  # (E, 1, 1, H)
            k_c.addcmul_(k_o, p_o)
            k_d = torch.addcmul(f[0], k_i, p_i).addcmul_(k_f[0], p_f)

        d, dc = carry
        d += dh[:, -1]
        outside, W = before(dh), W_h.transpose(1, 2)
        da_k, da_o, k_c_k = (t.unbind(dim=1) for t in (da, k_o, k_c))
        da_ifg = da[..., :-H].unflatten(-1, (-1, H)).unbind(dim=1)
        k_d_k = None if k_d is None else k_d.unbind(dim=1)
        for k in reversed(range(len(da_k))):
            da_o[k].mul_(d)
            dc.addcmul_(d, k_c_k[k])
            da_ifg[k].mul_(dc[:, :, None])
            if k_d_k is not None:
                dc.mul_(k_d_k[k])
            torch.baddbmm(outside[k], da_k[k], W, out=d)

        dp = None
        if extra is not None:
            seen = (k_i * c_old, k_f[0] * c_old, k_o * c_new)
            dp = torch.stack([each.sum(dim=(1, 2)) for each in seen], dim=1)
        return da, product(states[0], da), dp
