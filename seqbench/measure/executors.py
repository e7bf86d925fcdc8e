"""Three ways to run jobs: in this process, in worker processes of one thread each, on a Dask cluster.

Each is a generator of ``(job, records)`` in the order in which jobs end. A worker process that dies stops its job, but
not the run: the job is tried again unchanged, which gives the same bits. If its worker dies again, its members are
tried one by one, and a member that alone kills two workers is recorded as failed. If it was killed from outside (for
example by the operating system, for want of memory), nothing is recorded and the next run tries it again. A worker
ends itself when the run that started it is gone.
"""

import os
import socket
import subprocess
import sys
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from signal import SIGKILL
from typing import Any

import torch

from seqbench.errors import BadInput, describe, shorten_warnings
from seqbench.machine import make_deterministic
from seqbench.measure.job import Job, make_failed_record, measure
from seqbench.measure.user_defined import is_user_defined
from seqbench.records.schema import Record

Done = Generator[tuple[Job, list[Record]], None, None]
Report = Callable[[Job, int], Any]  # a job, and the number of its steps that are done
Engine = Callable[[Iterable[Job], int, Report], Done]


def run_serial(jobs: Iterable[Job], count: int, report: Report) -> Done:
    """Run the jobs in this process, one after the other."""
    make_deterministic()
    for job in jobs:
        yield job, measure(job, partial(report, job))


class Queue:
    """The jobs to run, and those to run again after their worker died.

    A job is drawn from ``jobs`` only when a worker is free.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self.fresh = iter(jobs)
        self.again: deque[Job] = deque()
        self.deaths: Counter[Job] = Counter()

    def take_next(self) -> Job | None:
        """Return the next job, or None at the end."""
        return self.again.popleft() if self.again else next(self.fresh, None)

    def handle_death(
        self, job: Job, status: int | None = None
    ) -> Iterator[tuple[Job, list[Record]]]:
        """Queue a job whose worker died with this exit status; yield it, with what is recorded, when it is given up."""
        self.deaths[job] += 1
        if self.deaths[job] == 1:
            self.again.append(job)
        elif len(job.members) > 1:
            job.checkpoint.clear()
            self.again.extend(job.restrict_to([member]) for member in job.members)
        elif status == -SIGKILL:
            yield job, []
        else:
            how = "" if status is None else f" with exit status {status}"
            yield job, [make_failed_record(job, f"its worker process ended{how}")]


# The code that a worker starts with. It ignores Ctrl-C, which the run that started it handles; and it ends when that
# run ends, even while it is still importing torch.
BOOTSTRAP = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from seqbench.measure.orphan import end_with; end_with({parent}); "
    "from seqbench.measure.executors import serve; serve({line})"
)


@dataclass
class Worker:
    """A worker process, the connection to it, and its current job."""

    process: subprocess.Popen[bytes]
    line: Connection
    job: Job

    @classmethod
    def start(cls, job: Job) -> "Worker":
        """Start a process of one thread and send it its first job; the caller's script is not run in it."""
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
        with theirs:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-c",
                    BOOTSTRAP.format(line=theirs.fileno(), parent=os.getpid()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output is for answers
                env=os.environ
                | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": path},
            )
        worker = cls(process, Connection(ours.detach()), job)
        worker.send(job)
        return worker

    def send(self, job: Job) -> None:
        """Send a job."""
        self.job = job
        with suppress(ConnectionError):  # it died: ``receive`` reports it
            self.line.send(job)

    def receive(self) -> tuple[str, Any]:
        """Return its next message: a step, records or an error; or "died", with its exit status."""
        try:
            kind, content = self.line.recv()
        except (EOFError, ConnectionError):
            return "died", self.process.wait()
        except Exception:  # a user-defined class wrote to the connection
            return "died", None
        return kind, content

    def stop(self) -> None:
        """Kill the process."""
        self.line.close()
        self.process.kill()
        self.process.wait()


