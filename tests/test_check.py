"""The checks: every built-in entry passes them, and whatever is broken fails the one that is about it."""

from dataclasses import dataclass, replace

import guests
import pytest
import torch
from torch import nn

from seqbench import check
from seqbench.check import MODEL_CHECKS, TASK_CHECKS, findings
from seqbench.errors import BadInput, DataMissing
from seqbench.models import MODELS
from seqbench.models.adapter import adapt
from seqbench.models.base import Linear, uniform
from seqbench.random import Keys
from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task


@pytest.fixture(autouse=True)
def alone():
    """Send the guests home."""
    yield
    TASKS.added.clear()
    MODELS.added.clear()


def wrong(checks, entry) -> dict[str, str]:
    """Return what is wrong, by the name of the check."""
    names = {
        finding.check: one.__name__ for finding, one in zip(every(checks), checks, strict=True)
    }
    return {names[f.check]: f.wrong for f in findings(checks, entry) if f.wrong}


def every(checks):
    return [
        check.Finding((one.__doc__ or "").partition("\n")[0].rstrip("."), None) for one in checks
    ]


@pytest.mark.parametrize("name", [*TASKS, *MODELS])
def test_every_built_in_entry_passes(name):
    try:
        found = list(check.check(name))
    except DataMissing as missing:
        pytest.skip(str(missing))
    assert len(found) == len(TASK_CHECKS if name in TASKS else MODEL_CHECKS)
    assert [str(finding) for finding in found if finding.wrong] == []


def test_guests_of_other_tests_pass():
    assert wrong(TASK_CHECKS, guests.Echo) == {}
    assert wrong(MODEL_CHECKS, guests.Last) == {}


def test_an_adapted_module_passes():
    class Net(nn.Module):
        def __init__(self, inputs, outputs, hidden):
            super().__init__()
            self.rnn = nn.RNN(inputs, hidden, batch_first=True)
            self.out = nn.Linear(hidden, outputs)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    assert wrong(MODEL_CHECKS, adapt("plain", Net)) == {}


# Tasks that are broken in one way


@dataclass(frozen=True)
class Nameless(guests.Echo):
    name = ""


@dataclass(frozen=True)
class Easy(guests.Echo):
    """Solved by whoever answers by chance."""

    threshold = 0.5


@dataclass(frozen=True)
class Moody(guests.Echo):
    """Reads a random state."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, x=torch.randint(0, 2, batch.x.shape))


@dataclass(frozen=True)
class Crowded(guests.Echo):
    """A sequence depends on those beside it."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, x=batch.x.roll(1, dims=0))


@dataclass(frozen=True)
class OneSplit(guests.Echo):
    """Shows in the test what it showed in training."""

    def sample(self, keys):
        return super().sample(replace(keys, split="train"))


@dataclass(frozen=True)
class TooMany(guests.Echo):
    """Shows a symbol that it did not declare."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, x=batch.x + 1)


@dataclass(frozen=True)
class Unmarked(guests.Echo):
    """Asks nothing of some."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, mask=batch.y == 1)


@dataclass(frozen=True)
class Same(guests.Echo):
    """Always has the same answer, and calls it a coin."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, y=torch.zeros_like(batch.y))


@dataclass(frozen=True)
class Boastful(guests.Echo):
    """Makes its chance look lower than it is."""

    chance = 0.25


@dataclass(frozen=True)
class Endless(guests.Echo):
    """Takes any lag."""

    def __post_init__(self):
        pass

    def sample(self, keys):
        return guests.Echo.sample(self, keys)


@dataclass(frozen=True)
class Infinite(Task):
    """Shows what is no number."""

    name = "infinite"
    inputs = 1
    outputs = 1
    loss = "mse"
    measure = "error"
    higher_is_better = False
    chance = 1 / 12
    threshold = 0.01

    def sample(self, keys):
        x = keys.uniform("x", self.lag, 1)
        return Batch.all_due(x.where(x > 0.01, torch.inf), x[:, -1:])

    def score(self, output, y, mask):
        return (output - y).square().mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class Sets(Task):
    """Says of each of two symbols whether it is the last one."""

    name = "sets"
    inputs = 2
    outputs = 2
    loss = "binary_cross_entropy"
    chance = 0.5
    threshold = 0.9

    def sample(self, keys):
        x = keys.integers("x", 0, 2, self.lag)
        return Batch.all_due(x, torch.eye(2)[x[:, -1:]])

    def right(self, output, y):
        return ((output > 0) == (y == 1)).all(dim=-1)


@dataclass(frozen=True)
class Half(Sets):
    """Says of one that it is half the last one."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, y=batch.y / 2)


@dataclass(frozen=True)
class Modest(Sets):
    """Makes its chance look higher than it is."""

    chance = 0.75


@dataclass(frozen=True)
class Lossless(Sets):
    """Has a loss that nobody knows."""

    loss = "hinge"


def test_a_task_of_sets_passes():
    assert wrong(TASK_CHECKS, Sets) == {}


