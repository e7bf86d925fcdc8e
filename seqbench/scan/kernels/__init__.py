"""The kernels of the scan ``fused``, in Triton; imported only where Triton is.

One program walks one block of a member's sequences through all steps of a chunk. Every family has its passes twice:

``forward``, ``backward``
    W_h is loaded once and stays on the chip; the state stays in registers. For widths that fit.
``forward_split``, ``backward_split``
    A step goes through the units in blocks. W_h is read again in every step, from the second-level cache; what one
    block of units must know of the others goes through global memory, with a barrier between writing and reading.

All arrays are ``(E, K, B, ·)``, contiguous in the last two axes, and T is the K of the chunk. A name with ``_ptr``
points to row 0, and moves on with the steps; a name with ``_member`` is the distance from one member to the next.
``dy`` is the derivative by h from outside the recurrence, in a layout of its own; ``dh`` and ``dc`` are carried from
step to step. H is a multiple of 16; a tile is ``WIDTH`` units wide, a power of two, and masked beyond H.

Arithmetic is done in ``ACC`` (float32), products take their operands in the type of W_h, and what is stored is rounded
to the type of its array. With ``STAGES`` = 2 the loads of a step are on their way during the step before; the kernels
that go through blocks do so only within a product, for a step reads what the one before has written.
"""
