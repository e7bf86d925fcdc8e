"""Attention: the weights give the sublayer again, and the share is what a plain sum says."""

import pytest
import torch

from seqbench.diagnostics import attention
from seqbench.diagnostics.relevant import RELEVANT
from seqbench.models.base import Model
from seqbench.tasks import TASKS
from seqbench.training.feed import draw, encode

CPU = torch.device("cpu")
RECALL = TASKS["recall"](lag=4)
ADDING = TASKS["adding"](lag=6)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("positions", ["rotary", "sinusoidal", "none"])
@pytest.mark.parametrize("answers", [1, 3, 8])
def test_weights_and_values_give_the_sublayer_again(make, causal, positions, answers):
    model = make("transformer", 3, 2, 16, causal=causal, positions=positions)
    x = torch.randn(2, 5, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        stream = model.place(model.embed(x))
        W = model.attend(x, answers)
        assert W.shape == (2, 5, 4, answers, 8)
        for block in model.blocks:
            normed = block.norm_1(stream)
            w, W = W[:, :, :2], W[:, :, 2:]
            _, _, v = block.mixer.split(normed)
            y = (w.flatten(0, 1) @ v).transpose(1, 2).reshape(2, 5, answers, 16)
            expected = block.mixer(normed, answers)
            torch.testing.assert_close(block.mixer.out(y), expected)
            stream = block(stream, 8)


def test_a_causal_answer_looks_at_nothing_to_come(make):
    model = make("transformer", 3, 2, 16, causal=True)
    x = torch.ones(2, 1, 6, 3, dtype=torch.float64)
    with torch.no_grad():
        W = model.attend(x, 3)
    torch.testing.assert_close(W.sum(dim=-1), torch.ones_like(W[..., 0]))
    for a in range(3):
        assert (W[:, :, :, a, 4 + a :] == 0).all()
        assert (W[:, :, :, a, : 4 + a] > 0).all()


@pytest.mark.parametrize("task", [RECALL, ADDING], ids=lambda task: task.name)
def test_the_share_by_hand(make, task):
    model = make("transformer", task.inputs, task.outputs, 16, causal=task.causal)
    data = draw(task, "test", [0], 0, 6, CPU)
    found = attention.look(task, model, data)
    x = encode(task, data.x, torch.float64).expand(2, -1, -1, -1)
    A, T = data.y.shape[2], data.x.shape[2]
    with torch.no_grad():
        W = model.attend(x, A)
    steps = RELEVANT[task.name](data.x[0]).steps
    pairs = [(b, a) for b in range(6) for a in range(A)]
    for e in range(2):
        share = [
            sum(W[e, b, m, a][steps[b, a]].sum().item() for b, a in pairs) / len(pairs)
            for m in range(4)
        ]
        assert found[e]["share"] == pytest.approx(share, rel=1e-5)
        best = share.index(max(share))
        assert found[e]["best"] == [best]
        rows = [W[e, b, best, a, t].item() for b, a in pairs[:12] for t in range(T)]
        assert found[e]["map"] == pytest.approx(rows, rel=1e-5)
        assert found[e]["rows"] == [min(12, 6 * A)]
        assert found[e]["relevant"] == [float(s) for b, a in pairs[:12] for s in steps[b, a]]
        even = [2 / T] if task is ADDING else [1 / (T - A + 1 + a) for a in range(A)]
        assert found[e]["even"] == pytest.approx([sum(even) / len(even)], rel=1e-5)


def test_whoever_looks_at_all_steps_alike_has_the_even_share(make):
    for task in (RECALL, ADDING):
        model = make("transformer", task.inputs, task.outputs, 16, causal=task.causal)
        with torch.no_grad():
            for block in model.blocks:
                block.mixer.qkv.W.zero_()
                block.mixer.qkv.b.zero_()
        for seen in attention.look(task, model, draw(task, "test", [0], 0, 6, CPU)):
            assert seen["share"] == pytest.approx(seen["even"] * 4, rel=1e-5)


def test_any_model_that_attends_is_looked_at():
    class Sharp(Model):
        """Looks at the first marked step only."""

        attends = True

        def __init__(self):
            super().__init__()
            self.W = torch.nn.Parameter(torch.zeros(2, 1))

        def forward(self, x, answers):
            raise NotImplementedError

        def attend(self, x, answers):
            first = x[..., 1].argmax(dim=-1)  # (E, B)
            return torch.nn.functional.one_hot(first, x.shape[2])[:, :, None, None].double()

    assert attention.applies(ADDING, Sharp())
    assert not attention.applies(TASKS["timed-spikes"](lag=5), Sharp())
    for seen in attention.look(ADDING, Sharp(), draw(ADDING, "test", [0], 0, 6, CPU)):
        assert seen["share"] == [1]


def test_a_recurrence_does_not_attend(make):
    assert not attention.applies(ADDING, make("lstm", 2, 1))
