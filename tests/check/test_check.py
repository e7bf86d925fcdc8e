"""The checks: every built-in entry passes them, and whatever is broken fails the one that is about it."""

from dataclasses import dataclass, replace

import pytest
import torch
import user_defined
from torch import nn

from seqbench import check
from seqbench.check import MODEL_CHECKS, TASK_CHECKS, run_checks
from seqbench.check.tasks import MANY
from seqbench.errors import BadInput, DataMissing
from seqbench.measure.progress import Plain
from seqbench.measure.runs import run
from seqbench.models import MODELS
from seqbench.models.adapter import adapt
from seqbench.models.base import Linear, Model, uniform
from seqbench.random import Keys
from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task
from tests.models import CASES


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
    return {names[f.check]: f.wrong for f in run_checks(checks, entry) if f.wrong}


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


def with_options(name, options):
    """Return a class whose instances are those of a built-in model with these options."""
    kind = MODELS[name]

    class WithOptions(kind):
        def __init__(self, keys, **shape):
            super().__init__(keys, **shape | options)

        @classmethod
        def size_options(cls, **shape):
            return super().size_options(**shape | options)

    return WithOptions


@pytest.mark.parametrize("case", [case for case, (_, options) in CASES.items() if options])
def test_every_built_in_model_passes_with_its_options(case):
    found = wrong(MODEL_CHECKS, with_options(*CASES[case]))
    assert set(found) <= ({"model_matched"} if "bilstm" in case else set()), (
        found
    )  # the pair has coarse sizes


def test_guests_of_other_tests_pass():
    assert wrong(TASK_CHECKS, user_defined.Echo) == {}
    assert wrong(MODEL_CHECKS, user_defined.Last) == {}


def test_an_adapted_module_passes():
    class Net(nn.Module):
        def __init__(self, inputs, outputs, hidden):
            super().__init__()
            self.rnn = nn.RNN(inputs, hidden, batch_first=True)
            self.out = nn.Linear(hidden, outputs)

        def forward(self, x):
            return self.out(self.rnn(x)[0])

    assert wrong(MODEL_CHECKS, adapt("plain", Net)) == {}


class Counted(nn.Module):
    """Has a single number as a parameter, another that is not trained, and an output that depends on a counter."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.up, self.down = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.shift = nn.Parameter(torch.tensor(0.1), requires_grad=False)
        self.register_buffer("steps", torch.tensor(0))

    def forward(self, x):
        if self.training:
            self.steps += 1
        return self.gain * self.down(self.up(x).tanh()) + self.shift + self.steps / 100


class Spectral(Counted):
    """Estimates a norm by one iteration more in every step of training."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__(inputs, outputs, hidden)
        self.up = nn.utils.parametrizations.spectral_norm(self.up)


class Normed(Counted):
    """Is normalised over the batch in training, by running means else."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__(inputs, outputs, hidden)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x):
        y = super().forward(x)
        return self.norm(y.flatten(0, 1)).unflatten(0, y.shape[:2])


@pytest.mark.parametrize("module", [Counted, Spectral])
def test_what_changes_in_training_alone_is_no_fault(module):
    assert wrong(MODEL_CHECKS, adapt("changing", module)) == {}


def test_batch_normalisation_is_told_from_a_batch_that_is_mixed_up():
    assert "model_neighbours" not in wrong(MODEL_CHECKS, adapt("normed", Normed))


# Tasks that are broken in one way


@dataclass(frozen=True)
class Nameless(user_defined.Echo):
    name = ""


@dataclass(frozen=True)
class Knobless(user_defined.Echo):
    knob = ""


@dataclass(frozen=True)
class Wordy(user_defined.Echo):
    knob = "steps from the symbol that is shown to the step at which it is said again"


@dataclass(frozen=True)
class Unitless(user_defined.Echo):
    knob_unit = None


@dataclass(frozen=True)
class Broken(user_defined.Echo):
    knob_unit = "steps\n"


@dataclass(frozen=True)
class Easy(user_defined.Echo):
    """Solved by answering by chance."""

    threshold = 0.5


@dataclass(frozen=True)
class Moody(user_defined.Echo):
    """Reads a random state."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, x=torch.randint(0, 2, batch.x.shape))


