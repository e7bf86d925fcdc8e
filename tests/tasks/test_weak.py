"""What a task is about can't be had for less: who sees a part of the input that can't tell the answer sits at chance.

The weak ones know all else that there is to know, and are told so.
"""

from itertools import product
from math import comb

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from sklearn.linear_model import LinearRegression, LogisticRegression
from torch import Tensor

from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task

N = 2000


def drawn(task: Task, split: str, count: int = N) -> Batch:
    return task.sample(task.keys(split, 0, 0, count))


def score(task: Task, output: Tensor, batch: Batch) -> float:
    return task.score(output[None], batch.y[None], batch.mask[None]).item()


def noise(p: float, count: int = N) -> float:
    return 4 * (p * (1 - p) / count) ** 0.5


def accuracy(see, task: Task) -> float:
    """Return how well a logistic regression does that sees ``see(batch)``, features and classes."""
    model = LogisticRegression(max_iter=300).fit(*see(drawn(task, "train")))
    return model.score(*see(drawn(task, "test")))


# The tasks of 1997


@pytest.mark.parametrize("name", ["adding-1997", "multiplication"])
def test_the_second_half_tells_nothing_of_the_marked_values(name):
    task = TASKS[name](40)

    def see(split: str) -> tuple[np.ndarray, np.ndarray]:
        batch = drawn(task, split)
        return batch.x[:, 20:].flatten(1).numpy(), batch.y[:, 0].numpy()

    model = LinearRegression().fit(*see("train"))
    batch = drawn(task, "test")
    answer = torch.from_numpy(model.predict(see("test")[0]))[:, None].expand(*batch.mask.shape, 1)
    assert score(task, answer, batch) < task.chance + noise(task.chance)
    error = (answer - batch.y)[:, 0].square().mean()
    assert error > 0.95 * batch.y[:, 0].var()


@pytest.mark.parametrize("name", ["adding-1997", "multiplication"])
def test_the_answer_ignores_every_value_that_is_not_marked(name):
    task = TASKS[name](40)

    def see(batch: Batch) -> np.ndarray:
        value, mark = batch.x.unbind(dim=-1)
        return (value.where(mark != 1, 0.0)).numpy()

    train, test = drawn(task, "train"), drawn(task, "test")
    model = LinearRegression().fit(see(train), train.y[:, 0])
    answer = torch.from_numpy(model.predict(see(test)))[:, None].expand(*test.mask.shape, 1)
    assert score(task, answer, test) < task.chance + noise(task.chance)


# The noisy latch


