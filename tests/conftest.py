"""Under pytest every shape that is written down is checked: jaxtyping reads it, beartype enforces it."""

import os
from pathlib import Path

from jaxtyping import install_import_hook

install_import_hook("seqbench", "beartype.beartype")  # before anything of seqbench is imported

import torch  # noqa: E402

torch.set_num_threads(1)

BESIDE = Path(__file__).parents[2] / "shared" / "data"  # data sets may lie beside the checkout
if BESIDE.is_dir():
    os.environ.setdefault("SEQBENCH_DATA", str(BESIDE))
