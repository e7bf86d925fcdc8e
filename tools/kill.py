"""Kill a run at random instants, go on each time, and compare what it leaves with an undisturbed run.

A run is a process group: the command and its workers. All of them get SIGKILL at once, at an instant drawn evenly from
the time that the undisturbed run took. When a run comes to its end its records are compared and a new folder is begun,
until so many runs were killed. With ``--worker`` one of the workers is killed in the place of all, and the run goes on
by itself. ::

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
    """Return whether a run came to its end in time; else it is killed with all its workers, or one worker is."""
    with run:
        try:
            _, said = run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            if not worker:
                os.killpg(run.pid, signal.SIGKILL)
                return False
            struck = kill_a_worker(run.pid)
            _, said = run.communicate()
            if run.returncode == 0:
                return not struck
    if run.returncode:
        raise RuntimeError(f"a run ended with exit code {run.returncode}: {said.decode()}")
    return True


def kill_a_worker(run: int) -> bool:
    """Kill one of the workers of a run; return whether there was one."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(run).children():
            child.kill()
            return True
    return False


def compare(expected: Store, found: Store) -> list[str]:
    """Return what is wrong with the records of a run that was killed."""
    wrong = found.validate()  # a record twice, a torn line, a machine that is not described
    if wrong:
        return wrong
    one, two = (
        sorted(r.serialise_reproducible() for r in store.records()) for store in (expected, found)
    )
    if one != two:
        wrong.append(f"{len(set(one) - set(two))} of {len(one)} records are lost or differ")
    wrong += [f"{file} was left behind" for file in found.path.rglob("*.tmp")]
    return wrong


def torment(
    folder: Path, arguments: list[str], kills: int, seed: int, worker: bool = False
) -> tuple[list[str], int]:
    """Return what is wrong after so many kills, of runs or of their workers, and how many runs came to their end."""
    since = time.monotonic()
    finish(start(folder / "undisturbed", arguments))
    length = time.monotonic() - since
    dice = random.Random(seed)
    wrong: list[str] = []
    rounds = killed = 0
    while killed < kills:
        out = folder / f"killed-{rounds}"
        while True:
            limit = dice.uniform(0, length) if killed < kills else None
            if finish(start(out, arguments), limit, worker):
                break
            killed += 1
            there = len(Store(out).records())  # reads every line: a torn one would be told here
            print(f"kill {killed}: {there} records are there", flush=True)
            if worker:  # the run came to its end all the same
                break
        rounds += 1
        wrong += compare(Store(folder / "undisturbed"), Store(out))
    return wrong, rounds


def main() -> int:
    """Print the verdict; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="how many runs are killed")
    parser.add_argument("--seed", type=int, default=0, help="draws the instants")
    parser.add_argument("--worker", action="store_true", help="one worker of a run is killed")
    parser.epilog = "whatever else is given goes to: seqbench run"
    given, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong, rounds = torment(
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
