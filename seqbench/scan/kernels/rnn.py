r"""The plain recurrent network.

.. math::
    h_t &= \phi(a_t + h_{t-1} W_h) \\
    \bar a_t &= \bar h_t \odot \phi'(a_t), \qquad \bar h_{t-1} \leftarrow \bar y_{t-1} + \bar a_t W_h^\top
"""

import triton
import triton.language as tl

from seqbench.scan.kernels.common import dot, tanh


@triton.jit
def phi(u, RELU: tl.constexpr):
    """Return the activation."""
    if RELU:
        return tl.where(u <= 0, tl.zeros_like(u), u)  # NaN stays NaN, where tl.maximum drops it
    else:
        return tanh(u)


@triton.jit
def slope(h, RELU: tl.constexpr):
    """Return the derivative of the activation, which its value tells."""
    if RELU:
        return tl.where(h > 0, 1.0, 0.0).to(h.dtype)
    else:
        return 1 - h * h


@triton.jit(do_not_specialize=["T", "B"])
def forward(
    a_ptr, h_ptr, W_ptr, T, B, H, a_member, h_member,
    RELU: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write h, rows 1 to T."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    units, inputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    here, at = (rows < B) & (units < H), rows * H + units
    W = tl.load(W_ptr + e * H * H + inputs * H + units, (inputs < H) & (units < H), 0)
    a_ptr += e * a_member
    h_ptr += e * h_member
    h = tl.load(h_ptr + at, here, 0).to(ACC)
    for _ in tl.range(T, num_stages=STAGES):
        a = tl.load(a_ptr + at, here, 0).to(ACC)
        h = phi(dot(h, W, a, PRECISION), RELU)
        a_ptr += B * H
        h_ptr += B * H
        tl.store(h_ptr + at, h, here)


@triton.jit(do_not_specialize=["T", "B"])
def backward(
    dy_ptr, dh_ptr, h_ptr, W_ptr, da_ptr, T, B, H, dy_member, dy_step, dy_row, h_member,
    RELU: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Write the derivative by a; carry that by h from after the chunk to before it."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    units, outputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    here, at = (rows < B) & (units < H), rows * H + units
    W = tl.load(W_ptr + e * H * H + units * H + outputs, (outputs < H) & (units < H), 0)
    last = (T - 1).to(tl.int64)
    dy_ptr += e * dy_member + last * dy_step + rows.to(tl.int64) * dy_row + units
    h_ptr += e * h_member + (last + 1) * B * H
    da_ptr += (e * T + last) * B * H
    dh_ptr += e * B * H
    dh = tl.load(dh_ptr + at, here, 0)
    for _ in tl.range(T, num_stages=STAGES):
        dh += tl.load(dy_ptr, here, 0).to(ACC)
        da = dh * slope(tl.load(h_ptr + at, here, 0).to(ACC), RELU)
        tl.store(da_ptr + at, da, here)
        dh = dot(da, W, tl.zeros((BB, WIDTH), ACC), PRECISION)
        dy_ptr -= dy_step
        h_ptr -= B * H
        da_ptr -= B * H
    tl.store(dh_ptr + at, dh, here)


@triton.jit(do_not_specialize=["T", "B"])
def forward_split(
    a_ptr, h_ptr, W_ptr, T, B, H, a_member, h_member,
    RELU: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Do as ``forward``, the units in blocks."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    block, inputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    a_ptr += e * a_member
    h_ptr += e * h_member
    W_ptr += e * H * H
    for _ in tl.range(T, num_stages=1):
        for n in tl.range(0, H, WIDTH, num_stages=1):
            units = n + block
            here, at = (rows < B) & (units < H), rows * H + units
            u = tl.load(a_ptr + at, here, 0).to(ACC)
            for k in tl.range(0, H, WIDTH, num_stages=STAGES):
                h = tl.load(h_ptr + rows * H + k + block, (rows < B) & (k + block < H), 0)
                W = tl.load(W_ptr + (k + inputs) * H + units, (k + inputs < H) & (units < H), 0)
                u = dot(h, W, u, PRECISION)
            tl.store(h_ptr + B * H + at, phi(u, RELU), here)
        a_ptr += B * H
        h_ptr += B * H
        tl.debug_barrier()  # the next step reads what all of this one have written


@triton.jit(do_not_specialize=["T", "B"])
def backward_split(
    dy_ptr, dh_ptr, h_ptr, W_ptr, da_ptr, T, B, H, dy_member, dy_step, dy_row, h_member,
    RELU: tl.constexpr, WIDTH: tl.constexpr, BB: tl.constexpr,
    ACC: tl.constexpr, PRECISION: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Do as ``backward``, the units in blocks."""
    e = tl.program_id(0).to(tl.int64)
    rows = (tl.program_id(1) * BB + tl.arange(0, BB))[:, None]
    block, outputs = tl.arange(0, WIDTH)[None, :], tl.arange(0, WIDTH)[:, None]
    last = (T - 1).to(tl.int64)
    dy_ptr += e * dy_member + last * dy_step + rows.to(tl.int64) * dy_row
    h_ptr += e * h_member + (last + 1) * B * H
    da_ptr += (e * T + last) * B * H
    dh_ptr += e * B * H
    W_ptr += e * H * H
    for _ in tl.range(T, num_stages=1):
        for n in tl.range(0, H, WIDTH, num_stages=1):
            units = n + block
            here, at = (rows < B) & (units < H), rows * H + units
            dh = tl.load(dh_ptr + at, here, 0) + tl.load(dy_ptr + units, here, 0).to(ACC)
            h = tl.load(h_ptr + at, here, 0).to(ACC)
            tl.store(da_ptr + at, dh * slope(h, RELU), here)
        tl.debug_barrier()  # the products read the da of all units
        for n in tl.range(0, H, WIDTH, num_stages=1):
            units = n + block
            here, at = (rows < B) & (units < H), rows * H + units
            dh = tl.zeros((BB, WIDTH), ACC)
            for k in tl.range(0, H, WIDTH, num_stages=STAGES):
                da = tl.load(da_ptr + rows * H + k + block, (rows < B) & (k + block < H), 0)
                W = tl.load(W_ptr + units * H + k + outputs, (k + outputs < H) & (units < H), 0)
                dh = dot(da, W, dh, PRECISION)
            tl.store(dh_ptr + at, dh, here)
        tl.debug_barrier()  # the step before may share its dh among other threads
        dy_ptr -= dy_step
        h_ptr -= B * H
        da_ptr -= B * H
