"""What is known of a model without importing it is what its class says."""

import json
import subprocess
import sys
from inspect import signature

import pytest

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.base import Model
from seqbench.models.facts import ModelFacts
from seqbench.protocol.settings import Condition, Setting
from seqbench.records.schema import LAYERS


@pytest.mark.parametrize("name", MODELS.builtin)
def test_the_facts_are_those_of_the_class(name):
    model, facts = MODELS[name], MODELS.facts(name)
    assert issubclass(model, Model)
    assert model.name == name
    assert facts == ModelFacts(
        model.version, model.reads, model.default_layers, model.both_ways, model.recurrent
    )


@pytest.mark.parametrize("name", [name for name in MODELS.builtin if name not in LAYERS])
def test_a_name_that_the_schema_does_not_know_stands_for_one_layer(name):
    assert MODELS.facts(name).layers == 1


@pytest.mark.parametrize("name", LAYERS)
def test_a_name_that_the_schema_knows_stands_for_its_layers(name):
    assert MODELS.facts(name).layers == LAYERS[name]


def layers_by_signature(model):
    """Return the number of layers of the constructor that takes them: a subclass may hand on its options."""
    given = (signature(base.__init__).parameters.get("layers") for base in model.__mro__)
    return next(parameter.default for parameter in given if parameter)


@pytest.mark.parametrize("name", MODELS.builtin)
def test_without_a_number_of_layers_the_constructor_takes_the_default(name):
    assert layers_by_signature(MODELS[name]) == MODELS.facts(name).layers


def test_a_class_that_is_added_says_its_facts_itself(monkeypatch):
    class Deep(MODELS["rnn"]):
        name = "deep"
        version = 2
        default_layers = 3

    monkeypatch.setattr(MODELS, "added", {})
    MODELS.add(Deep)
    assert MODELS.facts("deep") == ModelFacts(version=2, layers=3, recurrent=True)
    setting = Setting("latch", (6,), steps=2)
    assert Condition(setting, 6, "deep").net == ("deep", 3, {})
    assert Condition(setting, 6, "deep:layers=1").net == ("deep", 1, {})


def test_nobody_knows_the_facts_of_an_unknown_model():
    with pytest.raises(BadInput, match="unknown model 'lsm'; did you mean 'lstm'"):
        MODELS.facts("lsm")


def test_facts_need_no_torch():
    code = (
        "import json, sys; from seqbench.models import MODELS; "
        "print(json.dumps([MODELS.facts('transformer').layers, 'torch' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [2, False]
