r"""Gated recurrent unit, reset after the product or before it; the columns are r, z, n.

.. math::
    r, z &= \sigma(a_r + h_{t-1} W_{hr}), \sigma(a_z + h_{t-1} W_{hz}) \\
    n &= \tanh(a_n + r \odot q), \quad q = h_{t-1} W_{hn} + b_{hn} &&\text{reset after} \\
    n &= \tanh(a_n + (r \odot h_{t-1}) W_{hn}) &&\text{reset before} \\
    h_t &= (1 - z) \odot n + z \odot h_{t-1}

and back, with :math:`\bar y` from outside the recurrence:

.. math::
    \bar a_n, \bar a_z &= \bar h_t (1 - z)(1 - n^2), \quad \bar h_t (h_{t-1} - n)\, z\, (1 - z) \\
    \bar q, \bar a_r &= \bar a_n r, \quad \bar a_n q\, r\, (1 - r), \qquad
        \bar h_{t-1} \leftarrow \bar y_{t-1} + \bar h_t z + (\bar a_r, \bar a_z, \bar q) W_h^\top
        &&\text{reset after} \\
    \bar u, \bar a_r &= \bar a_n W_{hn}^\top, \quad \bar u\, h_{t-1} r\, (1 - r), \qquad
        \bar h_{t-1} \leftarrow \bar y_{t-1} + \bar h_t z + \bar u r + (\bar a_r, \bar a_z)(W_{hr}, W_{hz})^\top
        &&\text{reset before}

With the reset after the product, gates and derivatives have q as a fourth block.
"""

import triton
import triton.language as tl

from seqbench.scan.kernels.common import dot, tanh


@triton.jit
def step_back(dh, z, n, h_old):
    """Return the derivatives by a_z and a_n."""
    return dh * (h_old - n) * z * (1 - z), dh * (1 - z) * (1 - n * n)


