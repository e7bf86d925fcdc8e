r"""A recurrence by torch's operations, all members at once, with the backward pass written out.

What flows back through a step is linear: :math:`\bar h_t` times coefficients k that the forward pass has settled. They
are computed for all steps of a chunk at once, and the loop back is left with the few operations that wait for each
other. For the LSTM (with peepholes the terms in brackets are added, without a forget gate f is 1):

.. math::
    \bar a_o &= \bar h_t \odot k_o &&k_o = \tanh(c_t)\, o\, (1 - o) \\
    \bar c_t &\leftarrow \bar c_t + \bar h_t \odot k_c &&k_c = o\, (1 - \tanh^2 c_t)\ [+\ p_o k_o] \\
    \bar a_i, \bar a_f, \bar a_g &= \bar c_t \odot (k_i, k_f, k_g)
        &&k_i = g\, i\, (1 - i), \quad k_f = c_{t-1} f\, (1 - f), \quad k_g = i\, (1 - g^2) \\
    \bar c_{t-1} &= \bar c_t \odot k_d &&k_d = f\ [+\ p_i k_i + p_f k_f] \\
    \bar h_{t-1} &\leftarrow \bar y_{t-1} + \bar a W_h^\top

where :math:`\bar y` comes from outside the recurrence. The others are alike, and stand in their classes.

The sigmoid is the one function of torch's that is fast on every CPU, so tanh x is taken as :math:`2 \sigma(2x) - 1`;
where a gate has the factor 2 in its weights, all gates of a step are one call.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seqbench.axes import Hidden
from seqbench.scan.forms import Form, LSTMForm, RNNForm
from seqbench.scan.recurrence import Chunk, Kept, Loops, States, recurrence
from seqbench.scan.reference import Steps


def ensemble(
    cell: Steps, x: Float[Tensor, "E B T D"], recompute: bool = False
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step."""
    assert cell.form is not None
    return recurrence(loops(cell.form), x, cell.weights, recompute)


