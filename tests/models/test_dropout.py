"""Dropout: which share is dropped, whose numbers they are, and that without it nothing is there."""

import pytest
import torch

from seqbench.models import MODELS
from seqbench.models.dropout import Dropout
from seqbench.records.schema import Budget, Member
from seqbench.scan import scan
from seqbench.tasks import TASKS
from seqbench.training.checkpoint import Checkpoint
from seqbench.training.loop import train

from . import SEEDS, identities, make, normal, read

MANY = 400
each = pytest.mark.parametrize("name", MODELS)
CPU = torch.device("cpu")
CLOSE = {"rtol": 1e-10, "atol": 1e-12}
LATCH = TASKS["latch"](lag=3)


def mask(drop, B=MANY, T=3, H=16):
    """Return what becomes of ones."""
    return drop(torch.ones(len(SEEDS), B, T, H))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_the_rate_is_dropped_and_the_mean_stays(rate):
    kept = mask(Dropout(identities("lstm"), "here", rate))
    assert kept.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    n = len(SEEDS) * MANY * 16  # a mask is the same at every step
    share = (kept[:, :, 0] == 0).double().mean().item()
    assert abs(share - rate) < 4 * (rate * (1 - rate) / n) ** 0.5


def test_a_mask_is_a_sequences_own_and_the_same_at_every_step():
    kept = mask(Dropout(identities("lstm"), "here", 0.5))
    assert torch.equal(kept, kept[:, :, :1].expand_as(kept))
    rows = kept[:, :, 0].flatten(0, 1)
    assert len(rows.unique(dim=0)) > 0.95 * len(rows)


def test_every_step_and_every_place_draws_anew():
    here, there = (Dropout(identities("lstm"), place, 0.5) for place in ("here", "there"))
    drawn = [mask(here), mask(here), mask(there)]
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert (one != other).double().mean().item() == pytest.approx(0.5, abs=0.03)
    assert here.steps.tolist() == [2, 2, 2]


def test_a_mask_is_a_function_of_seed_and_step_alone():
    """That of a step is found without those before it; torch's own random state is not touched."""
    state = torch.get_rng_state()
    drop, later = (Dropout(identities("lstm"), "here", 0.5) for _ in range(2))
    for _ in range(3):
        last = mask(drop)
    later.steps += 2
    assert torch.equal(mask(later), last)
    assert torch.equal(torch.get_rng_state(), state)


@each
def test_a_member_drops_what_it_drops_alone(name):
    together, x = make(name, dropout=0.4), read(name)
    for _ in range(2):
        output = together(x, 2)
    for e, seed in enumerate(SEEDS):
        alone = make(name, (seed,), dropout=0.4)
        for _ in range(2):
            output_alone = alone(x[e : e + 1], 2)
        torch.testing.assert_close(output[e], output_alone[0], **CLOSE)


@each
def test_in_evaluation_nothing_is_dropped(name):
    with_it, without, x = make(name, dropout=0.4), make(name), read(name)
    assert not torch.isclose(with_it(x, 2), without(x, 2)).all()
    with_it.eval()
    before = [buffer.clone() for buffer in with_it.buffers()]
    torch.testing.assert_close(with_it(x, 2), without(x, 2), **CLOSE)
    assert all(torch.equal(a, b) for a, b in zip(before, with_it.buffers(), strict=True))


@each
def test_without_it_nothing_is_there(name):
    with_it, without = make(name, dropout=0.4), make(name)
    assert not list(without.buffers())
    assert [key for key, _ in without.named_parameters()] == [
        key for key, _ in with_it.named_parameters()
    ]
    assert all(
        torch.equal(p, q) for p, q in zip(without.parameters(), with_it.parameters(), strict=True)
    )
    assert all(len(buffer) == len(SEEDS) for buffer in with_it.buffers())
    assert list(with_it.buffers())


def test_every_layer_is_dropped_on_its_way_up_and_its_state_is_not():
    model, x = make("lstm", layers=2, dropout=0.4), normal(len(SEEDS), 2, 5, 3)
    ways = []
    for drop in model.drops:
        drop.register_forward_hook(lambda module, h, y: ways.append((h[0], y)))
    output = model(x, 5)
    below = x
    for layer, (h, y) in zip(model.layers, ways, strict=True):
        # the whole h is handed on from step to step
        torch.testing.assert_close(h, scan(layer, below, "auto"), **CLOSE)
        kept = y != 0
        assert 0 < kept.double().mean() < 1
        torch.testing.assert_close(y[kept], h[kept] / 0.6)
        below = y
    torch.testing.assert_close(output, model.readout(below), **CLOSE)


@pytest.mark.parametrize("answers", [1, 5])
def test_a_transformer_drops_what_its_sublayers_add(answers):
    model, x = make("transformer", layers=1, dropout=0.4), normal(len(SEEDS), 2, 5, 3)
    added = []
    for drop in (model.blocks[0].drop_1, model.blocks[0].drop_2):
        drop.register_forward_hook(lambda module, h, y: added.append((h[0], y)))
    output = model(x, answers)
    stream = model.place(model.embed(x))
    for whole, kept in added:
        torch.testing.assert_close(kept[kept != 0], whole[kept != 0] / 0.6)
        assert 0 < (kept != 0).double().mean() < 1
    stream = stream[:, :, -answers:] + added[0][1] + added[1][1]
    torch.testing.assert_close(output, model.readout(model.norm(stream)))


# In training


def trained(seeds, broken=None, **options):
    """Return a model and what became of its members, of which one may be NaN from the start."""
    shape = {"inputs": LATCH.inputs, "outputs": LATCH.outputs, "hidden": 8}
    net = MODELS["gru"](identities("gru", seeds), **shape, dropout=0.3).double()
    with torch.no_grad():
        net.readout.b[torch.tensor([seed == broken for seed in seeds])] = torch.nan
    who = [Member(seed=seed, learning_rate=1e-2) for seed in seeds]
    sizes = {"validate_every": 4, "validation_size": 16, "test_size": 16}
    budget = Budget(steps=12, batch=4, clip=1.0, **sizes)
    return net, train(LATCH, net, who, budget, CPU, **options)


def test_a_member_trains_as_it_does_alone_also_after_another_left():
    net, outcomes = trained((0, 1, 2), broken=1)
    assert [outcome.steps for outcome in outcomes] == [12, 4, 12]
    assert net.drops[0].seed.tolist() == [0, 2]
    assert net.drops[0].steps.tolist() == [12, 12]
    for seed in (0, 2):
        _, (alone,) = trained((seed,))
        assert alone.curve.loss == pytest.approx(outcomes[seed].curve.loss, rel=1e-9)


def test_a_run_that_is_taken_up_again_has_the_same_bits(tmp_path):
    class Stop(Exception):
        pass

    def stop(done):
        if done == 8:
            raise Stop

    whole = trained((0, 1))[1]
    checkpoint = Checkpoint(tmp_path / "job.pt", every=0.0)
    with pytest.raises(Stop):
        trained((0, 1), checkpoint=checkpoint, progress=stop)
    assert checkpoint.load()["step"] == 4
    net, again = trained((0, 1), checkpoint=checkpoint)
    assert [o.curve for o in again] == [o.curve for o in whole]
    assert [o.test_loss for o in again] == [o.test_loss for o in whole]
    assert net.drops[0].steps.tolist() == [12, 12]