def may_follow(job: Job, before: Job) -> bool:
    """Return whether a job may run in the process of another one, which a user-defined class may have changed."""
    one, other = job.unit, before.unit
    return not is_user_defined(other) or (one.task, one.model) == (other.task, other.model)


def run_processes(jobs: Iterable[Job], count: int, report: Report) -> Done:
    """Run the jobs in ``count`` worker processes, one job each at a time."""
    queue = Queue(jobs)
    team: list[Worker] = []
    try:
        while True:
            while len(team) < count and (job := queue.take_next()):
                team.append(Worker.start(job))
            if not team:
                return
            for line in wait([worker.line for worker in team]):
                worker = next(w for w in team if w.line is line)
                job = worker.job
                kind, content = worker.receive()
                if kind == "step":
                    report(job, content)
                    continue
                following = queue.take_next() if kind == "records" else None
                if following and may_follow(following, job):
                    worker.send(following)
                else:
                    team.remove(worker)
                    worker.stop()
                    if following:
                        team.append(Worker.start(following))
                if kind == "records":
                    yield job, content
                elif kind == "died":
                    yield from queue.handle_death(job, content)
                elif is_user_defined(job.unit):
                    alone = (replace(job, members=(member,)) for member in job.members)
                    yield job, [make_failed_record(one, describe(content)) for one in alone]
                else:
                    raise content
    finally:
        for worker in team:
            worker.stop()


def run_dask(jobs: Iterable[Job], count: int, report: Report) -> Done:
    """Run the jobs on the cluster at ``DASK_SCHEDULER_ADDRESS``, or on a local one of ``count`` workers."""
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        raise BadInput(
            "the engine 'dask' needs: python -m pip install 'seqbench[cluster]'"
        ) from None
    queue = Queue(jobs)
    with ExitStack() as stack:
        cluster = os.environ.get("DASK_SCHEDULER_ADDRESS")
        if not cluster:
            # A job that kills its worker is tried again by this module, not by Dask.
            once = {"distributed.scheduler.allowed-failures": 0}
            stack.enter_context(import_module("dask").config.set(once))
            local = distributed.LocalCluster(
                n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0"
            )
            cluster = stack.enter_context(local)
        client = stack.enter_context(distributed.Client(cluster))
        given: dict[Any, Job] = {}
        ending = distributed.as_completed()
        while True:
            # At most one job per thread: Dask would also blame a job that waits behind one that kills its worker.
            while len(given) < max(1, sum(client.nthreads().values())):
                if not (following := queue.take_next()):
                    break
                future = client.submit(_measure_on_cluster, following, pure=False)
                given[future] = following
                ending.add(future)
            if not given:
                return
            future = next(ending)
            job = given.pop(future)
            error = future.exception()
            if error is None:
                yield job, future.result()
            elif isinstance(error, distributed.KilledWorker):
                yield from queue.handle_death(job)
            else:
                raise error


def _measure_on_cluster(job: Job) -> list[Record]:
    make_deterministic()
    return measure(job)


ENGINES = {"processes": run_processes, "serial": run_serial, "dask": run_dask}


def serve(descriptor: int) -> None:
    """Work off the jobs that arrive over the connection until it is closed."""
    shorten_warnings()
    make_deterministic()
    line = Connection(descriptor)
    with suppress(EOFError, ConnectionError):
        while True:
            job = line.recv()
            answer: tuple[str, list[Record] | Exception]
            try:
                answer = "records", measure(job, lambda step: line.send(("step", step)))
            except torch.AcceleratorError:
                traceback.print_exc()
                os._exit(1)  # the device is lost to this process
            except BadInput as error:
                answer = "error", error
            except Exception:  # sent as text: not every exception can be pickled
                answer = "error", RuntimeError(f"in a worker process: {traceback.format_exc()}")
            except BaseException as error:
                # Workers ignore Ctrl-C, so a user-defined class raised it.
                answer = "error", RuntimeError(describe(error))
            line.send(answer)
