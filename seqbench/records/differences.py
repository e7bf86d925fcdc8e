"""What two units differ in, of one task, lag and model."""

from typing import Any

from seqbench.records.schema import Unit


def list_differences(one: Unit, two: Unit) -> list[tuple[str, Any, Any]]:
    """Return the name of each field in which two units differ, in words, with both values; those of the budget, too."""
    a, b = (unit.model_dump(mode="json") for unit in (one, two))
    a, b = (whole | whole.pop("budget") for whole in (a, b))
    names = sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
    return [(name.replace("_", " "), a.get(name), b.get(name)) for name in names]


def describe_differences(one: Unit, two: Unit, words: str = "{name} {one}, asked for {two}") -> str:
    """Return the fields in which two units differ, with both values."""
    return "; ".join(
        words.format(name=name, one=a, two=b) for name, a, b in list_differences(one, two)
    )
