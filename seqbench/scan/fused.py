"""One Triton kernel for all steps of all members, forward, and one backward.

What is stored and multiplied is bfloat16 under ``torch.autocast`` to it, which then also is what the caller gets; c
and all sums are float32, and a weight's gradient is rounded once a chunk on its way. Otherwise all is float32,
multiplied as TF32 where ``torch.backends.cuda.matmul.fp32_precision`` says so, else exactly, not on tensor cores: three
TF32 products in the place of one would take twice the shared memory.

A gate that is stored in bfloat16 has 8 bits. A forget gate of .998 comes back as .996, and what flows back over 1000
steps is then not .14 but .02 of what it was; for long memories TF32 is the better choice.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from seqbench.axes import Hidden
from seqbench.scan.ensemble import loops
from seqbench.scan.ensemble.parts import product
from seqbench.scan.recurrence import Chunk, Keep, Kept, Loops, States, recurrence
from seqbench.scan.reference import RecurrentCell
from seqbench.scan.specs import CellSpec, GRUSpec, LSTMSpec, RNNSpec

WIDEST = 256
STEPS = 64  # of a chunk, where the gates of all steps are not kept
ALIGNED = 16  # H is filled up to a multiple of it, so that every row can be read in whole vectors

Precision = Literal["bf16", "tf32", "fp32", "fp64"]
Pass = Literal["forward", "backward"]


def find_lacking(cell: RecurrentCell, device: torch.device) -> str | None:
    """Return what is missing here to run the cell by a kernel, if anything is."""
    W_h = cell.weights[2]
    if device.type != "cuda" and not interpreting():
        return "a GPU"
    if find_spec("triton") is None:
        return "Triton"
    if W_h.shape[1] > WIDEST:
        return f"at most {WIDEST} hidden units"
    if W_h.dtype != torch.float32 and not interpreting():
        return "weights in float32"
    return None


def interpreting() -> bool:
    """Return whether Triton runs kernels by its interpreter, which can do without a GPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def run_fused(
    cell: RecurrentCell, x: Float[Tensor, "E B T D"], recompute: bool = False, window: int = 0
) -> Float[Tensor, "E B T H"]:
    """Return the hidden state at every step."""
    assert cell.spec is not None
    precision = choose_precision(cell, x.device.type)
    passes = FUSED[type(cell.spec)](cell.spec, precision)
    W_h = cell.weights[2]
    with torch.autocast(x.device.type, enabled=False):
        x = x.to(torch.bfloat16 if precision == "bf16" else W_h.dtype)
        h = recurrence(passes, x, fill_up(*cell.weights), recompute, window)
    return h[..., : W_h.shape[1]]


def choose_precision(cell: RecurrentCell, device: str) -> Precision:
    """Return what the kernels multiply in."""
    if cell.weights[2].dtype == torch.float64:
        return "fp64"
    if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16:
        return "bf16"
    return "tf32" if torch.backends.cuda.matmul.fp32_precision == "tf32" else "fp32"


def fill_up(W_x: Tensor, b: Tensor, W_h: Tensor, extra: Tensor | None) -> list[Tensor | None]:
    """Return the weights of a cell that has some units more, up to a multiple of 16, which do nothing.

    A unit whose weights are all zero has a = 0, hence g or n = tanh 0 = 0, hence c = h = 0 at every step; and no weight
    leads out of it, so that nothing comes back.
    """
    H = W_h.shape[1]
    more = -H % ALIGNED

    def columns(W: Tensor) -> Tensor:
        """Return a block of H columns after the other, each with its units more."""
        return pad(W.unflatten(-1, (-1, H)), (0, more)).flatten(-2)

    weights: list[Tensor | None] = [W_x, b, W_h, extra]
    if more:
        rows = pad(W_h, (0, 0, 0, more))
        weights = [None if W is None else columns(W) for W in (W_x, b, rows, extra)]
    return [None if W is None else W.contiguous() for W in weights]


@dataclass(frozen=True)
class Configuration:
    """How a kernel is launched.

    Attributes
    ----------
    width
        Units of a tile, a power of two. Below H, the kernel goes through the units in blocks of it.
    warps
        Of a program, 32 threads each.
    stages
        How many steps (in blocks: products) ahead what is needed is fetched; 1 is not ahead.
    BB
        Sequences of a program; tensor cores take no fewer than 16.
    """

    width: int
    warps: int
    stages: int
    BB: int = 16


