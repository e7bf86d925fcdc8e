"""Names and what they stand for, known before anything is imported.

A catalogue is a dict on one screen, ``name -> "module:attribute"``. What an installed package adds through an
entry-point group has the same form, so both are listed and described in one way, and listing needs no torch. Such a
package may be at fault: what can't be imported is named with its package, and the rest goes on.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seqbench.errors import BadInput, describe, unknown
from seqbench.text import shorten


class Catalogue(Mapping[str, Any]):
    """A mapping of names to objects that are imported when they are first asked for.

    Parameters
    ----------
    kind
        What an entry is called in messages: ``"task"`` or ``"model"``.
    builtin
        The built-in entries, ``name -> "module:attribute"``.
    group
        The entry-point group through which installed packages add theirs.
    """

    def __init__(self, kind: str, builtin: dict[str, str], group: str) -> None:
        self.kind = kind
        self.builtin = builtin
        self.group = group
        self.added: dict[str, Any] = {}

    @cached_property
    def installed(self) -> list[EntryPoint]:
        """Return all entry points of the group, those of one package after those of another."""
        return list(entry_points(group=self.group))

    @cached_property
    def points(self) -> dict[str, EntryPoint]:
        """Return by name the entry points that count: a name is that of a built-in entry, or of the first package."""
        first = {point.name: point for point in reversed(self.installed)}
        return {name: point for name, point in first.items() if name not in self.builtin}

    def add(self, entry: Any) -> str:
        """Add a user-defined entry for the life of this process; return its name.

        An entry that is added again replaces the earlier one of its name. It can't replace a built-in or an installed
        one.

        Raises
        ------
        BadInput
            Where the entry has no name, or that of another, or is not of this kind.
        """
        name = getattr(entry, "name", None)  # of whatever a caller passes
        kind = getattr(entry, "__name__", type(entry).__name__)
        self.examine(str(name or kind), entry)
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise BadInput(
                f"a {self.kind} needs an attribute 'name' of letters, digits, '-', '_' and '.'; "
                f"that of a {kind} is {shorten(repr(name), 60)}"
            )
        if name not in self.builtin and name not in self.points:
            self.added[name] = entry
        elif self[name] is not entry:
            raise BadInput(f"there is a {self.kind} '{name}' already; choose another name")
        return name

    def examine(self, name: str, entry: Any) -> None:
        """Raise BadInput where an entry that a user or a package adds is not of this kind; here anything is."""

    def is_user_defined(self, name: str) -> bool:
        """Return whether an entry is not built in, so that no commit of seqbench names its code."""
        return name not in self.builtin

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise BadInput(f"a {self.kind} has a name; got a {type(name).__name__}")
        if name in self.added:
            return self.added[name]
        if name in self.points:
            try:
                entry = self.points[name].load()
            except (Exception, SystemExit) as error:  # whatever the package does as it is imported
                raise BadInput(
                    f"the {self.kind} '{name}' {self.describe_fault(name, error)}"
                ) from error
            self.examine(name, entry)
            return entry
        if name not in self.builtin:
            raise unknown(self.kind, name, self)
        return load(self.builtin[name])

    def describe_fault(self, name: str, error: BaseException) -> str:
        """Return what is wrong with an installed entry: which entry point, of which package, and why."""
        return f"can't be imported: {describe_point(self.points[name])}: {describe(error)}"

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            name in self.added or name in self.builtin or name in self.points
        )

    def __iter__(self) -> Iterator[str]:
        yield from self.builtin
        yield from sorted(self.points)
        yield from self.added

    def __len__(self) -> int:
        return len(self.builtin) + len(self.points) + len(self.added)

    def summary(self, name: str) -> str:
        """Return the first line of the docstring of an entry's module, without importing it, or what is wrong."""
        if name in self.added:
            doc = self.added[name].__doc__ or sys.modules[self.added[name].__module__].__doc__
        elif name in self.builtin:
            doc = read_docstring(self.builtin[name].partition(":")[0])
        else:
            try:
                doc = read_docstring(self.points[name].module)
            except (Exception, SystemExit) as error:  # whatever its parent packages do
                doc = self.describe_fault(name, error)
        line = (doc or "").partition("\n")[0]
        same = [point for point in self.installed if point.name == name]
        ignored = [describe_point(p) for p in same if p is not self.points.get(name)]
        return line + "".join(f" (ignored: {each})" for each in ignored)


def load(address: str) -> Any:
    """Import what an address ``module:attribute`` names; so nothing is imported before it is asked for."""
    module, _, attribute = address.partition(":")
    return getattr(import_module(module), attribute)


def read_docstring(module: str) -> str | None:
    """Return the docstring of a module from its source."""
    spec = find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"No module named '{module}'")
    source = Path(spec.origin).read_text("utf-8") if spec.origin else ""
    return ast.get_docstring(ast.parse(source))


def describe_point(point: EntryPoint) -> str:
    """Return an entry point and the package that it is of."""
    package = f" of the package '{point.dist.name}'" if point.dist else ""
    return f"the entry point '{point.name} = {point.value}'{package}"
