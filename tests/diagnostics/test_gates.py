"""Gates: the step again from what they say, and the areas by counting pairs."""

import pytest
import torch
from torch.testing import assert_close

from seqbench.diagnostics import gates
from seqbench.diagnostics.relevant import RELEVANT
from seqbench.tasks import TASKS
from seqbench.training.feed import draw, encode

CPU = torch.device("cpu")
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
ORDER = TASKS["temporal-order"](lag=12)
GATED = {
    "lstm": {},
    "lstm_peephole": {},
    "lstm_1997": {},
    "lstm_no_output": {},
    "gru": {"reset": "after"},
    "gru before": {"reset": "before"},
}


@pytest.fixture
def model(make, request):
    name = request.param
    made = make(name.split()[0], ORDER.inputs, ORDER.outputs, **GATED[name])
    if name == "lstm_peephole":
        with torch.no_grad():
            made.layers[0].p.copy_(torch.linspace(-2, 2, 24).view(2, 3, 4))
    return made


@pytest.mark.parametrize("model", GATED, indirect=True)
def test_the_gates_give_the_step_again(model):
    x = encode(ORDER, draw(ORDER, "test", [0], 0, 5, CPU).x, torch.float64)
    with torch.no_grad():
        _, steps = model.record_steps(x.expand(2, -1, -1, -1), 1)
        assert len(steps) == 12
        for a, before, after in steps:
            seen = gates.compute_gates(model.layers[0], a, *before)
            if "update" in seen:
                z, n = seen["update"], seen["candidate"]
                assert_close((1 - z) * n + z * before[0], after[0], **CLOSE)
            else:
                c, i, g = before[1], seen["input"], seen["candidate"]
                c = seen["forget"] * c + i * g if "forget" in seen else c + i * g
                assert_close(c, after[1], **CLOSE)
                h = c.tanh() * seen["output"] if "output" in seen else c.tanh()
                assert_close(h, after[0], **CLOSE)


@pytest.mark.parametrize("model", GATED, indirect=True)
def test_the_area_is_the_share_of_pairs_in_order(model):
    data = draw(ORDER, "test", [0], 0, 6, CPU)
    found = gates.look(ORDER, model, data)
    known = RELEVANT["temporal-order"](data.x[0])
    x = encode(ORDER, data.x, torch.float64).expand(2, -1, -1, -1)
    with torch.no_grad():
        _, steps = model.record_steps(x, 1)
        at = [gates.compute_gates(model.layers[0], a, *before) for a, before, _ in steps]
    names = {name.partition("/")[0] for name in found[0] if "/" in name}
    assert names == set(at[0]) - {"candidate"}
    for e in range(2):
        for name in names:
            trace = torch.stack([step[name][e] for step in at], dim=1)  # (B, T, H)
            on, off = trace[known.relevant], trace[known.distracting]
            order = (on[:, None] > off).double() + 0.5 * (on[:, None] == off)
            auc = order.mean(dim=(0, 1))
            assert found[e][f"{name}/auc"] == pytest.approx(auc.tolist(), rel=1e-5)
            assert found[e][f"{name}/relevant"] == pytest.approx(on.mean(0).tolist(), rel=1e-5)
            assert found[e][f"{name}/distracting"] == pytest.approx(off.mean(0).tolist(), rel=1e-5)
            far = sorted(range(4), key=lambda unit: abs(auc[unit].item() - 0.5))
            for which, unit in (("best", far[3]), ("median", far[2])):
                traced = trace[0, :, unit].tolist()
                assert found[e][f"{name}/{which}"] == pytest.approx(traced, rel=1e-5)


def test_a_gate_that_opens_where_it_should_has_the_area_one(make):
    """An input gate that is wired to X and Y, and to nothing else."""
    model = make("lstm", ORDER.inputs, ORDER.outputs)
    cell = model.layers[0]
    with torch.no_grad():
        for parameter in (cell.W_x, cell.W_h, cell.b):
            parameter.zero_()
        cell.W_x[:, 6:, 0] = 5.0  # the first unit's input gate
        cell.W_x[:, 6:, 4] = -5.0  # its forget gate
    for seen in gates.look(ORDER, model, draw(ORDER, "test", [0], 0, 8, CPU)):
        assert seen["input/auc"] == [1, 0.5, 0.5, 0.5]
        assert seen["forget/auc"] == [0, 0.5, 0.5, 0.5]
        assert seen["input/best"] == pytest.approx(
            [0.993307 if r else 0.5 for r in seen["relevant"]]
        )
        assert sum(seen["relevant"]) == 2
        assert sum(seen["distracting"]) == 8  # all but X, Y, E and B


@pytest.mark.parametrize(
    ("name", "task", "applies"),
    [
        ("lstm", "adding", True),
        ("gru", "latch", True),
        ("gru", "copy", True),
        ("lstm", "recall", False),  # nothing distracts
        ("lstm", "timed-spikes", False),  # nothing is known
        ("rnn", "adding", False),  # no gates
    ],
)
def test_who_is_looked_at(make, name, task, applies):
    task = TASKS[task](lag=12)
    assert gates.applies(task, make(name, task.inputs, task.outputs)) is applies


def test_a_transformer_has_no_cell(make):
    assert make("transformer", 2, 1, 16).cells == []
