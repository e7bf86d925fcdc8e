"""The results folder of a command that measures: find it, check that it fits, and write into it.

Every such command first opens the folder, which writes nothing and raises where the folder belongs to another
specification. Then it holds the folder's lock while it writes, and adds a description of this machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqbench import machine
from seqbench.errors import BadInput
from seqbench.protocol.profile import Profile
from seqbench.records.schema import Manifest
from seqbench.records.store import Store

LOCAL = Path("results", "local")  # the default folder of a user's own results


def open_profile(out: str | Path | None, profile: Profile) -> Store:
    """Return the results folder of a profile, by default one for each precision; raise as ``open_folder`` does."""
    name = profile.folder or profile.name
    if profile.precision != "float32":
        name = f"{name}-{profile.precision}"
    return open_folder(LOCAL / name if out is None else out, profile.make_manifest())


def open_folder(out: str | Path, manifest: Manifest) -> Store:
    """Return a results folder, which may not exist yet; write nothing.

    Raises
    ------
    BadInput
        If the folder belongs to another specification, or can't be read.
    """
    if not str(out):
        raise BadInput("out is empty; name a folder, or leave it out")
    store = Store(out)
    store.check(manifest)
    store.check_layout()
    store.systems()  # raises if one can't be read
    return store


@contextmanager
def write_into(store: Store, manifest: Manifest, device: str, *locks: str) -> Iterator[Store]:
    """Create the folder if it does not exist, hold its lock, and write the description of this machine into it.

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
