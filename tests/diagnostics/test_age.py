"""Accuracy against age: models that know only some of the items."""

import pytest
import torch

from seqbench.diagnostics import age
from seqbench.models.base import Model
from seqbench.tasks import TASKS
from seqbench.tasks.recall import KEYS
from seqbench.training.feed import draw

CPU = torch.device("cpu")


class Knows(Model):
    """Answers right where it is told to; else it says another symbol."""

    def __init__(self, y, right, outputs):
        super().__init__()
        self.W = torch.nn.Parameter(torch.zeros(1, 1))
        said = torch.where(right, y, (y + 1) % outputs)
        self.output = torch.nn.functional.one_hot(said, outputs).double()[None]

    def forward(self, x, answers):
        return self.output


def test_in_copy_the_first_symbol_is_the_oldest():
    task = TASKS["copy"](lag=3)
    data = draw(task, "test", [0], 0, 5, CPU)
    right = torch.zeros_like(data.y[0], dtype=torch.bool)
    right[:, -3:] = True  # the last three symbols
    right[2, -4] = True  # of one sequence in five the fourth, too
    (seen,) = age.look(task, Knows(data.y[0], right, task.outputs), data)
    assert seen == {"age": [float(n) for n in range(10)], "accuracy": [1, 1, 1, 0.2] + [0] * 6}


def test_in_recall_an_item_is_as_old_as_the_pairs_after_it():
    task = TASKS["recall"](lag=4)
    data = draw(task, "test", [0], 0, 8, CPU)
    x = data.x[0]
    newest = x[:, 6]  # the last key that was shown
    right = x[:, 8:] == newest[:, None]
    assert (x[:, 7] >= KEYS).all()
    (seen,) = age.look(task, Knows(data.y[0], right, task.outputs), data)
    assert seen["accuracy"] == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "applies"),
    [
        ("copy", True),
        ("recall", True),
        ("latch", False),  # one item
        ("adding", False),  # one answer from two
        ("temporal-order", False),
        ("timed-spikes", False),
    ],
)
def test_which_tasks_ask_for_items_one_by_one(make, name, applies):
    task = TASKS[name](lag=12)
    assert age.applies(task, make("rnn", task.inputs, task.outputs)) is applies
