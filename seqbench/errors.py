"""Errors of the user: each is one sentence that names the culprit and the choices, with an exit code."""

import warnings
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError

from seqbench.text import printable, shorten


class BadInput(Exception):
    """Input that can't be used; the message is shown to the user without a traceback."""

    exit_code = 2


class SpecificationDiffers(BadInput):
    """Results of different specifications can't be combined."""

    exit_code = 3


class NotWritten(BadInput):
    """A file could not be written: the disk is full, read-only, or missing."""


class DataMissing(BadInput):
    """A data set can be neither found nor fetched; its task is skipped."""


def unknown(kind: str, name: str, choices: Iterable[str], where: str = "") -> BadInput:
    """Return the error for a name that is not among the choices, with the nearest one."""
    choices = sorted(choices, key=lambda c: (len(c), c) if c.isdigit() else (0, c))
    name = shorten(name, 60)
    near = get_close_matches(name, choices, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    place = f" in {where}" if where else ""
    return BadInput(f"unknown {kind} '{name}'{place}; {hint}choose from: {', '.join(choices)}")


def describe(error: BaseException) -> str:
    """Return the type and the first line of an error; works for errors whose ``str`` fails as well."""
    try:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            words = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        else:
            words = str(error).strip().partition("\n")[0]
    except Exception:
        words = "no more can be said of it"
    return shorten(f"{type(error).__name__}: {words}")


def shorten_warnings() -> None:
    """Print warnings as their message alone, without file and line."""
    warnings.formatwarning = lambda message, *where, **more: (
        f"{printable(' '.join(str(message).split()))}\n"
    )
