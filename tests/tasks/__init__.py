"""What the tests of the tasks share."""

from functools import cache

import pytest

from seqbench.errors import DataMissing
from seqbench.tasks import TASKS


@cache
def reason(name: str) -> str:
    """Return why the data of a task is not there, or nothing; it is looked for once."""
    task = TASKS[name](TASKS[name].lags.start)
    try:
        task.sample(task.keys("train", 0, 0, 1))
    except DataMissing as missing:
        return str(missing)
    return ""


def needs_data(name: str) -> None:
    """Skip the test where the data of a task is missing."""
    if reason(name):
        pytest.skip(reason(name))
