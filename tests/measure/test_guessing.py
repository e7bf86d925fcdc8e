"""Weight guessing: what it solves and what it can't, which networks are drawn, and which are given up early."""

from dataclasses import dataclass, replace

import pytest
import torch
import user_defined

from seqbench.measure.guessing import (
    FINALISTS,
    SHAPES,
    Guess,
    draw_networks,
    guess_weights,
    screen,
    select_survivors,
)
from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task

SEQUENCES = 100 * 32  # of 100 guesses


@dataclass(frozen=True)
class Coin(user_defined.Echo):
    """A task whose answer is independent of what is shown."""

    name = "coin"

    def sample(self, keys):
        return Batch.all_due(super().sample(keys).x, keys.integers("coin", 0, 2, 1))


@dataclass(frozen=True)
class Wrong(user_defined.Echo):
    """The same as echo, with a score of which less is better."""

    name = "wrong"
    higher_is_better = False
    score_range = (0.0, 1.0)
    threshold = 0.01

    def score(self, output, y, mask):
        return 1 - super().score(output, y, mask)


def guess(task: Task, sequences: int = SEQUENCES) -> float:
    return guess_weights(task, sequences, validation_size=64, test_size=1024)


@pytest.mark.parametrize("kind", [user_defined.Echo, Wrong])
def test_it_solves_what_a_random_network_may_do(kind):
    task = kind(6)
    assert task.is_solved(guess(task))


def test_it_solves_the_latch_problem_over_a_long_delay():
    task = TASKS["latch"](lag=100)
    assert task.is_solved(guess(task, 1_500 * 32))


def test_it_does_not_solve_what_nothing_can():
    score = guess(Coin(6))
    assert abs(score - 0.5) < 4 * 0.5 / 1024**0.5  # the test set has no part in the choice
    assert not TASKS["adding"](lag=50).is_solved(guess(TASKS["adding"](lag=50)))


def test_more_guesses_do_better_than_one():
    task = user_defined.Echo(6)
    assert guess(task, 1) == guess(task, 32) < guess(task)


def test_the_same_guesses_are_made_again():
    task = TASKS["noisy-latch"](lag=5)
    assert screen(task, 40) == screen(task, 40)
    assert len(screen(task, 40)) == FINALISTS
    assert len({g.number for g in screen(task, 40)}) == FINALISTS


def test_widths_and_bounds_have_equal_shares():
    found = screen(Coin(3), len(SHAPES))
    assert sorted((g.number, g.hidden, g.bound) for g in found) == [
        (k, hidden, bound) for k, (hidden, bound) in enumerate(SHAPES)
    ]


def test_a_network_is_a_function_of_task_lag_and_number():
    task = TASKS["latch"](lag=9)
    together = draw_networks(task, 4, 10.0, torch.arange(20))
    alone = draw_networks(task, 4, 10.0, torch.tensor([7]))
    elsewhere = draw_networks(replace(task, lag=10), 4, 10.0, torch.tensor([7]))
    for one, many, other in zip(
        alone.parameters(), together.parameters(), elsewhere.parameters(), strict=True
    ):
        assert torch.equal(one[0], many[7])
        assert not torch.equal(one, other)
        assert many.abs().max() <= 10
        assert many.min() < -7 < 7 < many.max()  # 40 numbers or more, uniform


def test_the_best_of_a_stack_go_on_with_all_that_are_as_good():
    task = user_defined.Echo(3)
    stack = [Guess(k, 1, 1.0, 0.5) for k in range(16)]
    assert select_survivors(task, stack) == stack
    stack[11] = replace(stack[11], score=0.75)
    stack[5] = replace(stack[5], score=float("nan"))
    stack[14] = replace(stack[14], score=1.0)
    assert [g.number for g in select_survivors(task, stack)] == [14, 11]
