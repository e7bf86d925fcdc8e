"""The goals for speed: what a row says, and that both sides of a ratio take the same step."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import goals  # noqa: E402
import on_cpu  # noqa: E402
import on_gpu  # noqa: E402
import peers  # noqa: E402
import sides  # noqa: E402
from seqbench.cli import obey  # noqa: E402

SMALL = sides.Shape(2, 3, 5, 4)


@pytest.mark.parametrize(
    ("goal", "met", "missed", "text"),
    [
        (goals.Goal("a", at_least=2.0), 2.0, 1.9, ">= 2"),
        (goals.Goal("a", at_most=2.0), 2.0, 2.1, "<= 2"),
        (goals.Goal("a", at_least=0.95, at_most=1.05), 1.0, 1.1, ">= 0.95 and <= 1.05"),
    ],
)
def test_a_goal_is_met_or_not(goal, met, missed, text):
    assert goal.met(met) is True
    assert goal.met(missed) is False
    assert str(goal) == text
    assert goals.Goal("a").met(3.0) is None


@pytest.mark.parametrize("model", ["lstm", "gru", "rnn"])
def test_sides_take_the_same_step(model, monkeypatch):
    """From the same weights, the same ones: else their times could not be compared."""
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[model]
    nets = []
    monkeypatch.setattr(sides, "Net", partial(made, sides.Net, nets))
    stacks = []
    monkeypatch.setattr(sides, "Stack", partial(made, sides.Stack, stacks))
    ours = sides.members(model, SMALL, "reference")
    theirs = sides.one_by_one(sides.module(kind), SMALL)
    layer, readout = stacks[0].model.layers[0], stacks[0].model.readout
    with torch.no_grad():
        for net, weights, W, b in zip(
            nets, layer.native_weights(), readout.W, readout.b, strict=True
        ):
            for p, q in zip(net.recurrent.parameters(), weights, strict=True):
                p.copy_(q)
            net.readout.weight.copy_(W.T)
            net.readout.bias.copy_(b[0])
    ours()
    theirs()
    for net, weights in zip(nets, layer.native_weights(), strict=True):
        W_ih, W_hh, *_ = net.recurrent.parameters()
        torch.testing.assert_close(W_ih, weights[0], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(W_hh, weights[1], rtol=1e-4, atol=1e-6)
        assert not torch.equal(W_hh, torch.zeros_like(W_hh))


def made(kind, into, *args):
    into.append(kind(*args))
    return into[-1]


def test_the_loop_is_torchs_module():
    torch.manual_seed(0)
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        whole, loop = sides.module(kind)(SMALL), sides.loop(kind)(SMALL)
        for p, q in zip(loop.parameters(), whole.parameters(), strict=True):
            p.data.copy_(q.data)
        x, _ = SMALL.data()
        torch.testing.assert_close(loop(x[0])[0], whole(x[0])[0])


def test_a_row_says_what_was_measured(monkeypatch):
    monkeypatch.setattr(goals, "SAMPLE", 0.0)
    slow, fast = (partial(slept, seconds) for seconds in (2e-3, 5e-4))
    (row,) = goals.Peer(goals.Goal("a", at_least=1.5), "b", fast, slow).rows(3)
    assert row.measured > 1.5
    assert row.interval[0] <= row.measured <= row.interval[1]
    assert (row.met, row.rounds, row.aim) == (True, 3, ">= 1.5")
    assert row.ours["seconds"] < row.theirs["seconds"]
    assert {"seconds", "peak_memory", "precision"} == row.ours.keys() == row.theirs.keys()


def slept(seconds):
    from time import sleep

    return lambda: sleep(seconds)


def test_a_peer_that_is_not_there_says_so():
    def absent():
        raise ImportError("No module named 'torchrl'")

    def some():
        yield goals.Peer(goals.Goal("a", at_least=1.0), "b", absent, absent)

    (row,) = goals.compared(some, 3)
    assert row.measured is None
    assert row.met is None
    assert row.note == "not measured: ImportError: No module named 'torchrl'"


def test_rows_are_written_as_they_come_and_goals_that_need_a_gpu_are_named(monkeypatch, tmp_path):
    file = tmp_path / "peers.json"

    def part(rounds):
        yield goals.Row.of(goals.Goal("a", at_most=1.0), "first", goals.once(2.0))
        seen.append(json.loads(file.read_text()))
        yield goals.Row.of(goals.Goal("a"), "second", goals.once(3.0))

    seen = []
    monkeypatch.setattr(on_cpu, "PARTS", {"a": part})
    with pytest.raises(SystemExit) as left:
        obey(peers.app, ["--device", "cpu", "--json", str(file)])
    assert left.value.code == 0
    assert seen[0]["rows"][0]["what"] == "first"
    rows = json.loads(file.read_text())["rows"]
    assert [row["met"] for row in rows[:2]] == [False, None]
    assert [row["goal"] for row in rows[2:]] == list(on_gpu.AIMS)
    assert {row["note"] for row in rows[2:]} == {"not yet measured on a GPU"}
    assert all(row["measured"] is None for row in rows[2:])


def test_an_unknown_goal_teaches(capsys):
    with pytest.raises(SystemExit) as left:
        obey(peers.app, ["--device", "cpu", "--goal", "cpu-cell"])
    assert left.value.code == 2
    assert "unknown goal 'cpu-cell'; did you mean 'cpu-cells'?" in capsys.readouterr().err


def test_every_goal_on_a_gpu_has_its_place():
    assert set(on_gpu.PARTS) == set(on_gpu.AIMS) - {"gpu-suite"}  # which is a run of its own
