"""Kill runs at random instants, resume them, and compare their records with those of an undisturbed run.

A run is a process group: the command and its workers. All of them get SIGKILL at once, at an instant drawn uniformly
from the duration of the undisturbed run. When a run ends by itself its records are compared, and the next run begins in
a new folder, until ``--kills`` runs were killed. With ``--worker`` only one of the workers is killed, and the run must
finish without it::

    python tools/kill.py --kills 50 --profile smoke --seeds 4
    python tools/kill.py --kills 12 --worker --profile smoke --seeds 4
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from seqbench.records.store import Store


def start(out: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own."""
    command = [sys.executable, "-m", "seqbench", "run", "--out", str(out), *arguments]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)


def finish(
    run: subprocess.Popen[bytes], seconds: float | None = None, worker: bool = False
) -> bool:
    """Wait for a run; after the given seconds kill it with all its workers, or kill one worker.

    Returns whether the run ended by itself and undisturbed.
    """
    with run:
        try:
            _, errors = run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            if not worker:
                os.killpg(run.pid, signal.SIGKILL)
                return False
            killed = kill_a_worker(run.pid)
            _, errors = run.communicate()
            if run.returncode == 0:
                return not killed
    if run.returncode:
        raise RuntimeError(f"a run ended with exit code {run.returncode}: {errors.decode()}")
    return True


def kill_a_worker(run: int) -> bool:
    """Kill one of the workers of a run; return whether there was one."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(run).children():
            child.kill()
            return True
    return False


def compare(expected: Store, resumed: Store) -> list[str]:
    """Return what is wrong with the records of a run that was killed and resumed."""
    wrong = resumed.validate()  # a record twice, a torn line, a machine that is not described
    if wrong:
        return wrong
    one, two = (
        sorted(r.serialise_reproducible() for r in store.records()) for store in (expected, resumed)
    )
    if one != two:
        wrong.append(f"{len(set(one) - set(two))} of {len(one)} records are lost or differ")
    wrong += [f"{file} was left behind" for file in resumed.path.rglob("*.tmp")]
    return wrong


def kill_and_resume(
    folder: Path, arguments: list[str], kills: int, seed: int, worker: bool = False
) -> tuple[list[str], int]:
    """Kill runs, or their workers, and resume them; return what is wrong, and how many runs were finished."""
    since = time.monotonic()
    finish(start(folder / "undisturbed", arguments))
    length = time.monotonic() - since
    instants = random.Random(seed)
    wrong: list[str] = []
    rounds = killed = 0
    while killed < kills:
        out = folder / f"killed-{rounds}"
        while True:
            limit = instants.uniform(0, length) if killed < kills else None
            if finish(start(out, arguments), limit, worker):
                break
            killed += 1
            count = len(Store(out).records())  # raises at a line that is torn
            print(f"kill {killed}: {count} records are there", flush=True)
            if worker:  # the run ended all the same
                break
        rounds += 1
        wrong += compare(Store(folder / "undisturbed"), Store(out))
    return wrong, rounds


def main() -> int:
    """Read the command line and print what is wrong; return an exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="how many runs to kill")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random instants")
    parser.add_argument("--worker", action="store_true", help="kill one worker, not the whole run")
    parser.epilog = "All other options are those of: seqbench run"
    given, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong, rounds = kill_and_resume(
            Path(folder),
            arguments or ["--profile", "smoke"],
            given.kills,
            given.seed,
            given.worker,
        )
        total = len(Store(Path(folder) / "undisturbed").records())
    print(f"{given.kills} kills in {rounds} runs of {total} records each")
    print("\n".join(wrong) or "all records are there, once, and the same")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
