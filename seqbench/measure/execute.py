"""From jobs to records in a store: run the jobs while there is time, and write their records as they arrive."""

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from math import inf, nan
from time import monotonic

from seqbench import machine
from seqbench.errors import BadInput, NotWritten, unknown
from seqbench.measure.executors import ENGINES
from seqbench.measure.job import Job
from seqbench.measure.progress import Listener
from seqbench.records.schema import Member, Record
from seqbench.records.store import Store
from seqbench.text import shorten
from seqbench.values.arguments import Seconds, Workers, check_arguments


@dataclass(frozen=True)
class Resources:
    """The engine, workers and time of a run; none of them changes a record.

    Attributes
    ----------
    engine
        What runs the jobs: ``processes``, ``serial`` or ``dask``.
    workers
        How many jobs run at once.
    until
        The time after which no further job is started, on the clock of ``time.monotonic``.
    """

    engine: str
    workers: int
    until: float

    @property
    def seconds_left(self) -> float:
        """For how many seconds further jobs may be started."""
        return self.until - monotonic()

    @property
    def in_time(self) -> bool:
        """Whether another job may be started."""
        return self.seconds_left > 0


@check_arguments
def allot(engine: str, workers: Workers | None, budget: Seconds | None, device: str) -> Resources:
    """Return the resources of a run that starts now; raise ``BadInput`` for an unknown engine.

    Parameters
    ----------
    workers
        None: see ``choose_workers``.
    budget
        Seconds; None: those of ``SEQBENCH_BUDGET``, and no limit if that is not set.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    return Resources(
        engine, workers or choose_workers(device), monotonic() + read_time_budget(budget)
    )


@dataclass
class Keeper:
    """Writes records into a store as they arrive.

    Attributes
    ----------
    replace
        Whether new records replace those of the store, including those of the same row under other conditions.
    kept
        The records written so far.
    """

    store: Store
    replace: bool = False
    kept: list[Record] = field(default_factory=list)

    @property
    def done(self) -> list[Record]:
        """The records that need not be measured."""
        return self.kept if self.replace else self.store.records()

    def keep(self, job: Job, records: list[Record]) -> None:
        """Write the records of a job. A job without records had its worker killed; the next run tries it again."""
        if not records:
            return
        if self.replace:
            self.store.remove_records(job.unit, job.members)
            self.store.remove_others(job.unit)
        try:
            self.store.append(records)
        except NotWritten:  # free the disk space of the checkpoint, then try again
            job.checkpoint.clear()
            try:
                self.store.append(records)
            except NotWritten as error:
                raise BadInput(f"{error}; what was measured so far is kept") from error
        job.checkpoint.clear()
        self.kept.extend(records)


class Jobs(Iterator[Job]):
    """The jobs that are left, planned again whenever they run out, since a plan may depend on what was measured last.

    An iterator that may go on after it has stopped: while it waits for a job to end, there may be nothing to start.

    Attributes
    ----------
    started
        The members that were handed out, each with the id of its unit; none is handed out twice.
    running
        The jobs that were handed out and have not ended.
    """

    def __init__(
        self, plan: Callable[[], Sequence[Job]], given: Resources, listen: Listener
    ) -> None:
        self.plan, self.given, self.listen = plan, given, listen
        self.started: set[tuple[str, Member]] = set()
        self.running: list[Job] = []
        self.left = deque(plan())

    def __next__(self) -> Job:
        """Return the next job; stop where none can be started now."""
        if not self.given.in_time:
            raise StopIteration
        if not self.left and (new := [job for job in self.plan() if not self.was_started(job)]):
            self.left.extend(new)
            self.listen.end()
            self.announce()
        if not self.left:
            raise StopIteration
        job = self.left.popleft()
        self.started |= {(job.unit.id, member) for member in job.members}
        self.running.append(job)
        return job

    def announce(self) -> None:
        """Tell the listener of the jobs that run and of those that are left."""
        ahead = [*self.running, *self.left]
        steps = sum(job.unit.budget.steps * len(job.members) for job in ahead)
        self.listen.begin(len(ahead), steps)

    def note_end(self, job: Job) -> None:
        """Note that a job ended, or a part of one that was measured in smaller stacks."""
        if job in self.running:
            self.running.remove(job)

    def list_left(self) -> list[Job]:
        """Return the jobs that could be started but for the time."""
        return [*self.left] or [job for job in self.plan() if not self.was_started(job)]

    def was_started(self, job: Job) -> bool:
        """Return whether a member of the job was handed out: it is being measured, or its worker was killed."""
        return any((job.unit.id, member) in self.started for member in job.members)


def execute(
    plan: Callable[[], Sequence[Job]], given: Resources, keeper: Keeper, listen: Listener
) -> None:
    """Run jobs while there is time; write their records as they arrive.

    Parameters
    ----------
    plan
        Returns the jobs that are left. It is asked again whenever those it returned were started; a member that was
        started is not started again in this run.
    """
    jobs = Jobs(plan, given, listen)
    if not jobs.left:
        return
    jobs.announce()
    run = ENGINES[given.engine]
    try:
        # Closed in any case, so that no worker outlives a Ctrl-C or a full disk.
        with closing(run(jobs, given.workers, listen.step)) as ended:
            for job, records in ended:
                keeper.keep(job, records)
                jobs.note_end(job)
                listen.done(job, records)
        if not given.in_time and (left := jobs.list_left()):
            listen.say(f"the time is up: {len(left)} jobs were not started; run again to go on")
    finally:
        listen.end()


def read_time_budget(budget: float | None) -> float:
    """Return the seconds that a run may take: the budget, else ``SEQBENCH_BUDGET``, else infinity."""
    asked = os.environ.get("SEQBENCH_BUDGET", "")
    try:
        seconds = budget or float(asked or inf)
    except ValueError:
        seconds = nan
    if not seconds > 0:
        raise BadInput(f"SEQBENCH_BUDGET is a number of seconds; got '{shorten(asked, 40)}'")
    return seconds


def choose_workers(device: str) -> int:
    """Return the number of workers: one per core; on a GPU at most four, since each takes some of its memory.

    ``SEQBENCH_WORKERS`` overrides it where several runs share a machine, as the notebooks of ``nox -s bench`` do.
    """
    asked = os.environ.get("SEQBENCH_WORKERS", "")
    if asked:
        if not re.fullmatch(r"[1-9][0-9]{0,3}", asked):
            raise BadInput(f"SEQBENCH_WORKERS is a number of workers; got '{shorten(asked, 40)}'")
        return int(asked)
    return min(machine.count_cores(), 4) if device == "cuda" else machine.count_cores()
