"""Names and what they stand for, known before anything is imported.

A catalogue is a dict on one screen, ``name -> "module:attribute"``. What an installed package adds through an
entry-point group has the very same form, so both are listed, described and loaded in one way, and listing needs
no torch.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seqbench.errors import BadInput, unknown


class Catalogue(Mapping[str, Any]):
    """A mapping of names to objects that are imported when they are first asked for.

    Parameters
    ----------
    kind
        What an entry is called in messages: ``"task"`` or ``"model"``.
    builtin
        The house's own entries, ``name -> "module:attribute"``.
    group
        The entry-point group through which installed packages add theirs.
    """

    def __init__(self, kind: str, builtin: dict[str, str], group: str) -> None:
        self.kind = kind
        self.builtin = builtin
        self.group = group
        self.added: dict[str, Any] = {}

    @cached_property
    def addresses(self) -> dict[str, str]:
        """Return ``name -> "module:attribute"``; a package cannot take a name that the house has."""
        installed = {point.name: point.value for point in entry_points(group=self.group)}
        return installed | self.builtin

    def add(self, entry: Any) -> str:
        """Take in an object that has a ``name`` for the life of this process; return the name.

        A guest may come again, changed, and takes its old place; the place of another it cannot have.
        """
        name = getattr(entry, "name", None)
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise BadInput(
                f"a {self.kind} needs an attribute 'name' of letters, digits, '-', '_' and '.'; "
                f"that of {entry!r} is {name!r}"
            )
        if name not in self.addresses:
            self.added[name] = entry
        elif self[name] is not entry:
            raise BadInput(f"there is a {self.kind} '{name}' already; choose another name")
        return name

    def is_guest(self, name: str) -> bool:
        """Return whether an entry is somebody else's, so that no commit of the house names its code."""
        return name not in self.builtin

    def __getitem__(self, name: str) -> Any:
        if name in self.added:
            return self.added[name]
        if name not in self.addresses:
            raise unknown(self.kind, name, self)
        module, _, attribute = self.addresses[name].partition(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self.added or name in self.addresses

    def __iter__(self) -> Iterator[str]:
        yield from self.builtin
        yield from sorted(set(self.addresses) - set(self.builtin))
        yield from self.added

    def __len__(self) -> int:
        return len(self.addresses) + len(self.added)

    def summary(self, name: str) -> str:
        """Return the first line of the docstring of an entry's module, without importing it."""
        if name in self.added:
            doc = self.added[name].__doc__ or sys.modules[self.added[name].__module__].__doc__
        else:
            spec = find_spec(self.addresses[name].partition(":")[0])
            source = Path(spec.origin).read_text("utf-8") if spec and spec.origin else ""
            doc = ast.get_docstring(ast.parse(source))
        return (doc or "").partition("\n")[0]
