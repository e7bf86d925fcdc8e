"""The time of a step: what is counted, what is compared with what, and what is kept."""

import itertools

import pytest
import torch
import user_defined
from made import SYSTEM

from seqbench import machine
from seqbench.errors import BadInput
from seqbench.measure import step as step_module
from seqbench.measure import throughput
from seqbench.measure.step import PHASES, Case, Subject, time_steps
from seqbench.measure.throughput import measure_steps, plan, write_rows
from seqbench.models import MODELS
from seqbench.models.adapter import adapt
from seqbench.protocol.profiles import SMOKE, TIMINGS, Timing
from seqbench.records.schema import Throughput
from seqbench.records.store import Store
from seqbench.training.loop import compute_losses
from seqbench.training.stack import Stack

SIZE = 1_000


@pytest.fixture
def clock(monkeypatch):
    """Let every look at the clock be a second after the one before."""
    ticks = itertools.count()
    monkeypatch.setattr(step_module, "perf_counter", lambda: float(next(ticks)))


def rows_of(models, lengths=(12,), batches=(3,), members=(1, 2), say=print, **axes):
    """Return what is measured, in two rounds."""
    timing = Timing(lengths, batches, members, 2, **axes)
    return list(measure_steps(plan(models, timing, SIZE, "cpu", say), "cpu", SIZE, 2, say))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_gives_a_row_for_each_step(model):
    rows = rows_of([model])
    assert all(isinstance(row, Throughput) for row in rows)
    assert len({row.key for row in rows}) == len(rows)
    streamed = not getattr(MODELS[model], "both_ways", False)
    phases = [phase for phase in PHASES if phase != "streaming" or streamed]
    assert {(r.phase, r.members) for r in rows} == set(itertools.product(phases, (1, 2)))
    for row in rows:
        assert (row.model, row.length, row.batch, row.device) == (model, 12, 3, "cpu")
        assert row.quartiles[0] <= row.seconds_per_token <= row.quartiles[1]
        assert row.rounds == 2
        assert abs(row.parameters - SIZE) < 150
        assert row.system == machine.describe_system("cpu").id
        assert row.compile_seconds is None  # nothing is compiled for a CPU


def test_a_token_is_a_step_of_a_sequence_of_a_member(clock):
    """A step takes a second of this clock, whatever it does."""
    rows = rows_of(["lstm"], lengths=(10, 20))
    assert len(rows) == 12
    for row in rows:
        tokens = row.length * row.batch * row.members
        assert row.seconds_per_token == pytest.approx(1 / tokens)


def test_every_scan_that_a_model_has_is_timed_once():
    lines = []
    timing = Timing((12,), (3,), (1,), 2, scans=("reference", "native"))
    steps = plan(["rnn", "lstm", "lstm_peephole", "transformer"], timing, SIZE, "cpu", lines.append)
    found = sorted((facts["model"], facts["phase"], facts["scan"]) for facts in steps.values())
    assert found == [
        ("lstm", "inference", "native"),
        ("lstm", "inference", "reference"),
        ("lstm", "streaming", "step"),
        ("lstm", "training", "native"),
        ("lstm", "training", "reference"),
        ("lstm_peephole", "inference", "reference"),
        ("lstm_peephole", "streaming", "step"),
        ("lstm_peephole", "training", "reference"),
        ("rnn", "inference", "native"),
        ("rnn", "inference", "reference"),
        ("rnn", "streaming", "step"),
        ("rnn", "training", "native"),
        ("rnn", "training", "reference"),
        ("transformer", "inference", "none"),
        ("transformer", "streaming", "none"),
        ("transformer", "training", "none"),
    ]
    (line,) = lines
    assert line.startswith("lstm_peephole is not timed by the scan 'native': torch has no kernel")


def test_what_auto_stands_for_is_not_timed_again():
    timing = Timing((12,), (3,), (1,), 2, scans=("auto", "reference", "native"))
    scans = [facts["scan"] for facts in plan(["lstm"], timing, SIZE, "cpu").values()]
    assert sorted(scans) == ["native", "native", "reference", "reference", "step"]


@pytest.mark.parametrize("scan", ["reference", "native", "ensemble"])
def test_a_step_runs_by_the_scan_that_its_row_names(scan, monkeypatch):
    from seqbench import scan as scans

    used = []
    for name, run in scans.SCANS.items():
        noted = lambda *x, name=name, run=run: used.append(name) or run(*x)  # noqa: E731
        monkeypatch.setitem(scans.SCANS, name, noted)
    Subject(Case("gru", 12, 3, 1, scan), SIZE, "cpu").infer_once()
    assert used == [scan]


