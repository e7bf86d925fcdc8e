"""Checkpoints: the saved state of a job, from which it goes on with the same bits after a kill.

Data is a pure function of the step, so the state of a job is small: the tables of its stack, and the curve of each
member so far. A long job saves it from time to time, and the next run resumes from it. If the file is damaged or does
not fit the job, the job starts from the beginning, with a warning.
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
DIGEST = sha256().digest_size  # bytes at the beginning of the file: the hash of the rest


@dataclass
class Checkpoint:
    """The file in which a job's state is saved; without a path nothing is saved.

    Attributes
    ----------
    path
        The file; it is replaced as a whole.
    every
        The least number of seconds between two checkpoints; shorter jobs save none.
    """

    path: Path | None = None
    every: float = 60.0
    since: float = field(default_factory=monotonic)

    def load(self, fit: Callable[[State], Any] = lambda state: state) -> Any:
        """Return the last saved state as ``fit`` converts it; None if there is none or (with a warning) it is damaged.

        Parameters
        ----------
        fit
            Returns what the job needs of a state; raises any exception if the state does not fit the job.
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
                f"{self.path} can't be resumed, the job starts from the beginning: {describe(error)}",
                stacklevel=2,
            )
            return None

    @property
    def due(self) -> bool:
        """Whether it is time to save the state again."""
        return self.path is not None and monotonic() - self.since >= self.every

    def save(self, state: State) -> None:
        """Save the state in place of the last one; if it can't be written, warn."""
        if self.path is None:
            return
        content = BytesIO()
        torch.save(state, content)
        payload = content.getvalue()
        try:
            write_atomically(self.path, sha256(payload).digest() + payload)
        except OSError as error:
            warnings.warn(
                f"can't write {self.path}, after a kill the job starts from the beginning: {error.strerror or error}",
                stacklevel=2,
            )
        self.since = monotonic()

    def clear(self) -> None:
        """Remove the state: the job is done."""
        if self.path is not None:
            with suppress(OSError):  # the path may be no file of this job
                self.path.unlink(missing_ok=True)
