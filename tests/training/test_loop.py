"""The trainer: each member as if it were alone, against torch's own Adam, clipping and slow loops."""

from dataclasses import dataclass, replace
from math import inf, isnan, nan
from typing import get_args

import pytest
import torch
from made import PROVENANCE, UNIT
from torch import nn
from torch.nn import functional as F

from seqbench.errors import BadInput
from seqbench.machine import PRODUCTS, set_product_precision
from seqbench.measure.job import Job, measure
from seqbench.models import MODELS
from seqbench.models.base import Model
from seqbench.random import Keys
from seqbench.records.schema import Budget, Member, Precision
from seqbench.tasks import TASKS
from seqbench.tasks.base import Batch, Task
from seqbench.training import feed as feeding
from seqbench.training import loop as trainer
from seqbench.training.checkpoint import Checkpoint
from seqbench.training.feed import Feed, draw, encode
from seqbench.training.loop import Outcome, compute_losses, evaluate, train
from seqbench.training.stack import Stack

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Echo(Task):
    """Say the last symbol again: learned in some twenty steps."""

    name = "echo"
    inputs = 2
    outputs = 2
    chance = 0.5
    threshold = 0.99

    def sample(self, keys: Keys) -> Batch:
        x = keys.integers("symbols", 0, 2, self.lag)
        return Batch.all_due(x, x[:, -1:])


@dataclass(frozen=True)
class Ragged(Echo):
    """Name the symbol at every step, but only some answers count, in each sequence others."""

    name = "ragged"

    def sample(self, keys: Keys) -> Batch:
        x = keys.integers("symbols", 0, 2, self.lag)
        mask = keys.integers("due", 0, 3, self.lag) == 0
        mask[:, -1] = True
        return Batch(x, x, mask)


ECHO = Echo(lag=3)
ADDING = TASKS["adding"](lag=6)
COUNTING = TASKS["counting"](lag=31)


def budget(**changes: int | float) -> Budget:
    small = {"steps": 60, "batch": 4, "clip": 1.0, "validate_every": 5}
    return Budget(**(small | {"validation_size": 32, "test_size": 64} | changes))


def model_of(name: str, task: Task, seeds: list[int], hidden: int = 8, **options) -> nn.Module:
    seed = torch.tensor(seeds)
    keys = Keys(name, 1, "weights", seed, torch.zeros_like(seed))
    shape = {"inputs": task.inputs, "outputs": task.outputs, "causal": task.causal}
    return MODELS[name](keys, **shape, hidden=hidden, **options)


def trained(task: Task, members: list[Member], name: str = "rnn", double: bool = True, **changes):
    """Return the outcomes of a small model, in float64 unless told otherwise."""
    model = model_of(name, task, [member.seed for member in members])
    model = model.double() if double else model
    return train(task, model, members, budget(**changes), CPU)


def members(*rates: float) -> list[Member]:
    return [Member(seed=seed, learning_rate=rate) for seed, rate in enumerate(rates)]


def close(one: Outcome, other: Outcome, tolerance: float) -> None:
    """Two runs ended alike, at the same step, with the same curve to rounding."""
    assert (one.member, one.verdict, one.steps, one.steps_to_solve) == (
        other.member, other.verdict, other.steps, other.steps_to_solve,
    )  # fmt: skip
    assert one.curve.step == other.curve.step
    for field in ("loss", "score"):
        a, b = (torch.tensor(getattr(o.curve, field)) for o in (one, other))
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    assert one.test_loss == pytest.approx(other.test_loss, rel=tolerance, abs=tolerance)
    assert one.score == pytest.approx(other.score, abs=1e-6)


# Adam


def step_data(task: Task, seeds: list[int], t: int, B: int = 4):
    return draw(task, "train", seeds, t * B, (t + 1) * B, CPU)