def test_a_row_says_in_which_precision():
    rows = rows_of(["gru"], members=(1,), precisions=("float32", "float64"))
    by_precision = {row.precision: row for row in rows if row.phase == "training"}
    single, double = by_precision["float32"], by_precision["float64"]
    assert double.floor.flops == single.floor.flops
    assert double.floor.flops_per_second < single.floor.flops_per_second


def test_a_width_is_matched_or_given():
    rows = rows_of(
        ["lstm", "transformer", "cnn_lstm"], members=(1,), hidden=(None, 8), phases=("inference",)
    )
    sizes = {(row.model, row.hidden): (row.sizes, row.parameters) for row in rows}
    assert len(sizes) == len(rows) == 6
    assert sizes["lstm", 8] == ({"hidden": 8}, 4 * (2 + 8 + 1) * 8 + 9)
    assert sizes["transformer", 8][0] == {"hidden": 8, "feedforward": 4}
    assert sizes["cnn_lstm", 8][0] == {"hidden": 8, "features": 8}
    assert all(
        abs(sizes[name, None][1] - SIZE) < 150 for name in ("lstm", "transformer", "cnn_lstm")
    )


def test_a_width_that_a_model_can_not_have_is_said_and_left_out():
    lines = []
    rows = rows_of(
        ["rnn", "transformer"], members=(1,), hidden=(6,), phases=("inference",), say=lines.append
    )
    assert [row.model for row in rows] == ["rnn"]
    assert "transformer" in lines[0]
    assert "multiple of 4" in lines[0]


def test_a_model_that_can_not_be_streamed_has_no_such_phase(monkeypatch):
    def linear(inputs, outputs, hidden):
        return torch.nn.Sequential(
            torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, outputs)
        )

    class Theirs(torch.nn.Module):  # torch.func has no rule for it
        def __init__(self, inputs, outputs, hidden):
            super().__init__()
            self.net = torch.nn.GRU(inputs, hidden, batch_first=True)
            self.readout = torch.nn.Linear(hidden, outputs)

        def forward(self, x):
            return self.readout(self.net(x)[0])

    for name, factory in {"linear": linear, "theirs": Theirs}.items():
        monkeypatch.setitem(MODELS.added, name, adapt(name, factory))
        assert {row.phase for row in rows_of([name])} == {"training", "inference"}


def test_streaming_goes_through_every_token(monkeypatch):
    subject = Subject(Case("rnn", 12, 3, 2), SIZE, "cpu")
    seen = []
    step = type(subject.model).advance
    monkeypatch.setattr(
        type(subject.model),
        "advance",
        lambda self, x, state: seen.append(x) or step(self, x, state),
    )
    subject.stream_once()
    assert torch.equal(torch.stack(seen, dim=2), subject.data.x)


def test_frames_are_the_tokens_of_video():
    subject = Subject(Case("cnn_lstm", 12, 3, 2), SIZE, "cpu")
    assert subject.data.x.shape == (2, 3, 12, 1, 12, 12)
    assert subject.case.tokens == 2 * 3 * 12


def test_a_training_step_is_the_trainers():
    subject = Subject(Case("lstm", 10, 4, 2), SIZE, "cpu")
    other = Subject(Case("lstm", 10, 4, 2), SIZE, "cpu")
    stack = Stack(other.model, [step_module.RATE] * 2)
    for t in (1, 2):
        subject.train_once()
        loss = compute_losses(
            other.task, other.model(other.data.x, 1), other.data.y, other.data.mask
        )
        stack.step(stack.gradient(loss), t, step_module.CLIP)
    assert torch.equal(subject.stack.theta, stack.theta)
    subject.infer_once()
    assert torch.equal(subject.stack.theta, stack.theta)


def test_rounds_are_interleaved(monkeypatch):
    """Within a round every case has its turn, so that none is measured in a quiet hour alone."""
    turns = []
    seconds = Subject.time_step

    def noted(self, phase, repeats):
        turns.append((self.case.model, phase))
        return seconds(self, phase, repeats)

    monkeypatch.setattr(Subject, "time_step", noted)
    steps = [(Case(model, 10, 2, 1), phase) for phase in PHASES for model in ("rnn", "lstm")]
    list(time_steps(steps, "cpu", SIZE, rounds=3))
    one = list(itertools.product(PHASES, ("rnn", "lstm")))
    assert turns[-18:] == [(model, phase) for phase, model in one] * 3


