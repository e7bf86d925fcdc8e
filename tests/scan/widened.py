"""The kernels' product as the interpreter should have it: the operands rounded, then widened, as the hardware does."""

import triton
import triton.language as tl


@triton.jit
def dot(x, W, acc, PRECISION: tl.constexpr):
    """Return acc + x W."""
    return tl.dot(x.to(W.dtype).to(tl.float32), W.to(tl.float32), acc, out_dtype=acc.dtype)
