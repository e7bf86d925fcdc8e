"""Every kernel that is shipped compiles for an H100 or H200, on any machine: no register is spilled, and it fits.

A kernel is compiled for the arguments that it is launched with: the launch is caught, and what Triton would know of its
arguments is told to the compiler.
"""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from seqbench.scan import fused
from seqbench.scan.specs import GRUSpec, LSTMSpec, RNNSpec

TRITON = find_spec("triton")
CUOBJDUMP = TRITON and Path(TRITON.origin).parent / "backends/nvidia/bin/cuobjdump"
pytestmark = [
    pytest.mark.skipif(TRITON is None, reason="Triton is not installed"),
    pytest.mark.skipif(not CUOBJDUMP or not CUOBJDUMP.exists(), reason="Triton has no cuobjdump"),
]

SHARED = 227 * 1024  # bytes that a program can have on sm_90
SPECS = {
    "tanh": (RNNSpec(), 1),  # and the blocks of columns in its weights
    "relu": (RNNSpec("relu"), 1),
    "lstm": (LSTMSpec(), 4),
    "peepholes": (LSTMSpec(peepholes=True), 4),
    "no forget gate": (LSTMSpec(forget=False), 3),
    "reset after": (GRUSpec(), 3),
    "reset before": (GRUSpec("before"), 3),
}
TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16"}
HIDDEN = (16, 32, 64, 128, 256)


class Caught:
    """Stands in for the kernels of a family: keeps the one that is launched, and its arguments."""

    def __init__(self, family):
        self.family = family

    def __getattr__(self, name):
        self.kernel = getattr(self.family, name)
        return self

    def __getitem__(self, grid):
        return self

    def __call__(self, *arguments, num_warps, **flags):
        self.warps, self.flags = num_warps, flags
        self.arguments = dict(zip(self.kernel.arg_names, arguments, strict=False)) | flags


def caught(spec, G, which, H, precision, monkeypatch):
    """Return the launch for two members."""
    here = Caught(fused.kernels(spec))
    monkeypatch.setattr(fused, "kernels", lambda _: here)
    loops = fused.FUSED[type(spec)](spec, precision)
    low = torch.bfloat16 if precision == "bf16" else torch.float32
    E, K, B = 2, 3, 16

    def rows(n, columns, dtype=low):
        return torch.zeros(E, n, B, columns, dtype=dtype)

    states = [rows(K + 1, H), *[rows(K + 1, H, torch.float32)] * (loops.parts - 1)]
    gates, W_h = rows(K, loops.blocks * H), torch.zeros(E, H, G * H)
    extra = {LSTMSpec(peepholes=True): torch.zeros(E, 3, H), GRUSpec(): torch.zeros(E, 1, H)}.get(spec)  # fmt: skip
    if which == "forward":
        loops.forward(rows(K, G * H), gates, states, W_h, extra)
    else:
        carry = [torch.zeros(E, B, H) for _ in states]
        loops.backward(rows(K, H), carry, gates, states, W_h, extra)
    return here


def compiled(launch):
    """Return what Triton makes of a launch."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature, constants, attributes = {}, {}, {}
    for k, parameter in enumerate(launch.kernel.params):
        name, value = parameter.name, launch.arguments[parameter.name]
        if parameter.is_constexpr or value is None:
            signature[name], constants[k,] = "constexpr", value
            continue
        signature[name] = TYPES[value.dtype] if isinstance(value, torch.Tensor) else "i32"
        if isinstance(value, torch.Tensor) or (value % 16 == 0 and not parameter.do_not_specialize):
            attributes[k,] = [["tt.divisibility", 16]]
    source = ASTSource(launch.kernel, signature, constants, attributes)
    return triton.compile(source, GPUTarget("cuda", 90, 32), options={"num_warps": launch.warps})


@pytest.mark.parametrize("precision", ["bf16", "tf32", "fp32"])
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("which", ["forward", "backward"])
def test_it_fits(spec, precision, which, monkeypatch, tmp_path, record_property):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for H in HIDDEN:
        with monkeypatch.context() as patch:
            kernel = compiled(caught(*SPECS[spec], which, H, precision, patch))
        file = tmp_path / "kernel.cubin"
        file.write_bytes(kernel.asm["cubin"])
        usage = subprocess.check_output([CUOBJDUMP, "-res-usage", file], text=True)
        found = re.search(r"REG:(\d+) STACK:(\d+) .*LOCAL:(\d+)", usage)
        registers, stack, local = map(int, found.groups())
        record_property(f"H={H}", f"{registers} registers, {kernel.metadata.shared} bytes shared")
        assert stack == local == 0, f"H={H}: registers are spilled"
        assert kernel.metadata.shared <= SHARED, f"H={H}"