@dataclass(frozen=True)
class Crowded(user_defined.Echo):
    """A sequence depends on those beside it."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, x=batch.x.roll(1, dims=0))


@dataclass(frozen=True)
class OneSplit(user_defined.Echo):
    """Shows in the test what it showed in training."""

    def sample(self, keys):
        return super().sample(replace(keys, split="train"))


@dataclass(frozen=True)
class TooMany(user_defined.Echo):
    """Shows a symbol that it did not declare."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, x=batch.x + 1)


@dataclass(frozen=True)
class Unmarked(user_defined.Echo):
    """Asks nothing of some."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, mask=batch.y == 1)


@dataclass(frozen=True)
class Same(user_defined.Echo):
    """Always has the same answer, and calls it a coin."""

    def sample(self, keys):
        batch = super().sample(keys)
        return replace(batch, y=torch.zeros_like(batch.y))


@dataclass(frozen=True)
class Boastful(user_defined.Echo):
    """Makes its chance look lower than it is."""

    chance = 0.25


@dataclass(frozen=True)
class Endless(user_defined.Echo):
    """Takes any lag."""

    def __post_init__(self):
        pass

    def sample(self, keys):
        return user_defined.Echo.sample(self, keys)


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
class Padded(user_defined.Echo):
    """Asks at the last step only, and pads the answers before it with -1, as torch's ignore_index would have it."""

    def sample(self, keys):
        x = super().sample(keys).x
        last = torch.arange(x.shape[1]) == x.shape[1] - 1
        return Batch(x, x.where(last, -1), last.expand(x.shape))


@dataclass(frozen=True)
class Rightless(Infinite):
    """Has values to say, and nothing that says which are right."""

    score = Task.score


@dataclass(frozen=True)
class Percent(user_defined.Echo):
    """Gives a share in hundredths."""

    chance = 50.0
    threshold = 99.0

    def score(self, output, y, mask):
        return 100 * super().score(output, y, mask)


@dataclass(frozen=True)
class Hundredths(Percent):
    """Says that it does."""

    score_range = (0.0, 100.0)


@dataclass(frozen=True)
class Total(user_defined.Echo):
    """Gives one score for all members together."""

    def score(self, output, y, mask):
        return super().score(output, y, mask).mean()


@dataclass(frozen=True)
class Unsized(user_defined.Echo):
    """Says that its frames have two axes."""

    inputs = (2, 2)


