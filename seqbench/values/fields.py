"""The kinds of text and of numbers that a record may hold.

What names something has the characters of a name, other texts are one line, and with a number one can compute.

A folder may come from a stranger. What is restricted here can be a part of a path, a heading or a command; what is free
to say (``Line``) is escaped wherever it is written, too (``text.py``).
"""

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from seqbench.text import LONGEST, printable
from seqbench.values.variants import Value, parse, spell


def _one_line(text: str) -> str:
    if printable(text) != text:
        raise ValueError(f"'{printable(text)}' is no line of printable characters")
    return text


def _inside(path: str) -> str:
    if not {"", ".", ".."}.isdisjoint(path.split("/")) or "\\" in path:
        raise ValueError(f"'{path}' is no path within the folder")
    return path


def _in_utc(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no date and time") from None
    return text


def _words(options: dict[str, Value]) -> dict[str, Value]:
    """Refuse a text that would be read as more or as something else where an option is spelled in a line."""
    for name, value in options.items():
        if isinstance(value, str) and not is_word(value):
            raise ValueError(f"option {name} is '{printable(value)}': {A_WORD}")
    return options


def _not_too_large(number: float) -> float:
    if abs(number) > LARGEST:
        raise ValueError(f"{number:g} is too large to compute with")
    return number


def _not_too_small(number: float) -> float:
    if number < SMALLEST:
        raise ValueError(f"{number:g} is too small to be divided by")
    return number


A_WORD: Final = "a text is a word of letters, digits, '_', '.', '+' and '-' that is no number and not true or false"


def is_word(value: str) -> bool:
    """Return whether a text can be the value of an option: it is read back as it was spelled."""
    if not re.fullmatch(r"[A-Za-z0-9_.+-]{1,100}", value):
        return False
    return parse(spell("name", {"option": value}))[1] == {"option": value}


MOST: Final = 2**53  # whole numbers up to here are the same in every program that reads JSON
LARGEST, SMALLEST = 1e300, 1e-30  # sums and quotients of such numbers are finite
Whole = Annotated[int, Field(ge=0, le=MOST)]
Number = Annotated[float, AfterValidator(_not_too_large)]
Time = Annotated[Number, Field(ge=0)]  # seconds
Rate = Annotated[Number, Field(gt=0), AfterValidator(_not_too_small)]

# The kinds of text. A name is part of file names, too.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
Spelling = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:=+-]*$", max_length=300)
]  # with options
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|unknown)$")]
Line = Annotated[str, Field(max_length=LONGEST), AfterValidator(_one_line)]  # free to say
Prose = Annotated[str, Field(max_length=4 * LONGEST), AfterValidator(_one_line)]  # a paragraph
Inside = Annotated[Line, AfterValidator(_inside)]  # a path
Instant = Annotated[
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$"),
    AfterValidator(_in_utc),
]  # UTC, ISO 8601
SeriesName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", max_length=100)]
OptionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Options = Annotated[dict[OptionName, bool | int | float | str], AfterValidator(_words)]
