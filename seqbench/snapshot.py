"""A job in the middle: what it must find again to go on with the same bits.

Data is a pure function of the step, so the state of a job is small: the tables of its stack, and what was noted of each
member so far. A long job lays it aside now and then; a run that was killed takes it up again.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import torch

State = dict[str, Any]  # tensors, numbers and texts


@dataclass
class Snapshot:
    """The file in which a job's state is laid aside; without a path, nothing is.

    Attributes
    ----------
    path
        The file; it is replaced as a whole.
    every
        Seconds between two snapshots at least: jobs that are shorter leave none.
    """

    path: Path | None = None
    every: float = 60.0
    since: float = field(default_factory=monotonic)

    def load(self) -> State | None:
        """Return the state that was laid aside last, if any."""
        if self.path is None or not self.path.is_file():
            return None
        state: State = torch.load(self.path, weights_only=True, map_location="cpu")
        return state

    @property
    def due(self) -> bool:
        """Whether it is time to lay the state aside again."""
        return self.path is not None and monotonic() - self.since >= self.every

    def save(self, state: State) -> None:
        """Lay the state aside, in place of the last one."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        torch.save(state, temporary)
        temporary.replace(self.path)
        self.since = monotonic()

    def clear(self) -> None:
        """Remove the state: the job is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
