"""The sequences of the papers of 1997 and 2000; shorter ones are padded with steps at which no answer is due.

temporal-order (1997, experiments 6a and 6b)
    ``E b X d a a c Y b B -> XY``: 100 to 110 symbols, the relevant ones at random places. The answer is one of 2^k
    classes, due at the end; it is right when every output is within .3 of its target.

adding (1997, experiment 4)
    Pairs of a value in [-1, 1] and a mark; T to T + T / 10 of them. One of the first ten pairs and another of the first
    T / 2 - 1 are marked 1, the first and the last pair -1, unless they are marked; the marked values X1 and X2 make the
    answer .5 + (X1 + X2) / 4, due at the end and right within .04. If the first pair is marked 1, its value is 0.

embedded Reber (1997, experiment 1)
    A string of Reber's grammar between two equal symbols, ``B T [B…E] T E``; the target at every symbol is the next
    one.
    An answer is right when the outputs of all symbols that may follow are more active than all others. Reber's graph::

        B ─ 1 ─T─ 2 (S: again) ─X─ 4 ─S─ 6 ─ E            4 ─X─ 3,  5 ─P─ 4
            1 ─P─ 3 (T: again) ─V─ 5 ─V─ 6

Every sequence is a pure function of its identity. The Reber strings come from one training set per trial, shown in
random order; all other sequences are new.

Source: Hochreiter and Schmidhuber (1997); Cleeremans, Servan-Schreiber and McClelland (1989) for the grammar.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from seqbench.ledger.rows import Source
from seqbench.random import Keys

Array = np.ndarray
VERSION = 1


class Strings(NamedTuple):
    """A batch of sequences, padded to the longest.

    Attributes
    ----------
    x, y
        ``(…, T, D)`` inputs and ``(…, T, C)`` targets, float32.
    due
        ``(…, T)``: the steps at which the target counts.
    legal
        ``(…, T, C)``: the outputs that must be the most active; empty for sources whose targets are numbers.
    """

    x: Float[Array, "*N T D"]
    y: Float[Array, "*N T C"]
    due: Bool[Array, "*N T"]
    legal: Bool[Array, "*N T C"]

    def select(self, where: Any) -> "Strings":
        """Return the sequences at an index of the leading axes, cut to the longest of them."""
        some = Strings(*(part[where] for part in self))
        T = max(1, int(some.length.max(initial=0)))
        return Strings(
            some.x[..., :T, :], some.y[..., :T, :], some.due[..., :T], some.legal[..., :T, :]
        )

    @property
    def length(self) -> Int[Array, "*N"]:
        """Return the number of steps up to the last due one."""
        T = self.due.shape[-1]
        return np.where(self.due.any(axis=-1), T - self.due[..., ::-1].argmax(axis=-1), 0)


class Generator(ABC):
    """A source of sequences for E trials trained side by side.

    Attributes
    ----------
    tolerance
        The largest error of an output that counts as right; None if the legal outputs must be the most active.
    tests
        The number of sequences in a test set.
    """

    name: str
    tolerance: float | None
    tests: int = 2560

    @abstractmethod
    def sample(self, keys: Keys) -> Strings:
        """Return the N sequences of these identities."""

    def draw(self, split: str, seeds: Sequence[int], index: Int[Array, "E n"]) -> Strings:
        """Return the sequences at these positions of a split, n per trial: ``(E, n, T, …)``."""
        seed = torch.tensor(seeds)[:, None].expand(index.shape).flatten()
        keys = Keys(self.name, VERSION, split, seed, torch.from_numpy(index).flatten())
        flat = self.sample(keys)
        return Strings(*(part.reshape(*index.shape, *part.shape[1:]) for part in flat))

    def train(self, seeds: Sequence[int], start: int, stop: int) -> Strings:
        """Return the training sequences ``start … stop - 1`` of each trial: ``(E, n, T, …)``."""
        return self.draw("train", seeds, np.tile(np.arange(start, stop), (len(seeds), 1)))

    def test(self, seeds: Sequence[int]) -> Strings:
        """Return the test set of each trial: ``(E, n, T, …)``."""
        return self.draw("test", seeds, np.tile(np.arange(self.tests), (len(seeds), 1)))

    def right(self, y: Float[Array, "*N T C"], wanted: Strings) -> Bool[Array, "*N"]:
        """Return which sequences were answered without an error."""
        if self.tolerance is not None:
            met = (np.abs(y - wanted.y) < self.tolerance).all(axis=-1)
        else:
            least = np.where(wanted.legal, y, np.inf).min(axis=-1)
            met = least > np.where(wanted.legal, -np.inf, y).max(axis=-1)
        return (met | ~wanted.due).all(axis=-1)


def one_hot(symbols: Int[Array, "N T"], count: int) -> Float[Array, "N T C"]:
    """Return the one-hot vector of each symbol."""
    return np.eye(count, dtype=np.float32)[symbols]


def make_due_at_end(
    length: Int[Array, "N"], answer: Float[Array, "N C"], longest: int
) -> tuple[Array, Array]:  # noqa: F821
    """Return targets ``(N, T, C)`` and due steps ``(N, T)`` of sequences with one answer, at their last step."""
    due = np.arange(longest) == length[:, None] - 1
    return due[..., None] * answer[:, None], due


@dataclass(frozen=True)
class TemporalOrder(Generator):
    """Temporal order with ``relevant`` relevant symbols, two or three, among distractors."""

    relevant: int
    tolerance = 0.3

    PLACES = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}  # noqa: RUF012  a constant
    SHORTEST, LONGEST = 100, 110
    DISTRACTORS, OPEN, CLOSE, X = 4, 4, 5, 6  # a, b, c, d are 0 to 3; Y is 7

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the name of the data."""
        return f"ledger/temporal-order-{self.relevant}"

    def sample(self, keys: Keys) -> Strings:
        """Return x ``(N, 110, 8)``, y ``(N, 110, 2^relevant)``."""
        length = keys.integers("length", self.SHORTEST, self.LONGEST + 1).numpy()
        symbols = keys.integers("distractors", 0, self.DISTRACTORS, self.LONGEST).numpy()
        bits = keys.integers("relevant", 0, 2, self.relevant).numpy()  # 0 is X, 1 is Y
        n = np.arange(len(length))
        for k, (low, high) in enumerate(self.PLACES[self.relevant]):
            symbols[n, keys.integers(f"place {k}", low, high + 1).numpy()] = self.X + bits[:, k]
        symbols[:, 0], symbols[n, length - 1] = self.OPEN, self.CLOSE
        answer = bits @ (2 ** np.arange(self.relevant)[::-1])
        x = one_hot(symbols, 8)
        target = one_hot(answer[:, None], 2**self.relevant)[:, 0]
        y, due = make_due_at_end(length, target, self.LONGEST)
        return Strings(x, y, due, np.zeros((*due.shape, 0), bool))


