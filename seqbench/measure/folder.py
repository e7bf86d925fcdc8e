"""The results folder of a command that measures: which one it is, whether it will do, and writing into it.

Every such command does the same: it opens the folder, which writes nothing and raises where the folder was made for
something else; then it holds the folder's lock while it writes, with the description of the machine beside the rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqbench import machine
from seqbench.errors import BadInput
from seqbench.protocol.settings import Profile
from seqbench.records.schema import Manifest
from seqbench.records.store import Store

LOCAL = Path("results", "local")  # where one's own results lie if nobody says otherwise


def open_profile(out: str | Path | None, profile: Profile) -> Store:
    """Return the results folder of a profile, by default one for each precision; raise as ``open_folder`` does."""
    name = profile.name if profile.precision == "float32" else f"{profile.name}-{profile.precision}"
    return open_folder(LOCAL / name if out is None else out, profile.manifest())


def open_folder(out: str | Path, manifest: Manifest) -> Store:
    """Return a results folder, whether it is there already or not; write nothing.

    Raises
    ------
    BadInput
        Where what is there was made for something else, or can't be read.
    """
    if not str(out):
        raise BadInput("out is empty; name a folder, or leave it out")
    store = Store(out)
    store.check(manifest)
    store.check_layout()
    store.systems()  # each can be read
    return store


@contextmanager
def write_into(store: Store, manifest: Manifest, device: str, *locks: str) -> Iterator[Store]:
    """Make the folder if there is none, hold its lock, and keep the description of this machine in it.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.
    locks
        The tasks or experiments whose results are written; none: all that the folder holds.
    """
    store.create(manifest)
    with store.lock(*locks):
        store.add_system(machine.describe_system(device))
        yield store