# Width, warps and stages for H up to 16, 32, 64, 128, 256. All of these compile for sm_90 with no register spilled and
# at most 227 KB of shared memory (tests/scan/test_compile.py), and W_h stays on the chip as long as it fits. None was
# timed: benchmarks/decisions/sweep.py does that, on a GPU.
SHIPPED = {
    ("rnn", "bf16", "forward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (256, 8, 2)),
    ("rnn", "bf16", "backward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (256, 8, 2)),
    ("rnn", "tf32", "forward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("rnn", "tf32", "backward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("rnn", "fp32", "forward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (64, 8, 2), (64, 8, 2)),
    ("rnn", "fp32", "backward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("lstm", "bf16", "forward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("lstm", "bf16", "backward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("lstm", "tf32", "forward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (64, 8, 2), (64, 8, 2)),
    ("lstm", "tf32", "backward"): ((16, 4, 2), (32, 4, 2), (64, 4, 2), (64, 8, 2), (64, 8, 2)),
    ("lstm", "fp32", "forward"): ((16, 2, 2), (32, 4, 2), (64, 8, 2), (64, 8, 2), (64, 8, 2)),
    ("lstm", "fp32", "backward"): ((16, 2, 2), (32, 4, 2), (64, 8, 2), (64, 8, 1), (64, 8, 1)),
    ("gru", "bf16", "forward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("gru", "bf16", "backward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("gru", "tf32", "forward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 2), (64, 8, 2)),
    ("gru", "tf32", "backward"): ((16, 2, 2), (32, 4, 2), (64, 4, 2), (128, 8, 1), (64, 8, 2)),
    ("gru", "fp32", "forward"): ((16, 2, 2), (32, 4, 2), (64, 8, 2), (64, 4, 2), (64, 4, 2)),
    ("gru", "fp32", "backward"): ((16, 2, 2), (32, 4, 2), (64, 16, 2), (64, 8, 2), (64, 8, 2)),
}


def configuration(spec: CellSpec, which: Pass, H: int, precision: Precision) -> Configuration:
    """Return how the kernel of a spec is launched."""
    row = SHIPPED[FAMILIES[type(spec)], "fp32" if precision == "fp64" else precision, which]
    return Configuration(*row[(H - 1).bit_length() - 4])


class FusedLoops(Loops):
    """The passes of a spec by kernels; the gates are computed again by torch's operations."""

    def __init__(self, spec: Any, precision: Precision) -> None:
        self.spec, self.precision, self.plain = spec, precision, loops(spec)
        self.parts, self.blocks = self.plain.parts, self.plain.blocks

    def steps(self, E: int, B: int, T: int, H: int, keep: Keep) -> int:
        """Return K: all steps, where their gates are kept."""
        return T if keep == "gates" else min(T, STEPS)

    def recompute_gates(self, a: Chunk, states: States, W_h: Tensor, extra: Tensor | None) -> Kept:
        """Return the gates; sums and functions in the type of the weights, the products in that of a."""
        wide, W_h = a.to(W_h.dtype), W_h.to(a.dtype)
        return self.plain.recompute_gates(wide, states, W_h, extra).to(a.dtype)

    def launch(
        self,
        which: Pass,
        shape: Sequence[int],
        tensors: Sequence[Tensor | None],
        strides: Sequence[int],
        **flags: bool,
    ) -> None:
        """Run a kernel of the family, one program for every block of a member's sequences."""
        import triton.language as tl

        E, T, B, H = shape
        how = configuration(self.spec, which, H, self.precision)
        kernel = getattr(kernels(self.spec), f"{which}_split" if how.width < H else which)
        with torch.cuda.device_of(tensors[0]):
            kernel[E, -(-B // how.BB)](
                *tensors, T, B, H, *strides, **flags,
                WIDTH=how.width, BB=how.BB, STAGES=how.stages, num_warps=how.warps,
                ACC=tl.float64 if self.precision == "fp64" else tl.float32,
                PRECISION="tf32" if self.precision == "tf32" else "ieee",
            )  # fmt: skip


def kernels(spec: CellSpec) -> ModuleType:
    """Return the kernels of a family; only here is Triton imported."""
    return import_module(f"seqbench.scan.kernels.{FAMILIES[type(spec)]}")


class FusedRNN(FusedLoops):
    """The plain recurrent network."""

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h."""
        (h,) = states
        self.launch("forward", a.shape, [a, h, W_h.to(a.dtype)], members(a, h), RELU=self.relu)

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
        (h,), da, dy = states, dh.new_empty(dh.shape), rows(dh)
        tensors = [dy, *carry, h, W_h.to(h.dtype), da]
        self.launch("backward", da.shape, tensors, (*dy.stride()[:3], *members(h)), RELU=self.relu)
        return da, product(h, da), None

    @property
    def relu(self) -> bool:
        """Return whether the activation is not tanh."""
        return self.spec.activation == "relu"


class FusedLSTM(FusedLoops):
    """Long short-term memory."""

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h, c and the gates."""
        h, c = states
        tensors = [a, gates, h, c, W_h.to(a.dtype), extra]
        shape = (*a.shape[:3], h.shape[-1])
        self.launch("forward", shape, tensors, members(a, gates, h, c), **self.flags)

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
        (h, c), da, dy = states, gates.new_empty(gates.shape), rows(dh)
        E, _, B, H = dh.shape
        BB = configuration(self.spec, "backward", H, self.precision).BB
        dp = None if extra is None else extra.new_zeros(E, -(-B // BB), 3, H)  # a row a program
        tensors = [dy, *carry, gates, c, W_h.to(h.dtype), extra, da, dp]
        strides = (*dy.stride()[:3], *members(gates, c))
        self.launch("backward", dh.shape, tensors, strides, **self.flags)
        return da, product(h, da), None if dp is None else dp.sum(dim=1)

    @property
    def flags(self) -> dict[str, bool]:
        """Return which LSTM it is."""
        return {"FORGET": self.spec.forget, "PEEP": self.spec.peepholes}


class FusedGRU(FusedLoops):
    """Gated recurrent unit; with the reset after the product, q is kept as a fourth gate."""

    def forward(
        self, a: Chunk, gates: Kept, states: States, W_h: Tensor, extra: Tensor | None
    ) -> None:
        """Write h and the gates."""
        (h,) = states
        state = h[:, 0].to(W_h.dtype, copy=True)
        tensors = [a, gates, h, state, W_h.to(a.dtype), extra]
        shape = (*a.shape[:3], h.shape[-1])
        self.launch("forward", shape, tensors, members(a, gates, h), AFTER=self.after)

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
        (h,), da, dy = states, gates.new_empty(gates.shape), rows(dh)
        strides = (*dy.stride()[:3], *members(gates, h))
        tensors = [dy, *carry, gates, h, W_h.to(h.dtype), da]
        self.launch("backward", dh.shape, tensors, strides, AFTER=self.after)
        H = h.shape[-1]
        if self.after:
            da, dq = da[..., : 3 * H], da[..., 3 * H :]
            dW_n, db = product(h, dq), dq.sum(dim=(1, 2), dtype=W_h.dtype)[:, None]
        else:
            v = (gates[..., :H] * h[:, :-1]).flatten(1, 2)
            dW_n, db = v.transpose(1, 2) @ da[..., 2 * H :].flatten(1, 2), None
        return da, torch.cat([product(h, da[..., : 2 * H]), dW_n], dim=-1), db

    @property
    def after(self) -> bool:
        """Return whether the reset comes after the product."""
        return self.spec.reset == "after"


def members(*tensors: Tensor) -> tuple[int, ...]:
    """Return how far it is from one member to the next."""
    return tuple(t.stride(0) for t in tensors)


def rows(dh: Tensor) -> Tensor:
    """Return the derivative in the layout it came in, unless its rows are scattered."""
    return dh if dh.stride(-1) == 1 else dh.contiguous()


FUSED: dict[type, Callable[[Any, Precision], Loops]] = {
    RNNSpec: FusedRNN,
    LSTMSpec: FusedLSTM,
    GRUSpec: FusedGRU,
}
FAMILIES = {RNNSpec: "rnn", LSTMSpec: "lstm", GRUSpec: "gru"}
