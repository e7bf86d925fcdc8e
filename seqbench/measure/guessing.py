"""Weight guessing: the best of many random networks, none of them trained, as a baseline of the ladders.

A task with a long delay need not be hard: Hochreiter and Schmidhuber found that guessing the weights of a small
recurrent network solves the latch problem and parity sooner than the training methods of their time. Where guessing
solves a task, that a trained network solves it says little about how well it learns.

A guess is a plain recurrent network (``models/rnn.py``) that reads symbols one-hot. All of its weights and biases are
uniform in ±w, and a pure function of the task, its lag and the number of the guess; options of the task do not enter.
Guess i has the hidden width and the w of entry i modulo 9 of ``SHAPES``, so that all of them have equal shares.

There are as many guesses as the sequences of one training allow, 32 for each; the edition's 6,000 steps of 32
sequences are 6,000 guesses. All guesses see the same sequences:

1. the first 8 of the training part; of every stack the best eighth goes on, and whatever is as good as the last of it;
2. the first 32 of the training part; the best 16 of all go on;
3. the validation set; the best goes on;
4. the test set, once.

Of equal guesses the one with the lowest number is taken.

Source: Hochreiter and Schmidhuber (1996), LSTM can solve hard long time lag problems; there with other networks and
ranges of weights, and until a guess solves the task.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import ceil, inf, isfinite

import torch
from jaxtyping import Int
from torch import Tensor

from seqbench.models.rnn import RNN
from seqbench.random import Keys
from seqbench.tasks.base import Task
from seqbench.training.feed import Folded, draw
from seqbench.training.loop import evaluate

WIDTHS = (1, 2, 4)  # hidden units
BOUNDS = (1.0, 10.0, 100.0)  # w
SHAPES = tuple(product(WIDTHS, BOUNDS))

SEQUENCES = 32  # that a guess sees, and costs
SCREENED = 8  # that it sees before most are given up
SURVIVING = 1 / 8  # of a stack, after that
FINALISTS = 16  # guesses that see the validation set
STACK = 256  # guesses that are evaluated side by side
TOKENS_AT_ONCE = 2**22  # in one forward pass: these networks are small

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Guess:
    """One guess: its number, its hidden width, the bound w of its weights, and its last score."""

    number: int
    hidden: int
    bound: float
    score: float


def guess_weights(task: Task, sequences: int, validation_size: int, test_size: int) -> float:
    """Return the test score of the best guess.

    Parameters
    ----------
    sequences
        How many a training may see; every 32 of them are a guess, and there is at least one.
    validation_size, test_size
        The sequences of the two sets.
    """
    guesses = screen(task, max(1, sequences // SEQUENCES))
    validation = draw(task, "validation", [0], 0, validation_size, CPU)
    (best,) = rank(task, (rate_alone(task, g, validation) for g in guesses))[:1]
    return rate_alone(task, best, draw(task, "test", [0], 0, test_size, CPU)).score


def screen(task: Task, guesses: int) -> list[Guess]:
    """Return the guesses that did best on a few training sequences, the best first."""
    data = draw(task, "train", [0], 0, SEQUENCES, CPU)
    best: list[Guess] = []
    for k, (hidden, bound) in enumerate(SHAPES[:guesses]):
        for numbers in torch.arange(k, guesses, len(SHAPES)).split(STACK):
            first = rate(task, hidden, bound, numbers, data.columns(0, SCREENED))
            survivors = torch.tensor([g.number for g in select_survivors(task, first)])
            best = rank(task, [*best, *rate(task, hidden, bound, survivors, data)])[:FINALISTS]
    return best


def select_survivors(task: Task, guesses: list[Guess]) -> list[Guess]:
    """Return the best part of a stack, and all that are as good as the last of it.

    With few sequences many guesses are equal, for instance all that always give the same answer. A good guess must not
    fall behind them by its number.
    """
    ranked = rank(task, guesses)
    least = compute_merit(task, ranked[ceil(SURVIVING * len(ranked)) - 1])
    return [guess for guess in ranked if compute_merit(task, guess) >= least]


def rank(task: Task, guesses: Iterable[Guess]) -> list[Guess]:
    """Return the guesses, the best first."""
    return sorted(guesses, key=lambda guess: (-compute_merit(task, guess), guess.number))


def compute_merit(task: Task, guess: Guess) -> float:
    """Return the score of a guess in the direction in which higher is better; the lowest if it is not finite."""
    if not isfinite(guess.score):
        return -inf
    return guess.score if task.higher_is_better else -guess.score


def rate_alone(task: Task, guess: Guess, data: Folded) -> Guess:
    """Return a guess with its score on these sequences."""
    (rated,) = rate(task, guess.hidden, guess.bound, torch.tensor([guess.number]), data)
    return rated


def rate(
    task: Task, hidden: int, bound: float, numbers: Int[Tensor, " E"], data: Folded
) -> list[Guess]:
    """Return the guesses of these numbers, side by side, with their scores on sequences that all share."""
    model = draw_networks(task, hidden, bound, numbers)
    _, scores = evaluate(task, model, data, len(numbers), TOKENS_AT_ONCE)
    return [
        Guess(number, hidden, bound, score)
        for number, score in zip(numbers.tolist(), scores, strict=True)
    ]


def draw_networks(task: Task, hidden: int, bound: float, numbers: Int[Tensor, " E"]) -> RNN:
    """Return E networks of this hidden width, all weights uniform in ±bound."""
    keys = Keys(task.name, task.version, "guesses", torch.full_like(numbers, task.lag), numbers)
    assert isinstance(task.inputs, int)  # the ladders are of sequences
    model = RNN(keys, inputs=task.inputs, outputs=task.outputs, hidden=hidden)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(keys.uniform(name, *p.shape[1:], low=-bound, high=bound))
    return model
