r"""Long short-term memory; the columns are i, f, g, o, or i, g, o without a forget gate, and the rows of p are i, f, o.

.. math::
    i, f, g &= \sigma(a_i + h_{t-1} W_{hi} + p_i c_{t-1}), \sigma(\ldots_f), \tanh(a_g + h_{t-1} W_{hg}) \\
    c_t &= f \odot c_{t-1} + i \odot g \\
    o &= \sigma(a_o + h_{t-1} W_{ho} + p_o c_t), \qquad h_t = o \odot \tanh(c_t)

and back, with :math:`\bar y` from outside the recurrence:

.. math::
    \bar a_o &= \bar h_t \tanh(c_t)\, o\, (1 - o) \\
    \bar c_t &\leftarrow \bar c_t + \bar h_t\, o\, (1 - \tanh^2 c_t) + p_o \bar a_o \\
    \bar a_i, \bar a_f, \bar a_g &= \bar c_t\, g\, i\, (1 - i), \quad \bar c_t\, c_{t-1} f\, (1 - f),
        \quad \bar c_t\, i\, (1 - g^2) \\
    \bar c_{t-1} &= \bar c_t f + p_i \bar a_i + p_f \bar a_f, \qquad
        \bar h_{t-1} \leftarrow \bar y_{t-1} + \bar a W_h^\top
"""

import triton
import triton.language as tl

from seqbench.scan.kernels.common import dot, tanh


@triton.jit
def step(a_i, a_f, a_g, a_o, c, p_i, p_f, p_o, FORGET: tl.constexpr, PEEP: tl.constexpr):
    """Return i, f, g, o, the new c and h; ``a`` has the product with h in it."""
    if PEEP:
        a_i += p_i * c
        a_f += p_f * c
    i, f, g = tl.sigmoid(a_i), tl.sigmoid(a_f), tanh(a_g)
    if FORGET:
        c = f * c + i * g
    else:
        c = c + i * g
    if PEEP:
        a_o += p_o * c
    o = tl.sigmoid(a_o)
    return i, f, g, o, c, o * tanh(c)


@triton.jit
def step_back(dh, dc, i, f, g, o, c_old, c, p_i, p_f, p_o, FORGET: tl.constexpr, PEEP: tl.constexpr):  # fmt: skip
    """Return the derivatives by the four a and by the old c."""
    tanh_c = tanh(c)
    da_o = dh * tanh_c * o * (1 - o)
    dc += dh * o * (1 - tanh_c * tanh_c)
    if PEEP:
        dc += p_o * da_o
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_old * f * (1 - f), dc * i * (1 - g * g)
    if FORGET:
        dc = dc * f
    if PEEP:
        dc += p_i * da_i + p_f * da_f
    return da_i, da_f, da_g, da_o, dc