@pytest.mark.parametrize("name", ["rnn", "lstm", "transformer"])
@pytest.mark.parametrize("clip", [1e9, 0.05], ids=["free", "clipped"])
def test_a_step_is_torchs_adam_for_each_member_alone(name, clip):
    rates = [1e-2, 3e-4, 5e-2]
    stack = Stack(model_of(name, ADDING, [0, 1, 2]).double(), rates)
    alone = [model_of(name, ADDING, [seed]).double() for seed in range(3)]
    optimizers = [
        torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.999), eps=1e-8)
        for model, rate in zip(alone, rates, strict=True)
    ]
    clipped = 0
    for t in range(50):
        data = step_data(ADDING, [0, 1, 2], t)
        output = stack.model(encode(ADDING, data.x, torch.float64), 1)
        g = stack.gradient(compute_losses(ADDING, output, data.y, data.mask))
        stack.step(g, t + 1, clip)
        for e, (model, optimizer) in enumerate(zip(alone, optimizers, strict=True)):
            output = model(data.x[e : e + 1].double(), 1)
            optimizer.zero_grad()
            F.mse_loss(output, data.y[e : e + 1].double()).backward()
            torch.testing.assert_close(g[e], flat(model, "grad"), rtol=1e-8, atol=1e-10)
            # From here on with the very same gradient: Adam makes a step of the rounding of one that is zero.
            norm = g[e].norm().item()
            clipped += norm > clip
            parts = g[e].split([p.numel() for p in model.parameters()])
            for p, part in zip(model.parameters(), parts, strict=True):
                p.grad = part.view_as(p) * min(1.0, clip / norm)
            optimizer.step()
            torch.testing.assert_close(stack.theta[e], flat(model, "data"), rtol=0, atol=1e-12)
    assert clipped == (0 if clip > 1 else pytest.approx(150, abs=30))


def flat(model: nn.Module, what: str) -> torch.Tensor:
    return torch.cat([getattr(p, what).flatten() for p in model.parameters()])


