"""The files of real data sets: found on this machine or downloaded once, and verified by their SHA-256.

A file is looked for in ``$SEQBENCH_DATA/<name>/<file>``, then in the user's cache; if it is in neither, it is
downloaded into the cache from the first address that answers. Files with another SHA-256 than listed below are refused.
No data set is shipped with the package.

Some files are members of an archive: they are extracted, and the hash is that of the file. One data set *is* an archive
that its host repacks from time to time: its hash is that of the list of its members.
"""

import logging
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import filter as matching
from hashlib import sha256
from pathlib import Path, PurePosixPath
from stat import S_ISDIR
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from zipfile import BadZipFile, ZipFile

from seqbench.errors import BadInput, DataMissing, unknown

VARIABLE = "SEQBENCH_DATA"
PATIENCE = 8.0  # seconds for a download from all addresses together, plus the time for the bytes
RATE = 2**20  # assumed bytes per second of the connection
UCI = "https://archive.ics.uci.edu/static/public/331/sentiment+labelled+sentences.zip"


@dataclass(frozen=True)
class Source:
    """One file of a data set: its licence, size, hash, and addresses.

    Attributes
    ----------
    addresses
        ``https://…/archive.zip#file`` is a file in an archive.
    members
        For an archive, a pattern for its relevant members: ``sha256`` is then that of the lines ``<sha256>  <file>``,
        one per member, sorted by name.
    """

    name: str
    file: str
    licence: str
    bytes: int
    sha256: str
    addresses: tuple[str, ...]
    members: str = ""


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
    Source(
        name="banking77",
        file="categories.json",
        licence="CC BY 4.0",
        bytes=2_036,
        sha256="53261da888122daf2d120d925458631d9619e15d82e56052e7a42e535ce32b63",
        addresses=(
            "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/master/banking_data/categories.json",
        ),
    ),
    Source(
        name="banking77",
        file="test.csv",
        licence="CC BY 4.0",
        bytes=239_961,
        sha256="d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
        addresses=(
            "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/master/banking_data/test.csv",
        ),
    ),
    Source(
        name="banking77",
        file="train.csv",
        licence="CC BY 4.0",
        bytes=839_073,
        sha256="b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
        addresses=(
            "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/master/banking_data/train.csv",
        ),
    ),
    Source(
        name="etth1",
        file="ETTh1.csv",
        licence="CC BY-ND 4.0",
        bytes=2_589_657,
        sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
        addresses=(
            "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",
        ),
    ),
    Source(
        name="fsdd",
        file="fsdd-v1.0.10-recordings.zip",
        licence="CC BY-SA 4.0",
        bytes=16_163_685,
        sha256="1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959",
        addresses=(
            "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
        ),
        members="*recordings/*.wav",
    ),
    Source(
        name="mnist",
        file="t10k-images-idx3-ubyte.gz",
        licence="CC BY-SA 3.0",
        bytes=1_648_877,
        sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        addresses=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-images-idx3-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
        ),
    ),
    Source(
        name="mnist",
        file="t10k-labels-idx1-ubyte.gz",
        licence="CC BY-SA 3.0",
        bytes=4_542,
        sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        addresses=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
        ),
    ),
    Source(
        name="mnist",
        file="train-images-idx3-ubyte.gz",
        licence="CC BY-SA 3.0",
        bytes=9_912_422,
        sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        addresses=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
        ),
    ),
    Source(
        name="mnist",
        file="train-labels-idx1-ubyte.gz",
        licence="CC BY-SA 3.0",
        bytes=28_881,
        sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        addresses=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/train-labels-idx1-ubyte.gz",
            "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz",
        ),
    ),
    Source(
        name="nab",
        file="ambient_temperature_system_failure.csv",
        licence="MIT",
        bytes=233_321,
        sha256="230b68ccca20f59d562afd5d24ad52939c9b784386bed0054018358bf9120581",
        addresses=(
            "https://raw.githubusercontent.com/numenta/NAB/master/data/realKnownCause/ambient_temperature_system_failure.csv",
        ),
    ),
    Source(
        name="nab",
        file="combined_windows.json",
        licence="MIT",
        bytes=15_359,
        sha256="1e1fbc4601321aad8d0f8b3784c8134299379f68f6c1f7777565f8ffd57ab6b1",
        addresses=(
            "https://raw.githubusercontent.com/numenta/NAB/master/labels/combined_windows.json",
        ),
    ),
    Source(
        name="nab",
        file="machine_temperature_system_failure.csv",
        licence="MIT",
        bytes=732_223,
        sha256="92bf5b87fc7f9bba8ca0b7ec63ccaac8cb4a1371a258e8c29a10ae9c018d82a4",
        addresses=(
            "https://raw.githubusercontent.com/numenta/NAB/master/data/realKnownCause/machine_temperature_system_failure.csv",
        ),
    ),
    Source(
        name="nab",
        file="nyc_taxi.csv",
        licence="MIT",
        bytes=265_771,
        sha256="d8fa6f7f0734bf5c8be12c52a94e20a82664c397d9dec4449156bd453d32856d",
        addresses=(
            "https://raw.githubusercontent.com/numenta/NAB/master/data/realKnownCause/nyc_taxi.csv",
        ),
    ),
    Source(
        name="tinyshakespeare",
        file="input.txt",
        licence="public domain (W. Shakespeare)",
        bytes=1_115_394,
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        addresses=(
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    ),
    Source(
        name="uci_sentiment",
        file="amazon_cells_labelled.txt",
        licence="CC BY 4.0",
        bytes=58_226,
        sha256="47003fc0a0d4840b00e96e715b6189bad09e7443a3da41c4cbe12ffc79f86ae3",
        addresses=(f"{UCI}#amazon_cells_labelled.txt",),
    ),
    Source(
        name="uci_sentiment",
        file="imdb_labelled.txt",
        licence="CC BY 4.0",
        bytes=85_285,
        sha256="aef2e49e3da25714d61175e3a6e68eeef74a20a2f914318dc3be9947ea86512d",
        addresses=(f"{UCI}#imdb_labelled.txt",),
    ),
    Source(
        name="uci_sentiment",
        file="yelp_labelled.txt",
        licence="CC BY 4.0",
        bytes=61_320,
        sha256="c76468b7b5c6e56a0804d728345c5f84aa2142ddb214420f61cc9cfd4c00d2ea",
        addresses=(f"{UCI}#yelp_labelled.txt",),
    ),
)