@triton.jit(do_not_specialize=["T", "B"])
def forward(
    a_ptr, gates_ptr, h_ptr, state_ptr, W_ptr, b_ptr, T, B, H, a_member, gates_member, h_member,
    AFTER: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write the gates, and h, rows 1 to T; it starts from ``state``."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    units, inputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if AFTER else 3  # of what is kept
    here, at = (rows < B) & (units < H), rows * H + units
    at_a, at_gates = rows * 3 * H + units, rows * G * H + units
    W_ptr += e * H * 3 * H + inputs * 3 * H + units
    square = (inputs < H) & (units < H)
    W_r = tl.load(W_ptr, square, 0)
    W_z = tl.load(W_ptr + H, square, 0)
    W_n = tl.load(W_ptr + 2 * H, square, 0)
    if AFTER:
        b = tl.load(b_ptr + e * H + units, units < H, 0) + tl.zeros((BB, WIDTH), ACC)
    a_ptr += e * a_member
    gates_ptr += e * gates_member
    h_ptr += e * h_member
    h = tl.load(state_ptr + e * B * H + at, here, 0)
    for _ in tl.range(T, num_stages=STAGES):
        r = tl.sigmoid(dot(h, W_r, tl.load(a_ptr + at_a, here, 0).to(ACC), PRECISION))
        z = tl.sigmoid(dot(h, W_z, tl.load(a_ptr + H + at_a, here, 0).to(ACC), PRECISION))
        a_n = tl.load(a_ptr + 2 * H + at_a, here, 0).to(ACC)
        if AFTER:
            q = dot(h, W_n, b, PRECISION)
            n = tanh(a_n + r * q)
            tl.store(gates_ptr + 3 * H + at_gates, q, here)
        else:
            n = tanh(dot(r * h, W_n, a_n, PRECISION))
        tl.store(gates_ptr + at_gates, r, here)
        tl.store(gates_ptr + H + at_gates, z, here)
        tl.store(gates_ptr + 2 * H + at_gates, n, here)
        h = n + z * (h - n)
        a_ptr += B * 3 * H
        gates_ptr += B * G * H
        h_ptr += B * H
        tl.store(h_ptr + at, h, here)


@triton.jit(do_not_specialize=["T", "B"])
def backward(
    dy_ptr, dh_ptr, gates_ptr, h_ptr, W_ptr, da_ptr, T, B, H,
    dy_member, dy_step, dy_row, gates_member, h_member,
    AFTER: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write the derivatives by a and q; carry that by h from after the chunk to before it."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    units, outputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if AFTER else 3
    here, at, at_gates = (rows < B) & (units < H), rows * H + units, rows * G * H + units
    W_ptr += e * H * 3 * H + units * 3 * H + outputs  # transposed
    square = (outputs < H) & (units < H)
    W_r = tl.load(W_ptr, square, 0)
    W_z = tl.load(W_ptr + H, square, 0)
    W_n = tl.load(W_ptr + 2 * H, square, 0)
    last = (T - 1).to(tl.int64)
    dy_ptr += e * dy_member + last * dy_step + rows.to(tl.int64) * dy_row + units
    gates_ptr += e * gates_member + last * B * G * H
    h_ptr += e * h_member + last * B * H
    da_ptr += (e * T + last) * B * G * H
    dh_ptr += e * B * H
    dh = tl.load(dh_ptr + at, here, 0)
    for _ in tl.range(T, num_stages=STAGES):
        r = tl.load(gates_ptr + at_gates, here, 0).to(ACC)
        z = tl.load(gates_ptr + H + at_gates, here, 0).to(ACC)
        n = tl.load(gates_ptr + 2 * H + at_gates, here, 0).to(ACC)
        h_old = tl.load(h_ptr + at, here, 0).to(ACC)
        dh += tl.load(dy_ptr, here, 0).to(ACC)
        da_z, da_n = step_back(dh, z, n, h_old)
        if AFTER:
            q = tl.load(gates_ptr + 3 * H + at_gates, here, 0).to(ACC)
            da_r, dq = da_n * q * r * (1 - r), da_n * r
            tl.store(da_ptr + 3 * H + at_gates, dq, here)
            dh = dot(dq, W_n, dh * z, PRECISION)
        else:
            du = dot(da_n, W_n, tl.zeros((BB, WIDTH), ACC), PRECISION)
            da_r = du * h_old * r * (1 - r)
            dh = dh * z + du * r
        tl.store(da_ptr + at_gates, da_r, here)
        tl.store(da_ptr + H + at_gates, da_z, here)
        tl.store(da_ptr + 2 * H + at_gates, da_n, here)
        dh = dot(da_r, W_r, dh, PRECISION)
        dh = dot(da_z, W_z, dh, PRECISION)
        dy_ptr -= dy_step
        gates_ptr -= B * G * H
        h_ptr -= B * H
        da_ptr -= B * G * H
    tl.store(dh_ptr + at, dh, here)


@triton.jit(do_not_specialize=["T", "B"])
def forward_split(
    a_ptr, gates_ptr, h_ptr, state_ptr, W_ptr, b_ptr, T, B, H, a_member, gates_member, h_member,
    AFTER: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Do as ``forward``, the units in blocks; uses up ``state``, and a_r with the reset before the product."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    block, inputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if AFTER else 3
    a_ptr += e * a_member
    gates_ptr += e * gates_member
    h_ptr += e * h_member
    state_ptr += e * B * H
    W_ptr += e * H * 3 * H
    for _ in tl.range(T, num_stages=1):
        for n_0 in tl.range(0, H, WIDTH, num_stages=1):
            units = n_0 + block
            here, at = (rows < B) & (units < H), rows * H + units
            at_a, at_gates = rows * 3 * H + units, rows * G * H + units
            u_r = tl.load(a_ptr + at_a, here, 0).to(ACC)
            u_z = tl.load(a_ptr + H + at_a, here, 0).to(ACC)
            q = tl.zeros((BB, WIDTH), ACC)
            if AFTER:
                q += tl.load(b_ptr + e * H + units, units < H, 0)
            for k in tl.range(0, H, WIDTH, num_stages=STAGES):
                h = tl.load(h_ptr + rows * H + k + block, (rows < B) & (k + block < H), 0)
                W, square = W_ptr + (k + inputs) * 3 * H + units, (k + inputs < H) & (units < H)
                u_r = dot(h, tl.load(W, square, 0), u_r, PRECISION)
                u_z = dot(h, tl.load(W + H, square, 0), u_z, PRECISION)
                if AFTER:
                    q = dot(h, tl.load(W + 2 * H, square, 0), q, PRECISION)
            r, z = tl.sigmoid(u_r), tl.sigmoid(u_z)
            tl.store(gates_ptr + at_gates, r, here)
            tl.store(gates_ptr + H + at_gates, z, here)
            h = tl.load(state_ptr + at, here, 0)
            if AFTER:
                n = tanh(tl.load(a_ptr + 2 * H + at_a, here, 0).to(ACC) + r * q)
                h = n + z * (h - n)
                tl.store(gates_ptr + 2 * H + at_gates, n, here)
                tl.store(gates_ptr + 3 * H + at_gates, q, here)
                tl.store(h_ptr + B * H + at, h, here)
                tl.store(state_ptr + at, h, here)
            else:
                tl.store(a_ptr + at_a, r * h, here)
        tl.debug_barrier()  # the products below read the r h of all units; the next step, their h
        if not AFTER:
            for n_0 in tl.range(0, H, WIDTH, num_stages=1):
                units = n_0 + block
                here, at = (rows < B) & (units < H), rows * H + units
                at_a, at_gates = rows * 3 * H + units, rows * G * H + units
                u = tl.load(a_ptr + 2 * H + at_a, here, 0).to(ACC)
                for k in tl.range(0, H, WIDTH, num_stages=STAGES):
                    v = tl.load(a_ptr + rows * 3 * H + k + block, (rows < B) & (k + block < H), 0)
                    W, square = W_ptr + (k + inputs) * 3 * H + units, (k + inputs < H) & (units < H)
                    u = dot(v, tl.load(W + 2 * H, square, 0), u, PRECISION)
                n, z = tanh(u), tl.load(gates_ptr + H + at_gates, here, 0).to(ACC)
                h = tl.load(state_ptr + at, here, 0)
                h = n + z * (h - n)
                tl.store(gates_ptr + 2 * H + at_gates, n, here)
                tl.store(h_ptr + B * H + at, h, here)
                tl.store(state_ptr + at, h, here)
            tl.debug_barrier()  # the next step reads the h of all units
        a_ptr += B * 3 * H
        gates_ptr += B * G * H
        h_ptr += B * H


@triton.jit(do_not_specialize=["T", "B"])
def backward_split(
    dy_ptr, dh_ptr, gates_ptr, h_ptr, W_ptr, da_ptr, T, B, H,
    dy_member, dy_step, dy_row, gates_member, h_member,
    AFTER: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Do as ``backward``, the units in blocks."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    block, outputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if AFTER else 3
    last = (T - 1).to(tl.int64)
    dy_ptr += e * dy_member + last * dy_step + rows.to(tl.int64) * dy_row
    gates_ptr += e * gates_member + last * B * G * H
    h_ptr += e * h_member + last * B * H
    da_ptr += (e * T + last) * B * G * H
    dh_ptr += e * B * H
    W_ptr += e * H * 3 * H
    for _ in tl.range(T, num_stages=1):
        for n_0 in tl.range(0, H, WIDTH, num_stages=1):
            units = n_0 + block
            here, at, at_gates = (rows < B) & (units < H), rows * H + units, rows * G * H + units
            r = tl.load(gates_ptr + at_gates, here, 0).to(ACC)
            z = tl.load(gates_ptr + H + at_gates, here, 0).to(ACC)
            n = tl.load(gates_ptr + 2 * H + at_gates, here, 0).to(ACC)
            h_old = tl.load(h_ptr + at, here, 0).to(ACC)
            dh = tl.load(dh_ptr + at, here, 0) + tl.load(dy_ptr + units, here, 0).to(ACC)
            da_z, da_n = step_back(dh, z, n, h_old)
            if AFTER:
                q = tl.load(gates_ptr + 3 * H + at_gates, here, 0).to(ACC)
                tl.store(da_ptr + at_gates, da_n * q * r * (1 - r), here)
                tl.store(da_ptr + 3 * H + at_gates, da_n * r, here)
            tl.store(da_ptr + H + at_gates, da_z, here)
            tl.store(da_ptr + 2 * H + at_gates, da_n, here)
            tl.store(dh_ptr + at, dh * z, here)
        tl.debug_barrier()  # the products read the da of all units
        if not AFTER:
            for n_0 in tl.range(0, H, WIDTH, num_stages=1):
                units = n_0 + block
                here, at, at_gates = (
                    (rows < B) & (units < H),
                    rows * H + units,
                    rows * G * H + units,
                )
                du = tl.zeros((BB, WIDTH), ACC)
                for k in tl.range(0, H, WIDTH, num_stages=STAGES):
                    da, inside = da_ptr + rows * G * H + k + block, (rows < B) & (k + block < H)
                    W, square = W_ptr + units * 3 * H + k + outputs, (k + outputs < H) & (units < H)
                    da_n = tl.load(da + 2 * H, inside, 0)
                    du = dot(da_n, tl.load(W + 2 * H, square, 0), du, PRECISION)
                r = tl.load(gates_ptr + at_gates, here, 0).to(ACC)
                h_old = tl.load(h_ptr + at, here, 0).to(ACC)
                tl.store(da_ptr + at_gates, du * h_old * r * (1 - r), here)
                tl.store(dh_ptr + at, tl.load(dh_ptr + at, here, 0) + du * r, here)
            tl.debug_barrier()  # of a_r, too
        for n_0 in tl.range(0, H, WIDTH, num_stages=1):
            units = n_0 + block
            here, at = (rows < B) & (units < H), rows * H + units
            dh = tl.load(dh_ptr + at, here, 0)
            for k in tl.range(0, H, WIDTH, num_stages=STAGES):
                da, inside = da_ptr + rows * G * H + k + block, (rows < B) & (k + block < H)
                W, square = W_ptr + units * 3 * H + k + outputs, (k + outputs < H) & (units < H)
                dh = dot(tl.load(da, inside, 0), tl.load(W, square, 0), dh, PRECISION)
                dh = dot(tl.load(da + H, inside, 0), tl.load(W + H, square, 0), dh, PRECISION)
                if AFTER:
                    dh = dot(tl.load(da + 3 * H, inside, 0), tl.load(W + 2 * H, square, 0), dh, PRECISION)  # fmt: skip
            tl.store(dh_ptr + at, dh, here)
        tl.debug_barrier()  # the step before reads their dh
        dy_ptr -= dy_step
        gates_ptr -= B * G * H
        h_ptr -= B * H
        da_ptr -= B * G * H
