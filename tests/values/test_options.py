"""Options: declared once, listed, and checked before anything is made."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
import user_defined
from pydantic import Field

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.adapter import adapt
from seqbench.tasks import TASKS
from seqbench.values.options import SHAPE, check_options, list_options

EVERY = [(catalogue.kind, name) for catalogue in (TASKS, MODELS) for name in catalogue.builtin]


def entry(kind: str, name: str) -> type:
    return (TASKS if kind == "task" else MODELS)[name]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_option_says_what_it_is_and_can_be(kind, name):
    for option in list_options(entry(kind, name)).values():
        assert option.about, option
        assert option.choices != "a word", option  # every word has its choices
        if option.default is not None:
            assert check_options(kind, name, entry(kind, name), {option.name: option.default})


@pytest.mark.parametrize("name", MODELS.builtin)
def test_what_a_task_says_or_matching_finds_is_no_option(name):
    known = set(list_options(MODELS[name]))
    assert known >= {"hidden", "layers", "dropout"}
    assert not known & {*SHAPE, "keys", "bottom", "back", "feedforward", "features", "width"}


def test_options_of_the_cell_are_options_of_the_model():
    assert list_options(MODELS["gru"])["reset"].choices == "after or before"
    assert list_options(MODELS["lstm"])["forget_bias"].default == 1.0
    assert list_options(MODELS["bilstm"])["forget_bias"].choices == "a number from -100 to 100"


def test_a_value_comes_back_as_its_type_has_it():
    checked = check_options("model", "lstm", MODELS["lstm"], {"forget_bias": 3, "layers": 2})
    assert checked == {"forget_bias": 3.0, "layers": 2}
    assert type(checked["forget_bias"]) is float


@dataclass(frozen=True)
class Told(user_defined.Echo):
    """A task with options of every kind, one of them without bounds."""

    name = "told"
    hint: ClassVar[int] = 3
    depth: Annotated[int, Field(ge=1, le=3)] = 1
    loose: float = 0.5
    word: str = "any"


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("depth", 4, "choose a whole number from 1 to 3"),
        ("depth", 2.0, "choose a whole number from 1 to 3"),
        ("loose", "x", "choose a number"),
        ("loose", float("nan"), "choose a number"),
        ("word", 3, "choose a word"),
        ("hint", 3, "unknown option of task 'told' 'hint'; choose from: depth, loose, word"),
        ("lag", 3, "unknown option of task 'told' 'lag'"),
    ],
)
def test_options_of_a_task_of_one_s_own(option, value, why):
    with pytest.raises(BadInput, match=why):
        check_options("task", "told", Told, {option: value})


def test_an_entry_without_options_says_so():
    with pytest.raises(BadInput, match="unknown option 'x' of task 'echo'; it has none"):
        check_options("task", "echo", user_defined.Echo, {"x": 1})


def test_options_of_an_adapted_module_are_those_of_its_function():
    def factory(inputs, outputs, hidden, layers=1, depth: int = 2, causal=True):
        raise AssertionError

    known = list_options(adapt("mine", factory))
    assert set(known) == {"hidden", "layers", "depth"}
    assert known["layers"].choices == "a whole number from 1 to 64"
