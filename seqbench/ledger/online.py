"""Training as in the papers: plain gradient descent, one step after every sequence or after every symbol.

Trials run side by side. Each sequence is answered first and then learned from. A trial succeeds when a given number of
consecutive sequences was answered right and its exam, if it has one, is passed without an error. It then leaves the
stack, as it does at the end of its budget, without any effect on the others.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic, perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int

from seqbench.ledger.data import Generator, Strings, make_generator
from seqbench.ledger.net import BlockLSTM, ElmanNet, Net, State, draw_net
from seqbench.ledger.realtime import learn_by_symbol
from seqbench.ledger.rows import Online
from seqbench.random import Keys
from seqbench.training.checkpoint import Checkpoint

Array = np.ndarray
AT_ONCE = 64  # sequences of a trial that are drawn at once
STREAMS = 10  # in an exam of one trial
SYMBOLS = 100_000  # in a stream
Progress = Callable[[int, int], object]  # sequences shown so far, trials that still run


class Outcome(NamedTuple):
    """The result of a trial.

    Attributes
    ----------
    sequences
        Training sequences until success, or the whole budget.
    wrong, tested
        Test sequences answered wrong, and the size of the test set.
    seconds
        Wall time of the stack, divided evenly among the trials still in it.
    """

    seed: int
    success: bool
    sequences: int
    wrong: int
    tested: int
    parameters: int
    seconds: float


@dataclass
class TrialStack:
    """The running trials: their seeds, nets, streaks and states, and the number of sequences shown to each."""

    row: Online
    seeds: list[int]
    net: BlockLSTM | ElmanNet
    streak: Int[Array, "E"]  # noqa: F821
    seconds: Array
    shown: int = 0
    state: State | None = None

    @classmethod
    def draw(cls, row: Online, seeds: Sequence[int]) -> "TrialStack":
        """Return new trials."""
        seed = torch.tensor(seeds)
        net = draw_net(
            row.net, Keys(f"ledger/{row.id}", 1, "weights", seed, torch.zeros_like(seed)), row.bound
        )
        return cls(row, list(seeds), net, np.zeros(len(seeds), int), np.zeros(len(seeds)))

    def learn(self, data: Generator, s: Strings) -> None:
        """Answer one sequence per trial, ``(E, 1, T, …)``, and learn from it."""
        rate = self.row.learning_rate
        if self.row.update == "symbol":
            y, after = learn_by_symbol(self.net, s.x, s.y, s.due, rate, self.state)
        else:
            y = self.net.forward(s.x, self.state)
            after = self.net.state(s.length)
            self.net.descend((y - s.y) * s.due[..., None], rate)
        right = data.right(y, s)[:, 0]
        self.streak = np.where(right, self.streak + 1, 0)
        if self.row.carried:
            self.state = after.map_parts(
                lambda part: part * right.reshape(-1, *[1] * (part.ndim - 1))
            )
        self.shown += 1

    def select(self, rows: Int[Array, " K"]) -> None:
        """Keep only these trials."""
        self.seeds = [self.seeds[e] for e in rows]
        self.net.select(rows)
        self.streak, self.seconds = self.streak[rows], self.seconds[rows]
        if self.state is not None:
            self.state = self.state.map_parts(lambda part: part[rows])

    def save(self, checkpoint: Checkpoint) -> None:
        """Save the state to a checkpoint."""
        parts = {f"weights/{name}": w for name, w in self.net.weights.items()}
        parts |= {"streak": self.streak, "seconds": self.seconds}
        if self.state is not None:
            parts |= {
                f"state/{name}": part
                for name, part in self.state._asdict().items()
                if part is not None
            }
        tensors = {name: torch.from_numpy(part.copy()) for name, part in parts.items()}
        checkpoint.save({"seeds": self.seeds, "shown": self.shown, **tensors})

    def load(self, checkpoint: Checkpoint) -> None:
        """Restore those of the trials that a checkpoint has, if any."""
        laid = checkpoint.load(self.check_fit)
        wanted = set(self.seeds)
        if laid is None or not wanted & set(laid["seeds"]):
            return
        self.seeds, self.shown = laid["seeds"], laid["shown"]
        self.net.weights = {name: laid[f"weights/{name}"].numpy() for name in self.net.weights}
        self.streak, self.seconds = laid["streak"].numpy(), laid["seconds"].numpy()
        state = {
            name: laid[f"state/{name}"].numpy() for name in State._fields if f"state/{name}" in laid
        }
        self.state = State(**state) if state else None
        # A trial in the checkpoint may have been written to the store just before the run was killed.
        self.select(np.flatnonzero([seed in wanted for seed in self.seeds]))

    def check_fit(self, laid: dict[str, Any]) -> dict[str, Any]:
        """Return the content of a checkpoint; raise ``ValueError`` if it is of another experiment."""
        E = len(laid["seeds"])
        wanted = {f"weights/{name}": (E, *w.shape[1:]) for name, w in self.net.weights.items()}
        wanted |= {"streak": (E,), "seconds": (E,)}
        if any(tuple(laid[name].shape) != shape for name, shape in wanted.items()):
            raise ValueError("its tables have other shapes")
        if not 0 <= laid["shown"] < self.row.budget:
            raise ValueError("it is of another budget")
        return laid


def run(
    row: Online,
    seeds: Sequence[int],
    until: float = inf,
    progress: Progress = lambda shown, running: None,
    checkpoint: Checkpoint | None = None,
) -> Iterator[list[Outcome]]:
    """Run trials side by side; yield the results as the trials end.

    Parameters
    ----------
    row
        The experiment.
    seeds
        One for each trial.
    until
        When to save a checkpoint and stop, by the clock ``monotonic``.
    progress
        Called with the number of sequences shown and the number of running trials.
    checkpoint
        Where the state is saved once a minute; a later run of the same trials continues from it.
    """
    checkpoint = checkpoint or Checkpoint()
    data = make_generator(row.source)
    stack = TrialStack.draw(row, seeds)
    stack.load(checkpoint)
    while stack.seeds:
        if monotonic() >= until:
            stack.save(checkpoint)
            return
        if checkpoint.due:
            stack.save(checkpoint)
        since = perf_counter()
        stop = min(stack.shown - stack.shown % AT_ONCE + AT_ONCE, row.budget)
        some = data.train(stack.seeds, stack.shown, stop)
        left: list[Outcome] = []
        here = np.arange(len(stack.seeds))  # their positions in ``some``
        for k in range(stop - stack.shown):
            stack.learn(data, some.select((here, slice(k, k + 1))))
            done = check_success(stack, data)
            if done.any() or stack.shown == row.budget:
                since = share_time(stack, since)
                ended = done | (stack.shown == row.budget)
                left += list_outcomes(stack, data, done, ended)
                stack.select(np.flatnonzero(~ended))
                here = here[~ended]
            if not stack.seeds:
                break
        share_time(stack, since)
        progress(stack.shown, len(stack.seeds))
        if left:
            yield left  # before they are dropped from the checkpoint, so that none is lost
            stack.save(checkpoint)
    checkpoint.clear()


def share_time(stack: TrialStack, since: float) -> float:
    """Divide the time since then evenly among the trials; return the time now."""
    now = perf_counter()
    if stack.seeds:
        stack.seconds += (now - since) / len(stack.seeds)
    return now


def check_success(stack: TrialStack, data: Generator) -> Bool[Array, "E"]:  # noqa: F821
    """Return which trials have succeeded with the last sequence."""
    row = stack.row
    ready = stack.streak >= row.streak
    if row.exam == "none" or not ready.any() or stack.shown % row.every:
        return ready & (row.exam == "none")
    wrong = np.array(
        [count_errors(stack, e, data)[0] if ready[e] else 1 for e in range(len(ready))]
    )
    return wrong == 0


def list_outcomes(
    stack: TrialStack,
    data: Generator,
    done: Bool[Array, "E"],  # noqa: F821
    ended: Bool[Array, "E"],  # noqa: F821
) -> list[Outcome]:
    """Return the results of the trials that ended."""
    return [
        Outcome(
            stack.seeds[e],
            bool(done[e]),
            stack.shown,
            *count_errors(stack, int(e), data),
            stack.net.parameters,
            float(stack.seconds[e]),
        )
        for e in np.flatnonzero(ended)
    ]


def count_errors(stack: TrialStack, e: int, data: Generator) -> tuple[int, int]:
    """Return how many sequences of its test set a trial answers wrong, and the size of the set."""
    net = select_one(stack.net, e)
    if stack.row.exam == "streams":
        return count_stream_errors(net, stack.seeds[e], data)
    wanted = data.test([stack.seeds[e]])
    right = data.right(net.forward(wanted.x), wanted)
    return int((~right).sum()), right.size


def select_one(net: Net, e: int) -> Net:
    """Return a net with only the e-th of the nets."""
    one = type(net)(net.shape, dict(net.weights))  # type: ignore[call-arg, attr-defined]
    one.select(np.array([e]))
    return one


def count_stream_errors(net: Net, seed: int, data: Generator) -> tuple[int, int]:
    """Return how many of the ten streams contain an error, and 10; a stream is strings without a reset between."""
    state, symbols = None, np.zeros(STREAMS, int)
    wrong = np.zeros(STREAMS, bool)
    first = 0
    while (symbols < SYMBOLS).any():
        index = first + np.arange(AT_ONCE) * STREAMS + np.arange(STREAMS)[:, None]
        some = data.draw("test", [seed], index.reshape(1, -1))
        for k in range(AT_ONCE):
            s = some.select((slice(None), slice(k, None, AT_ONCE)))
            y = net.forward(s.x, state)
            state = net.state(s.length)
            wrong |= ~data.right(y, s)[0] & (symbols < SYMBOLS)
            symbols += s.length[0]
        if wrong.any():  # one error is enough to fail the exam
            return int(wrong.sum()), STREAMS
        first += AT_ONCE * STREAMS
    return 0, STREAMS
