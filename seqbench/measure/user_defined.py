"""Tasks and models that were passed as classes: how worker processes come by them, and what names their code."""

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
    """Return whether the task or the model of a unit is none of seqbench's own."""
    return TASKS.is_user_defined(unit.task) or MODELS.is_user_defined(unit.model)


def pickle_classes(units: Iterable[Unit]) -> bytes:
    """Return the tasks and models of units that were passed as classes, pickled with their code, if there are any.

    Raises
    ------
    BadInput
        Where one can't be pickled.
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
    """Take pickled classes into the catalogues of this process."""
    if not pickled:
        return
    tasks, models = cloudpickle.loads(pickled)
    for catalogue, entries in ((TASKS, tasks), (MODELS, models)):
        for entry in entries:
            catalogue.add(entry)


def name_code(unit: Unit, pickled: bytes) -> str | None:
    """Return a hash of the code of a unit's user-defined classes, "" without any, None where no file holds it."""
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
    """Yield the files of a class's code: of its package, or of its module and those beside it."""
    module = sys.modules.get(entry.__module__)
    package = sys.modules.get(entry.__module__.partition(".")[0])
    roots: Iterable[str] = getattr(package, "__path__", ())
    yield from (file for root in roots for file in Path(root).rglob("*.py"))
    if not roots and (file := getattr(module, "__file__", None)):
        yield from Path(file).parent.glob("*.py")
