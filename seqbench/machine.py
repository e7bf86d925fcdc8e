"""The machine and the code of a result, and the settings of torch that make it reproducible."""

import ctypes
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast, get_args

import psutil
import torch

from seqbench.errors import BadInput, unknown
from seqbench.records.schema import Precision, System
from seqbench.text import shorten

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h
PACKAGES = ("seqbench", "torch", "numpy", "triton", "scikit-learn")
CUDNN: Any = torch.backends.cudnn
PRODUCTS: tuple[Any, ...] = (torch.backends.cuda.matmul, CUDNN.conv, CUDNN.rnn)
ON_A_CPU = ("float32", "float64")  # the precisions of a CPU; CUDA has all


@cache
def describe_system(device: str) -> System:
    """Describe this machine as a run on the device sees it; it contains nothing that names the owner."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return System(
        processor=_processor(),
        cores=count_cores(),
        memory=psutil.virtual_memory().total,
        accelerator=torch.cuda.get_device_name() if device == "cuda" else None,
        operating_system=platform.platform(terse=True),
        python=platform.python_version(),
        versions=versions,
    )


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    # macOS knows no affinity
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return shorten(line.partition(":")[2].strip())
    return platform.processor() or platform.machine()


@cache
def read_commit() -> tuple[str, bool]:
    """Return the commit of the running code, and whether the code is dirty, i.e. not all in that commit.

    It is dirty if any file that git tracks was changed, or if the package, ``benchmarks`` or ``tools`` contains a
    file that git does not track. Without a repository, or where git refuses one of another owner, the commit is
    "unknown" and the code is dirty.
    """
    here = Path(__file__).parent
    status = ("status", "--porcelain")
    try:
        # An installed package may lie inside an unrelated repository, which does not track this file.
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
        head = _git(here, "rev-parse", "HEAD")
        changed = _git(here, *status, "--untracked-files=no", "--", ":/")
        code = (here, here.parent / "benchmarks", here.parent / "tools")
        new = _git(here, *status, "--untracked-files=all", "--", *map(str, code))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", True
    return head, bool(changed or new)


@cache
def hash_code() -> str:
    """Return the hash of the package's own Python files: the same code has the same hash, with or without git."""
    package = Path(__file__).parent
    found = blake2b(digest_size=8)
    for file in sorted(
        package.rglob("*.py"), key=lambda file: file.relative_to(package).as_posix()
    ):
        # Line ends depend on the checkout.
        content = file.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{file.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def choose_device(name: str) -> str:
    """Return ``cpu`` or ``cuda`` for ``auto``, ``cpu`` or ``cuda``."""
    if name not in ("auto", "cpu", "cuda"):
        raise BadInput(f"unknown device '{name}'; choose from: auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInput(
            "device 'cuda' was asked for, but torch finds no CUDA here; choose from: auto, cpu"
        )
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def check_precision(name: str, device: str) -> Precision:
    """Return the precision of this name; raise ``BadInput`` if it is unknown or the device lacks it."""
    if name not in get_args(Precision):
        raise unknown("precision", name, get_args(Precision))
    if name not in ON_A_CPU and device != "cuda":
        raise BadInput(
            f"precision '{name}' needs device 'cuda'; choose from: {', '.join(ON_A_CPU)}"
        )
    return cast(Precision, name)


@contextmanager
def set_product_precision(precision: Precision) -> Iterator[None]:
    """Within this context, float32 products use TF32 if that is the precision, and full float32 otherwise."""
    before = [switch.fp32_precision for switch in PRODUCTS]
    for switch in PRODUCTS:
        switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for switch, old in zip(PRODUCTS, before, strict=True):
            switch.fp32_precision = old


def make_deterministic() -> None:
    """Make this process compute as every worker does: one thread, no denormals, deterministic kernels.

    Denormals are flushed to zero: they are common in vanishing gradients, and make a CPU several times slower. This
    must be set before any thread starts, since threads inherit the mode.
    """
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS is not deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    for switch in PRODUCTS:
        switch.fp32_precision = "ieee"  # float32 means float32
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time
    # By default glibc returns big buffers to the system when they are freed; the next step would fault in every page.
    _libc("mallopt", M_MMAP_MAX, 0)
    _libc("mallopt", M_TRIM_THRESHOLD, 2**31 - 1)


def flushes_denormals() -> bool:
    """Return whether this process flushes denormals to zero, as ``make_deterministic`` asks; not every CPU can."""
    return (torch.full((), 1e-40, dtype=torch.float32) * 1).item() == 0


def _libc(function: str, *arguments: int) -> None:
    """Call a function of the C library if it exists there (it does in glibc)."""
    with suppress(AttributeError, OSError):
        getattr(ctypes.CDLL(None), function)(*arguments)


class Peak:
    """The highest memory of a device, or of this process, since it was made; in bytes."""

    def __init__(self, device: str) -> None:
        self.cuda = device == "cuda"
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        else:
            _libc("malloc_trim", 0)  # return memory that was freed before
            with suppress(OSError):  # Linux: forget the old high-water mark
                Path("/proc/self/clear_refs").write_text("5")

    def read(self) -> int:
        """Return the peak so far."""
        if self.cuda:
            return torch.cuda.max_memory_allocated()
        status = Path("/proc/self/status")
        if status.is_file():
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) * 1024
        return psutil.Process().memory_info().rss
