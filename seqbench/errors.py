"""What a user may have got wrong: one sentence that names the culprit and the choices, and exit code 2."""

import warnings
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError

from seqbench.text import printable, shorten


class BadInput(Exception):
    """Something the user gave cannot be used; the message is the whole answer."""

    exit_code = 2


class SpecificationDiffers(BadInput):
    """Results of one specification cannot be joined to a run of another."""

    exit_code = 3


class NotWritten(BadInput):
    """The disk would not take a file: it is full, read-only, or not there."""


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
    """Return an error in one line, also one that can't say what is wrong; of several lines the first."""
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
    """Let a warning be its sentence alone, for who reads it at a terminal."""
    warnings.formatwarning = lambda message, *where, **more: (
        f"{printable(' '.join(str(message).split()))}\n"
    )
