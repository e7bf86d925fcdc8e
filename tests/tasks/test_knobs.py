"""What the lag of a task is called: the same in its class, in the catalogue, and wherever it is shown."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from seqbench.errors import BadInput
from seqbench.tasks import TASKS
from seqbench.tasks.base import Task
from seqbench.tasks.knobs import Knob


@pytest.mark.parametrize("name", TASKS.builtin)
def test_the_knob_is_that_of_the_class(name):
    assert TASKS.knob(name) == Knob(TASKS[name].knob, TASKS[name].knob_unit)
    assert TASKS[name].name == name


@pytest.mark.parametrize("name", TASKS.builtin)
def test_every_built_in_knob_has_a_short_name_and_a_unit(name):
    knob = TASKS.knob(name)
    assert len(knob.label) <= 40
    assert knob.unit.endswith("s")


def test_knobs_are_known_without_torch():
    code = (
        "import json, sys; from seqbench.tasks import TASKS;"
        "print(json.dumps([TASKS.knob(n) for n in TASKS.builtin] + ['torch' in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert json.loads(said) == [*([*TASKS.knob(name)] for name in TASKS.builtin), False]


@pytest.mark.parametrize(
    ("knob", "lag", "label", "words"),
    [
        (Knob("delay", "steps"), 50, "delay in steps", "delay of 50 steps"),
        (Knob("delay", "steps"), 1, "delay in steps", "delay of 1 step"),
        (Knob("pairs", "pairs"), 8, "pairs", "8 pairs"),
        (Knob("pairs", "pairs"), 1, "pairs", "1 pair"),
        (Knob("blank frames", "frames"), 20, "blank frames", "20 blank frames"),
        (Knob("blank frames", "frames"), 1, "blank frames", "1 blank frame"),
        (Knob("noise"), 3, "noise", "noise 3"),
        (Knob(), 3, "lag", "lag 3"),
    ],
)
def test_a_lag_is_said_in_words(knob, lag, label, words):
    assert knob.label == label
    assert knob.spell(lag) == words


@dataclass(frozen=True)
class Plain(Task):
    """A task written before knobs had units."""

    name = "plain"
    inputs = 2
    outputs = 2
    chance = 0.5
    threshold = 0.9

    def sample(self, keys):
        raise NotImplementedError


@dataclass(frozen=True)
class Long(Plain):
    name = "long"
    knob = "steps that are read"


def test_a_task_that_names_no_unit_goes_on_working(monkeypatch):
    monkeypatch.setattr(TASKS, "added", {})
    TASKS.add(Plain)
    TASKS.add(Long)
    assert TASKS.knob("plain").spell(5) == "lag 5"
    assert TASKS.knob("long").label == "steps that are read"
    assert TASKS.knob("nowhere") == Knob()
    with pytest.raises(BadInput, match=r"long can't have lag 0 \(steps that are read\); choose"):
        Long(0)


def test_options_do_not_change_the_knob():
    assert TASKS.knob("copy:symbols=4") == TASKS.knob("copy") != Knob()


@pytest.mark.parametrize(
    ("name", "lag", "says"),
    [
        ("adding", 1, "adding can't have lag 1 (length in steps); choose from 2 to 100000"),
        ("recall", 65, "recall can't have lag 65 (pairs); choose from 1 to 64"),
    ],
)
def test_the_error_names_the_knob_and_its_unit(name, lag, says):
    with pytest.raises(BadInput) as told:
        TASKS[name](lag)
    assert str(told.value) == says
