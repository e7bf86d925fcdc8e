"""The kinds of text and numbers that a record may contain.

Names have a restricted set of characters, all other text is one printable line, and numbers are finite and not extreme.

A folder may come from an untrusted source. Restricted kinds may become part of a path, a heading or a command; free
text (``Line``) is also escaped wherever it is written (``text.py``).
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
    """Refuse an option text that would be read back differently from the spelling of a task or model."""
    for name, value in options.items():
        if isinstance(value, str) and not is_word(value):
            raise ValueError(f"option {name} is '{printable(value)}': {A_WORD}")
    return options


def _not_too_large(number: float) -> float:
    if abs(number) > LARGEST:
        raise ValueError(f"{number:g} is too large to compute with")
    return number


def not_too_small(number: float) -> float:
    """Return the number; raise ``ValueError`` where its reciprocal could overflow."""
    if number < SMALLEST:
        raise ValueError(f"{number:g} is too small to be divided by")
    return number


A_WORD: Final = "a text is a word of letters, digits, '_', '.', '+' and '-' that is no number and not true or false"


def is_word(value: str) -> bool:
    """Return whether a text can be the value of an option, that is, is read back unchanged."""
    if not re.fullmatch(r"[A-Za-z0-9_.+-]{1,100}", value):
        return False
    return parse(spell("name", {"option": value}))[1] == {"option": value}


MOST: Final = 2**53  # whole numbers up to here are exact in every JSON reader
LARGEST, SMALLEST = 1e300, 1e-30  # sums and quotients of numbers in this range are finite
Whole = Annotated[int, Field(ge=0, le=MOST)]
Number = Annotated[float, AfterValidator(_not_too_large)]
Time = Annotated[Number, Field(ge=0)]  # seconds
Rate = Annotated[Number, Field(gt=0), AfterValidator(not_too_small)]

# The kinds of text. Names are also used in file names.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
Spelling = Annotated[  # a name with options
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:=+-]*$", max_length=300)
]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|unknown)$")]
Line = Annotated[str, Field(max_length=LONGEST), AfterValidator(_one_line)]  # free text
Prose = Annotated[str, Field(max_length=4 * LONGEST), AfterValidator(_one_line)]  # a paragraph
Inside = Annotated[Line, AfterValidator(_inside)]  # a path
Instant = Annotated[  # UTC, ISO 8601
    str,
    Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$"),
    AfterValidator(_in_utc),
]
SeriesName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", max_length=100)]
OptionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]
Options = Annotated[dict[OptionName, bool | int | float | str], AfterValidator(_words)]
