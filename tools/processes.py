"""Processes that are started and waited for, and that end when the one that started them is interrupted."""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil


def run_to_end(command: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command and return all that it printed; if this process is interrupted, no process of it is left."""
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            end_children()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def end_children() -> None:
    """End all that this process started, and what that started in turn."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # gone already
            process.kill()
