r"""The roofline of a step: the least time that a machine could take for it, from two measured ceilings.

A machine multiplies large matrices at :math:`\pi` operations a second and moves a large tensor at :math:`\beta` bytes
a second, read and written. A step of F operations (a product and a sum are two) that moves M bytes takes at least

.. math::
    t_{\text{floor}} &= \max(F / \pi,\ M / \beta), \qquad F = E B F_1, \\
    M_{\text{forward}} &= E\,(P + B X), \\
    M_{\text{training}} &= E\,(8 P + B\,(X + 2 S))

with :math:`F_1`, X and S the operations, the bytes of the input and the bytes saved for the backward pass of one
sequence of one member, and P the bytes of one member's parameters. In training the gradient, the parameters and the two
moments of Adam are each written once and read once; what is saved, too. Both are counted on the ``reference`` scan.

It is a lower bound. Only the operations of matrix products, convolutions and attention are counted, without the pairs
that a causal mask hides. Parameters are read once a step, also in streaming. No operation waits for another, although
the T steps of a recurrence must. A scan that saves less than the reference loop may come nearer to the bound, or below.
"""

from collections.abc import Callable, Iterable
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from seqbench.machine import set_product_precision
from seqbench.records.schema import Precision

ROUNDS = 5
SIDE = {"cpu": 1024, "cuda": 8192}  # of the square matrices
COPIED = {"cpu": 2**28, "cuda": 2**30}  # bytes: far more than a cache holds
UPDATED = 8  # times that each number of the parameters, gradient and moments is read or written
DTYPES = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
}

Shape = tuple[int, ...]


class Ceilings(NamedTuple):
    """The highest rates of a device: operations and bytes a second."""

    flops: float
    bytes: float


class Work(NamedTuple):
    """The work of a step: operations, and bytes that are saved for its backward pass."""

    flops: int
    saved: int


@cache
def measure_ceilings(device: str, precision: Precision) -> Ceilings:
    """Measure the two ceilings, the best of a few rounds; takes about a second, once per process."""
    where: dict[str, Any] = {"device": device, "dtype": DTYPES[precision]}
    n = SIDE[device]
    a, b = torch.ones(n, n, **where), torch.ones(n, n, **where)
    x = torch.ones(COPIED[device] // where["dtype"].itemsize, **where)
    y = torch.empty_like(x)
    with set_product_precision(precision):
        product = time_best(lambda: torch.mm(a, b), device)
    copy = time_best(lambda: y.copy_(x), device)
    return Ceilings(2 * n**3 / product, 2 * x.nbytes / copy)


def time_best(call: Callable[[], object], device: str) -> float:
    """Return the shortest time of a few calls, in seconds."""
    times = []
    for _ in range(1 + ROUNDS):
        since = perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(perf_counter() - since)
    return min(times[1:])  # the first warms up


def count_work(step: Callable[[], object], given: Iterable[Tensor]) -> Work:
    """Take a step on the CPU and count its work; the tensors ``given`` do not count as saved."""
    saved = {tensor.untyped_storage().data_ptr(): 0 for tensor in given}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    counter = FlopCounterMode(display=False, custom_mapping=ATTENTION)
    with saved_tensors_hooks(note, lambda tensor: tensor), counter:
        step()
    return Work(counter.get_total_flops(), sum(saved.values()))


# Torch does not count attention on a CPU, and elsewhere it counts the pairs that a mask hides.


def count_attention(
    q: Shape, k: Shape, v: Shape, dropout: float = 0.0, causal: bool = False, **_: Any
) -> int:
    """Return the operations of two products for each pair of a query and a key that it may see."""
    N, heads, queries, d = q
    keys = k[2]
    pairs = keys * (keys + 1) // 2 if causal else queries * keys
    return 4 * N * heads * pairs * d


def count_attention_backward(
    gradient: Shape, q: Shape, k: Shape, v: Shape, y: Shape, z: Shape, *rest: Any, **options: Any
) -> int:
    """Return those of four products: the gradients of the scores, of q, of k and of v."""
    return 2 * count_attention(q, k, v, *rest, **options)


ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: count_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: count_attention_backward,
}
