"""The scores of methods that train no network on the tasks of a profile, stored beside the runs.

Each task computes its own baselines: see ``Task.baselines``. Compared with counting, a linear model or the last value,
a network's score shows what the network adds. On the rungs of a ladder weights are guessed, too (``guessing.py``).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from seqbench import machine
from seqbench.errors import DataMissing, unknown
from seqbench.measure.folder import open_profile, write_into
from seqbench.measure.guessing import guess_weights
from seqbench.measure.job import make_scale
from seqbench.protocol.ladders import GUESSING
from seqbench.protocol.profiles import find_profile
from seqbench.protocol.settings import Condition, Setting
from seqbench.records.schema import Baseline, canonical
from seqbench.records.store import Store
from seqbench.tasks import TASKS
from seqbench.values.arguments import Lag, check_arguments
from seqbench.values.fields import Options
from seqbench.values.variants import strip_options


@check_arguments
def run(
    profile: str = "quick",
    *,
    tasks: Sequence[str] = (),
    lags: Sequence[Lag] = (),
    parts: Sequence[str] = (),
    out: str | Path | None = None,
    force: bool = False,
    say: Callable[[str], object] = lambda line: None,
) -> Store:
    """Compute and store the baselines of these tasks, lags and parts that the folder lacks; an empty selection is all.

    A task whose data is missing is skipped with a message; a task without baselines is skipped silently. The rows of a
    task at a lag are written as soon as they are computed, so that a run which was stopped goes on where it was.

    Parameters
    ----------
    force
        Whether to compute again what is there.

    Raises
    ------
    BadInput
        With one sentence that names the culprit and the choices.
    """
    chosen = find_profile(profile)
    for name in tasks:
        if strip_options(name) not in TASKS:
            raise unknown("task", name, TASKS)
    conditions: dict[tuple[str, int], Condition] = {}
    for condition in chosen.select(tasks, lags=lags, parts=parts):
        conditions.setdefault((condition.setting.task, condition.lag), condition)
    store = open_profile(out, chosen)
    if any(condition.rung for condition in conditions.values()):
        machine.make_deterministic()
    with write_into(store, chosen.make_manifest(), "cpu"):
        there = set() if force else {row.key[:-1] for row in store.baselines()}
        missing = set()
        for (spelling, lag), condition in conditions.items():
            name, options = condition.task
            if name in missing:
                continue
            if (name, TASKS[name].version, lag, canonical(options)) in there:
                say(f"{spelling}, lag {lag}, was computed already and is skipped")
                continue
            try:
                rung = condition.setting if condition.rung else None
                rows = compute_baselines(name, lag, options, rung)
            except DataMissing as why:
                missing.add(name)
                say(f"{name} is skipped: {why}")
                continue
            if rows:
                store.add_baselines(rows)
                scores = ", ".join(f"{r.name} {r.score:.4f}" for r in rows)
                say(f"{spelling}, lag {lag}: {scores}; threshold {rows[0].scale.threshold:.4g}")
    return store


def compute_baselines(
    name: str,
    lag: int,
    options: Options = {},  # noqa: B006  read only
    rung: Setting | None = None,
) -> list[Baseline]:
    """Return the baselines of a task.

    Parameters
    ----------
    rung
        How the task is measured where it is a rung of a ladder: then weights are guessed, too, on as many sequences as
        a training may see.
    """
    task = TASKS[name](lag=lag, **options)
    scores = dict(task.baselines())
    if rung:
        sequences = rung.steps * rung.batch
        scores[GUESSING] = guess_weights(task, sequences, rung.validation_size, rung.test_size)
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
        for method, score in scores.items()
    ]
