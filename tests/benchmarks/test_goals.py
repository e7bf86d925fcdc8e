"""The goals for speed: what a row says, and that both sides of a ratio take the same step."""

from functools import partial
from time import sleep
from types import SimpleNamespace

import pytest
import torch
from made import comparison
from torch import nn

from benchmarks.goals import goals, implementations, on_cpu, on_gpu, peers
from seqbench.cli.terminal import obey
from seqbench.records.store import Store
from seqbench.report.claims import CLAIMS
from seqbench.report.claims.evidence import Evidence

SMALL = implementations.Shape(2, 3, 5, 4)


@pytest.mark.parametrize(
    ("goal", "met", "missed", "text"),
    [
        (goals.Goal("a", at_least=2.0), 2.0, 1.9, ">= 2"),
        (goals.Goal("a", at_most=2.0), 2.0, 2.1, "<= 2"),
        (goals.Goal("a", at_least=0.95, at_most=1.05), 1.0, 1.1, ">= 0.95 and <= 1.05"),
    ],
)
def test_a_goal_is_met_or_not(goal, met, missed, text):
    assert goal.is_met(met) is True
    assert goal.is_met(missed) is False
    assert str(goal) == text
    assert goals.Goal("a").is_met(3.0) is None


@pytest.mark.parametrize("model", ["lstm", "gru", "rnn"])
def test_sides_take_the_same_step(model, monkeypatch):
    """From the same weights, the same ones: else their times could not be compared."""
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[model]
    nets = []
    monkeypatch.setattr(implementations, "Net", partial(made, implementations.Net, nets))
    stacks = []
    monkeypatch.setattr(implementations, "Stack", partial(made, implementations.Stack, stacks))
    ours = implementations.make_ensemble(model, SMALL, "reference")
    theirs = implementations.make_one_by_one(implementations.build_module, kind, SMALL)
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
        whole = implementations.build_module(kind, SMALL)
        loop = implementations.build_loop(kind, SMALL)
        for p, q in zip(loop.parameters(), whole.parameters(), strict=True):
            p.data.copy_(q.data)
        x, _ = SMALL.draw()
        torch.testing.assert_close(loop(x[0])[0], whole(x[0])[0])


def test_a_row_says_what_was_measured(monkeypatch):
    monkeypatch.setattr(goals, "SAMPLE", 0.0)
    slow, fast = (partial(slept, seconds) for seconds in (2e-3, 5e-4))
    (row,) = goals.Peer(goals.Goal("a", at_least=1.5), "b", fast, slow).measure(3)
    assert row.measured > 1.5
    assert row.interval[0] <= row.measured <= row.interval[1]
    assert (row.met, row.rounds, row.aim) == (True, 3, ">= 1.5")
    assert row.ours.seconds < row.theirs.seconds
    assert row.ours.precision == row.theirs.precision == "float32"
    assert len(row.ours.peak_memory) == len(row.theirs.peak_memory) == 1


def slept(seconds):
    from time import sleep

    return lambda: sleep(seconds)


def test_a_peer_that_is_not_there_says_so():
    def absent():
        raise ImportError("No module named 'torchrl'")

    def some():
        yield goals.Peer(goals.Goal("a", at_least=1.0), "b", absent, absent)

    (row,) = goals.compare_peers(some, 3)
    assert row.measured is None
    assert row.met is None
    assert row.note == "not measured: ImportError: No module named 'torchrl'"


def test_the_claim_on_compiling_finds_first_steps_by_their_ids(monkeypatch):
    def first_takes(seconds):
        waits = iter([seconds, 0.0])
        return lambda: sleep(next(waits))

    monkeypatch.setattr(
        on_cpu, "make_one_by_one", lambda build, kind, shape: first_takes(shape.T / 400)
    )
    monkeypatch.setattr(on_cpu, "make_ensemble", lambda model, shape: first_takes(0.01))
    rows = [vars(row) for row in on_cpu.time_first_steps(1)]
    told = [comparison(**row | {"what": f"in other words, {k}"}) for k, row in enumerate(rows)]
    seen = Evidence(SimpleNamespace(comparisons=told))
    for need in CLAIMS["loop-compile"].needs:
        assert need.find_missing(seen) == ""
    assert seen.find_first_step("loop", 16).measured == pytest.approx(0.04, abs=0.02)
    assert seen.find_first_step("loop", 64).measured == pytest.approx(0.16, abs=0.03)
    assert len(told) == 4


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Run the goals that are given as lists of values; return what the store holds before each, and at the end."""

    def run(*arguments, **values):
        seen = []

        def part(rounds, name):
            for value in values[name]:
                seen.append(store.comparisons() if store.exists else [])
                yield goals.Row.of(
                    goals.Goal(name, at_most=1.0), f"{name} {value}", goals.take_once(value)
                )

        monkeypatch.setattr(on_cpu, "PARTS", {name: partial(part, name=name) for name in values})
        with pytest.raises(SystemExit) as left:
            obey(peers.app, ["--device", "cpu", "--out", str(store.path), *arguments])
        assert left.value.code == 0
        return [*seen, store.comparisons()]

    store = Store(tmp_path / "out")
    return run


def found(rows):
    return [(row.goal, row.measured, row.met) for row in rows if row.measured is not None]


def test_rows_are_kept_as_they_come(measured):
    _, first, last = measured(a=[2.0, 0.5])
    assert found(first) == [("a", 2.0, False)]
    assert found(last) == [("a", 2.0, False), ("a", 0.5, True)]


def test_a_goal_that_is_measured_again_takes_the_place_of_the_old_one(measured):
    measured(a=[2.0], b=[3.0])
    *_, during, last = measured("--goal", "a", a=[0.5, 0.25], b=[])
    assert found(during) == [("a", 2.0, False), ("a", 0.5, True), ("b", 3.0, False)]
    assert found(last) == [("a", 0.5, True), ("a", 0.25, True), ("b", 3.0, False)]


def test_what_needs_a_gpu_is_named_and_not_measured(measured):
    *_, last = measured(a=[2.0])
    missing = [row for row in last if row.measured is None]
    assert [row.goal for row in missing] == list(on_gpu.AIMS)
    assert {(row.note, row.met) for row in missing} == {("Not yet measured on a GPU", None)}


def test_an_unknown_goal_teaches(capsys):
    with pytest.raises(SystemExit) as left:
        obey(peers.app, ["--device", "cpu", "--goal", "cpu-cell"])
    assert left.value.code == 2
    assert "unknown goal 'cpu-cell'; did you mean 'cpu-cells'?" in capsys.readouterr().err


def test_every_goal_on_a_gpu_has_its_place():
    assert set(on_gpu.PARTS) == set(on_gpu.AIMS)
