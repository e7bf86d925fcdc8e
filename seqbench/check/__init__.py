"""Checks that every task and every model must pass, built-in or user-defined: ``seqbench check NAME``.

What may enter: a task or a model class, by name or address; its code is not trusted to be correct. Nothing is written.
A check is a function that returns None, or a sentence on what is wrong; its docstring says what holds if it passes.
Those of tasks are in ``tasks.py``, those of models in ``models.py``.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqbench.catalogue import load
from seqbench.check.models import MODEL_CHECKS
from seqbench.check.tasks import TASK_CHECKS
from seqbench.errors import BadInput, DataMissing, describe, unknown
from seqbench.models import MODELS
from seqbench.models.base import Model
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task

Check = Callable[[Any], str | None]


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``wrong`` is None where it passed."""

    check: str
    wrong: str | None

    def __str__(self) -> str:
        return (
            f"ok     {self.check}" if self.wrong is None else f"WRONG  {self.check}: {self.wrong}"
        )


def check(name: str) -> Iterator[Finding]:
    """Run all checks on a task or a model; yield what each found.

    Parameters
    ----------
    name
        A name in the catalogues, or ``module:attribute``.
    """
    entry = find_entry(name)
    is_task = isinstance(entry, type) and issubclass(entry, Task)
    yield from run_checks(TASK_CHECKS if is_task else MODEL_CHECKS, entry)


def run_checks(checks: Sequence[Check], entry: Any) -> Iterator[Finding]:
    """Run the checks in order; stop if the first fails. The same fault is reported once, then as "as above"."""
    said = set()
    for number, one in enumerate(checks):
        says = (one.__doc__ or "").partition("\n")[0].rstrip(".")
        try:
            wrong = one(entry)
        except DataMissing:
            raise
        except BadInput as error:
            wrong = str(error)
        except (Exception, SystemExit) as error:
            wrong = describe(error)
        yield Finding(says, "as above" if wrong in said else wrong)
        said |= {wrong} if wrong else set()
        if wrong and not number:
            return


def find_entry(name: str) -> Any:
    """Return a task or model by name or address; a class that is not registered is added for this process."""
    if not isinstance(name, str):
        raise BadInput(
            f"a task or a model is named by its name or address; got a {type(name).__name__}"
        )
    for catalogue in (TASKS, MODELS):
        if name in catalogue:
            return catalogue[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise unknown("task or model", name, [*TASKS, *MODELS])
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise BadInput(
            f"'{name}' is no address of a class; it is written like my_package.my_module:MyModel"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        entry = load(name)
    except (Exception, SystemExit) as error:  # user code may raise anything
        raise BadInput(f"can't import '{name}': {describe(error)}") from error
    if not isinstance(entry, type):
        raise BadInput(f"'{name}' is a {type(entry).__name__}; a task or a model is a class")
    if getattr(entry, "name", None):  # else the first check says what it lacks
        if issubclass(entry, Task):
            TASKS.add(entry)
        if issubclass(entry, Model):
            MODELS.add(entry)
    return entry
