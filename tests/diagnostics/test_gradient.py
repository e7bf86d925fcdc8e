"""The gradient against the lag: by the product of Jacobians, by finite differences, and by hand."""

from dataclasses import replace

import pytest
import torch

from seqbench.diagnostics import gradient
from seqbench.diagnostics.gates import compute_gates
from seqbench.models.base import Model
from seqbench.tasks import TASKS
from seqbench.training.feed import draw, encode
from seqbench.training.loop import compute_losses

CPU = torch.device("cpu")
LATCH = TASKS["latch"](lag=5)
COPY = TASKS["copy"](lag=2)


def geometric(norms: list[float]) -> float:
    return torch.tensor(norms, dtype=torch.float64).log().mean().exp().item()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_of_a_plain_network_it_is_the_product_of_jacobians(make, activation):
    model = make("rnn", LATCH.inputs, LATCH.outputs, activation=activation)
    data = draw(LATCH, "test", [0], 0, 3, CPU)
    found = gradient.look(LATCH, model, data)
    x = encode(LATCH, data.x, torch.float64).expand(2, -1, -1, -1)
    W, W_y = model.layers[0].W_h, model.readout.W
    with torch.no_grad():
        output, steps = model.record_steps(x, 1)
    h = torch.stack([step.after[0] for step in steps], dim=2)  # (E, B, T, H)
    slope = 1 - h**2 if activation == "tanh" else (h > 0).double()
    for e in range(2):
        norms = []
        for b in range(3):
            p = output[e, b, 0].softmax(-1)
            p[data.y[0, b, 0]] -= 1  # the derivative of the cross-entropy by the output
            g = W_y[e] @ p
            norms.append([g.norm().item()])
            for t in range(5, 0, -1):
                g = W[e] @ (slope[e, b, t] * g)
                norms[b].append(g.norm().item())
        expected = [geometric([norm[k] for norm in norms]) for k in range(6)]
        assert found[e]["hidden"] == pytest.approx(expected, rel=1e-5)
        assert set(found[e]) == {"hidden"}


@pytest.mark.parametrize("name", ["lstm", "lstm_peephole", "lstm_1997", "gru"])
def test_of_a_gated_cell_it_is_what_a_nudge_of_the_state_does(make, name):
    """A nudge of h leaves c as it is; of a nudge of c, h = o tanh(c) hears at once."""
    model = make(name, LATCH.inputs, LATCH.outputs)
    if name == "lstm_peephole":
        with torch.no_grad():
            model.layers[0].p.copy_(torch.linspace(-2, 2, 24).view(2, 3, 4))
    data = draw(LATCH, "test", [0], 0, 2, CPU)
    found = gradient.look(LATCH, model, data)
    x = encode(LATCH, data.x, torch.float64).expand(2, -1, -1, -1)
    y, mask = data.y.expand(2, -1, -1), data.mask.expand(2, -1, -1)
    cell, nudge = model.layers[0], 1e-5
    a = cell.project(x)

    @torch.no_grad()
    def loss(t: int, part: int, unit: int, by: float, b: int) -> torch.Tensor:
        state = cell.start(a)
        for at, a_t in enumerate(a.unbind(dim=2)):
            before, state = state, cell.step(a_t, *state)
            if at == t:
                state = tuple(s.clone() for s in state)
                state[part][..., unit] += by
            if at == t and part == 1:
                o = compute_gates(cell, a_t, *before)["output"]
                if name == "lstm_peephole":
                    o = o.logit()
                    o[..., unit] += cell.p[:, None, 2, unit] * by
                    o = o.sigmoid()
                state = (o * state[1].tanh(), state[1])
        output = model.readout(state[0])[:, :, None]
        return compute_losses(LATCH, output[:, [b]], y[:, [b]], mask[:, [b]])

    for part, series in enumerate(("hidden", "cell")[: cell.parts]):
        for k in (0, 1, 4):
            slopes = [
                [
                    (loss(5 - k, part, u, nudge, b) - loss(5 - k, part, u, -nudge, b)) / (2 * nudge)
                    for u in range(4)
                ]
                for b in range(2)
            ]
            norm = torch.stack([torch.stack(of_b).norm(dim=0) for of_b in slopes])  # (B, E)
            for e in range(2):
                expected = geometric(norm[:, e].tolist())
                assert found[e][series][k] == pytest.approx(expected, rel=1e-4)