def tanh_(x: Tensor) -> Tensor:
    """Return tanh x, in place."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)


def slope(s: Tensor) -> Tensor:
    """Return s (1 - s), the derivative of a sigmoid that is s."""
    return torch.addcmul(s, s, s, value=-1)


def columns(t: Tensor, H: int) -> list[Sequence[Tensor]]:
    """Return, block by block of H columns, the tensors of the steps."""
    return [block.unbind(dim=1) for block in t.split(H, dim=-1)]


def before(dh: Tensor) -> list[Tensor]:
    """Return what step k hands to step k - 1 from outside: nothing, at the first."""
    return [torch.zeros_like(dh[:, 0]), *dh.unbind(dim=1)[:-1]]


class RNNLoops(Loops):
    r"""The plain recurrent network: :math:`\bar a_t = \bar h_t \odot \phi'(a_t)`, which h_t alone tells."""

    parts, blocks = 1, 0

    def __init__(self, form: RNNForm) -> None:
        self.tanh = form.activation == "tanh"

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h."""
        h = states[0].unbind(dim=1)
        if self.tanh:
            a, W_h = a.mul_(2), 2 * W_h
        minus_one, u = -a.new_ones(()), torch.empty_like(a[:, 0])
        for k, a_k in enumerate(a.unbind(dim=1)):
            torch.baddbmm(a_k, h[k], W_h, out=u)
            if self.tanh:
                torch.add(minus_one, u.sigmoid_(), alpha=2, out=h[k + 1])
            else:
                torch.clamp(u, min=0, out=h[k + 1])

    def again(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
        """Return nothing: there are no gates."""
        return a[..., :0]

    def backward(
        self,
        dh: Tensor,
        carry: Sequence[Hidden],
        gates: Kept,
        states: States,
        W_h: Tensor,
        extra: Tensor | None,
    ) -> tuple[Chunk, Tensor, Tensor | None]:
        """Return the derivatives by a and W_h."""
        h = states[0][:, 1:]
        da = 1 - h * h if self.tanh else (h > 0).to(h.dtype)  # φ', then the derivative
        (d,) = carry
        d += dh[:, -1]
        outside, W = before(dh), W_h.transpose(1, 2)
        for k, da_k in reversed([*enumerate(da.unbind(dim=1))]):
            da_k *= d
            torch.baddbmm(outside[k], da_k, W, out=d)
        return da, product(states[0], da), None


class LSTMLoops(Loops):
    """Long short-term memory; equations above."""

    parts = 2

    def __init__(self, form: LSTMForm) -> None:
        self.form = form
        self.blocks = 4 if form.forget else 3

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

    def again(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
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


class GRUAfterLoops(Loops):
    r"""Gated recurrent unit, reset after the product; :math:`q_t = h_{t-1} W_{hn} + b_{hn}` is kept as a fourth gate.

    .. math::
        \bar a_n &= \bar h_t \odot k_n &&k_n = (1 - z)(1 - n^2) \\
        \bar a_r, \bar a_z, \bar q &= \bar h_t \odot (k_r, k_z, k_q)
            &&k_r = k_n q\, r\, (1 - r), \quad k_z = (h_{t-1} - n)\, z\, (1 - z), \quad k_q = k_n r \\
        \bar h_{t-1} &\leftarrow \bar y_{t-1} + \bar h_t \odot z + (\bar a_r, \bar a_z, \bar q)\, W_h^\top
    """

    parts, blocks = 1, 4

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h and the gates."""
        assert extra is not None
        H, B = W_h.shape[1], a.shape[2]
        W_rz, W_n = W_h[..., : 2 * H], W_h[..., 2 * H :]
        a_rz, a_n = a[..., : 2 * H].unbind(dim=1), a[..., 2 * H :].mul_(2).unbind(dim=1)
        h = states[0].unbind(dim=1)
        rz = gates[..., : 2 * H].unbind(dim=1)
        r, z, n, q = columns(gates, H)
        b_hn = extra.expand(-1, B, -1)
        minus_one, u = -a.new_ones(()), torch.empty_like(a[:, 0, :, : 2 * H])
        v, w = torch.empty_like(u[..., :H]), torch.empty_like(u[..., :H])
        for k in range(len(h) - 1):
            torch.baddbmm(a_rz[k], h[k], W_rz, out=u)
            torch.sigmoid(u, out=rz[k])
            torch.baddbmm(b_hn, h[k], W_n, out=v)
            q[k].copy_(v)
            torch.addcmul(a_n[k], r[k], v, value=2, out=w).sigmoid_()
            torch.add(minus_one, w, alpha=2, out=n[k])
            torch.lerp(n[k], h[k], z[k], out=h[k + 1])

    def again(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
        """Return r, z, n, q."""
        assert extra is not None
        H = W_h.shape[1]
        a_rz, a_n = a.split((2 * H, H), dim=-1)
        u_rz, q = through(states[0], W_h).split((2 * H, H), dim=-1)
        rz = (a_rz + u_rz).sigmoid_()
        q = q + extra[:, None]
        n = tanh_(torch.addcmul(a_n, rz[..., :H], q))
        return torch.cat([rz, n, q], dim=-1)

    def backward(
        self,
        dh: Tensor,
        carry: Sequence[Hidden],
        gates: Kept,
        states: States,
        W_h: Tensor,
        extra: Tensor | None,
    ) -> tuple[Chunk, Tensor, Tensor | None]:
        """Return the derivatives by a, W_h and the bias of q."""
        H = W_h.shape[1]
        r, z, n, q = gates.split(H, dim=-1)
        k_n = torch.addcmul(1 - z, z - 1, n * n)
        du = torch.empty_like(gates[..., : 3 * H])  # of h W_h, whose columns are r, z, q
        k_r, k_z, k_q = du.split(H, dim=-1)
        torch.mul(k_n, r, out=k_q)
        torch.mul(k_n * q, slope(r), out=k_r)
        torch.mul(states[0][:, :-1] - n, slope(z), out=k_z)

        (d,) = carry
        d += dh[:, -1]
        outside, W, w = before(dh), W_h.transpose(1, 2), torch.empty_like(d)
        every = torch.empty_like(k_n)  # all the d, for what is left of a_n
        du_k, three, z_k, d_k = (t.unbind(dim=1) for t in (du, du.unflatten(-1, (3, H)), z, every))
        for k in reversed(range(len(du_k))):
            d_k[k].copy_(d)
            three[k].mul_(d[:, :, None])
            torch.addcmul(outside[k], d, z_k[k], out=w)
            torch.baddbmm(w, du_k[k], W, out=d)
        da = torch.cat([du[..., : 2 * H], every.mul_(k_n)], dim=-1)
        return da, product(states[0], du), k_q.sum(dim=(1, 2))[:, None]


class GRUBeforeLoops(Loops):
    r"""Gated recurrent unit, reset before the product; :math:`\bar u = \bar a_n W_{hn}^\top`.

    .. math::
        \bar a_z, \bar a_n &= \bar h_t \odot (k_z, k_n)
            &&k_z = (h_{t-1} - n)\, z\, (1 - z), \quad k_n = (1 - z)(1 - n^2) \\
        \bar a_r &= \bar u \odot k_r &&k_r = h_{t-1} r\, (1 - r) \\
        \bar h_{t-1} &\leftarrow \bar y_{t-1} + \bar h_t \odot z + \bar u \odot r
            + (\bar a_r, \bar a_z)\, (W_{hr}, W_{hz})^\top
    """

    parts, blocks = 1, 3

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h and the gates."""
        H = W_h.shape[1]
        W_rz, W_n = W_h[..., : 2 * H], 2 * W_h[..., 2 * H :]
        a_rz, a_n = a[..., : 2 * H].unbind(dim=1), a[..., 2 * H :].mul_(2).unbind(dim=1)
        h = states[0].unbind(dim=1)
        rz = gates[..., : 2 * H].unbind(dim=1)
        r, z, n = columns(gates, H)
        minus_one, u = -a.new_ones(()), torch.empty_like(a[:, 0, :, : 2 * H])
        v, w = torch.empty_like(u[..., :H]), torch.empty_like(u[..., :H])
        for k in range(len(h) - 1):
            torch.baddbmm(a_rz[k], h[k], W_rz, out=u)
            torch.sigmoid(u, out=rz[k])
            torch.mul(r[k], h[k], out=v)
            torch.baddbmm(a_n[k], v, W_n, out=w).sigmoid_()
            torch.add(minus_one, w, alpha=2, out=n[k])
            torch.lerp(n[k], h[k], z[k], out=h[k + 1])

    def again(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
        """Return r, z, n."""
        H = W_h.shape[1]
        a_rz, a_n = a.split((2 * H, H), dim=-1)
        h = states[0][:, :-1]
        rz = (a_rz + (h.flatten(1, 2) @ W_h[..., : 2 * H]).view_as(a_rz)).sigmoid_()
        v = (rz[..., :H] * h).to(h.dtype).flatten(1, 2)
        n = tanh_(a_n + (v @ W_h[..., 2 * H :]).view_as(a_n))
        return torch.cat([rz, n], dim=-1)

    def backward(
        self,
        dh: Tensor,
        carry: Sequence[Hidden],
        gates: Kept,
        states: States,
        W_h: Tensor,
        extra: Tensor | None,
    ) -> tuple[Chunk, Tensor, Tensor | None]:
        """Return the derivatives by a and W_h."""
        H = W_h.shape[1]
        h = states[0][:, :-1]
        r, z, n = gates.split(H, dim=-1)
        da = torch.empty_like(gates)
        k_r, k_z, k_n = da.split(H, dim=-1)
        torch.mul(slope(r), h, out=k_r)
        torch.mul(slope(z), h - n, out=k_z)
        torch.addcmul(1 - z, z - 1, n * n, out=k_n)

        (d,) = carry
        d += dh[:, -1]
        outside = before(dh)
        W_rz, W_n = (W.transpose(1, 2) for W in W_h.split((2 * H, H), dim=-1))
        u, w = torch.empty_like(d), torch.empty_like(d)
        da_rz = da[..., : 2 * H].unbind(dim=1)
        da_zn = da[..., H:].unflatten(-1, (2, H)).unbind(dim=1)
        da_r, da_n, r_k, z_k = (t.unbind(dim=1) for t in (k_r, k_n, r, z))
        for k in reversed(range(len(da_r))):
            da_zn[k].mul_(d[:, :, None])
            torch.bmm(da_n[k], W_n, out=u)
            da_r[k].mul_(u)
            torch.addcmul(outside[k], d, z_k[k], out=w).addcmul_(u, r_k[k])
            torch.baddbmm(w, da_rz[k], W_rz, out=d)
        v = (r * h).flatten(1, 2).transpose(1, 2)
        dW_n = v @ k_n.flatten(1, 2)
        return da, torch.cat([product(states[0], da[..., : 2 * H]), dW_n], dim=-1), None


def through(h: Tensor, W: Tensor) -> Chunk:
    """Return h_{t-1} W for all steps of a chunk."""
    h = h[:, :-1]
    return (h.flatten(1, 2) @ W).unflatten(1, h.shape[1:3])


def product(h: Tensor, du: Chunk) -> Tensor:
    """Return the derivative by W of h_{t-1} W, over all steps of a chunk, from that by the product."""
    return h[:, :-1].flatten(1, 2).transpose(1, 2) @ du.flatten(1, 2)


def loops(form: Form) -> Loops:
    """Return the loops for a cell."""
    if isinstance(form, RNNForm):
        return RNNLoops(form)
    if isinstance(form, LSTMForm):
        return LSTMLoops(form)
    return GRUAfterLoops() if form.reset == "after" else GRUBeforeLoops()
