"""The loop: when a trial succeeds, that trials do not meet, and that one goes on from where it was laid aside."""

from dataclasses import dataclass, replace
from time import monotonic

import numpy as np
import pytest

from seqbench.ledger import online
from seqbench.ledger.data import Generator, Strings
from seqbench.ledger.rows import Blocks, Elman, Online, Source
from seqbench.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class FirstSymbol(Generator):
    """Two to four steps; the answer at the end is whether the first was 1."""

    name = "made/first-symbol"
    tolerance = 0.3
    tests = 64

    def sample(self, keys):
        length = keys.integers("length", 2, 5).numpy()
        bit = keys.integers("bit", 0, 2).numpy()
        x = np.zeros((len(bit), 4, 2), np.float32)
        x[:, 0, 0] = 2 * bit - 1
        x[..., 1] = 1
        due = np.arange(4) == length[:, None] - 1
        y = np.float32(due * bit[:, None])[..., None]
        return Strings(x, y, due, np.zeros((*due.shape, 0), bool))


ROW = Online(
    "made", "a paper", "an experiment", "100 %", "P", 1.0, 300,
    Blocks(2, 1, 1, 2, cells_biased=True, outputs_biased=True), 1.0, 4.0,
    Source("first-symbol"), streak=20, budget=2_000,
)  # fmt: skip


@pytest.fixture(autouse=True)
def easy(monkeypatch):
    monkeypatch.setattr(online, "make_generator", lambda source: FirstSymbol())


def outcomes(row=ROW, seeds=(0, 1, 2), **more):
    return {o.seed: o for ended in online.run(row, seeds, **more) for o in ended}


def told(o):
    return o[:-1]  # all but the time


def test_an_easy_task_is_learned():
    found = outcomes()
    assert all(o.success and o.wrong == 0 and o.tested == 64 for o in found.values())
    assert all(20 <= o.sequences < 2_000 for o in found.values())


def test_trials_do_not_meet():
    together = outcomes()
    assert len({o.sequences for o in together.values()}) > 1  # they leave at different times
    for seed, o in together.items():
        assert told(outcomes(seeds=[seed])[seed]) == told(o)


def test_success_is_the_first_streak_of_answers_that_were_right_before_they_were_learned():
    o = outcomes(seeds=[1])[1]
    stack, data = online.TrialStack.draw(ROW, [1]), FirstSymbol()
    right = []
    for k in range(o.sequences):
        s = data.train([1], k, k + 1)
        right.append(bool(data.right(stack.net.forward(s.x), s).all()))
        stack.learn(data, s)
    assert all(right[-20:])
    assert not right[-21]
    assert not any(all(right[k : k + 20]) for k in range(len(right) - 20))


def test_a_trial_is_given_up_at_the_end_of_its_budget():
    for o in outcomes(replace(ROW, budget=100, learning_rate=1e-6)).values():
        assert (o.success, o.sequences) == (False, 100)
        assert o.wrong > 0


def test_the_exam_decides(monkeypatch):
    row = replace(ROW, exam="test")
    passed = outcomes(row, [0])[0]
    assert passed.success
    assert passed.sequences % row.streak == 0
    monkeypatch.setattr(online, "count_errors", lambda stack, e, data: (1, 64))
    assert not outcomes(replace(row, budget=1_000), [0])[0].success


class Now(FirstSymbol):
    """The sign of the symbol is due with the symbol."""

    def sample(self, keys):
        strings = super().sample(keys)
        due = np.arange(4) == np.zeros((len(strings.x), 1))
        y = np.float32(due & (strings.x[..., 0] > 0))[..., None]
        return strings._replace(due=due, y=y)


def test_a_stream_is_right_if_every_answer_of_it_is(monkeypatch):
    monkeypatch.setattr(online, "SYMBOLS", 100)
    monkeypatch.setattr(online, "make_generator", lambda source: Now())
    row = replace(ROW, exam="streams", carried=True, net=replace(ROW.net, gates=("i", "f", "o")))
    found = outcomes(row)
    assert all(o.success and (o.wrong, o.tested) == (0, 10) for o in found.values())
    untrained = online.TrialStack.draw(row, [0])
    wrong, of = online.count_stream_errors(untrained.net, 0, Now())
    assert wrong > 0
    assert of == 10


def test_a_carried_state_ends_with_a_wrong_answer(monkeypatch):
    data = FirstSymbol()
    monkeypatch.setattr(FirstSymbol, "right", lambda self, y, s: np.array([[True], [False]]))
    stack = online.TrialStack.draw(replace(ROW, carried=True), [0, 1])
    stack.learn(data, data.train([0, 1], 0, 1))
    assert stack.state.c[0].any()
    assert not stack.state.c[1].any()
    assert not stack.state.a[1].any()
    assert stack.streak.tolist() == [1, 0]


def test_what_was_laid_aside_goes_on_with_the_same_bits(tmp_path):
    checkpoint = Checkpoint(tmp_path / "a.pt")
    whole = outcomes()
    shown = []

    def stop_after(n, running):
        shown.append(n)
        if n >= 128:
            raise KeyboardInterrupt

    checkpoint.since = -1e9  # due at once
    with pytest.raises(KeyboardInterrupt):
        outcomes(progress=stop_after, checkpoint=checkpoint)
    assert checkpoint.load()["shown"] == 64 * (len(shown) - 1) or checkpoint.load()["shown"] == 0
    rest = outcomes(checkpoint=checkpoint)
    assert {k: told(o) for k, o in rest.items()} == {k: told(o) for k, o in whole.items()}
    assert checkpoint.load() is None


def test_time_is_up(tmp_path):
    checkpoint = Checkpoint(tmp_path / "a.pt")
    assert outcomes(until=monotonic() - 1, checkpoint=checkpoint) == {}
    assert checkpoint.load()["seeds"] == [0, 1, 2]
    only = outcomes(seeds=[1], checkpoint=checkpoint)  # the others were kept before the kill
    assert list(only) == [1]


def test_an_elman_net_is_trained_by_the_same_loop():
    found = outcomes(replace(ROW, net=Elman(2, 1, 3), budget=64), [0])
    assert found[0].parameters == 2 * 3 + 3 * 3 + 3