@pytest.mark.parametrize(
    ("task", "fails", "says"),
    [
        (Half, "task_shapes", "other than 0 and 1"),
        (Modest, "task_chance", "chance is 0.7500"),
        (Lossless, "task_declared", "choose from: cross_entropy, mse, binary_cross_entropy"),
        (Nameless, "task_declared", "name"),
        (Easy, "task_declared", "reaches the threshold"),
        (Moody, "task_same_bits", "two draws"),
        (Crowded, "task_same_bits", "alone differs"),
        (OneSplit, "task_splits", "the same sequences"),
        (TooMany, "task_shapes", "from 1 to 2"),
        (Unmarked, "task_shapes", "no answer due"),
        (Same, "task_finite", "y is the same everywhere"),
        (Boastful, "task_chance", "chance is 0.2500"),
        (Endless, "task_lags", "was accepted"),
        (Infinite, "task_finite", "x holds a value that is not finite"),
    ],
)
def test_a_broken_task_fails_the_check_that_is_about_it(task, fails, says):
    found = wrong(TASK_CHECKS, task)
    assert says in found[fails]
    assert set(found) <= {fails, "task_chance"}  # a wrong answer may have another chance, too


# Models that are broken in one way


class Anonymous(guests.Last):
    name = ""


class Shared(guests.Last):
    """Has a parameter that all members share."""

    name = "shared"

    def __init__(self, keys, **shape):
        super().__init__(keys, **shape)
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x, answers):
        return super().forward(x, answers) + self.bias.sum()


class Social(guests.Last):
    """A member's answer depends on the others'."""

    name = "social"

    def forward(self, x, answers):
        y = super().forward(x, answers)
        return y + y.mean(dim=0, keepdim=True)


class Twin(guests.Last):
    """All members begin with the weights of the first."""

    name = "twin"

    def __init__(self, keys, **shape):
        super().__init__(replace(keys, seed=keys.seed[:1].expand(len(keys))), **shape)


class Random(guests.Last):
    """Drops out at random, always."""

    name = "random"

    def forward(self, x, answers):
        return super().forward(nn.functional.dropout(x, 0.5), answers)


class Prophet(guests.Last):
    """Looks ahead, whatever it is told."""

    name = "prophet"

    def forward(self, x, answers):
        return super().forward(x.flip(2).cumsum(2).flip(2), answers)


class Boundless(guests.Last):
    """Says that it looks both ways, and takes a task that forbids it."""

    name = "boundless"
    both_ways = True


class Forgetful(MODELS["gru"]):
    """Begins anew at every step, when it is given them one by one."""

    name = "forgetful"

    def advance(self, x, state):
        return super().advance(x, self.start(x.shape[1], 1))


class Blind(guests.Last):
    """Has a parameter that it never uses."""

    name = "blind"

    def __init__(self, keys, **shape):
        super().__init__(keys, **shape)
        self.unused = uniform(keys, "unused", 3, bound=1.0)


class Stubborn(guests.Last):
    """Lets its gradients run the wrong way."""

    name = "stubborn"

    def forward(self, x, answers):
        y = super().forward(x, answers)
        return 2 * y.detach() - y


class Fixed(guests.Last):
    """Has the size that it has."""

    name = "fixed"

    def __init__(self, keys: Keys, *, inputs, outputs, hidden, layers=1, causal=True):
        super().__init__(keys, inputs=inputs, outputs=outputs, hidden=100)


class Short(guests.Last):
    """Gives one answer, however many are asked for."""

    name = "short"

    def forward(self, x, answers):
        return super().forward(x, 1)


class Strange(nn.Module):
    """Is built in its own way."""

    name = "strange"

    def __init__(self, width):
        super().__init__()
        self.layer = Linear(width, "x", 1, 1)


@pytest.mark.parametrize(
    ("model", "fails", "says"),
    [
        (Anonymous, "model_declared", "'name'"),
        (nn.LSTM, "model_declared", "seqbench.models.adapter"),
        (Strange, "model_declared", "TypeError"),
        (guests.Faulty, "model_outputs", "this never works"),
        (Short, "model_outputs", "for A = 2"),
        (Shared, "model_leads", "'bias'"),
        (Social, "model_alone", "depends on the other members"),
        (Twin, "model_alone", "depends on the other members"),
        (Random, "model_repeats", "random state"),
        (Prophet, "model_causal", "changes an answer before it"),
        (Boundless, "model_causal", "looks both ways, and does not refuse to be causal"),
        (Forgetful, "model_streams", "another answer at step 1"),
        (Social, "model_nan", "member 1 is NaN"),
        (Blind, "model_gradients", "no gradient reaches 'unused'"),
        (Stubborn, "model_learns", "has a loss of"),
        (Fixed, "model_matched", "asked for 10000"),
    ],
)
def test_a_broken_model_fails_the_check_that_is_about_it(model, fails, says):
    assert says in wrong(MODEL_CHECKS, model)[fails]


# Who is checked


def test_an_address_of_anything():
    assert check.find("guests:Echo") is guests.Echo
    assert "echo" in TASKS
    assert check.find("guests:Last") is guests.Last
    assert check.find("lstm") is MODELS["lstm"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("lsm", "unknown task or model 'lsm'; did you mean 'lstm'"),
        ("guests:Nobody", "can't import 'guests:Nobody'"),
        ("nowhere:Nobody", "can't import 'nowhere:Nobody'"),
        ("guests:os", "a task or a model is a class"),
    ],
)
def test_who_can_not_be_found(name, says):
    with pytest.raises(BadInput, match=says):
        check.find(name)


def test_a_task_without_its_data_is_not_judged():
    with pytest.raises(DataMissing):
        list(findings(TASK_CHECKS, guests.Absent))
