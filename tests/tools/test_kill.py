"""A run that is killed at any instant goes on with nothing lost and nothing twice."""

import importlib.util
from pathlib import Path

import pytest

from seqbench.records.store import Store

SCRIPT = Path(__file__).parents[2] / "tools" / "kill.py"  # does the same with twenty kills


@pytest.mark.slow
def test_killed_at_random_instants_a_run_ends_with_the_same_records(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("kill", SCRIPT)
    kill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kill)
    what = "--profile smoke --task latch,adding --model rnn,lstm --seeds 4 --device cpu --engine serial"
    wrong, rounds = kill.kill_and_resume(tmp_path, what.split(), kills=5, seed=1)
    assert wrong == []
    assert rounds >= 1
    assert len(Store(tmp_path / "undisturbed").records()) == 16
    assert "kill 5: " in capsys.readouterr().out
