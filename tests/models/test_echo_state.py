"""The echo state network: its radius, its leak, and that its readout alone is trained."""

import pytest
import torch

from seqbench.diagnostics import gradient
from seqbench.errors import BadInput
from seqbench.models.sizing import count, count_inner
from seqbench.records.schema import Budget, Member
from seqbench.tasks import TASKS
from seqbench.training.feed import draw
from seqbench.training.loop import train
from seqbench.training.stack import Stack

from . import SEEDS, make, normal

T = 7
CPU = torch.device("cpu")


@pytest.mark.parametrize("radius", [0.3, 0.95, 1.2])
def test_it_has_the_radius_that_is_asked_for(radius):
    for layer in make("echo_state", hidden=40, layers=2, radius=radius).layers:
        for W_h in layer.W_h:
            size = torch.linalg.eigvals(W_h).abs().max().item()
            assert size == pytest.approx(radius, rel=1e-5)


def test_the_radius_scales_the_recurrent_weights_and_nothing_else():
    one, twice = (make("echo_state", radius=radius) for radius in (0.6, 1.2))
    for (name, p), q in zip(one.named_parameters(), twice.parameters(), strict=True):
        torch.testing.assert_close(q, (2 if "W_h" in name else 1) * p, rtol=1e-6, atol=0)


def test_a_member_is_scaled_as_it_is_alone():
    together = make("echo_state", hidden=40).layers[0].W_h
    for e, seed in enumerate(SEEDS):
        assert torch.equal(make("echo_state", (seed,), hidden=40).layers[0].W_h[0], together[e])


def test_the_readout_alone_is_trained():
    model, x = make("echo_state", layers=2), normal(len(SEEDS), 4, T, 3)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    stack = Stack(model, [0.1] * len(SEEDS))
    for t in range(3):
        stack.step(stack.gradient(model(x, 2).square().mean(dim=(1, 2, 3))), t + 1, 1.0)
    for name, p in model.named_parameters():
        assert p.requires_grad == name.startswith("readout.")
        assert (p != before[name]).any() == name.startswith("readout.")


def test_what_is_frozen_is_counted():
    model = make("echo_state", hidden=10)
    assert count_inner(model) == 10 * (3 + 10 + 1)
    assert count(model) == 10 * (3 + 10 + 1) + 2 * 11


def test_a_state_leaks():
    model, x = make("echo_state", leak=0.3), normal(len(SEEDS), 2, T, 3)
    cell, h = model.layers[0], torch.zeros(len(SEEDS), 2, 8, dtype=torch.float64)
    for x_t, h_t in zip(x.unbind(dim=2), model.states(x).unbind(dim=2), strict=True):
        h = 0.7 * h + 0.3 * torch.tanh(x_t @ cell.W_x + h @ cell.W_h + cell.b)
        torch.testing.assert_close(h_t, h)
    assert model.scan_name == "reference"
    model.use_scan("ensemble")
    with pytest.raises(BadInput, match="EchoCell names no spec for the scan 'ensemble'"):
        model(x, T)


def test_it_echoes_longer_with_a_larger_radius():
    """Two states that were set apart become one, and the sooner, the smaller the radius."""
    x = normal(len(SEEDS), 1, 60, 3, seed=1)
    other = torch.cat([-x[:, :, :1], x[:, :, 1:]], dim=2)
    left = {}
    for radius in (0.5, 0.95):
        model = make("echo_state", hidden=40, radius=radius)
        apart = (model.states(x) - model.states(other))[:, 0].norm(dim=-1)
        left[radius] = apart[:, -1] / apart[:, 0]
    assert (left[0.5] < 1e-9).all()
    assert (left[0.95] > 1e3 * left[0.5]).all()


def test_its_readout_learns_what_is_still_there():
    task = TASKS["latch"](lag=3)
    net = make("echo_state", inputs=task.inputs, outputs=task.outputs, hidden=60)
    sizes = {"validate_every": 50, "validation_size": 64, "test_size": 256}
    who = [Member(seed=seed, learning_rate=1e-1) for seed in SEEDS]
    budget = Budget(steps=400, batch=32, clip=1.0, **sizes)
    assert all(outcome.score > 0.95 for outcome in train(task, net, who, budget, CPU))


def test_a_gradient_through_its_states_is_the_plain_networks():
    task = TASKS["latch"](lag=6)
    shape = {"inputs": task.inputs, "outputs": task.outputs}
    echo, plain = make("echo_state", **shape), make("rnn", **shape)
    plain.load_state_dict(echo.state_dict())
    data = draw(task, "test", [0], 0, 8, CPU)
    assert gradient.look(task, echo, data) == gradient.look(task, plain, data)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"radius": 0.0}, "radius 0.0 is no size of an eigenvalue; choose one above 0"),
        ({"leak": 0.0}, "leak 0.0 is no share of a state; choose from above 0 to 1"),
        ({"leak": 1.5}, "leak 1.5 is no share"),
    ],
)
def test_errors_teach(options, sentence):
    with pytest.raises(BadInput, match=sentence):
        make("echo_state", **options)