@dataclass(frozen=True)
class Narrow(user_defined.Echo):
    """Has a score that only whoever answers for all sequences at once can be given."""

    def score(self, output, y, mask):
        assert output.shape[1] == MANY or output.shape[1] in (50, MANY // 2)
        return super().score(output, y, mask)


class Partial(Task):
    """Does not say what it shows, nor how many classes there are."""

    name = "partial"
    chance = 0.5
    threshold = 0.9

    def sample(self, keys):
        raise NotImplementedError


@dataclass(frozen=True)
class Widening(Task):
    """Shows a marker beside every step: as many features as the sequence has steps."""

    name = "widening"
    outputs = 2
    chance = 0.5
    threshold = 0.99
    lags = range(2, 100)

    @property
    def inputs(self):
        return self.lag + 1

    def sample(self, keys):
        bits = keys.integers("bits", 0, 2, self.lag)
        steps = torch.eye(self.lag).expand(len(bits), -1, -1)
        return Batch.all_due(torch.cat([bits[..., None].float(), steps], dim=2), bits[:, -1:])


@dataclass(frozen=True)
class Lossless(Sets):
    """Has a loss that nobody knows."""

    loss = "hinge"


@pytest.mark.parametrize("task", [Sets, Hundredths])
def test_a_task_with_scores_of_its_own_passes(task):
    assert wrong(TASK_CHECKS, task) == {}


def test_a_task_whose_inputs_depend_on_the_lag_passes_and_is_measured(tmp_path):
    assert wrong(TASK_CHECKS, Widening) == {}
    small = {"models": ["rnn"], "seeds": 1, "engine": "serial", "steps": 2}
    store = run("smoke", tasks=[Widening], lags=[3, 6], **small, out=tmp_path, listen=Plain())
    sizes = {r.unit.lag: (r.verdict, r.sizes["hidden"]) for r in store.records()}
    assert sizes == {3: ("not_solved", 28), 6: ("not_solved", 27)}


@pytest.mark.parametrize(
    ("task", "fails", "says"),
    [
        (Padded, "task_shapes", "y holds -1 to 1 where no answer is due; there, too"),
        (Rightless, "task_declared", "with the loss 'mse' it needs a 'right' or a 'score'"),
        (Percent, "task_scores", "'accuracy' must lie between 0 and 1"),
        (Total, "task_scores", "the score of 1 member is (); it must be (E,), here (1,)"),
        (Unsized, "task_declared", "'inputs' is (2, 2); it is a number, or (channels, height"),
        (Partial, "task_declared", "it lacks inputs, outputs"),
        (Narrow, "task_trains", "AssertionError"),
        (Half, "task_shapes", "other than 0 and 1"),
        (Modest, "task_chance", "chance is 0.7500"),
        (Lossless, "task_declared", "choose from: cross_entropy, mse, binary_cross_entropy"),
        (Nameless, "task_declared", "name"),
        (Knobless, "task_declared", "'knob' is empty"),
        (Wordy, "task_declared", "'knob' is 'steps from"),
        (Unitless, "task_declared", "'knob_unit' is missing or is no str"),
        (Broken, "task_declared", "'knob_unit' is 'steps"),
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
    # A wrong answer may have another chance, and nothing can be trained on it.
    assert set(found) <= {fails, "task_chance", "task_trains"}


def test_a_score_without_classes_is_asked_for_in_a_sentence():
    with pytest.raises(
        TypeError, match=r"task 'infinite' has no classes to be right about; .*'mse'"
    ):
        Rightless(lag=2).score(
            torch.zeros(1, 2, 1, 1), torch.zeros(1, 2, 1, 1), torch.ones(1, 2, 1) > 0
        )


# Models that are broken in one way


class Anonymous(user_defined.Last):
    name = ""


class Shared(user_defined.Last):
    """Has a parameter that all members share."""

    name = "shared"

    def __init__(self, keys, **shape):
        super().__init__(keys, **shape)
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x, answers):
        return super().forward(x, answers) + self.bias.sum()


class Social(user_defined.Last):
    """A member's answer depends on the others'."""

    name = "social"

    def forward(self, x, answers):
        y = super().forward(x, answers)
        return y + y.mean(dim=0, keepdim=True)


class Twin(user_defined.Last):
    """All members begin with the weights of the first."""

    name = "twin"

    def __init__(self, keys, **shape):
        super().__init__(replace(keys, seed=keys.seed[:1].expand(len(keys))), **shape)


class Random(user_defined.Last):
    """Drops out at random, always."""

    name = "random"

    def forward(self, x, answers):
        return super().forward(nn.functional.dropout(x, 0.5), answers)


class Dropping(user_defined.Last):
    """Drops out at random in training, by torch's own random state."""

    name = "dropping"

    def forward(self, x, answers):
        return super().forward(nn.functional.dropout(x, 0.5, self.training), answers)


class Crossing(nn.Module):
    """Takes the sequences of a batch for the steps of one."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.rnn = nn.RNN(inputs, hidden)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


class Doubled(user_defined.Last):
    """Has weights of another precision."""

    name = "doubled"

    def __init__(self, keys, **shape):
        super().__init__(keys, **shape)
        self.low = nn.Parameter(torch.zeros(len(keys), 2, dtype=torch.bfloat16))


class Prophet(user_defined.Last):
    """Looks ahead, whatever it is told."""

    name = "prophet"

    def forward(self, x, answers):
        return super().forward(x.flip(2).cumsum(2).flip(2), answers)


class Boundless(user_defined.Last):
    """Says that it looks both ways, and takes a task that forbids it."""

    name = "boundless"
    both_ways = True


class Forgetful(MODELS["gru"]):
    """Begins anew at every step, when it is given them one by one."""

    name = "forgetful"

    def advance(self, x, state):
        return super().advance(x, self.start(x.shape[1], 1))


class Blind(user_defined.Last):
    """Has a parameter that it never uses."""

    name = "blind"

    def __init__(self, keys, **shape):
        super().__init__(keys, **shape)
        self.unused = uniform(keys, "unused", 3, bound=1.0)


class Stubborn(user_defined.Last):
    """Lets its gradients run the wrong way."""

    name = "stubborn"

    def forward(self, x, answers):
        y = super().forward(x, answers)
        return 2 * y.detach() - y


class Fixed(user_defined.Last):
    """Has the size that it has."""

    name = "fixed"

    def __init__(self, keys: Keys, *, inputs, outputs, hidden, layers=1, causal=True):
        super().__init__(keys, inputs=inputs, outputs=outputs, hidden=100)


class Short(user_defined.Last):
    """Gives one answer, however many are asked for."""

    name = "short"

    def forward(self, x, answers):
        return super().forward(x, 1)


class Strange(Model):
    """Is built in its own way."""

    name = "strange"

    def __init__(self, width):
        super().__init__()
        self.layer = Linear(width, "x", 1, 1)

    def forward(self, x, answers):
        return self.layer(x)


class Sums(MODELS["lstm_attention"]):
    """Gives what it attends with, and not how much."""

    name = "sums"

    def attend(self, x, answers):
        return super().attend(x, answers) * 2


class Headless(MODELS["lstm_attention"]):
    """Leaves out the axis of the heads."""

    name = "headless"

    def attend(self, x, answers):
        return super().attend(x, answers)[:, :, 0]


class Scanless(MODELS["lstm"]):
    """Denies its recurrence."""

    name = "scanless"
    recurrent = False


class Undecided(user_defined.Last):
    """Says in words whether it can be given a sequence step by step."""

    name = "undecided"
    streams = "sometimes"


class Unfinished(Model):
    """Has no forward pass."""

    name = "unfinished"


class Streamless(user_defined.Last):
    """Says that it can be given a sequence step by step, and has no methods for it."""

    name = "streamless"
    streams = True


class Foreign(nn.Module):
    """Has a name, and derives from nothing of seqbench."""

    name = "foreign"


@pytest.mark.parametrize(
    ("model", "fails", "says"),
    [
        (Sums, "model_attends", "add up to 1"),
        (Headless, "model_attends", "it must give (E, B, M, A, T)"),
        (Scanless, "model_declared", "'recurrent' is False, and the scan that runs it is 'native'"),
        (Undecided, "model_declared", "'streams' is 'sometimes'; it is True or False"),
        (Unfinished, "model_declared", "it lacks forward"),
        (Streamless, "model_streams", "streamless can't be given a sequence step by step"),
        (Foreign, "model_declared", "derive from it (CONTRIBUTING.md), or adapt a module by"),
        (Anonymous, "model_declared", "'name'"),
        (nn.LSTM, "model_declared", "seqbench.models.adapter"),
        (Strange, "model_declared", "TypeError"),
        (user_defined.Faulty, "model_outputs", "this never works"),
        (Short, "model_outputs", "must give (E, B, A, C), here (3, 4, 2, 4)"),
        (Shared, "model_leads", "'bias'"),
        (Social, "model_alone", "depends on the other members"),
        (Twin, "model_alone", "depends on the other members"),
        (Random, "model_repeats", "random state"),
        (Dropping, "model_repeats", "torch's random state"),
        (adapt("crossing", Crossing), "model_neighbours", "is it 'batch_first'?"),
        (Doubled, "model_leads", "'low' is torch.bfloat16; parameters must be torch.float32"),
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


def test_one_fault_is_told_once():
    first, *others = (f.wrong for f in check.check("user_defined:Faulty") if f.wrong)
    assert first == "ValueError: this never works"
    assert len(others) > 3
    assert set(others) == {"as above"}


# Who is checked


def test_an_address_of_anything():
    assert check.find_entry("user_defined:Echo") is user_defined.Echo
    assert "echo" in TASKS
    assert check.find_entry("user_defined:Last") is user_defined.Last
    assert check.find_entry("lstm") is MODELS["lstm"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("lsm", "unknown task or model 'lsm'; did you mean 'lstm'"),
        ("user_defined:Nobody", "can't import 'user_defined:Nobody'"),
        ("nowhere:Nobody", "can't import 'nowhere:Nobody'"),
        ("user_defined:os", "a task or a model is a class"),
    ],
)
def test_who_can_not_be_found(name, says):
    with pytest.raises(BadInput, match=says):
        check.find_entry(name)


def test_a_task_without_its_data_is_not_judged():
    with pytest.raises(DataMissing):
        list(run_checks(TASK_CHECKS, user_defined.Absent))
