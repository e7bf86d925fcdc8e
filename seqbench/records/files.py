"""Atomic writes: after a loss of power or on a full disk, a file is either complete or absent."""

import os
from contextlib import suppress
from pathlib import Path

NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW  # never follows a link


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, flush it to the disk and rename it.

    On any error the temporary file is removed and an older file of this name stays unchanged.

    Raises
    ------
    OSError
        As raised by the operating system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # left by an earlier process with this id
    try:
        with os.fdopen(os.open(temporary, NEW_FILE, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # some file systems can't flush a folder
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
