"""The examples of CONTRIBUTING, taken from its text: they run, pass the checks, and have the sizes that they should."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace

import pytest
import torch

from seqbench.check import MODEL_CHECKS, TASK_CHECKS, run_checks
from seqbench.models.base import Cell, Recurrent
from seqbench.models.lstm import LSTM, LSTMCell
from seqbench.models.sizing import count, match_sizes
from seqbench.random import Keys
from seqbench.report.claims.claim import list_missing
from seqbench.tasks.base import Task

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BLOCKS = [dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```", TEXT, re.M | re.S)]


def example(name: str, monkeypatch):
    """Return the class of this name, from a module that holds the block in which it is defined."""
    (block,) = (block for block in BLOCKS if f"\nclass {name}(" in block)
    module = ModuleType(f"example_{name.lower()}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(block, vars(module))
    return getattr(module, name)


def test_every_example_is_run_by_a_test_here():
    defined = re.findall(r"^class (\w+)\((?:Model|Recurrent|Task)\)", "\n".join(BLOCKS), re.M)
    assert defined == ["MGU", "MinGRU", "RunningMean", "Echo"]


@pytest.mark.parametrize("name", ["MGU", "MinGRU", "RunningMean", "Echo"])
def test_it_passes_every_check(name, monkeypatch):
    entry = example(name, monkeypatch)
    checks = TASK_CHECKS if issubclass(entry, Task) else MODEL_CHECKS
    assert [str(found) for found in run_checks(checks, entry) if found.wrong] == []


def test_a_package_of_its_own_climbs_a_ladder(tmp_path):
    """As installed by pip: a module, and a folder with its entry points."""
    (block,) = (block for block in BLOCKS if "\nclass MGU(" in block)
    (tmp_path / "my_package.py").write_text(block)
    facts = tmp_path / "my_package-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[seqbench.models]\nmgu = my_package:MGU\n")
    command = "horizon --task latch --model mgu --rungs 2,4 --learning-rate 3e-2 --steps 20 --batch 4 --workers 1"
    done = subprocess.run(
        [sys.executable, "-m", "seqbench", *command.split(), "--parameters", "300", "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ((row,),) = json.loads(done.stdout).values()
    assert row["model"] == "mgu"
    assert row["end"] in ("failed", "top")
    assert row["rungs"][0]["runs"] in (5, 12)


def made(kind: type[Recurrent], **shape: int) -> Recurrent:
    return kind(Keys.span(kind.name, 1, "weights", 0, 0, 2), **shape).double()


def test_the_minimal_gru_is_its_equations(monkeypatch):
    model = made(example("MinGRU", monkeypatch), inputs=3, outputs=2, hidden=5)
    x = torch.randn(2, 4, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cell = model.layers[0]
    W_z, W_h = cell.W_x.chunk(2, dim=-1)
    b_z, b_h = cell.b.chunk(2, dim=-1)
    h = torch.zeros(2, 4, 5, dtype=torch.float64)
    for t in range(7):
        z = 1 / (1 + torch.exp(-(x[:, :, t] @ W_z + b_z)))
        h = (1 - z) * h + z * (x[:, :, t] @ W_h + b_h)
    torch.testing.assert_close(model.states(x)[:, :, -1], h)


def test_without_a_recurrent_matrix_there_are_no_weights_for_it(monkeypatch):
    kind, shape = example("MinGRU", monkeypatch), {"inputs": 4, "outputs": 4}
    (H,) = match_sizes(kind, 2_000, **shape).values()
    assert count(made(kind, hidden=H, **shape)) == 2 * H * (4 + 1) + 4 * (H + 1)
    assert H == 143  # and 28 with a matrix of (H, 2 H) that nothing reads
    names = dict(made(kind, hidden=H, **shape).named_parameters())
    assert list(names) == ["layers.0.W_x", "layers.0.b", "readout.W", "readout.b"]


def test_without_a_recurrent_matrix_no_kernel_is_inherited():
    class Inputs(LSTMCell):
        hidden_to_hidden = False

    class Same(LSTMCell):
        pass

    keys, shape = Keys.span("lstm", 1, "weights", 0, 0, 2), ("layer 0", 3, 5)
    inputs, same, plain = (kind(keys, *shape) for kind in (Inputs, Same, LSTMCell))
    assert (inputs.native, inputs.spec) == (None, None)
    assert (same.native, same.spec) == (plain.native, plain.spec)
    assert Cell.hidden_to_hidden


def test_with_a_recurrent_matrix_all_is_as_it_was():
    names = dict(made(LSTM, inputs=3, outputs=2, hidden=5).named_parameters())
    assert list(names) == ["layers.0.W_x", "layers.0.W_h", "layers.0.b", "readout.W", "readout.b"]


def test_the_claim_is_decided_by_its_rule():
    (block,) = (block for block in BLOCKS if "Claim(" in block)
    names: dict[str, object] = {}
    exec(block, names)
    claim = names["LATCHING"]
    seen = SimpleNamespace(runs=lambda where: [SimpleNamespace(verdict="solved")] * 10)
    assert [finding.vote for finding in claim.rule(seen)] == ["for"]
    seen = SimpleNamespace(runs=lambda where: [SimpleNamespace(verdict="not solved")] * 10)
    assert [finding.vote for finding in claim.rule(seen)] == ["against"]
    nothing = SimpleNamespace(runs=lambda where: [])
    assert list_missing(claim.needs, nothing) == ("runs of latch 50 lstm: 0 of 10",)
    assert "most runs" in claim.rule_in_words
