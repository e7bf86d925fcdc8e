"""The relevant steps: an answer follows from them alone, and from no others."""

import pytest
import torch

from seqbench.diagnostics.relevant import RELEVANT
from seqbench.tasks import TASKS
from seqbench.tasks.recall import KEYS

N = 20


def sample(name: str, lag: int, **options: int):
    task = TASKS[name](lag=lag, **options)
    batch = task.sample(task.keys("test", 0, 0, N))
    return batch, RELEVANT[name](batch.x)


@pytest.mark.parametrize(
    ("name", "lag"),
    [("latch", 9), ("adding", 9), ("temporal-order", 20), ("copy", 5), ("recall", 6)],
)
def test_the_answer_follows_from_the_relevant_steps(name, lag):
    batch, known = sample(name, lag)
    for n in range(N):
        for a in range(batch.y.shape[1]):
            on = batch.x[n][known.steps[n, a]]
            y = batch.y[n, a]
            if name == "adding":
                assert on[:, 0].sum().item() == pytest.approx(y.item())
                assert len(on) == 2
            elif name == "temporal-order":
                assert int("".join(str(int(s) - 6) for s in on), 2) == y
            elif name == "copy" and a < lag + 10:
                assert len(on) == 0  # a blank
                assert not known.asked[n, a]
            else:
                assert on.tolist() == [y + (KEYS if name == "recall" else 0)]
                assert known.asked[n, a]


@pytest.mark.parametrize("name", RELEVANT)
def test_no_step_is_both(name):
    _, known = sample(name, 20)
    assert not (known.relevant & known.distracting).any()
    assert known.relevant.any(dim=1).all()
    assert known.distracting.any() == (name != "recall")


def test_distractors_decide_nothing():
    batch, known = sample("copy", 5)
    assert known.distracting.sum(dim=1).tolist() == [5] * N  # the wait
    batch, known = sample("copy", 5, symbols=3)
    assert known.distracting.sum(dim=1).tolist() == [5] * N
    assert known.asked.sum(dim=1).tolist() == [3] * N
    batch, known = sample("temporal-order", 20)
    assert (batch.x[known.distracting] < 4).all()
    assert known.distracting.sum(dim=1).tolist() == [16] * N


def test_in_recall_the_value_of_the_key_is_meant():
    x = torch.tensor([[3, 64, 5, 65, 5, 3]])  # 3 has the value 64, 5 has 65; asked: 5, then 3
    steps = RELEVANT["recall"](x).steps
    assert steps.int().tolist() == [[[0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0]]]