def test_the_steps_after_the_first_ten_do_not_tell_the_cue():
    def see(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        return batch.x[:, 10:].flatten(1).numpy(), batch.y[:, 0].numpy()

    found = accuracy(see, TASKS["noisy-latch"](20))
    assert found == pytest.approx(1 / 2, abs=noise(1 / 2))


def test_symbols_without_marks_tell_the_cue_no_better_than_their_majority():
    task = TASKS["noisy-latch"](20)

    def see(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        return batch.x[..., 0].sign().numpy(), batch.y[:, 0].numpy()

    majority = 1 / 2 + 1 / 2 * comb(10, 5) / 2**10
    assert f"{majority:.3f}" == "0.623"
    votes = 0.0
    for symbols in product((-1, 1), repeat=10):  # the cue is any of them; a tie is half right
        votes += sum(1 / 2 if not sum(symbols) else s * sum(symbols) > 0 for s in symbols) / 10
    assert votes / 2**10 == pytest.approx(majority)
    assert accuracy(see, task) == pytest.approx(majority, abs=noise(majority))


def test_the_largest_of_the_first_ten_marks_finds_the_cue():
    batch = drawn(TASKS["noisy-latch"](3), "test", 20_000)
    place = batch.x[:, :10, 1].argmax(dim=1, keepdim=True)
    right = (batch.x[..., 0].gather(1, place) > 0) == batch.y
    assert right.float().mean().item() == pytest.approx(0.999, abs=noise(0.999, 20_000))


def test_the_noise_is_normal_and_the_same_on_both_channels_at_every_step():
    batch = drawn(TASKS["noisy-latch"](5), "train", 20_000)
    symbol, mark = batch.x.unbind(dim=-1)
    parts = {"symbol": symbol - symbol.sign(), "mark": mark[:, 10:]}
    for part in parts.values():
        assert part.mean(dim=0).abs().max() < 4.5 * 0.2 / 20_000**0.5
        assert (part.std(dim=0) / 0.2 - 1).abs().max() < 4.5 / 40_000**0.5
        assert kstest(part.flatten().numpy() / 0.2, "norm").pvalue > 0.001


def test_every_place_of_the_cue_is_as_frequent():
    batch = drawn(TASKS["noisy-latch"](3), "train", 20_000)
    marked = batch.x[..., 1].mean(dim=0)
    assert (marked[:10] - 1 / 10).abs().max() < 4.5 * (0.13 / 20_000) ** 0.5
    assert marked[10:].abs().max() < 4.5 * 0.2 / 20_000**0.5


# The Reber grammars


@pytest.mark.parametrize("name", ["reber", "reber-stream"])
def test_the_last_five_symbols_do_not_tell_the_letter(name):
    task = TASKS[name](TASKS[name].lags.start)
    letters = torch.tensor([[0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0]]).float()

    def see(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        is_t, is_p = ((batch.y == letter).all(dim=2) for letter in letters)
        due = is_t | is_p
        due[:, :4] = False
        row, t = due.nonzero(as_tuple=True)
        window = batch.x[row[:, None], t[:, None] - torch.arange(5)]
        seen = torch.eye(8)[window].flatten(1)
        return seen.numpy(), is_p[row, t].numpy()

    found = accuracy(see, task)
    assert found == pytest.approx(1 / 2, abs=noise(1 / 2))


@pytest.mark.parametrize("lag", [1, 2])
def test_the_whole_grammar_without_the_letters_gets_its_power_of_a_half(lag):
    task = TASKS["reber"](lag)
    batch = drawn(task, "test")
    answer = 2 * batch.y - 1
    comes_back = batch.y[..., 1:3].sum(dim=2).eq(1) & batch.y.sum(dim=2).eq(
        1
    )  # T or P, and no other
    answer[..., 1] = answer[..., 1].where(~comes_back, 1.0)  # T, always
    answer[..., 2] = answer[..., 2].where(~comes_back, -1.0)
    assert score(task, answer, batch) == pytest.approx(2**-lag, abs=noise(2**-lag))


# Counting


def test_up_to_the_second_spike_the_shortest_delay_holds_nothing_else():
    task = TASKS["spike-delay"](8)

    def see(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        row, t = batch.mask.nonzero(as_tuple=True)
        window = batch.x[row[:, None], t[:, None] - torch.arange(task.lag), 0]
        clock = torch.eye(batch.x.shape[1])[t]
        assert window.sum(dim=1).eq(1).all()  # the second spike itself
        return torch.cat([window, clock], dim=1).numpy(), batch.y[row, t].numpy()

    assert accuracy(see, task) == pytest.approx(1 / 10, abs=noise(1 / 10))


@pytest.mark.parametrize("symbols", [2, 3])
def test_thirty_symbols_look_the_same_when_one_is_left_and_when_none_is(symbols):
    for n in range(31, 51):
        batch = drawn(TASKS["counting"](40, symbols=symbols).at(n), "test", 1)
        x, y, mask = batch.x[0], batch.y[0], batch.mask[0]
        last = int(mask.sum()) - 1  # the step at which the end is due
        assert x[last - 30 : last].tolist() == x[last - 29 : last + 1].tolist()
        assert y[last - 1].tolist() != y[last].tolist()


def test_the_clock_alone_does_not_count():
    task = TASKS["counting"](30)
    batch = drawn(task, "train")
    frequent = batch.y.where(batch.mask[..., None], torch.nan).nanmean(dim=0) - 0.5  # (T, C)
    frequent = frequent.expand(N, -1, -1)
    assert score(task, frequent, batch) <= task.chance + noise(task.chance)
