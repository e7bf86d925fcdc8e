"""Writing a file so that it is there whole or not at all, also where the machine loses power or the disk is full."""

import os
from contextlib import suppress
from pathlib import Path

NEW_FILE = (
    os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
)  # a link in its place is never followed


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside its place, flush it to the disk and rename it.

    Whatever goes wrong, the temporary file is removed and an older file of this name stays as it was.

    Raises
    ------
    OSError
        As the operating system says it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # of an earlier process of this number
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
    with suppress(OSError):  # a file system that can't flush a folder
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Flush to the disk which files a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