@dataclass(frozen=True)
class Adding(Generator):
    """The sum of two marked values; ``shortest`` is T."""

    shortest: int
    tolerance = 0.04

    EARLY = 10  # the first mark is among this many pairs

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the name of the data."""
        return f"ledger/adding-{self.shortest}"

    def sample(self, keys: Keys) -> Strings:
        """Return x ``(N, T + T / 10, 2)``, y ``(N, T + T / 10, 1)``."""
        longest = self.shortest + self.shortest // 10
        length = keys.integers("length", self.shortest, longest + 1).numpy()
        value = keys.uniform("value", longest, low=-1.0, high=1.0).numpy()
        first = keys.integers("first mark", 0, self.EARLY).numpy()
        second = keys.integers("second mark", 0, self.shortest // 2 - 2).numpy()
        second += second >= first  # any pair but the first marked one
        n = np.arange(len(length))
        mark = np.zeros_like(value)
        mark[:, 0] = mark[n, length - 1] = -1
        mark[n, first] = mark[n, second] = 1
        value[:, 0] = np.where(mark[:, 0] == 1, 0, value[:, 0])
        X1, X2 = value[n, first], value[n, second]
        y, due = make_due_at_end(length, (0.5 + (X1 + X2) / 4)[:, None].astype(np.float32), longest)
        return Strings(np.stack([value, mark], axis=-1), y, due, np.zeros((*due.shape, 0), bool))


B, T, P, S, X, V, E = range(7)
# For each node of Reber's graph: the two symbols that may follow, and the nodes they lead to; node 8 is after the end.
SYMBOLS = np.array([(B, B), (T, P), (S, X), (T, V), (X, S), (P, V), (E, E), (E, E), (E, E)])
NODES = np.array([(1, 1), (2, 3), (2, 4), (3, 5), (3, 6), (4, 6), (7, 7), (8, 8), (8, 8)])


@dataclass(frozen=True)
class EmbeddedReber(Generator):
    """Strings of the embedded Reber grammar, from a training set of ``strings`` strings."""

    strings: int = 256  # 0: every string is new
    tolerance = None
    tests = 256

    LONGEST = 64  # longer strings, 3 of 10^8, are cut

    @property
    def name(self) -> str:  # type: ignore[override]
        """Return the name of the data."""
        return "ledger/embedded-reber"

    def walk(self, keys: Keys) -> tuple[Int[Array, "N L"], Int[Array, "N"], Bool[Array, "N L C"]]:  # noqa: F821
        """Return the strings, their lengths, and the legal symbols at each position."""
        N, L = len(keys), self.LONGEST
        branch = keys.integers("branch", 0, 2, L).numpy()
        symbols = np.full((N, L), E)
        legal = np.zeros((N, L, 7), bool)
        n = np.arange(N)
        outer = np.where(branch[:, 1] == 0, T, P)
        symbols[:, 0], symbols[:, 1] = B, outer
        legal[:, 0, B] = legal[:, 1, T] = legal[:, 1, P] = True
        node = np.zeros(N, int)  # of the inner string
        for k in range(2, L):
            inner = node < 7
            taken = np.where(inner, SYMBOLS[node, branch[:, k]], np.where(node == 7, outer, E))
            symbols[:, k] = taken
            legal[n, k, np.where(inner, SYMBOLS[node, 0], taken)] = True
            legal[n, k, np.where(inner, SYMBOLS[node, 1], taken)] = True
            node = NODES[node, branch[:, k]]
        # After the inner E come the outer symbol and the outer E.
        inner_end = (symbols[:, 2:] == E).argmax(axis=1) + 2
        return symbols, np.minimum(inner_end + 3, L), legal

    def sample(self, keys: Keys) -> Strings:
        """Return x, y and legal ``(N, 63, 7)``: x has every symbol but the last, y the next one."""
        symbols, length, legal = self.walk(keys)
        x = one_hot(symbols, 7)
        due = np.arange(1, self.LONGEST) < length[:, None]
        return Strings(x[:, :-1], x[:, 1:], due, legal[:, 1:])

    def train(self, seeds: Sequence[int], start: int, stop: int) -> Strings:
        """Return training sequences, drawn from the training set with replacement."""
        if not self.strings:
            return super().train(seeds, start, stop)
        index = torch.arange(start, stop).repeat(len(seeds))
        seed = torch.tensor(seeds).repeat_interleave(stop - start)
        order = Keys(self.name, VERSION, "order", seed, index)
        picked = order.integers("pick", 0, self.strings).numpy()
        return self.draw("train", seeds, picked.reshape(len(seeds), -1))

    def test(self, seeds: Sequence[int]) -> Strings:
        """Return, for each trial, its training set followed by a test set of other strings."""
        if not self.strings:
            return super().test(seeds)
        sets = [draw_both_sets(self, seed) for seed in seeds]
        return Strings(*(np.stack(parts) for parts in zip(*sets, strict=True)))


@lru_cache(maxsize=32)  # a trial is tested on the same sets repeatedly
def draw_both_sets(data: EmbeddedReber, seed: int) -> Strings:
    """Return the training set of a trial followed by a test set of other strings."""
    (shown,) = zip(*data.draw("train", [seed], np.arange(data.strings)[None]), strict=True)
    (fresh,) = zip(*data.draw("test", [seed], np.arange(16 * data.tests)[None]), strict=True)
    known = {to_bytes(x) for x in shown[0]}
    rows = [k for k, x in enumerate(fresh[0]) if to_bytes(x) not in known][: data.tests]
    return Strings(*(np.concatenate([a, b[rows]]) for a, b in zip(shown, fresh, strict=True)))


def to_bytes(x: Float[Array, "T C"]) -> bytes:
    """Return a string as bytes, for comparison."""
    return x.argmax(axis=-1).astype(np.uint8).tobytes()


def make_generator(source: Source) -> Generator:
    """Return the generator of a row's sequences."""
    kinds = {"temporal-order": TemporalOrder, "adding": Adding, "embedded-reber": EmbeddedReber}
    return kinds[source.name](*source.arguments)