def test_only_the_last_answer_counts(make):
    """In copy every step has an answer; those before the last leave no trace in it."""
    model = make("rnn", COPY.inputs, COPY.outputs)
    data = draw(COPY, "test", [0], 0, 4, CPU)
    (found, _) = gradient.look(COPY, model, data)
    y = data.y.clone()
    y[:, :, :-1] = (y[:, :, :-1] + 1) % COPY.outputs
    assert gradient.look(COPY, model, replace(data, y=y))[0] == found
    y[:, :, -1] = (y[:, :, -1] + 1) % COPY.outputs
    assert gradient.look(COPY, model, replace(data, y=y))[0] != found
    assert len(found["hidden"]) == 22  # T = lag + 20


def test_the_lag_counts_from_where_each_answer_is_due():
    norm = torch.tensor([[[1.0, 2.0, 4.0], [8.0, 16.0, 99.0]]], dtype=torch.float64)
    found = gradient.average_by_lag(norm, torch.tensor([2, 1]))
    expected = [
        (4 * 16) ** 0.5,
        (2 * 8) ** 0.5,
        1.0,
    ]  # only the first sequence reaches back two steps
    assert found[0].tolist() == pytest.approx(expected)


def test_the_last_answer_due_is_found_in_every_sequence():
    mask = torch.tensor([[True, True, False], [False, True, True], [True, False, False]])
    assert gradient.select_last_due(mask).int().argmax(dim=1).tolist() == [1, 2, 0]
    assert gradient.select_last_due(mask).sum(dim=1).tolist() == [1, 1, 1]


def test_a_gradient_that_is_zero_has_the_mean_zero():
    norm = torch.tensor([[[0.0, 1.0], [4.0, 9.0]]], dtype=torch.float64)
    assert gradient.average_by_lag(norm, torch.tensor([1, 1]))[0].tolist() == pytest.approx(
        [3.0, 0.0]
    )


@pytest.mark.parametrize("causal", [True, False])
def test_of_a_transformer_it_is_by_the_embedding(make, causal):
    model = make("transformer", LATCH.inputs, LATCH.outputs, 16, causal=causal)
    data = draw(LATCH, "test", [0], 0, 3, CPU)
    found = gradient.look(LATCH, model, data)
    x = encode(LATCH, data.x, torch.float64).expand(2, -1, -1, -1)
    embedded = model.embed(x).detach().requires_grad_()
    model.embed = torch.nn.Identity()
    L = compute_losses(LATCH, model(embedded, 1), data.y.expand(2, 3, 1), data.mask.expand(2, 3, 1))
    (g,) = torch.autograd.grad(L.sum() * 3, embedded)
    for e in range(2):
        norms = [[g[e, b, 5 - k].norm().item() for b in range(3)] for k in range(6)]
        assert found[e] == {"embedding": pytest.approx([geometric(n) for n in norms], rel=1e-5)}


def test_a_model_without_state_or_embedding_is_measured_at_its_input(make):
    class Blind(Model):
        def __init__(self):
            super().__init__()
            self.W = torch.nn.Parameter(torch.randn(2, LATCH.inputs, 2, dtype=torch.float64))

        def forward(self, x, answers):
            return (x[:, :, [0]] + 0.5 * x[:, :, [-1]]) @ self.W[:, None]

    data = draw(LATCH, "test", [0], 0, 3, CPU)
    for seen in gradient.look(LATCH, Blind(), data):
        norm = seen["input"]
        assert norm[5] == pytest.approx(2 * norm[0], rel=1e-5)
        assert norm[1:5] == [0, 0, 0, 0]


def test_looking_leaves_the_model_as_it_was(make):
    model = make("gru", LATCH.inputs, LATCH.outputs).float()
    before = {name: p.clone() for name, p in model.named_parameters()}
    gradient.look(LATCH, model, draw(LATCH, "test", [0], 0, 3, CPU))
    assert model.scan_name == "ensemble"
    assert model.recorded is None
    for name, p in model.named_parameters():
        assert p.dtype == torch.float32
        assert torch.equal(p, before[name])
        assert p.grad is None
