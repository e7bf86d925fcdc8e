"""A job in the middle: what it must find again to go on with the same bits.

Data is a pure function of the step, so the state of a job is small: the tables of its stack, and what was noted of each
member so far. A long job lays it aside now and then; a run that was killed takes it up again. A file that is damaged,
or that is no state of this job, is not taken up: the job begins anew, and says so.
"""

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from seqbench.errors import describe
from seqbench.records.files import write_atomically

State = dict[str, Any]  # tensors, numbers and texts
DIGEST = sha256().digest_size  # bytes at the beginning of the file: of all that follows


@dataclass
class Checkpoint:
    """The file in which a job's state is laid aside; without a path, nothing is.

    Attributes
    ----------
    path
        The file; it is replaced as a whole.
    every
        Seconds between two checkpoints at least: jobs that are shorter leave none.
    """

    path: Path | None = None
    every: float = 60.0
    since: float = field(default_factory=monotonic)

    def load(self, fit: Callable[[State], Any] = lambda state: state) -> Any:
        """Return the state that was laid aside last as ``fit`` makes it, if any was; after a warning, if it is damaged.

        Parameters
        ----------
        fit
            Returns what the job needs of a state, and raises whatever it likes where the state is none of this job.
        """
        if self.path is None or not self.path.exists():
            return None
        try:
            if not self.path.is_file():
                raise ValueError("it is no file")
            content = self.path.read_bytes()
            if sha256(content[DIGEST:]).digest() != content[:DIGEST]:
                raise ValueError("its content is not what was written")
            state = torch.load(BytesIO(content[DIGEST:]), weights_only=True, map_location="cpu")
            return fit(state)
        except Exception as error:
            warnings.warn(
                f"{self.path} can't be taken up, the job begins anew: {describe(error)}",
                stacklevel=2,
            )
            return None

    @property
    def due(self) -> bool:
        """Whether it is time to lay the state aside again."""
        return self.path is not None and monotonic() - self.since >= self.every

    def save(self, state: State) -> None:
        """Lay the state aside, in place of the last one; where there is no room for it, warn."""
        if self.path is None:
            return
        content = BytesIO()
        torch.save(state, content)
        payload = content.getvalue()
        try:
            write_atomically(self.path, sha256(payload).digest() + payload)
        except OSError as error:
            warnings.warn(
                f"can't write {self.path}, after a kill the job would begin anew: {error.strerror or error}",
                stacklevel=2,
            )
        self.since = monotonic()

    def clear(self) -> None:
        """Remove the state: the job is done."""
        if self.path is not None:
            with suppress(OSError):  # what lies in its place is somebody else's
                self.path.unlink(missing_ok=True)
