"""Paired ratios, and that the trainer and the bare loop that it is compared with do the same."""

import torch

from benchmarks.goals import overhead, paired
from seqbench.measure.job import build
from seqbench.records.schema import Member
from seqbench.tasks import TASKS
from seqbench.training.loop import train


def test_a_ratio_is_a_median_with_its_interval():
    found = paired.Median.of([1.0, 1.1, 1.2, 1.3, 9.0])
    assert found.value == 1.2
    assert 1.0 <= found.low <= 1.2 <= found.high <= 9.0
    assert found.rounds == 5


def test_sides_are_timed_in_turns():
    turns = []
    sides = [lambda name=name: turns.append(name) or len(turns) for name in "ab"]
    assert paired.time_in_turns(sides, 2) == [[3, 4], [6, 5]]
    assert "".join(turns) == "baabba"


def test_the_bare_loop_learns_what_the_trainer_learns():
    """Else their times could not be compared."""
    unit, task = overhead.make_unit("lstm", steps=3), TASKS["adding"](lag=overhead.T)
    ours, theirs = (build(unit, task, [4], overhead.CPU)[0] for _ in range(2))
    train(task, ours, [Member(seed=4, learning_rate=overhead.RATE)], unit.budget, overhead.CPU)
    overhead.train_by_hand(task, theirs, 4, unit.budget)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)
