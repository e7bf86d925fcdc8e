"""Where the data sets lie: found on this machine, else fetched once, and never used unless their bytes are right.

A file is looked for in ``$SEQBENCH_DATA/<name>/<file>`` first, then in the user's cache; only then is it fetched into
the cache, from the first address that answers. Its SHA-256 stands below, so all that differs is refused. Nothing of
these data sets is shipped with the package.
"""

import logging
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

from seqbench.errors import BadInput, DataMissing, unknown

VARIABLE = "SEQBENCH_DATA"
PATIENCE = 8.0  # seconds for a fetch, all addresses together: long enough for the files below


@dataclass(frozen=True)
class Source:
    """One file of a data set: its licence, its size, its bytes, and where they can be had."""

    name: str
    file: str
    licence: str
    bytes: int
    sha256: str
    addresses: tuple[str, ...]


SOURCES = (
    Source(
        name="timemachine",
        file="timemachine.txt",
        licence="public domain (H. G. Wells, 1895)",
        bytes=178_979,
        sha256="8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516",
        addresses=(
            "http://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
            "https://raw.githubusercontent.com/d2l-ai/d2l-zh/592fbef84a684e752393edbf267c07dbc53e082b/data/timemachine.txt",
        ),
    ),
)


def locate(name: str, file: str) -> Path:
    """Return the path of a file whose bytes are right, fetched first where need be.

    Raises
    ------
    BadInput
        If there is no such data set, or if the file that is there has other bytes.
    DataMissing
        If the file is not there and can't be fetched.
    """
    source = known(name, file)
    for path in places(source):
        if path.exists():
            found = sha256(path.read_bytes()).hexdigest()
            if found != source.sha256:
                raise BadInput(
                    f"{path} is not the file it should be: its SHA-256 is {found}, "
                    f"not {source.sha256}; remove it or put the right one there"
                )
            return path
    path = places(source)[-1]
    if not fetch(source, path):
        looked = " and ".join(str(place.parent) for place in places(source))
        raise DataMissing(
            f"the data set '{name}' is missing: {file} is not in {looked} and can't be "
            f"fetched; set {VARIABLE} to a directory that holds {name}/{file}"
        )
    return path


def status() -> list[dict[str, Any]]:
    """Return each file's entry, and under ``found`` its path, ``"missing"`` or ``"differs: <path>"``."""
    return [asdict(source) | {"found": found(source)} for source in SOURCES]


def found(source: Source) -> str:
    """Return where a file lies, and say so if its bytes are not right; fetch nothing."""
    for path in places(source):
        if path.exists():
            right = sha256(path.read_bytes()).hexdigest() == source.sha256
            return str(path) if right else f"differs: {path}"
    return "missing"


def known(name: str, file: str) -> Source:
    """Return the entry of a file."""
    for source in SOURCES:
        if (source.name, source.file) == (name, file):
            return source
    raise unknown("data set", f"{name}/{file}", (f"{s.name}/{s.file}" for s in SOURCES))


def places(source: Source) -> list[Path]:
    """Return where a file may lie, in the order in which it is looked for; the last is the cache."""
    import pooch  # here, since it is slow to import

    own = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    return [root / source.name / source.file for root in (*own, Path(pooch.os_cache("seqbench")))]


def fetch(source: Source, path: Path) -> bool:
    """Fetch a file to its place, and return whether it is there; never take much longer than PATIENCE."""
    import pooch

    def attempt() -> None:
        for address in source.addresses:
            try:
                pooch.retrieve(
                    address,
                    known_hash=source.sha256,
                    fname=path.name,
                    path=path.parent,
                    downloader=pooch.HTTPDownloader(timeout=PATIENCE / 2),
                )
            except (OSError, ValueError):  # no network, no answer, no such file; other bytes
                continue
            return

    pooch.get_logger().setLevel(logging.ERROR)
    # In a thread, since looking up the name of a host has no time limit of its own.
    thread = Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return path.exists()