@triton.jit(do_not_specialize=["T", "B"])
def forward(
    a_ptr, gates_ptr, h_ptr, c_ptr, W_ptr, p_ptr, T, B, H,
    a_member, gates_member, h_member, c_member,
    FORGET: tl.constexpr, PEEP: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write the gates, and h and c, rows 1 to T."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    units, inputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if FORGET else 3
    to_g, to_o = (G - 2) * H, (G - 1) * H
    here, at, at_a = (rows < B) & (units < H), rows * H + units, rows * G * H + units
    W_ptr += e * H * G * H + inputs * G * H + units
    square = (inputs < H) & (units < H)
    W_i = tl.load(W_ptr, square, 0)
    W_f = tl.load(W_ptr + H, square, 0) if FORGET else W_i
    W_g = tl.load(W_ptr + to_g, square, 0)
    W_o = tl.load(W_ptr + to_o, square, 0)
    p_i, p_f, p_o = 0.0, 0.0, 0.0
    if PEEP:
        p_ptr += e * 3 * H + units
        p_i = tl.load(p_ptr, units < H, 0)
        p_f = tl.load(p_ptr + H, units < H, 0)
        p_o = tl.load(p_ptr + 2 * H, units < H, 0)
    a_ptr += e * a_member
    gates_ptr += e * gates_member
    h_ptr += e * h_member
    c_ptr += e * c_member
    h, c = tl.load(h_ptr + at, here, 0).to(ACC), tl.load(c_ptr + at, here, 0)
    for _ in tl.range(T, num_stages=STAGES):
        u_i = dot(h, W_i, tl.load(a_ptr + at_a, here, 0).to(ACC), PRECISION)
        u_f = u_i
        if FORGET:
            u_f = dot(h, W_f, tl.load(a_ptr + H + at_a, here, 0).to(ACC), PRECISION)
        u_g = dot(h, W_g, tl.load(a_ptr + to_g + at_a, here, 0).to(ACC), PRECISION)
        u_o = dot(h, W_o, tl.load(a_ptr + to_o + at_a, here, 0).to(ACC), PRECISION)
        i, f, g, o, c, h = step(u_i, u_f, u_g, u_o, c, p_i, p_f, p_o, FORGET, PEEP)
        tl.store(gates_ptr + at_a, i, here)
        if FORGET:
            tl.store(gates_ptr + H + at_a, f, here)
        tl.store(gates_ptr + to_g + at_a, g, here)
        tl.store(gates_ptr + to_o + at_a, o, here)
        a_ptr += B * G * H
        gates_ptr += B * G * H
        h_ptr += B * H
        c_ptr += B * H
        tl.store(h_ptr + at, h, here)
        tl.store(c_ptr + at, c, here)


@triton.jit(do_not_specialize=["T", "B"])
def backward(
    dy_ptr, dh_ptr, dc_ptr, gates_ptr, c_ptr, W_ptr, p_ptr, da_ptr, dp_ptr, T, B, H,
    dy_member, dy_step, dy_row, gates_member, c_member,
    FORGET: tl.constexpr, PEEP: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write the derivative by a, and this program's part of that by p; carry those by h and c."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    units, outputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if FORGET else 3
    to_g, to_o = (G - 2) * H, (G - 1) * H
    here, at, at_a = (rows < B) & (units < H), rows * H + units, rows * G * H + units
    W_ptr += e * H * G * H + units * G * H + outputs  # transposed
    square = (outputs < H) & (units < H)
    W_i = tl.load(W_ptr, square, 0)
    W_f = tl.load(W_ptr + H, square, 0) if FORGET else W_i
    W_g = tl.load(W_ptr + to_g, square, 0)
    W_o = tl.load(W_ptr + to_o, square, 0)
    p_i, p_f, p_o = 0.0, 0.0, 0.0
    if PEEP:
        p_ptr += e * 3 * H + units
        p_i = tl.load(p_ptr, units < H, 0)
        p_f = tl.load(p_ptr + H, units < H, 0)
        p_o = tl.load(p_ptr + 2 * H, units < H, 0)
        dp_i = tl.zeros((BB, WIDTH), ACC)
        dp_f, dp_o = dp_i, dp_i
    last = (T - 1).to(tl.int64)
    dy_ptr += e * dy_member + last * dy_step + rows.to(tl.int64) * dy_row + units
    gates_ptr += e * gates_member + last * B * G * H
    c_ptr += e * c_member + last * B * H
    da_ptr += (e * T + last) * B * G * H
    dh_ptr += e * B * H
    dc_ptr += e * B * H
    dh, dc = tl.load(dh_ptr + at, here, 0), tl.load(dc_ptr + at, here, 0)
    c = tl.load(c_ptr + B * H + at, here, 0)
    for _ in tl.range(T, num_stages=STAGES):
        i = tl.load(gates_ptr + at_a, here, 0).to(ACC)
        f = tl.load(gates_ptr + H + at_a, here, 0).to(ACC) if FORGET else i
        g = tl.load(gates_ptr + to_g + at_a, here, 0).to(ACC)
        o = tl.load(gates_ptr + to_o + at_a, here, 0).to(ACC)
        c_old = tl.load(c_ptr + at, here, 0)
        dh += tl.load(dy_ptr, here, 0).to(ACC)
        da_i, da_f, da_g, da_o, dc = step_back(
            dh, dc, i, f, g, o, c_old, c, p_i, p_f, p_o, FORGET, PEEP
        )
        if PEEP:
            dp_i += da_i * c_old
            dp_f += da_f * c_old
            dp_o += da_o * c
        tl.store(da_ptr + at_a, da_i, here)
        if FORGET:
            tl.store(da_ptr + H + at_a, da_f, here)
        tl.store(da_ptr + to_g + at_a, da_g, here)
        tl.store(da_ptr + to_o + at_a, da_o, here)
        dh = dot(da_i, W_i, tl.zeros((BB, WIDTH), ACC), PRECISION)
        if FORGET:
            dh = dot(da_f, W_f, dh, PRECISION)
        dh = dot(da_g, W_g, dh, PRECISION)
        dh = dot(da_o, W_o, dh, PRECISION)
        c = c_old
        dy_ptr -= dy_step
        gates_ptr -= B * G * H
        c_ptr -= B * H
        da_ptr -= B * G * H
    tl.store(dh_ptr + at, dh, here)
    tl.store(dc_ptr + at, dc, here)
    if PEEP:
        dp_ptr += (e * tl.num_programs(1) + tl.program_id(1)) * 3 * H + units
        tl.store(dp_ptr, tl.sum(dp_i, 0)[None, :], units < H)
        tl.store(dp_ptr + H, tl.sum(dp_f, 0)[None, :], units < H)
        tl.store(dp_ptr + 2 * H, tl.sum(dp_o, 0)[None, :], units < H)


@triton.jit(do_not_specialize=["T", "B"])
def forward_split(
    a_ptr, gates_ptr, h_ptr, c_ptr, W_ptr, p_ptr, T, B, H,
    a_member, gates_member, h_member, c_member,
    FORGET: tl.constexpr, PEEP: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Do as ``forward``, the units in blocks."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    block, inputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if FORGET else 3
    to_g, to_o = (G - 2) * H, (G - 1) * H
    a_ptr += e * a_member
    gates_ptr += e * gates_member
    h_ptr += e * h_member
    c_ptr += e * c_member
    W_ptr += e * H * G * H
    for _ in tl.range(T, num_stages=1):
        for n in tl.range(0, H, WIDTH, num_stages=1):
            units = n + block
            here, at, at_a = (rows < B) & (units < H), rows * H + units, rows * G * H + units
            u_i = tl.load(a_ptr + at_a, here, 0).to(ACC)
            u_f = tl.load(a_ptr + H + at_a, here, 0).to(ACC) if FORGET else u_i
            u_g = tl.load(a_ptr + to_g + at_a, here, 0).to(ACC)
            u_o = tl.load(a_ptr + to_o + at_a, here, 0).to(ACC)
            for k in tl.range(0, H, WIDTH, num_stages=STAGES):
                h = tl.load(h_ptr + rows * H + k + block, (rows < B) & (k + block < H), 0)
                W, square = W_ptr + (k + inputs) * G * H + units, (k + inputs < H) & (units < H)
                u_i = dot(h, tl.load(W, square, 0), u_i, PRECISION)
                if FORGET:
                    u_f = dot(h, tl.load(W + H, square, 0), u_f, PRECISION)
                u_g = dot(h, tl.load(W + to_g, square, 0), u_g, PRECISION)
                u_o = dot(h, tl.load(W + to_o, square, 0), u_o, PRECISION)
            p_i, p_f, p_o = 0.0, 0.0, 0.0
            if PEEP:
                p = p_ptr + e * 3 * H + units
                p_i = tl.load(p, units < H, 0)
                p_f = tl.load(p + H, units < H, 0)
                p_o = tl.load(p + 2 * H, units < H, 0)
            c = tl.load(c_ptr + at, here, 0)
            i, f, g, o, c, h = step(u_i, u_f, u_g, u_o, c, p_i, p_f, p_o, FORGET, PEEP)
            tl.store(gates_ptr + at_a, i, here)
            if FORGET:
                tl.store(gates_ptr + H + at_a, f, here)
            tl.store(gates_ptr + to_g + at_a, g, here)
            tl.store(gates_ptr + to_o + at_a, o, here)
            tl.store(h_ptr + B * H + at, h, here)
            tl.store(c_ptr + B * H + at, c, here)
        a_ptr += B * G * H
        gates_ptr += B * G * H
        h_ptr += B * H
        c_ptr += B * H
        tl.debug_barrier()  # the next step reads the h of all units


@triton.jit(do_not_specialize=["T", "B"])
def backward_split(
    dy_ptr, dh_ptr, dc_ptr, gates_ptr, c_ptr, W_ptr, p_ptr, da_ptr, dp_ptr, T, B, H,
    dy_member, dy_step, dy_row, gates_member, c_member,
    FORGET: tl.constexpr, PEEP: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Do as ``backward``, the units in blocks; the part of the derivative by p starts as zeros."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    block, outputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    G = 4 if FORGET else 3
    to_g, to_o = (G - 2) * H, (G - 1) * H
    last = (T - 1).to(tl.int64)
    dy_ptr += e * dy_member + last * dy_step + rows.to(tl.int64) * dy_row
    gates_ptr += e * gates_member + last * B * G * H
    c_ptr += e * c_member + last * B * H
    da_ptr += (e * T + last) * B * G * H
    dh_ptr += e * B * H
    dc_ptr += e * B * H
    W_ptr += e * H * G * H
    for _ in tl.range(T, num_stages=1):
        for n in tl.range(0, H, WIDTH, num_stages=1):
            units = n + block
            here, at, at_a = (rows < B) & (units < H), rows * H + units, rows * G * H + units
            p_i, p_f, p_o = 0.0, 0.0, 0.0
            if PEEP:
                p = p_ptr + e * 3 * H + units
                p_i = tl.load(p, units < H, 0)
                p_f = tl.load(p + H, units < H, 0)
                p_o = tl.load(p + 2 * H, units < H, 0)
            i = tl.load(gates_ptr + at_a, here, 0).to(ACC)
            f = tl.load(gates_ptr + H + at_a, here, 0).to(ACC) if FORGET else i
            g = tl.load(gates_ptr + to_g + at_a, here, 0).to(ACC)
            o = tl.load(gates_ptr + to_o + at_a, here, 0).to(ACC)
            c_old, c = tl.load(c_ptr + at, here, 0), tl.load(c_ptr + B * H + at, here, 0)
            dh = tl.load(dh_ptr + at, here, 0) + tl.load(dy_ptr + units, here, 0).to(ACC)
            dc = tl.load(dc_ptr + at, here, 0)
            da_i, da_f, da_g, da_o, dc = step_back(
                dh, dc, i, f, g, o, c_old, c, p_i, p_f, p_o, FORGET, PEEP
            )
            if PEEP:
                dp = dp_ptr + (e * tl.num_programs(1) + tl.program_id(1)) * 3 * H + units
                dp_i = tl.load(dp, units < H, 0) + tl.sum(da_i * c_old, 0)[None, :]
                dp_f = tl.load(dp + H, units < H, 0) + tl.sum(da_f * c_old, 0)[None, :]
                dp_o = tl.load(dp + 2 * H, units < H, 0) + tl.sum(da_o * c, 0)[None, :]
                tl.debug_barrier()  # threads hold copies of a sum; all have read before one writes
                tl.store(dp, dp_i, units < H)
                tl.store(dp + H, dp_f, units < H)
                tl.store(dp + 2 * H, dp_o, units < H)
            tl.store(da_ptr + at_a, da_i, here)
            if FORGET:
                tl.store(da_ptr + H + at_a, da_f, here)
            tl.store(da_ptr + to_g + at_a, da_g, here)
            tl.store(da_ptr + to_o + at_a, da_o, here)
            tl.store(dc_ptr + at, dc, here)
        tl.debug_barrier()  # the products read the da of all units
        for n in tl.range(0, H, WIDTH, num_stages=1):
            units = n + block
            dh = tl.zeros((BB, WIDTH), ACC)
            for k in tl.range(0, G * H, WIDTH, num_stages=STAGES):
                da = tl.load(da_ptr + rows * G * H + k + block, (rows < B) & (k + block < G * H), 0)
                W, square = W_ptr + units * G * H + k + outputs, (units < H) & (k + outputs < G * H)
                dh = dot(da, tl.load(W, square, 0), dh, PRECISION)
            tl.store(dh_ptr + rows * H + units, dh, (rows < B) & (units < H))
        tl.debug_barrier()  # and the step before reads their dh
        dy_ptr -= dy_step
        gates_ptr -= B * G * H
        c_ptr -= B * H
        da_ptr -= B * G * H
