"""A small results folder, made by hand: two models on adding, and a video task that nobody has measured."""

from collections.abc import Callable
from pathlib import Path

import made
import pytest

from seqbench import cli
from seqbench.protocol.profile import Profile
from seqbench.protocol.profiles import PROFILES
from seqbench.protocol.settings import Setting
from seqbench.records.schema import Budget, Curve, Planned, Record, Throughput, Unit
from seqbench.records.store import Store

PLAN = Profile(
    name="made",
    seeds=2,
    parameters=100,
    settings=(
        Setting("adding", (10, 50), 500, models=("rnn", "lstm")),
        Setting("moving-shapes", (5,), 500, models=("cnn_lstm",)),
    ),
)
BUDGET = Budget(steps=500, batch=32, clip=1, validate_every=100, validation_size=64, test_size=64)
THRESHOLD, CHANCE = 0.9, 0.0784


def unit(task: str = "adding", lag: int = 10, model: str = "lstm", version: int = 1) -> Unit:
    """Return a cell as the profile plans it."""
    changes = {"task": task, "lag": lag, "model": model, "model_version": version, "budget": BUDGET}
    return made.UNIT.model_copy(update=changes)


def record(
    model: str = "lstm",
    lag: int = 10,
    seed: int = 0,
    score: float | None = None,
    at: int | None = None,
    verdict: str | None = None,
    rate: float = 0.01,
    role: str = "reporting",
    version: int = 1,
    end: int = 500,
) -> Record:
    """Return a record of adding that ended with this score, found solved at this step."""
    steps = list(range(100, (at + 200 if at else end) + 1, 100))
    if verdict == "failed":
        steps = []  # before the first validation
    curve = [score] * len(steps)
    if verdict == "diverged":
        curve[-1] = None
    judged = "solved" if score is not None and score >= THRESHOLD else "not_solved"
    return made.record(
        seed,
        rate,
        unit("adding", lag, model, version),
        role=role,
        verdict=verdict or judged,
        reason="it could not be" if verdict == "failed" else None,
        score=None if verdict else score,
        test_loss=None if verdict else 0.1,
        scale=made.record().scale.model_copy(update={"chance": CHANCE, "threshold": THRESHOLD}),
        steps=steps[-1] if steps else 0,
        steps_to_solve=at,
        curve=Curve(step=steps, loss=curve, score=curve),
        parameters=101,
    )


RECORDS = [
    record("rnn", 10, 0, score=0.95, at=200),
    record("rnn", 10, 1, score=0.5),
    record("lstm", 10, 0, score=0.96, at=100),
    record("lstm", 10, 1, score=0.98, at=300),
    record("rnn", 50, 0, score=0.0625),
    record("rnn", 50, 1, verdict="diverged"),
    record("lstm", 50, 0, score=1.0),  # found solved by its last weights only
    record("lstm", 50, 1, verdict="failed"),
]
TUNING = [
    record("lstm", 10, 1000, score=0.95, at=100, rate=0.01, role="tuning"),
    record("lstm", 10, 1001, score=0.5, rate=0.01, role="tuning"),
    record("lstm", 10, 1000, score=0.4, rate=0.001, role="tuning"),
]


def step_time(length: int, seconds: float) -> Throughput:
    """Return a time of a step of this length."""
    return made.throughput(
        length=length,
        seconds_per_token=seconds,
        quartiles=(seconds * 0.9, seconds * 1.1),
        peak_memory=3 * 2**20,
        dirty=True,
    )


STEP_TIMES = [step_time(100, 2e-6), step_time(50, 1.5e-6)]


@pytest.fixture
def make_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Store]:
    """Return a maker of results folders that hold these records and step times."""
    monkeypatch.setitem(PROFILES, "made", PLAN)
    planned = [
        Planned(unit=unit(cell.setting.task, cell.lag, cell.model), part="core", seeds=PLAN.seeds)
        for cell in PLAN.list_conditions()
    ]

    def make(
        records: list[Record] = RECORDS,
        step_times: list[Throughput] = STEP_TIMES,
        name: str = "store",
        plan: list[Planned] | None = None,
        **manifest: object,
    ) -> Store:
        described = PLAN.make_manifest().model_copy(update=manifest)
        store = Store(tmp_path / name).create(described)
        if plan is None or plan:
            store.write_plan(plan or planned)
        store.add_system(made.SYSTEM)
        for r in records:
            store.append([r])
        if step_times:
            store.add_throughput("all", step_times)
        return store

    return make


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store()


@pytest.fixture
def call(capsys):
    """Return a function that gives a command, and returns its code and all that it printed."""

    def called(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.terminal.obey(cli.app, [str(argument) for argument in arguments])
        return ended.value.code or 0, "".join(capsys.readouterr())

    return called
