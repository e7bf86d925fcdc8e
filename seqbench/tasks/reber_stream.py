r"""Continual Reber grammar: a stream of embedded strings without marks between them.

The stream consists of embedded Reber strings (see ``reber``) and is cut after ``lag`` symbols. The network is not reset
between strings, so it has to forget a letter once it has returned, and store the next. The answer at every step is the
set of symbols that may come next. ::

    symbol   B  P  B  T  X  S  E  P  E  B  T  B  …
    y        T  B  T  S  S  E  P  E  B  T  B  T  …
             P     P  X  X                 P     P

A prediction is right when the outputs of all symbols that may come next are larger than those of all others. The score
is the share of the stream that lies before the first mistake, on average over streams.

The best answer that ignores the input repeats the most probable string, T X S with a guessed letter: the sets after B,
T, B are always right, the two after T and X in 1/2 of the streams, the one after S in 1/8, and that of the letter and
the two after it in 1/16; in these streams it starts again. That makes
:math:`V = 3 + 2 \cdot \frac12 + \frac18 + 3 \cdot \frac1{16} + \frac1{16} V = 4.6` right predictions before the first
mistake, and the *chance* is 4.6 / ``lag``; the end of the stream, at 50 symbols or later, subtracts less than a
millionth. A model that knows the grammar but forgets the letters fails at every second one.

Source: Gers, Schmidhuber and Cummins (2000), who count the symbols before the first mistake. There a stream continues
until a mistake, also in training, is learned online, and its target is the actual next symbol; here streams have a
fixed length, come in batches, and the target is the set of possible symbols, each with its own output.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Shaped
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.reber import EDGES, END, SYMBOLS, ranks_first, tables, walk


def number_edges(letter: str, start: int) -> tuple[str, ...]:
    """Return the edges of a Reber string whose node 0 has the number ``start``, and of the letter and E after it."""
    moved = [
        " ".join(f"{edge[0]}{start + int(edge[1:])}" for edge in node.split()) for node in EDGES
    ]
    return (*moved, f"{letter}{start + END + 1}", "E0")


UNDER_T = 2
UNDER_P = UNDER_T + END + 2
STREAM = ("B1", f"T{UNDER_T} P{UNDER_P}", *number_edges("T", UNDER_T), *number_edges("P", UNDER_P))


@dataclass(frozen=True)
class ReberStream(Task):
    """Embedded Reber strings in a stream of ``lag`` symbols."""

    name = "reber-stream"
    knob = "length"
    knob_unit = "symbols"
    lags = range(50, 100_001)
    inputs = len(SYMBOLS)
    outputs = len(SYMBOLS)
    loss = "binary_cross_entropy"
    measure = "share of the stream before the first mistake"
    threshold = 0.95

    @property
    def chance(self) -> float:
        """Return the expected share before the first mistake of the best answer that ignores the input."""
        return 4.6 / self.lag

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T, 7)`` of those that may follow; T = lag."""
        coins = keys.integers("edges", 0, 2, self.lag + 1)
        symbol, after, legal = tables(STREAM, coins.device)
        node = walk(after, coins)  # (N, T + 1)
        return Batch.all_due(symbol[node, coins][:, :-1], legal[node[:, 1:]])

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A C"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of right predictions before the first mistake."""
        return self.right(output, y).int().cumprod(dim=2).float().mean(dim=(1, 2))

    def right(self, output: Outputs, y: Shaped[Tensor, "E B A C"]) -> Bool[Tensor, "E B A"]:
        """Return where the possible next symbols have the largest outputs."""
        return ranks_first(output, y)
