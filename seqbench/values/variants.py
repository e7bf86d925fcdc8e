"""The spelling of a task or model with options: ``lstm:layers=2:truncate=10``, ``temporal-order:relevant=3``.

The same spelling is used in profiles, on the command line and in tables. A value is a whole number, a number, ``true``
or ``false``, otherwise a word; options are sorted by name.
"""

import re
from collections.abc import Mapping
from typing import Final

from seqbench.errors import BadInput
from seqbench.text import shorten

Value = bool | int | float | str
WORDS: Final[dict[str, Value]] = {"true": True, "false": False}


def spell(name: str, options: Mapping[str, Value]) -> str:
    """Return the canonical spelling of a name with options."""
    return ":".join(
        [name, *(f"{option}={spell_value(options[option])}" for option in sorted(options))]
    )


def parse(spelling: str) -> tuple[str, dict[str, Value]]:
    """Return the name and the options of a spelling; an option without ``=`` is true."""
    name, *parts = spelling.split(":")
    options: dict[str, Value] = {}
    for part in parts:
        option, equals, value = part.partition("=")
        if option in options:
            raise BadInput(
                f"option '{shorten(option, 40)}' of '{name}' is given twice; give it once"
            )
        options[option] = _read(value) if equals else True
    return name, options


def strip_options(spelling: str) -> str:
    """Return the name without options."""
    return spelling.partition(":")[0]


def spell_value(value: Value) -> str:
    """Return the text of a value."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(text: str) -> Value:
    if text in WORDS:
        return WORDS[text]
    if re.fullmatch(r"[+-]?[0-9]{1,300}", text):
        return int(text)
    try:
        return float(text) if text.isascii() else text
    except ValueError:
        return text