def test_what_finds_no_memory_is_said_and_left_out(monkeypatch):
    whole = Subject.__init__

    def hungry(self, case, *rest):
        if case.members > 1:
            raise torch.OutOfMemoryError("no more")
        whole(self, case, *rest)

    monkeypatch.setattr(Subject, "__init__", hungry)
    lines = []
    rows = rows_of(["rnn"], members=(1, 8), say=lines.append)
    assert {row.members for row in rows} == {1}
    assert any("rnn, 8 members of length 12: no memory left" in line for line in lines)


def test_memory_is_that_of_the_step():
    phases = tuple(reversed(PHASES))
    small, large = (
        {
            phase: held
            for phase, _, held in step_module.measure_footprint(case, phases, 5_000, "cpu")
        }
        for case in (Case("lstm", 10, 2, 1), Case("lstm", 400, 64, 2))
    )
    assert large["training"] > max(
        4 * 2**20, small["training"]
    )  # the saved activations alone are more
    assert large["training"] >= large["inference"] >= large["streaming"]


def test_to_compile_takes_what_the_first_step_takes_longer(monkeypatch):
    """As if the loop were compiled for this CPU, and took 5 seconds at first."""
    monkeypatch.setattr(step_module, "is_compiled", lambda scan, device: scan == "reference")
    times = itertools.chain([5.0], itertools.repeat(2.0))
    monkeypatch.setattr(Subject, "time_step", lambda *_: next(times))
    steps = [(Case("rnn", 12, 3, 1, "reference"), phase) for phase in ("inference", "streaming")]
    # the phase that needs least memory has its first step first
    found = {phase: timed.compiling for (_, phase), timed in time_steps(steps[:1], "cpu", SIZE, 3)}
    assert found == {"inference": 3.0}
    found = {phase: timed.compiling for (_, phase), timed in time_steps(steps[1:], "cpu", SIZE, 3)}
    assert found == {"streaming": None}


def test_both_profiles_have_steps_to_time():
    for timing in TIMINGS.values():
        assert min(timing.lengths) > 8  # the shortest video
        assert timing.rounds >= 3


# The floor


def test_the_work_of_a_step_is_that_of_its_products():
    """An RNN by hand: x_t W_x and h W_h at every step, the readout where an answer is due."""
    case, H, T, B, E = Case("rnn", 12, 3, 2, hidden=4), 4, 12, 3, 2
    steps, readout = 2 * T * (2 * H + H * H), 2 * H
    found = {phase: step_module.compute_roofline((case, phase), SIZE, "cpu") for phase in PHASES}
    assert found["inference"].flops == E * B * (steps + readout)
    assert found["streaming"].flops == E * B * (steps + T * readout)
    # backward: every product twice, by its weights and by its input; but none by x, which is data, nor by h_0
    assert found["training"].flops == E * B * (3 * (steps + readout) - 2 * T * 2 * H - 2 * H * H)

    P, X = 4 * (2 * H + H * H + H + H + 1), 4 * T * 2
    assert found["inference"].bytes == found["streaming"].bytes == E * (P + B * X)
    # saved for the way back, written and read: h_0; every h_t, by its own step and once more all in a row for the
    # readout; the difference of output and answer; and the number of answers that are due, of eight bytes
    S = 4 * (H + T * H + T * H + 1) + 8
    assert found["training"].bytes == E * (8 * P + B * (X + 2 * S))


def test_attention_is_quadratic_and_what_is_hidden_is_not_counted():
    def flops(T):
        case = Case("transformer", T, 1, 1, hidden=8)
        return step_module.compute_roofline((case, "streaming"), SIZE, "cpu").flops

    a, b, c = flops(10), flops(20), flops(30)
    # each of two blocks has two products of width 8 for every pair: 32 operations, of T (T + 1) / 2 pairs
    assert c - 2 * b + a == 2 * 32 * 10**2


def test_a_row_says_what_the_machine_could_do():
    for row in rows_of(["lstm"], members=(1,)):
        floor = row.floor
        assert floor.flops_per_second > 1e8
        assert floor.bytes_per_second > 1e7
        times = floor.flops / floor.flops_per_second, floor.bytes / floor.bytes_per_second
        assert row.floor_per_token == pytest.approx(max(times) / (12 * 3))


# In the store


