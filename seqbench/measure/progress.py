"""The progress of a run: a progress bar on a terminal, plain lines elsewhere; always on standard error."""

import sys
from contextlib import suppress
from time import monotonic
from typing import Protocol, runtime_checkable

from seqbench.measure.job import Job
from seqbench.records.schema import Record
from seqbench.text import printable


@runtime_checkable
class Listener(Protocol):
    """Receives the progress of a run."""

    def begin(self, jobs: int, steps: int) -> None:
        """Receive the number of jobs, and of the member steps that they have at most."""

    def step(self, job: Job, step: int) -> None:
        """Receive the number of steps that a job has done."""

    def done(self, job: Job, records: list[Record]) -> None:
        """Receive the records of a job that ended."""

    def say(self, line: str) -> None:
        """Receive any other message."""

    def end(self) -> None:
        """Called when the run is over, whether it succeeded or not."""


def describe_outcome(job: Job, records: list[Record]) -> str:
    """Return one line on the result of a job."""
    if not records:
        return f"{job}: not recorded, its worker process was killed from outside; the next run tries it again"
    verdicts = [record.verdict for record in records]
    counts = ", ".join(
        f"{verdicts.count(v)} {v.replace('_', ' ')}" for v in dict.fromkeys(verdicts)
    )
    seconds = sum(record.cost.seconds for record in records)
    reasons = dict.fromkeys(record.reason for record in records if record.reason)
    why = f": {'; '.join(map(str, reasons))}" if reasons else ""
    return f"{job}: {counts} ({seconds:.1f} s){why}"


def count_failures(records: list[Record]) -> int:
    """Return how many members of a job failed without a result."""
    return sum(record.verdict == "failed" for record in records) if records else 1


class Plain:
    """A line for each job that ends, with the time left.

    Attributes
    ----------
    failed
        How many runs have failed so far.
    """

    failed: int = 0

    def begin(self, jobs: int, steps: int) -> None:
        """Store the number of jobs and steps."""
        self.jobs, self.steps = jobs, max(1, steps)
        self.ended = self.finished_steps = 0
        self.since = monotonic()

    def step(self, job: Job, step: int) -> None:
        """Print nothing between jobs."""

    def done(self, job: Job, records: list[Record]) -> None:
        """Print the result of the job and the time left."""
        self.failed += count_failures(records)
        self.ended += 1
        self.finished_steps += job.unit.budget.steps * len(job.members)
        self.jobs = max(self.jobs, self.ended)  # a stack that failed is measured in several parts
        left = (monotonic() - self.since) * (self.steps / self.finished_steps - 1)
        self.say(
            f"[{self.ended}/{self.jobs}, about {max(0, left):.0f} s left] {describe_outcome(job, records)}"
        )

    def say(self, line: str) -> None:
        """Print a line; if standard error is closed, the run goes on."""
        with suppress(OSError):
            print(printable(line), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Do nothing: there is no bar to clear."""


class Live(Plain):
    """A bar with the time left under the lines, for a terminal."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)

    def begin(self, jobs: int, steps: int) -> None:
        """Draw the bar."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        super().begin(jobs, steps)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.total = self.bar.add_task("member steps", total=steps)
        self.at: dict[Job, int] = {}
        self.bar.start()

    def step(self, job: Job, step: int) -> None:
        """Move the bar."""
        self.bar.advance(self.total, (step - self.at.get(job, 0)) * len(job.members))
        self.at[job] = step

    def done(self, job: Job, records: list[Record]) -> None:
        """Move the bar to the end of the job, even if it was solved early."""
        self.failed += count_failures(records)
        self.step(job, job.unit.budget.steps)
        self.say(describe_outcome(job, records))

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        said = printable(line)
        self.console.print(said, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def end(self) -> None:
        """Remove the bar."""
        self.bar.stop()


def make_listener() -> Plain:
    """Return a progress bar if standard error is a terminal, else plain lines."""
    return Live() if sys.stderr.isatty() else Plain()
