"""Running asv so that it leaves nothing behind elsewhere, and from its result file to what it measured."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
SUITE = ROOT / "benchmarks"  # where asv.conf.json lies
RESULTS = SUITE / ".asv" / "results"  # as it says
TIME = "step.Step.track_seconds_per_token"
MEMORY = "step.Step.track_peak_memory"
COMPILING = "step.Step.track_compile_seconds"

# model, phase, scan, length, batch, members, hidden
Step = tuple[str, str, str, int, int, int, int | None]


class AsvFailed(Exception):
    """asv gave no result; the message is what it printed."""


def run_asv(
    system: str, commit: str, profile: str, device: str, models: Sequence[str] = ()
) -> Path:
    """Run asv with this interpreter, for this commit; return its result file.

    asv wants a description of the machine, under the name of the host, in the home directory. Here it gets a home of
    its own for the run, and the name by which our records call the machine.
    """
    described = {"machine": system, "os": "", "arch": "", "cpu": "", "num_cpu": "", "ram": ""}
    pattern = f"{system}/{commit[:8]}-*.json"
    for stale in RESULTS.glob(pattern):
        stale.unlink()
    with TemporaryDirectory() as home:
        machines = {"version": 1, system: described}
        (Path(home) / ".asv-machine.json").write_text(json.dumps(machines))
        asv = [
            sys.executable,
            "-m",
            "asv",
            "run",
            "--python=same",
            "--record-samples",
            "--show-stderr",
        ]
        said = run_to_its_end(
            [*asv, "--machine", system, "--set-commit-hash", commit],
            env=os.environ
            | {
                "HOME": home,
                # asv takes PYTHONPATH out of the environment
                "ASV_PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "SEQBENCH_PROFILE": profile,
                "SEQBENCH_DEVICE": device,
                "SEQBENCH_MODELS": ",".join(models),
            },
        )
    found = list(RESULTS.glob(pattern))
    if said.returncode or not found:
        raise AsvFailed(said.stdout)
    return found[0]


def run_to_its_end(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in this folder; if this process is interrupted, nothing of it lives on."""
    with subprocess.Popen(
        command,
        cwd=SUITE,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            end_children()
            raise
    return subprocess.CompletedProcess(command, process.returncode, said)


def end_children() -> None:
    """End all that this process started, and what that started in turn."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # gone already
            process.kill()


def steps(file: Path) -> dict[Step, tuple[list[float], int, float | None]]:
    """Return the seconds per token in every round, the bytes, and the seconds to compile, of each step in asv's file.

    What asv could not measure is a bare ``NaN`` or a ``null`` there; a step without samples is left out.
    """
    content = json.loads(file.read_text("utf-8"))
    found = {
        name: dict(
            zip(content["result_columns"], values, strict=False)
        )  # empty columns at the end are left out
        for name, values in content["results"].items()
    }
    memory, compiling = (by_step(found[name], "result") for name in (MEMORY, COMPILING))
    samples = by_step(found[TIME], "samples")
    return {
        step: (each, int(memory[step]), number(compiling[step]))
        for step, each in samples.items()
        if each
    }


def number(value: float | None) -> float | None:
    """Return a number, or None where there is none."""
    return None if value is None or isnan(value) else value


def by_step(result: dict[str, Any], column: str) -> dict[Step, Any]:
    """Return a column by step; asv writes each parameter as Python would, in a string."""
    each = product(*([ast.literal_eval(value) for value in values] for values in result["params"]))
    return dict(zip(each, result[column], strict=True))