def test_clipping_is_torchs_clipping_for_each_member_alone():
    stack = Stack(model_of("rnn", ECHO, [0, 1, 2]).double(), [0.1] * 3)
    g = torch.randn_like(stack.theta, generator=torch.Generator().manual_seed(0))
    g[0] *= 1e-3  # is not clipped
    g[2] *= 1e3
    expected = g.clone()
    for row in expected:
        p = nn.Parameter(torch.zeros_like(row))
        p.grad = row
        torch.nn.utils.clip_grad_norm_([p], 0.5)
    stack.step(g, 1, clip=0.5)
    # m is a tenth of the gradient now; torch divides by the norm + 1e-6.
    torch.testing.assert_close(stack.m, 0.1 * expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(stack.m[0], 0.1 * g[0], rtol=1e-14, atol=0)


def test_parameters_are_views_of_the_table_also_after_members_left():
    stack = Stack(model_of("lstm", ECHO, [0, 1, 2]), [0.1] * 3)
    before = stack.theta.clone()
    stack.keep(torch.tensor([0, 2]))
    assert stack.theta.equal(before[[0, 2]])
    rows = torch.cat([p.detach().flatten(1) for p in stack.model.parameters()], dim=1)
    assert rows.equal(before[[0, 2]])
    stack.theta.zero_()
    assert all(not p.any() for p in stack.model.parameters())
    assert stack.rate.shape == (2, 1)


class Odd(Model):
    """What a guest may have: a parameter in two places, one number a member, a buffer."""

    def __init__(self, E: int) -> None:
        super().__init__()
        self.first = nn.Linear(2, 1, bias=False)
        self.first.weight = nn.Parameter(torch.arange(E * 2.0).view(E, 2))
        self.second = nn.Linear(2, 1, bias=False)
        self.second.weight = self.first.weight
        self.gain = nn.Parameter(torch.arange(1.0, E + 1))
        self.register_buffer("shift", torch.arange(E * 1.0)[:, None])

    def forward(self, x, answers):
        y = (self.first.weight + self.second.weight)[:, None, None] * x.sum(dim=2, keepdim=True)
        return y * self.gain[:, None, None, None] + self.shift[:, :, None, None]


def test_shared_parameters_single_numbers_and_buffers_stay_with_their_member():
    model = Odd(3)
    stack = Stack(model, [0.1] * 3)
    assert stack.theta.tolist() == [[1, 0, 1], [2, 2, 3], [3, 4, 5]]
    assert model.second.weight is model.first.weight
    x = torch.ones(3, 1, 2, 2)
    whole = model(x, 1).detach()
    stack.gradient(model(x, 1).sum(dim=(1, 2, 3)))
    stack.keep(torch.tensor([0, 2]))
    assert model(x[:2], 1).equal(whole[[0, 2]])
    g = stack.gradient(model(x[:2], 1).sum(dim=(1, 2, 3)))
    assert g.tolist() == [[4, 4, 4], [36, 12, 12]]


def test_a_frozen_parameter_stays_as_it_is_and_the_others_are_trained():
    model = Odd(2)
    model.gain.requires_grad_(False)
    stack = Stack(model, [0.1] * 2)
    x = torch.ones(2, 1, 2, 2)
    free = Odd(2)
    wanted = Stack(free, [0.1] * 2).gradient(free(x, 1).sum(dim=(1, 2, 3)))
    g = stack.gradient(model(x, 1).sum(dim=(1, 2, 3)))
    assert g[:, 1:].equal(wanted[:, 1:])
    before = stack.theta.clone()
    stack.step(g, 1, 1.0)
    assert stack.theta[:, 0].equal(before[:, 0])  # the gain
    assert (stack.theta[:, 1:] != before[:, 1:]).all()
    stack.keep(torch.tensor([1]))
    assert [p.requires_grad for p in stack.parameters] == [False, True]


def test_a_model_without_anything_to_train_says_so():
    with pytest.raises(ValueError, match="all of them are frozen"):
        Stack(Odd(2).requires_grad_(False), [0.1] * 2)


# Members


@pytest.mark.parametrize("task", [ECHO, Ragged(lag=5), ADDING], ids=lambda task: task.name)
@pytest.mark.parametrize("name", ["rnn", "lstm_peephole", "transformer"])
def test_a_member_of_a_stack_is_the_run_of_its_seed_alone(task, name):
    who = members(1e-2, 3e-3, 3e-2)
    stack = trained(task, who, name)
    for member, outcome in zip(who, stack, strict=True):
        (alone,) = trained(task, [member], name)
        close(outcome, alone, 1e-8)


def test_in_float32_too():
    who = members(1e-2, 3e-3, 3e-2)
    stack = trained(ADDING, who, "gru", double=False, steps=20)
    for member, outcome in zip(who, stack, strict=True):
        (alone,) = trained(ADDING, [member], "gru", double=False, steps=20)
        close(outcome, alone, 1e-4)


def test_members_leave_at_different_times_and_the_others_go_on():
    who = members(1e-6, 3e-2, 1e-5, 2e-3)
    stack = trained(ECHO, who)
    assert [outcome.verdict for outcome in stack] == [
        "not_solved",
        "solved",
        "not_solved",
        "solved",
    ]
    steps = [outcome.steps for outcome in stack]
    assert steps[1] < steps[3] <= 60
    assert steps[0] == steps[2] == 60
    for member, outcome in zip(who, stack, strict=True):
        assert outcome.curve.step == list(range(5, outcome.steps + 1, 5))
        (alone,) = trained(ECHO, [member])
        close(outcome, alone, 1e-8)


def test_a_solved_member_leaves_after_three_validations_in_a_row():
    (outcome,) = trained(ECHO, members(2e-3))
    solved = [score >= ECHO.threshold for score in outcome.curve.score]
    assert solved[-3:] == [True] * 3
    assert [True] * 3 not in [solved[k : k + 3] for k in range(len(solved) - 3)]
    assert outcome.steps == outcome.curve.step[-1] < 60
    assert outcome.steps_to_solve == outcome.curve.step[-3]
    assert outcome.verdict == "solved"
    assert outcome.score >= ECHO.threshold


@pytest.mark.parametrize(
    ("scores", "first"),
    [
        ("+++", 10),
        ("-+++", 20),
        ("++-+++", 40),
        ("++", None),
        ("-++", None),
        ("+-+-+-+", None),
        ("----", None),
    ],
)
def test_three_in_a_row_and_not_three_in_all(scores, first):
    outcome = Outcome(members(0.1)[0])
    for k, mark in enumerate(scores):
        assert not outcome.is_settled(ECHO, 0.0)
        outcome.note_validation(ECHO, 10 * (k + 1), 0.1, 1.0 if mark == "+" else 0.5)
    assert outcome.steps_to_solve == first
    assert outcome.is_settled(ECHO, 0.0) == (first is not None)
    assert outcome.steps == 10 * len(scores)


def test_with_a_margin_a_run_ends_only_well_above_the_threshold():
    outcome = Outcome(members(0.1)[0])
    task = ECHO  # solved at .99; half of the way to 1 is .995
    for k, score in enumerate([0.991, 0.992, 0.994, 1.0, 0.996]):
        outcome.note_validation(task, 10 * (k + 1), 0.1, score)
        assert not outcome.is_settled(task, 0.5)
        assert outcome.is_settled(task, 0.0) == (k >= 2)
    outcome.note_validation(task, 60, 0.1, 0.995)
    assert outcome.is_settled(task, 0.5)
    assert outcome.steps_to_solve == 10  # of the threshold itself


def test_a_trained_run_is_tested_at_the_further_lags_of_its_budget():
    who = [*members(1e-6, 3e-2), Member(seed=2, learning_rate=3e-2, role="tuning")]
    kept = {}
    model = model_of("rnn", ECHO, [0, 1, 2]).double()

    def keep(member, weights):
        kept[member.seed] = weights

    found = train(ECHO, model, who, budget(longer=(6, 12)), CPU, on_finish=keep)
    assert [[test.lag for test in outcome.longer] for outcome in found] == [[6, 12], [6, 12], []]
    for outcome in found[:2]:
        alone = model_of("rnn", ECHO, [outcome.member.seed]).double()
        alone.load_state_dict({name: w[None] for name, w in kept[outcome.member.seed].items()})
        for test in outcome.longer:
            task = Echo(lag=test.lag)
            data = draw(task, "test", [0], 0, 32, CPU)
            (loss,), (score,) = evaluate(task, alone, data, 1)
            assert test.loss == pytest.approx(loss, abs=1e-12)
            assert test.score == pytest.approx(score, abs=1e-6)
    assert found[1].steps < found[0].steps  # it was tested while the other went on


@pytest.mark.parametrize(("loss", "score"), [(nan, 0.5), (inf, 0.5), (0.1, nan)])
def test_what_is_not_finite_has_diverged_and_is_not_tested(loss, score):
    outcome = Outcome(members(0.1)[0])
    outcome.note_validation(ECHO, 10, 0.1, 0.5)
    outcome.note_validation(ECHO, 20, loss, score)
    assert outcome.verdict == "diverged"
    assert outcome.is_settled(ECHO)
    assert outcome.curve.step == [10, 20]
    assert None in (outcome.curve.loss[1], outcome.curve.score[1])
    outcome.note_test(ECHO, 0.1, 0.5)
    assert (outcome.verdict, outcome.score, outcome.test_loss) == ("diverged", None, None)


def test_what_is_not_finite_on_the_test_alone_has_diverged_too():
    outcome = Outcome(members(0.1)[0])
    outcome.note_validation(ECHO, 10, 0.1, 0.5)
    outcome.note_test(ECHO, nan, 0.5)
    assert (outcome.verdict, outcome.score, outcome.test_loss) == ("diverged", None, None)


def test_a_member_that_diverges_stops_nobody_else():
    calm = trained(ADDING, members(1e-2, 2e-2, 3e-2), double=False)
    wild = trained(ADDING, members(1e-2, 1e30, 3e-2), double=False)
    assert wild[1].verdict == "diverged"
    assert wild[1].curve.loss[-1] is None
    assert wild[1].steps == wild[1].curve.step[-1] == 5
    assert (wild[1].score, wild[1].test_loss) == (None, None)
    for e in (0, 2):
        close(wild[e], calm[e], 1e-4)
        assert wild[e].curve.loss[0] == calm[e].curve.loss[0]  # to the bit while it was beside them
        assert wild[e].steps == 60


def test_a_member_that_is_nan_from_the_start_leaves_the_others_as_they_are():
    def run(spoil: bool):
        model = model_of("lstm", ADDING, [0, 1, 2])
        if spoil:
            with torch.no_grad():
                next(model.parameters())[1] = nan
        return train(ADDING, model, members(1e-2, 1e-2, 1e-2), budget(), CPU)

    calm, spoiled = run(False), run(True)
    assert spoiled[1].verdict == "diverged"
    for e in (0, 2):
        assert spoiled[e].curve.loss[0] == calm[e].curve.loss[0]
        close(spoiled[e], calm[e], 1e-4)


def test_a_graded_task_is_trained_to_the_end_of_the_budget():
    @dataclass(frozen=True)
    class Graded(Echo):
        graded = True

    (outcome,) = trained(Graded(lag=3), members(3e-2))
    assert outcome.steps == 60
    assert outcome.verdict == "solved"
    assert outcome.steps_to_solve == trained(ECHO, members(3e-2))[0].steps_to_solve


def test_a_graded_task_is_scored_on_what_was_seen_in_training_too():
    @dataclass(frozen=True)
    class Learned(Echo):
        """The test asks for the opposite of what is taught."""

        graded = True

        def sample(self, keys):
            batch = super().sample(keys)
            return replace(batch, y=1 - batch.y) if keys.split == "test" else batch

    (outcome,) = trained(Learned(lag=3), members(3e-2))
    assert outcome.train_score > 0.95
    assert outcome.score < 0.1
    assert trained(ECHO, members(3e-2))[0].train_score is None


def test_the_same_again_is_the_same_to_the_bit():
    who = members(1e-2, 3e-3, 1e-6)
    one, other = (trained(ECHO, who, "lstm", double=False) for _ in range(2))
    assert [o.curve for o in one] == [o.curve for o in other]
    assert [o.test_loss for o in one] == [o.test_loss for o in other]


def test_no_global_random_state_is_read():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = trained(ADDING, members(1e-2), "transformer", steps=10)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(2)
    assert trained(ADDING, members(1e-2), "transformer", steps=10)[0].curve == one[0].curve


def test_the_trainer_is_a_plain_loop_around_torchs_adam():
    who = members(1e-2)[0]
    model = model_of("lstm", ADDING, [who.seed]).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=who.learning_rate)
    validation = draw(ADDING, "validation", [0], 0, 32, CPU)
    curve = []
    for t in range(40):
        data = step_data(ADDING, [who.seed], t)
        optimizer.zero_grad()
        F.mse_loss(model(data.x.double(), 1), data.y.double()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (t + 1) % 5 == 0:
            with torch.no_grad():
                curve.append(F.mse_loss(model(validation.x.double(), 1), validation.y).item())
    (outcome,) = trained(ADDING, [who], "lstm", steps=40)
    assert outcome.curve.loss == pytest.approx(curve, rel=1e-5)  # torch clips to 1 / (1 + 1e-6)


def test_a_disk_without_room_for_a_snapshot_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("where the folder should be")
    checkpoint = Checkpoint(tmp_path / "file" / "job.pt", every=0.0)
    model = model_of("rnn", ECHO, [0])
    with pytest.warns(UserWarning, match=r"can't write .*job\.pt, after a kill the job starts"):
        (outcome,) = train(ECHO, model, members(1e-6), budget(steps=10), CPU, checkpoint=checkpoint)
    assert outcome.steps == 10


# Data


def test_every_step_has_data_of_its_own_and_the_sets_are_fixed():
    drawn: list[Keys] = []

    class Watched(type(ADDING)):
        def sample(self, keys: Keys) -> Batch:
            drawn.append(keys)
            return super().sample(keys)

    def identities(split: str) -> list[tuple[int, int]]:
        return [
            identity
            for keys in drawn
            if keys.split == split and len(keys) > 1  # one is looked at for its size
            for identity in zip(keys.seed.tolist(), keys.index.tolist(), strict=True)
        ]

    who = [Member(seed=s, learning_rate=1e-6) for s in (0, 7)]
    train(Watched(lag=6), model_of("rnn", ADDING, [0, 7]), who, budget(steps=12), CPU)
    B = 4
    assert sorted(identities("train")) == [(s, i) for s in (0, 7) for i in range(12 * B)]
    assert identities("validation") == [(0, i) for i in range(32)]  # once, for all members
    assert identities("test") == [(0, i) for i in range(64)]
    assert {(keys.name, keys.version) for keys in drawn} == {("adding", 1)}


def test_validation_and_test_hold_nothing_that_training_has():
    def rows(split, seed, n):
        return {tuple(x) for x in draw(ADDING, split, [seed], 0, n, CPU).x[0, :, :, 0].tolist()}

    train_rows = rows("train", 0, 500) | rows("train", 1, 500)
    validation, test = rows("validation", 0, 500), rows("test", 0, 500)
    assert len(train_rows) == 1000
    assert len(validation) == len(test) == 500
    assert not train_rows & validation
    assert not train_rows & test
    assert not validation & test


def test_a_member_meets_the_test_once_with_its_last_weights(monkeypatch):
    seen = []

    def spy(task, model, data, E):
        found = evaluate(task, model, data, E)
        seen.append((data.x.shape[1], found))
        return found

    monkeypatch.setattr(trainer, "evaluate", spy)
    (outcome,) = trained(ADDING, members(1e-2), steps=13)
    sizes = [size for size, _ in seen]
    assert sizes == [32, 32, 32, 64]  # after 5, 10 and 13 steps, and the test at the end
    assert outcome.curve.step == [5, 10, 13]
    assert (outcome.test_loss, outcome.score) == tuple(part[0] for part in seen[-1][1])


def test_whoever_stays_is_not_tested_yet(monkeypatch):
    tested = []
    monkeypatch.setattr(
        Outcome,
        "note_test",
        lambda self, task, loss, score: tested.append((self.steps, self.member.seed)),
    )
    stack = trained(ECHO, members(1e-6, 3e-2, 2e-3))
    assert sorted(tested) == sorted((outcome.steps, outcome.member.seed) for outcome in stack)
    assert len({steps for steps, _ in tested}) == 3


@pytest.mark.parametrize("numbers", [1, 200, 2**18])
def test_drawing_several_steps_at_once_changes_no_bit(monkeypatch, numbers):
    monkeypatch.setattr(feeding, "NUMBERS_AT_ONCE", numbers)
    task, seeds = Ragged(lag=5), [3, 5, 9]
    feed = Feed(task, seeds, budget(steps=30), CPU)
    assert feed.chunk == {1: 1, 200: 3, 2**18: 2**18 // 60}[numbers]
    rows = [0, 1, 2]
    for t in range(30):
        if t in (7, 20):  # in the middle of a chunk
            rows = rows[1:]
            feed.keep(torch.arange(1, len(rows) + 1))
        data = feed.step(t)
        expected = draw(task, "train", [seeds[row] for row in rows], 4 * t, 4 * (t + 1), CPU)
        for part in ("x", "y", "mask"):
            assert getattr(data, part).equal(getattr(expected, part))


def test_progress_is_told_at_every_validation():
    told = []
    model = model_of("rnn", ECHO, [0])
    train(ECHO, model, members(1e-6), budget(steps=12), CPU, told.append)
    assert told == [5, 10, 12]


def test_symbols_become_one_hot_vectors_and_values_stay():
    x = torch.tensor([[[1, 0, 1]]])
    assert encode(ECHO, x).tolist() == [[[[0, 1], [1, 0], [0, 1]]]]
    assert encode(ECHO, x, torch.float64).dtype == torch.float64
    values = torch.rand(1, 2, 3, 2)
    assert encode(ADDING, values) is values
    assert encode(ADDING, values, torch.float64).dtype == torch.float64


# Losses


@pytest.mark.parametrize("kind", ["cross_entropy", "mse", "binary_cross_entropy"])
def test_the_loss_is_the_mean_over_the_answers_due(kind):
    E, B, A, C = 3, 4, 5, 2
    tasks = {"cross_entropy": Ragged(A), "mse": ADDING, "binary_cross_entropy": COUNTING}
    task = tasks[kind]
    assert task.loss == kind
    random = torch.Generator().manual_seed(0)
    output = torch.randn(E, B, A, C, generator=random, dtype=torch.float64)
    mask = torch.rand(E, B, A, generator=random) < 0.4
    y = torch.randint(0, C, (E, B, A), generator=random)
    if kind == "mse":
        y = torch.randn(E, B, A, C, generator=random, dtype=torch.float64)
    if kind == "binary_cross_entropy":
        y = torch.randint(0, 2, (E, B, A, C), generator=random).float()
    expected = []
    for e in range(E):
        each = []
        for b in range(B):
            for a in range(A):
                o = output[e, b, a]
                if not mask[e, b, a]:
                    continue
                if kind == "mse":
                    each.append(sum((o[c] - y[e, b, a, c]) ** 2 for c in range(C)) / C)
                elif kind == "binary_cross_entropy":
                    p = [o[c].sigmoid() if y[e, b, a, c] else 1 - o[c].sigmoid() for c in range(C)]
                    each.append(-sum(q.log() for q in p) / C)
                else:
                    each.append(-(o[y[e, b, a]] - o.exp().sum().log()))
        expected.append(sum(each) / len(each))
    found = compute_losses(task, output, y, mask)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-12, atol=0)


def test_an_answer_that_is_not_due_moves_no_weight():
    task = Ragged(lag=5)
    data = draw(task, "train", [0], 0, 8, CPU)
    output = torch.randn(1, 8, 5, 2, requires_grad=True)
    compute_losses(task, output, data.y, data.mask).sum().backward()
    assert not output.grad[~data.mask].any()
    assert output.grad[data.mask].all()


@pytest.mark.parametrize("task", [Ragged(lag=5), ADDING, COUNTING], ids=lambda task: task.name)
@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_evaluating_in_parts_is_evaluating_the_whole(monkeypatch, task, name):
    model = model_of(name, task, [0, 1, 2]).double()
    data = draw(task, "test", [0], 0, 50, CPU)
    whole = evaluate(task, model, data, 3)
    x = encode(task, data.x, torch.float64).expand(3, -1, -1, -1)
    y, mask = (part.expand(3, *part.shape[1:]) for part in (data.y, data.mask))
    output = model(x, data.y.shape[2]).detach()
    assert whole[0] == pytest.approx(compute_losses(task, output, y, mask).tolist(), rel=1e-12)
    assert whole[1] == pytest.approx(task.score(output, y, mask).tolist(), rel=1e-12)
    for tokens in (1, 3 * 6 * 7, 10**9):
        monkeypatch.setattr(trainer, "TOKENS_AT_ONCE", tokens)
        parts = evaluate(task, model, data, 3)
        for a, b in zip(parts, whole, strict=True):
            assert a == pytest.approx(b, rel=1e-12)
    assert len(set(whole[0])) == 3
    assert not any(map(isnan, whole[0]))


def test_a_model_knows_whether_it_is_in_training():
    seen = []
    model = model_of("rnn", ECHO, [0])
    model.register_forward_pre_hook(lambda module, _: seen.append(module.training))
    train(ECHO, model, members(1e-6), budget(steps=2, validate_every=1), CPU)
    assert seen == [True, False, True, False, False]  # step, validation, step, validation, test


def test_evaluating_leaves_no_graph_behind():
    model = model_of("lstm", ECHO, [0])
    evaluate(ECHO, model, draw(ECHO, "test", [0], 0, 5, CPU), 1)
    assert all(p.grad is None for p in model.parameters())


# Devices


@pytest.mark.parametrize(
    "name",
    ["latch", "adding", "copy", "parity", "moving-shapes", "adding-1997", "reber", "counting"],
)
def test_training_stays_on_its_device_and_never_waits_for_it(monkeypatch, name):
    # The meta device has no numbers: whatever reads one between two validations, or is made elsewhere, fails on it.
    task = TASKS[name](lag=max(TASKS[name].lags[0], 6))
    meta = torch.device("meta")

    def unseen(task, model, data, E):
        part = data.columns(0, 8)
        with torch.no_grad():
            x = encode(task, part.x)
            output = model(x.expand(E, *x.shape[1:]), part.y.shape[2])
            compute_losses(task, output[:1], part.y, part.mask)
            task.score(output[:1], part.y, part.mask)
        return [nan if E == 3 and e == 1 else 1.0 for e in range(E)], [task.chance] * E

    monkeypatch.setattr(trainer, "evaluate", unseen)
    seed = torch.arange(3, device=meta)
    kind = MODELS["cnn_lstm" if name == "moving-shapes" else "transformer"]
    keys = Keys(kind.name, 1, "weights", seed, seed)
    model = kind(keys, inputs=task.inputs, outputs=task.outputs, hidden=4)
    model.use_scan("reference")  # cuDNN's kernels are not to be had here
    short = budget(steps=3, validate_every=1)
    outcomes = train(task, model, members(0.1, 0.1, 0.1), short, meta)
    assert [outcome.steps for outcome in outcomes] == [3, 1, 3]  # one left the stack
    assert all(p.is_meta and len(p) == 2 for p in model.parameters())


# Precision


@pytest.mark.parametrize("task", ["adding", "latch"])
@pytest.mark.parametrize("model", ["rnn", "lstm", "transformer"])
def test_a_unit_may_ask_for_float64(task, model):
    changes = {"task": task, "model": model, "parameters": 300, "budget": budget(steps=10)}
    records = [
        measure(
            Job(
                UNIT.model_copy(update={**changes, "precision": precision}),
                (Member(seed=0, learning_rate=1e-2),),
                PROVENANCE,
            )
        )[0]
        for precision in ("float32", "float64")
    ]
    assert [record.reason for record in records] == [None, None]
    single, double = (record.curve.loss for record in records)
    assert single != double
    assert single == pytest.approx(double, rel=1e-3)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_what_a_cpu_does_not_have_is_no_measurement(precision):
    unit = UNIT.model_copy(update={"precision": precision})
    with pytest.raises(BadInput, match=f"'{precision}' needs .*'cuda'; .*: float32, float64$"):
        measure(Job(unit, (Member(seed=0, learning_rate=1e-2),), PROVENANCE))


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm_peephole", "transformer"])
def test_bfloat16_goes_forward_in_it_and_all_else_is_float32(name):
    model = model_of(name, ADDING, [0, 1])
    model.use_scan("reference")
    data = step_data(ADDING, [0, 1], 0)
    exact = model(data.x, 1)
    seen = []
    model.readout.register_forward_hook(lambda module, x, y: seen.append(y.dtype))
    model.forward_dtype = torch.bfloat16
    stack = Stack(model, [1e-2] * 2)
    output = model(data.x, 1)
    assert seen == [torch.bfloat16]
    assert output.dtype == torch.float32
    assert 0 < (output - exact).abs().max() < 0.05
    g = stack.gradient(compute_losses(ADDING, output, data.y, data.mask))
    assert g.dtype == stack.theta.dtype == torch.float32
    assert g.isfinite().all()
    outcomes = train(ADDING, model, members(1e-2, 1e-2), budget(steps=10), CPU)
    assert all(outcome.curve.loss[1] < outcome.curve.loss[0] for outcome in outcomes)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_every_step_casts_the_weights_that_it_has_now():
    # Torch keeps what it cast for as long as autocast is on: it must not be on from step to step.
    model = model_of("rnn", ADDING, [0])
    model.forward_dtype = torch.bfloat16
    x = step_data(ADDING, [0], 0).x
    before = model(x, 1)
    with torch.no_grad():
        model.readout.b += 1
    torch.testing.assert_close(model(x, 1), before + 1, rtol=0, atol=0.02)


@pytest.mark.parametrize("precision", get_args(Precision))
def test_products_are_rounded_where_a_unit_asks_for_it_and_nowhere_else(precision):
    def rounded() -> list[str]:
        return [switch.fp32_precision for switch in PRODUCTS]

    before = rounded()
    with set_product_precision(precision):
        assert set(rounded()) == {"tf32" if precision == "tf32" else "ieee"}
    assert rounded() == before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.filterwarnings("ignore:RNN module weights", "ignore:Attempting to run cuBLAS")
@pytest.mark.parametrize("model", [m for m in MODELS if MODELS[m].reads == "sequence"])
def test_on_a_gpu_a_unit_may_ask_for_less(model):
    where = PROVENANCE.model_copy(update={"device": "cuda"})
    loss = {}
    for precision in get_args(Precision):
        unit = UNIT.model_copy(update={"model": model, "precision": precision})
        (record,) = measure(Job(unit, (Member(seed=0, learning_rate=1e-3),), where))
        assert record.reason is None
        loss[precision] = record.curve.loss[0]
    assert len(set(loss.values())) == 4
    for precision, rel in (("float32", 1e-3), ("tf32", 1e-2), ("bfloat16", 5e-2)):
        assert loss[precision] == pytest.approx(loss["float64"], rel=rel)
