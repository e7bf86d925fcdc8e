"""Gated recurrent units."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqbench.axes import Hidden
from seqbench.scan.ensemble.parts import before, columns, product, slope, tanh_, through
from seqbench.scan.recurrence import Chunk, Kept, Loops, States


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

    def recompute_gates(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
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

    def recompute_gates(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
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