def locate(name: str, file: str) -> Path:
    """Return the path of a verified file, downloading it if necessary.

    Raises
    ------
    BadInput
        If there is no such data set, if the file can't be read or has another hash, or if ``$SEQBENCH_DATA`` is not a
        directory.
    DataMissing
        If the file is missing and can't be downloaded.
    """
    source = find_source(name, file)
    for path in list_places(source):
        there = hash_at(source, path)
        if there is None:
            continue
        if there != source.sha256:
            raise BadInput(
                f"{path} is not the file it should be: its SHA-256 is {there}, "
                f"not {source.sha256}; remove it or put the right one there"
            )
        return path
    path = list_places(source)[-1]
    looked = " and ".join(str(place.parent) for place in list_places(source))
    missing = f"the data set '{name}' is missing: {file} is not in {looked}"
    instead = f"set {VARIABLE} to a directory that holds {name}/{file}"
    if why := explain_refusal(path.parent):
        raise DataMissing(
            f"{missing} and can't be fetched, since {path.parent} can't be written to ({why}); {instead}"
        )
    if not fetch(source, path):
        raise DataMissing(f"{missing} and can't be fetched; {instead}")
    return path


def explain_refusal(folder: Path) -> str:
    """Return why a folder can't be written to, or an empty string; make it if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix="."):
            return ""
    except OSError as error:
        return explain(error)


def hash_at(source: Source, path: Path) -> str | None:
    """Return the SHA-256 of the file at a path, None if there is none; raise ``BadInput`` if it can't be read."""
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a directory; put the file {source.file} in its place")
        return hash_file(source, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInput(
            f"{path} can't be read ({explain(error)}); let it be read, or remove it"
        ) from error


def explain(error: OSError) -> str:
    """Return the system's message of an error."""
    return (error.strerror or type(error).__name__).lower()


def list_status() -> list[dict[str, Any]]:
    """Return each file's entry, and under ``found`` its path, ``"missing"`` or ``"differs: <path>"``.

    What can't be read is ``"unreadable: <path>"``.
    """
    return [asdict(source) | {"found": describe_place(source)} for source in SOURCES]


def describe_place(source: Source) -> str:
    """Return where a file is, or that it differs, is unreadable or missing; nothing is downloaded."""
    for path in list_places(source):
        try:
            there = hash_at(source, path)
        except BadInput:
            return f"unreadable: {path}"
        if there is not None:
            return str(path) if there == source.sha256 else f"differs: {path}"
    return "missing"


def find_source(name: str, file: str) -> Source:
    """Return the entry of a file."""
    for source in SOURCES:
        if (source.name, source.file) == (name, file):
            return source
    raise unknown("data set", f"{name}/{file}", (f"{s.name}/{s.file}" for s in SOURCES))


def list_places(source: Source) -> list[Path]:
    """Return where a file may be, in the order of the search; the last is the cache."""
    import pooch  # here, since it is slow to import

    own = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    for root in own:
        # If the directory is missing or unreadable, its files count as missing.
        with suppress(OSError):
            if not S_ISDIR(root.stat().st_mode):
                raise BadInput(f"{VARIABLE} is '{root}', which is no directory")
    return [root / source.name / source.file for root in (*own, Path(pooch.os_cache("seqbench")))]


def hash_file(source: Source, path: Path) -> str:
    """Return the SHA-256 of a file, or of the list of an archive's members."""
    if source.members:
        with suppress(BadZipFile), ZipFile(path) as archive:
            lines = (
                f"{sha256(archive.read(name)).hexdigest()}  {PurePosixPath(name).name}\n"
                for name in sorted(matching(archive.namelist(), source.members))
            )
            return sha256("".join(lines).encode()).hexdigest()
    return sha256(path.read_bytes()).hexdigest()


def fetch(source: Source, path: Path) -> bool:
    """Download a file, within a time limit, and return whether it is there."""
    import pooch

    def attempt() -> None:
        for address in source.addresses:
            url, _, member = address.partition("#")
            # Suppressed: no network, no answer, no such file, not an archive, or no such member.
            with (
                suppress(OSError, ValueError, BadZipFile, StopIteration),
                TemporaryDirectory(dir=path.parent, prefix=".") as aside,
            ):
                downloader = pooch.HTTPDownloader(timeout=PATIENCE / 2)
                got = Path(pooch.retrieve(url, None, path.name, aside, downloader=downloader))
                if member:
                    unpack(got, member)
                if hash_file(source, got) == source.sha256:
                    got.replace(path)
                    return

    pooch.get_logger().setLevel(logging.ERROR)
    # In a thread, since a DNS lookup has no time limit.
    thread = Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(PATIENCE + source.bytes / RATE)
    return path.exists()


def unpack(path: Path, member: str) -> None:
    """Replace an archive by one of its members, in any folder of the archive."""
    with ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if PurePosixPath(n).name == member)
        content = archive.read(name)
    path.write_bytes(content)
