"""The examples run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "one_run.py"


def test_one_run():
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, check=True)
    form = r"seed {}: solved after \d+ steps, test accuracy (?:0\.99\d|1\.000)"
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for seed, line in enumerate(lines):
        assert re.fullmatch(form.format(seed), line), line
