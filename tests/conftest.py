"""Under pytest every shape that is written down is checked: jaxtyping reads it, beartype enforces it."""

import os
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from jaxtyping import install_import_hook

PACKAGE = Path(__file__).parents[1] / "seqbench"
# Where no shape is written down, checking every call would find what mypy finds, and double the time of many tests.
SHAPED = [
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if {"jaxtyping", "seqbench.axes"}
    & set(re.findall(r"^from (\S+) import", file.read_text(), re.M))
]
install_import_hook(SHAPED, "beartype.beartype")  # before anything of seqbench is imported


class AsTheyStand(PathFinder):
    """Finds the kernels before the hook does: Triton compiles their source, which nothing may wrap."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return super().find_spec(name, path, target) if ".kernels" in name else None


sys.meta_path.insert(0, AsTheyStand)

import pytest  # noqa: E402
import torch  # noqa: E402

from seqbench.tasks import sources  # noqa: E402

torch.set_num_threads(1)

BESIDE = Path(__file__).parents[2] / "shared" / "data"  # data sets may lie beside the checkout
if BESIDE.is_dir():
    os.environ.setdefault("SEQBENCH_DATA", str(BESIDE))


SOURCES = sources.SOURCES
fetch = sources.fetch
unreached: list[sources.Source] = []


def fetch_at_most_in_vain_once(source, path):
    """Fetch a data set, unless one could not be had already: a host that never answers takes seconds each time."""
    if source not in SOURCES:  # made by a test, which says where it is
        return fetch(source, path)
    if unreached or not fetch(source, path):
        unreached.append(source)
        return False
    return True


sources.fetch = fetch_at_most_in_vain_once


@pytest.fixture(autouse=True)
def unsettled():
    """Take back what a test has let ``machine.make_deterministic`` do to this process."""
    yield
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(False)
