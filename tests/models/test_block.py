"""Residual blocks: cells as mixers are the cells, and what is around them is the block of the transformer."""

import pytest
import torch
from torch.nn import functional as F

from seqbench.errors import BadInput
from seqbench.models import MODELS
from seqbench.models.residual import Place
from seqbench.models.sizing import count

from . import CASES, SEEDS, gradients, identities, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
BLOCKS = ("transformer", "block", "mingru", "minlstm", "lru", "slstm")
CELLS = ("lstm", "gru", "rnn")
B, T, H = 2, 6, 8


@pytest.mark.parametrize("how", ["reference", "native", "ensemble"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_mixer_is_the_cell_of_the_model_of_its_own(cell, how):
    model, alone = make("block", mixer=cell), make(cell, inputs=H)
    model.use_scan(how)
    mixer, layer = model.blocks[0].mixer, alone.layers[0]
    assert model.scan_name == mixer.scan_name == how
    layer.load_state_dict(mixer.cell.state_dict())
    alone.use_scan("reference")
    x = normal(len(SEEDS), B, T, H).requires_grad_()
    h, wanted = mixer(x, T), alone.states(x)
    torch.testing.assert_close(h, wanted, **CLOSE)
    for g, g_wanted in zip(
        gradients(h, x, *mixer.cell.parameters()),
        gradients(wanted, x, *layer.parameters()),
        strict=True,
    ):
        torch.testing.assert_close(g, g_wanted, **CLOSE)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("answers", [1, 4, T])
def test_two_sublayers_add_to_a_stream(name, answers):
    model, x = make(name), normal(len(SEEDS), B, T, 3)
    stream = model.embed(x)
    for block in model.blocks:
        stream = stream + block.mixer(
            F.layer_norm(stream, (H,)), T
        )  # gains and shifts do nothing yet
        stream = stream + block.down(F.gelu(block.up(F.layer_norm(stream, (H,)))))
    wanted = model.readout(F.layer_norm(stream, (H,)))[:, :, -answers:]
    torch.testing.assert_close(model(x, answers), wanted, **CLOSE)


def test_but_for_the_mixer_the_weights_have_the_same_names():
    """Their values differ, since models have streams of their own."""
    names = {
        name: [key for key, _ in make(name).named_parameters() if ".mixer." not in key]
        for name in BLOCKS
    }
    assert all(keys == names["transformer"] for keys in names.values())


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_has_so_many_parameters(name):
    mixers = {
        "transformer": 4 * H * H + 4 * H,
        "block": 4 * (2 * H * H + H),
        "slstm": 4 * (2 * H * H + H),
        "mingru": 2 * (H * H + H),
        "minlstm": 3 * (H * H + H),
        "lru": 4 * H * H + 4 * H,
    }
    around = 4 * H + 2 * H * 5 + 5 + H
    ends = 4 * H + 2 * H + 2 * (H + 1)
    assert count(make(name, feedforward=5)) == 2 * (mixers[name] + around) + ends


@pytest.mark.parametrize("name", BLOCKS)
def test_a_feed_forward_net_is_half_as_wide_as_the_stream_and_never_empty(name):
    assert make(name).blocks[0].up.W.shape[2] == H // 2
    positions = {"positions": "none", "heads": 1} if name == "transformer" else {}
    assert make(name, hidden=1, **positions).blocks[0].up.W.shape[2] == 1


def test_a_place_knows_its_depth_and_how_much_smaller_maps_into_the_stream_start():
    assert [Place(k, 3).depth for k in range(3)] == [0, 0.5, 1]
    assert Place(0, 1).depth == 0
    assert Place(1, 2).name == "layer 1"
    assert Place(0, 2).scale == Place(1, 2).scale == 0.5


def test_the_steps_of_the_first_cell_are_recorded():
    model, x = make("block"), normal(len(SEEDS), B, T, 3)
    output, steps = model.record_steps(x, 2)
    torch.testing.assert_close(output, model(x, 2), **CLOSE)
    first = model.blocks[0]
    assert [cell is block.mixer.cell for cell, block in zip(model.cells, model.blocks, strict=True)]
    h = torch.stack([step.after[0] for step in steps], dim=2)
    torch.testing.assert_close(h, first.mixer(first.norm_1(model.embed(x)), T), **CLOSE)
    assert len(steps[0].after) == 2


def test_cells_start_as_in_models_of_their_own():
    for cell in CELLS:
        mixer = make("block", mixer=cell, hidden=64).blocks[0].mixer
        keys = identities("block")
        wanted = MODELS[cell].cell(keys, "layer 0", 64, 64)
        for p, q in zip(mixer.cell.parameters(), wanted.parameters(), strict=True):
            assert torch.equal(p, q.double())


def test_errors_teach():
    with pytest.raises(BadInput, match="unknown mixer 'ltsm'; did you mean 'lstm'"):
        make("block", mixer="ltsm")
    assert {"block of gru", "block of rnn"} <= set(CASES)