def test_a_run_keeps_what_it_measured_and_measures_nothing_twice(tmp_path, monkeypatch):
    lines = []

    def run(*models, **options):
        return throughput.run(
            "smoke", models=models, out=tmp_path / "out", say=lines.append, **options
        )

    store = run("rnn")
    first = store.throughput()
    assert len(first) == 6
    assert store.validate() == []
    assert all(row.threads == 1 for row in first)

    assert run("rnn").throughput() == first
    assert "were timed already" in lines[-1]

    both = run("rnn", "lstm").throughput()
    assert [row for row in both if row.model == "rnn"] == first  # only what was lacking
    assert len(both) == 12

    more = run("rnn", axes={"hidden": (None, 8)}).throughput()
    assert [row for row in more if row in both] == both
    assert len(more) == 12 + 6
    assert store.validate() == []

    again = run("rnn", force=True).throughput()
    assert len(again) == len(more)
    assert not set(map(Throughput.canonical, again)) >= set(map(Throughput.canonical, first))

    monkeypatch.setattr(machine, "read_commit", lambda: ("1" * 40, False))
    newer = run("rnn").throughput()
    assert sum(row.commit == "1" * 40 for row in newer) == 6  # other code: anew
    assert len(newer) == len(more)


def test_no_commit_names_the_code_of_a_guest(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "read_commit", lambda: ("c" * 40, False))
    monkeypatch.setitem(MODELS.added, "last", user_defined.Last)
    lines = []

    def run():
        what = {"models": ["last", "rnn"], "axes": {"members": (1,), "phases": ("training",)}}
        store = throughput.run("smoke", **what, out=tmp_path / "out", say=lines.append)
        return {row.model: row for row in store.throughput()}

    first = run()
    assert {name: row.dirty for name, row in first.items()} == {"last": True, "rnn": False}
    assert run() == first  # neither is timed again
    assert "were timed already" in lines[-1]


class Raising(user_defined.Last):
    """Can be run, and not be trained."""

    name = "raising"

    def forward(self, x, answers):
        y = super().forward(x, answers)
        return y if torch.is_grad_enabled() is False else y[:, :, 0]


def test_a_guest_at_fault_is_named_and_the_others_are_timed(monkeypatch):
    for kind in (user_defined.Faulty, Raising):
        monkeypatch.setitem(MODELS.added, kind.name, kind)
    lines = []
    rows = rows_of(["faulty", "raising", "rnn"], members=(1,), say=lines.append)
    assert {row.model for row in rows} == {"rnn"}
    assert lines[0] == "faulty is not timed by the scan 'auto': ValueError: this never works"
    assert lines[1].startswith(
        "raising is not timed by the scan 'auto': ValueError: model 'raising'"
    )


def test_a_model_of_the_house_at_fault_is_no_matter_of_a_line(monkeypatch):
    def fail(*_):
        raise ValueError("a fault in the house")

    monkeypatch.setattr(MODELS["rnn"], "forward", fail)
    with pytest.raises(ValueError, match="a fault in the house"):
        rows_of(["rnn"])


def test_rows_of_other_machines_stay(tmp_path):
    from made import throughput as made

    store = Store(tmp_path).create(SMOKE.make_manifest())
    write_rows(store, [made(), made(members=1), made(system="0" * 16)])
    write_rows(store, [made(seconds_per_token=2e-6, quartiles=(1e-6, 3e-6), parameters=1_003)])
    found = {(row.system, row.members): row.seconds_per_token for row in store.throughput()}
    assert found == {(SYSTEM.id, 3): 2e-6, (SYSTEM.id, 1): 1e-6, ("0" * 16, 3): 1e-6}


BAD = {
    "did you mean 'lstm'": {"models": ["lsm"]},
    "unknown scan 'nativ'": {"axes": {"scans": ("nativ",)}},
    "unknown phase 'stream'.*did you mean 'streaming'": {"axes": {"phases": ("stream",)}},
    "lengths must be whole numbers from 9 to 1,000,000; got 8": {"axes": {"lengths": (12, 8)}},
    "batches must be whole numbers from 1": {"axes": {"batches": (0,)}},
    "members must be whole numbers from 1": {"axes": {"members": (1, 0)}},
    "hidden must be whole numbers from 1": {"axes": {"hidden": (0,)}},
    "no step is left": {"models": ["transformer"], "axes": {"hidden": (7,)}},
    "precision 'tf32' needs device 'cuda'": {"device": "cpu", "axes": {"precisions": ("tf32",)}},
}


@pytest.mark.parametrize("why", BAD)
def test_what_can_not_be_timed_is_refused(tmp_path, why):
    with pytest.raises(BadInput, match=why):
        throughput.run("smoke", out=tmp_path / "out", **BAD[why])
    assert not (tmp_path / "out").exists()
