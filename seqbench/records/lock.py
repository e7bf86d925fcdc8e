"""Locks on files of a results folder, so that no two runs write to the same part of it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqbench.errors import BadInput
from seqbench.records.rows import explain_write_errors


@contextmanager
def hold_lock(path: Path, how: int, what: str) -> Iterator[None]:
    """Hold a lock on a file, made if missing; raise ``BadInput`` if another process holds it.

    Parameters
    ----------
    how
        ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
    what
        The locked part of the folder, in words.
    """
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW
        file = os.fdopen(os.open(path, flags, 0o666), "r+")
    with file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                f"another run writes to {what} in {path.parent}; wait for it or choose --out"
            ) from None
        except OSError:
            pass  # some file systems have no locks
        yield
