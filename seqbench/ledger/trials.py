"""Running the trials of the replication ledger that a results folder lacks.

All trials of an experiment run side by side in this process; each is written as soon as it ends. A run that is out of
time or killed is continued from its checkpoint by the next one.
"""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from pathlib import Path
from time import monotonic
from typing import Annotated

import torch
from pydantic import Field

from seqbench import machine
from seqbench.errors import BadInput
from seqbench.ledger.online import Outcome
from seqbench.ledger.online import run as run_trials
from seqbench.ledger.rows import ONLINE, Online, find_online
from seqbench.machine import Peak
from seqbench.measure.folder import open_folder, write_into
from seqbench.measure.job import make_cost
from seqbench.protocol.profiles import EDITION
from seqbench.records.schema import SCHEMA, Manifest, Trial, digest
from seqbench.records.store import Store
from seqbench.training.checkpoint import Checkpoint
from seqbench.values.arguments import Seconds, check_arguments

Trials = Annotated[int, Field(gt=0, le=10_000)]
EVERY = 60.0  # seconds between two lines of progress
Say = Callable[[str], object]


@check_arguments
def run(
    experiments: Sequence[str] = (),
    *,
    trials: Trials | None = None,
    budget: Seconds | None = None,
    out: str | Path = Path("results", "local", "ledger"),
    say: Say = lambda line: None,
) -> Store:
    """Run the trials that the folder lacks, one experiment after the other; return the folder.

    Parameters
    ----------
    experiments
        Ids of rows of the ledger; none: all rows with trials.
    trials
        Number of trials per row; None: as many as the row plans.
    budget
        Seconds after which a checkpoint is saved and the run ends.

    Raises
    ------
    BadInput
        If an experiment is unknown, or the folder was made for something else.
    """
    rows = [find_online(id_) for id_ in dict.fromkeys(experiments)] or list(ONLINE.values())
    machine.make_deterministic()
    until = monotonic() + (inf if budget is None else budget)
    manifest = manifest_of(Store(out))
    store = open_folder(out, manifest)
    with write_into(store, manifest, "cpu", *(row.id for row in rows)):
        for row in rows:
            _run(row, trials or row.trials, store, until, say)
    return store


def manifest_of(store: Store) -> Manifest:
    """Return the manifest of a folder of trials; a new folder is made for the ledger alone.

    Trials may also be added to a local folder of runs that is to become an edition.
    """
    made = Manifest(
        schema_version=SCHEMA,
        edition="local",
        profile="ledger",
        specification=digest([row.protocol for row in ONLINE.values()]),
        citable=False,
    )
    if not store.exists:
        return made
    there = store.manifest()
    if not there.citable and there.profile not in (made.profile, EDITION.name):
        raise BadInput(
            f"{store.path} holds results of profile '{there.profile}', beside which no trials are kept; "
            "choose another folder with --out"
        )
    return there.model_copy(update={"schema_version": SCHEMA, "edition": made.edition})


def _run(row: Online, trials: int, store: Store, until: float, say: Say) -> None:
    """Run the missing trials of one row."""
    if there := trials - len(list_missing(row, trials, store)):
        say(f"{row.id}: {there} trials are there already and are skipped")
    said = monotonic()

    def progress(shown: int, running: int) -> None:
        nonlocal said
        if monotonic() - said >= EVERY:
            said = monotonic()
            say(f"{row.id}: {shown:,} of {row.budget:,} sequences, {running} trials run")

    commit, dirty = machine.read_commit()
    name = digest([row.id, row.protocol, commit])
    peak = Peak("cpu")
    # A checkpoint is used by the same commit only, and not at all with uncommitted changes.
    checkpoint = Checkpoint(None if dirty else store.unfinished / f"{name}.pt")
    # Repeated, since a checkpoint of other trials is continued first.
    while (seeds := list_missing(row, trials, store)) and monotonic() < until:
        for ended in run_trials(row, seeds, until, progress, checkpoint):
            store.add_trials(row.id, [make_trial(row, outcome, peak.read()) for outcome in ended])
            say(f"{row.id}: {describe_outcomes(ended)}")


def list_missing(row: Online, trials: int, store: Store) -> list[int]:
    """Return the seeds of the trials that the folder lacks."""
    there = {t.seed for t in store.trials() if t.key[:2] == (row.id, row.protocol)}
    return [seed for seed in range(trials) if seed not in there]


def make_trial(row: Online, outcome: Outcome, memory: int) -> Trial:
    """Return the record of a trial."""
    commit, dirty = machine.read_commit()
    return Trial(
        experiment=row.id,
        protocol=row.protocol,
        seed=outcome.seed,
        success=outcome.success,
        sequences=outcome.sequences,
        budget=row.budget,
        wrong=outcome.wrong,
        tested=outcome.tested,
        parameters=outcome.parameters,
        commit=commit,
        dirty=dirty,
        system=machine.describe_system("cpu").id,
        device="cpu",
        threads=torch.get_num_threads(),
        cost=make_cost(outcome.seconds, memory),
    )


def describe_outcomes(outcomes: Iterable[Outcome]) -> str:
    """Return the results of trials in one line."""
    return ", ".join(
        f"trial {o.seed} {'succeeded' if o.success else 'was given up'} after {o.sequences:,} sequences"
        for o in outcomes
    )
