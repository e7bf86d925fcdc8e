"""Step times by asv: run the suite in ``benchmarks/asv``, read what it measured, keep it in a results folder.

As a program it runs the suite on a machine of that name, for a commit, and lets asv write to a folder only::

    python tools/step_times.py FOLDER MACHINE COMMIT
"""

import os
import sys
from ast import literal_eval
from collections.abc import Iterator, Sequence
from itertools import product
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from asv.commands.run import Run
from asv.config import Config
from asv.console import log
from asv.machine import Machine, MachineCollection
from asv.results import iter_results

from processes import run_to_end
from seqbench.cli.terminal import complain
from seqbench.models import MODELS
from seqbench.protocol.profile import Profile
from seqbench.protocol.profiles import TIMINGS
from seqbench.records.store import Store

if TYPE_CHECKING:  # it imports torch
    from seqbench.measure.step import Step, Timed

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "benchmarks" / "asv"
TIME = "step.Step.track_seconds_per_token"
MEMORY = "step.Step.track_peak_memory"
COMPILING = "step.Step.track_compile_seconds"


class AsvFailed(Exception):
    """asv did not measure everything; the message is what it printed."""


# In a process of its own


def run_suite(folder: Path, name: str, commit: str) -> int:
    """Run the suite with this interpreter; return asv's exit code.

    asv's command line keeps the description of a machine in the home directory, under the name of the host. Here it
    lies in the folder, beside ``results/``, and holds nothing but the name by which our records call the machine.
    """
    os.chdir(SUITE)  # the paths in asv.conf.json start there
    config = Config.load()
    config.results_dir = str(folder / "results")
    machines = str(folder / "machines.json")
    described = dict.fromkeys((field for field, _ in Machine.fields), "") | {"machine": name}
    MachineCollection.save(name, described, machines)
    log.enable()
    failed = Run.run(
        config,
        machine=name,
        _machine_file=machines,
        set_commit_hash=commit,
        record_samples=True,
        show_stderr=True,
    )
    return failed or 0


# In the process that wants the results


def measure(
    name: str, commit: str, profile: str, device: str, models: Sequence[str] = ()
) -> "dict[Step, Timed]":
    """Return what asv measures of each step of a profile; raise AsvFailed if it can't."""
    with TemporaryDirectory() as folder:
        chosen = {
            "SEQBENCH_PROFILE": profile,
            "SEQBENCH_DEVICE": device,
            "SEQBENCH_MODELS": ",".join(models),
            # asv takes PYTHONPATH out of the environment.
            "ASV_PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            # An empty cache, so that the seconds to compile a kernel are measured in every run.
            "TRITON_CACHE_DIR": str(Path(folder, "triton")),
        }
        command = [sys.executable, __file__, folder, name, commit]
        done = run_to_end(command, os.environ | chosen)
        if done.returncode:
            raise AsvFailed(done.stdout)
        return dict(read_results(Path(folder, "results")))


def read_results(folder: Path) -> "Iterator[tuple[Step, Timed]]":
    """Yield each step with what asv measured of it; steps that it skipped are left out."""
    from seqbench.measure.step import Case, Timed

    (result,) = iter_results(str(folder))
    axes = result.get_result_params(TIME)
    columns = (
        result.get_result_samples(TIME, axes),
        result.get_result_value(MEMORY, axes),
        result.get_result_value(COMPILING, axes),
    )
    # asv keeps each parameter as Python would write it, in a string.
    steps = product(*(map(literal_eval, axis) for axis in axes))
    for step, seconds, memory, compiling in zip(steps, *columns, strict=True):
        if seconds:
            model, phase, scan, precision, length, batch, members, hidden = step
            case = Case(model, length, batch, members, scan, hidden, precision)
            nothing = compiling is None or isnan(compiling)
            yield (case, phase), Timed(seconds, int(memory), None if nothing else compiling)


def time_missing_steps(
    profile: Profile, store: Store, models: Sequence[str], device: str, force: bool
) -> list[int]:
    """Time the steps that the store lacks for this code on this machine; return exit codes of what failed."""
    from seqbench import machine
    from seqbench.measure import throughput
    from seqbench.measure.step import compute_roofline

    machine.make_deterministic()
    device, size = machine.choose_device(device), profile.parameters
    steps = throughput.plan(models or MODELS, TIMINGS[profile.name], size, device, complain)
    done = throughput.list_timed(store, device)
    if not force and all(throughput.identify(facts) in done for facts in steps.values()):
        complain("steps: timed already")
        return []
    commit, _ = machine.read_commit()
    if commit == "unknown":
        complain("steps: asv needs a git commit and there is none here; they are timed without it")
        throughput.run(
            profile.name, models=models, device=device, out=store.path, force=force, say=complain
        )
        return []
    complain("steps: asv times those of every model")
    system = machine.describe_system(device)
    try:
        measured = measure(system.id, commit, profile.name, device, models)
    except AsvFailed as error:
        complain(f"steps: asv failed: {str(error).strip()[-2000:]}")
        return [1]
    origin = throughput.describe_machine(device)
    rows = [
        throughput.make_row(steps[step], timed, origin, compute_roofline(step, size, device))
        for step, timed in measured.items()
        if step in steps
    ]
    with store.lock():
        store.add_system(system)
        throughput.write_rows(store, rows)
    return []


if __name__ == "__main__":
    folder, name, commit = sys.argv[1:]
    sys.exit(run_suite(Path(folder), name, commit))
