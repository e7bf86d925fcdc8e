"""The sizes that give a model a number of parameters."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.adapter import adapt
from seqbench.models.base import Linear, Model
from seqbench.models.sizing import common_size, count, count_inner, match_sizes
from seqbench.random import Keys

from . import FRAME, identities, make

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


def test_a_transformer_of_one_head_and_no_positions_may_start_from_a_width_of_one():
    sizes = match_sizes("transformer", 5_000, inputs=3, outputs=2, heads=1, positions="none")
    model = MODELS["transformer"](
        identities("transformer"), inputs=3, outputs=2, heads=1, positions="none", **sizes
    )
    assert abs(count(model) - 5_000) <= 0.02 * 5_000


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


# Without embedding and readout


def test_all_but_the_readout_of_an_lstm_is_inner():
    assert count_inner(make("lstm", inputs=3, outputs=2, hidden=7)) == 4 * 7 * (3 + 7 + 1)
    assert count_inner(make("lstm", inputs=3, outputs=9, hidden=7)) == 4 * 7 * (3 + 7 + 1)
    assert count_inner(make("bilstm", hidden=7)) == 2 * 4 * 7 * (3 + 7 + 1)


@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_outputs_is_no_part_of_the_inner_size(name):
    small, large = (make(name, outputs=C) for C in (2, 11))
    assert count_inner(small) == count_inner(large) > 0
    assert count(small) < count(large)
    readout = sum(p[0].numel() for key, p in small.named_parameters() if key.startswith("readout."))
    assert count_inner(small) == count(small) - readout


class Named(Model):
    """A model whose parts have names of its own, one of which begins like another."""

    name = "named"
    outer = ("symbols", "answers.top", "bias")

    def __init__(self, keys, *, inputs, outputs, hidden, layers=1, causal=True):
        super().__init__()
        self.symbols = Linear(keys, "symbols", inputs, hidden)
        self.symbols_2 = Linear(keys, "symbols 2", hidden, hidden)
        self.answers = torch.nn.ModuleDict({"top": Linear(keys, "answers", hidden, outputs)})
        self.bias = torch.nn.Parameter(torch.zeros(len(keys), 1, 1, outputs))

    def forward(self, x, answers):
        y = self.symbols_2(self.symbols(x[:, :, -answers:]))
        return self.answers["top"](y) + self.bias


def test_a_model_may_say_what_is_not_counted():
    model = Named(identities("named"), inputs=3, outputs=2, hidden=5)
    assert count_inner(model) == 5 * 6
    assert match_sizes(Named, 930, inputs=3, outputs=2, counting="inner") == {"hidden": 30}


def test_of_an_adapted_module_its_own_readout_is_not_counted():
    class Net(torch.nn.Module):
        def __init__(self, inputs, outputs, hidden):
            super().__init__()
            self.features = torch.nn.Linear(inputs, hidden)
            self.readout = torch.nn.Linear(hidden, outputs)

        def forward(self, x):
            return self.readout(self.features(x))

    model = adapt("mine", Net)(identities("mine"), inputs=3, outputs=2, hidden=5)
    assert (count_inner(model), count(model)) == (5 * 4, 5 * 4 + 2 * 6)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("parameters", [5_000, 20_000])
def test_sizes_match_what_lies_between_embedding_and_readout(name, layers, parameters):
    shape = {"inputs": FRAME if MODELS[name].reads == "video" else 16, "layers": layers}
    found = {
        outputs: match_sizes(name, parameters, outputs=outputs, counting="inner", **shape)
        for outputs in (1, 50)
    }
    assert found[1] == found[50]
    model = MODELS[name](identities(name), outputs=50, **shape, **found[50])
    one_size = len(found[1]) == 1
    assert abs(count_inner(model) - parameters) <= (0.04 if one_size else 0.02) * parameters


def test_a_common_size_may_be_one_between_embedding_and_readout():
    models = ("rnn", "lstm", "lstm_1997", "gru", "transformer")
    P = common_size(models, 5_000, inputs=16, outputs=10, counting="inner")
    assert common_size(models, 5_000, inputs=16, outputs=90, counting="inner") == P
    assert abs(P - 5_000) <= 500
    for name in models:
        sizes = match_sizes(name, P, inputs=16, outputs=10, counting="inner")
        model = MODELS[name](identities(name), inputs=16, outputs=10, **sizes)
        assert abs(count_inner(model) - P) <= 0.02 * P


def test_errors_of_counting_teach():
    with pytest.raises(BadInput, match="lstm has at least 28 parameters beyond embedding and read"):
        match_sizes("lstm", 20, inputs=5, outputs=1, counting="inner")
    with pytest.raises(BadInput, match="unknown counting 'iner'; did you mean 'inner'"):
        match_sizes("lstm", 900, inputs=5, outputs=1, counting="iner")


# The state


@pytest.mark.parametrize(
    ("name", "options", "numbers"),
    [
        ("rnn", {}, 8),
        ("gru", {}, 8),
        ("lstm", {}, 16),
        ("lstm_peephole", {}, 16),
        ("lstm", {"layers": 3}, 48),
        ("lstm", {"layers": 2, "bottom": 5}, 26),
        ("cnn_lstm", {}, 16),
        ("frame_average", {}, 8),
        ("window_mlp", {"window": 4}, 4 * 3),
        ("transformer", {}, 2 * 2 * 8 * 20),  # keys and values of two blocks
        ("transformer", {"layers": 1, "heads": 1}, 2 * 8 * 20),
        ("block", {}, 2 * 16),
        ("block", {"mixer": "gru", "layers": 3}, 3 * 8),
        ("mingru", {}, 2 * 8),
        ("minlstm", {}, 2 * 8),
        ("slstm", {}, 2 * 4 * 8),
        ("lru", {}, 2 * 2 * 8),  # a complex number is two
        ("lstm_attention", {}, 16 + (8 + 4) * 20),
        ("lstm_attention", {"kind": "decoder"}, None),
        ("transformer", {"causal": False}, 2 * 2 * 8 * 20),
        ("bilstm", {}, None),
    ],
)
@pytest.mark.parametrize("seeds", [(), (3,), (3, 5, 7)])
def test_a_state_is_counted_for_one_sequence_of_one_member(name, options, numbers, seeds):
    assert make(name, seeds, **options).state_size(20) == numbers


def test_tensors_are_counted_wherever_they_lie_in_a_state():
    class Deep(MODELS["rnn"]):
        def start(self, B, T):
            h = torch.zeros(len(self.readout.W), B, 7)
            return {"now": [h, (h, 3)], "past": None}

    model = Deep(identities("rnn"), inputs=3, outputs=2, hidden=8)
    assert model.state_size(20) == 14
