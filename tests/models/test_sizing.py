"""The sizes that give a model a number of parameters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.sizing import count, match_sizes
from seqbench.random import Keys

from . import FRAME, identities

few = settings(max_examples=5, deadline=None)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("parameters", [4_000, 10_000, 50_000])
@given(inputs=st.integers(1, 30), outputs=st.integers(1, 30), layers=st.integers(1, 4))
@few
def test_sizes_match_a_number_of_parameters(name, parameters, inputs, outputs, layers):
    shape = {
        "inputs": FRAME if MODELS[name].reads == "video" else inputs,
        "outputs": outputs,
        "layers": layers,
    }
    sizes = match_sizes(name, parameters, **shape)

    last = [*MODELS[name].size_options(layers=layers)][-1]

    def size(more=0):
        changed = {last: max(sizes[last] + more, 1)}
        return count(MODELS[name](identities(name), **shape, **sizes | changed))

    miss = abs(size() - parameters)
    assert miss <= min(abs(size(more) - parameters) for more in (1, -1))
    if size(1) - size() <= 0.04 * parameters:  # where the last dial is that fine
        assert miss <= 0.02 * parameters


def test_a_size_that_is_given_stays():
    shape = {"inputs": 3, "outputs": 2}
    assert match_sizes("transformer", 5_000, hidden=12, **shape).keys() == {"feedforward"}
    assert match_sizes("transformer", 5_000, hidden=12, feedforward=9, **shape) == {}


def test_no_model_is_smaller_than_its_smallest():
    with pytest.raises(BadInput, match="lstm has at least 34 parameters here; 20 are too few"):
        match_sizes("lstm", 20, inputs=6, outputs=1)


def test_numbers_are_counted_for_one_member():
    model = MODELS["lstm"](Keys.span("lstm", 1, "weights", 0, 0, 5), inputs=3, outputs=2, hidden=7)
    assert count(model) == 4 * 7 * (3 + 7 + 1) + 2 * (7 + 1)


def test_a_class_that_names_its_sizes_in_the_old_way_is_told_the_new_one():
    class Old(MODELS["rnn"]):
        name = "old"

        @classmethod
        def dials(cls, **options):
            return {"hidden": 8}

    with pytest.raises(
        BadInput, match=r"^model 'old' has a method 'dials'; its name is 'size_options' now$"
    ):
        match_sizes(Old, 1_000, inputs=2, outputs=1)
