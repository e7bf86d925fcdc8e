"""Tasks and models that were passed as classes: how worker processes get them, and the hash of their code."""

import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

import cloudpickle

from seqbench.errors import BadInput, describe
from seqbench.models import MODELS
from seqbench.records.schema import Unit
from seqbench.tasks import TASKS


def is_user_defined(unit: Unit) -> bool:
    """Return whether the task or the model of a unit is not built into seqbench."""
    return TASKS.is_user_defined(unit.task) or MODELS.is_user_defined(unit.model)


def pickle_classes(units: Iterable[Unit]) -> bytes:
    """Return the classes among the tasks and models of units, pickled with their code; empty if there are none.

    Raises
    ------
    BadInput
        If one can't be pickled.
    """
    units = list(units)
    tasks = [TASKS.added[n] for n in dict.fromkeys(u.task for u in units) if n in TASKS.added]
    models = [MODELS.added[n] for n in dict.fromkeys(u.model for u in units) if n in MODELS.added]
    if not tasks and not models:
        return b""
    try:
        return cloudpickle.dumps((tasks, models))
    except Exception as error:
        names = ", ".join(entry.name for entry in (*tasks, *models))
        raise BadInput(
            f"worker processes can't be given {names}: {describe(error)}; "
            "put it into a module of its own, or leave out what it holds at class level"
        ) from None


def load_classes(pickled: bytes) -> None:
    """Add pickled classes to the catalogues of this process."""
    if not pickled:
        return
    tasks, models = cloudpickle.loads(pickled)
    for catalogue, entries in ((TASKS, tasks), (MODELS, models)):
        for entry in entries:
            catalogue.add(entry)


def name_code(unit: Unit, pickled: bytes) -> str | None:
    """Return a hash of the code of a unit's user-defined classes, "" if there are none, None if no file holds it."""
    entries = [
        catalogue[name]
        for catalogue, name in ((TASKS, unit.task), (MODELS, unit.model))
        if name not in catalogue.builtin
    ]
    if not entries:
        return ""
    hashed = blake2b(pickled, digest_size=8)
    for entry in entries:
        files = sorted(list_source_files(entry))
        if not files:
            return None
        for file in files:
            hashed.update(file.read_bytes())
    return hashed.hexdigest()


def list_source_files(entry: type) -> Iterator[Path]:
    """Yield the Python files of a class: those of its package, or its module's folder if it is in no package."""
    module = sys.modules.get(entry.__module__)
    package = sys.modules.get(entry.__module__.partition(".")[0])
    roots: Iterable[str] = getattr(package, "__path__", ())
    yield from (file for root in roots for file in Path(root).rglob("*.py"))
    if not roots and (file := getattr(module, "__file__", None)):
        yield from Path(file).parent.glob("*.py")
