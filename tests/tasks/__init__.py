"""What the tests of the tasks share."""

from functools import cache

import pytest

from seqbench.data import locate
from seqbench.errors import DataMissing


@cache
def reason() -> str:
    """Return why the text of time-machine is not there, or nothing; it is looked for once."""
    try:
        locate("timemachine", "timemachine.txt")
    except DataMissing as missing:
        return str(missing)
    return ""


def needs_data(name: str) -> None:
    """Skip the test where the data of a task is missing."""
    if name == "time-machine" and reason():
        pytest.skip(reason())
