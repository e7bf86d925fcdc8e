"""The scores of methods without a network on the tasks of a profile, stored beside the runs.

Each task computes its own baselines: see ``Task.baselines``. Compared with counting, a linear model or the last value,
a network's score shows what the network adds.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from seqbench import machine
from seqbench.errors import DataMissing, unknown
from seqbench.measure.folder import open_profile, write_into
from seqbench.measure.job import make_scale
from seqbench.protocol.profiles import find_profile
from seqbench.records.schema import Baseline
from seqbench.records.store import Store
from seqbench.tasks import TASKS
from seqbench.values.arguments import Lag, check_arguments
from seqbench.values.fields import Options


@check_arguments
def run(
    profile: str = "quick",
    *,
    tasks: Sequence[str] = (),
    lags: Sequence[Lag] = (),
    out: str | Path | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Store:
    """Compute and store the baselines of these tasks at these lags; of all of the profile's if none are given.

    A task whose data is missing is skipped with a message; a task without baselines is skipped silently.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    chosen = find_profile(profile)
    for name in tasks:
        if name not in TASKS:
            raise unknown("task", name, TASKS)
    conditions = {
        (condition.setting.task, condition.lag): None
        for condition in chosen.select(tasks, lags=lags)
    }
    store = open_profile(out, chosen)
    with write_into(store, chosen.make_manifest(), "cpu"):
        missing = set()
        for name, lag in conditions:
            if name in missing:
                continue
            try:
                rows = compute_baselines(name, lag)
            except DataMissing as why:
                missing.add(name)
                say(f"{name} is skipped: {why}")
                continue
            if rows:
                store.add_baselines(rows)
                say(f"{name}, lag {lag}: {', '.join(f'{r.name} {r.score:.4f}' for r in rows)}")
    return store


def compute_baselines(name: str, lag: int, options: Options = {}) -> list[Baseline]:  # noqa: B006  read only
    """Return the baselines of a task."""
    task = TASKS[name](lag=lag, **options)
    commit, dirty = machine.read_commit()
    return [
        Baseline(
            task=task.name,
            task_version=task.version,
            lag=lag,
            task_options=options,
            name=method,
            score=score,
            scale=make_scale(task),
            commit=commit,
            dirty=dirty or TASKS.is_user_defined(name),
            system=machine.describe_system("cpu").id,
        )
        for method, score in task.baselines().items()
    ]
