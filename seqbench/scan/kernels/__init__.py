"""The kernels of the scan ``fused``, in Triton; imported only where Triton is.

One program walks one block of a member's sequences through all steps of a chunk. Every family has its passes twice:

``forward``, ``backward``
    W_h is loaded once and stays on the chip; the state stays in registers. For widths that fit.
``forward_split``, ``backward_split``
    A step goes through the units in blocks. W_h is read again in every step, from the second-level cache; what one
    block of units must know of the others goes through global memory, with a barrier between writing and reading.

All arrays are ``(E, K, B, ·)``, contiguous in the last two axes; a name with ``_ptr`` points to row 0, and a name with
``_member`` is the distance from one member to the next. H is a multiple of 16; a tile is ``WIDTH`` units wide, a power
of two, and masked beyond H.

Arithmetic is done in ``ACC`` (float32), products take their operands in the type of W_h. ``STAGES`` is how many steps
ahead loads may be issued.
"""
