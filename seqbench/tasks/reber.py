r"""Embedded Reber grammar: predict the set of symbols that may come next.

A Reber string is a walk from node 0 to node 7; every edge emits a symbol, and two edges leaving a node are equally
probable::

    0 -B-> 1    1 -T-> 2    2 -S-> 2    3 -T-> 3    4 -X-> 3    5 -P-> 4    6 -E-> 7
                1 -P-> 3    2 -X-> 4    3 -V-> 5    4 -S-> 6    5 -V-> 6

It is embedded: B and one of T and P, drawn uniformly, precede it, and the *same* one of T and P, and E, follow it. The
answer at every step is the set of symbols that may come next. ::

    symbol   B  P  B  T  X  S  E  P  E
    y        T  B  T  S  S  E  P  E  .
             P     P  X  X

With ``lag`` > 1 the result is embedded again, ``lag`` times in total, and the letters return in reverse order, B P B T
… T E P E. The innermost string has 8 symbols on average; if it has more than 30, one case in 2,700, the sequence is cut
after :math:`4\,\mathrm{lag} + 30` symbols. Shorter sequences are padded with blanks.

A prediction is right when the outputs of all symbols that may come next are larger than those of all others; the score
is the share of strings in which every prediction is right. A model that knows the grammar but forgets the letters
guesses each one when it returns, and is right in :math:`2^{-\mathrm{lag}}` of the strings. A model that ignores the
input has to guess the innermost string as well: no two walks have the same sets, and the most probable ones, T X S and
P V V, take three choices of probability 1/2. So the best answer that ignores the input is right in
:math:`2^{-3-\mathrm{lag}}` of them, the *chance*.

Source: Hochreiter and Schmidhuber (1997), experiment 1. There the target is the actual next symbol; here it is the set
of possible ones, each with its own output. There the strings are two fixed sets; here all are newly drawn, and short
ones recur.
"""

from dataclasses import dataclass
from functools import cache
from math import inf

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

SYMBOLS = "BTPSXVE"
BLANK = len(SYMBOLS)
EDGES = ("B1", "T2 P3", "S2 X4", "T3 V5", "X3 S6", "P4 V6", "E7")  # those that leave nodes 0 to 6
END = len(EDGES)
LONGEST = 30  # largest length of the innermost string


@dataclass(frozen=True)
class Reber(Task):
    """Reber strings, embedded ``lag`` times."""

    name = "reber"
    knob = "depth"
    knob_unit = "levels"
    lags = range(1, 1001)
    inputs = len(SYMBOLS) + 1
    outputs = len(SYMBOLS)
    loss = "binary_cross_entropy"
    measure = "share of strings with every prediction right"
    threshold = 0.95

    @property
    def chance(self) -> float:
        """Return the probability of the most probable string: its three choices and its letters."""
        return float(2.0 ** (-3 - self.lag))

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T)`` of symbols, y ``(N, T, 7)`` of those that may follow; T = 4 lag + 29."""
        rounds, places = 2 * self.lag, 4 * self.lag + LONGEST
        coins = keys.integers("edges", 0, 2, places)
        symbol, after, legal = tables((*EDGES, f"_{END}"), coins.device)
        place = torch.arange(places, device=coins.device)
        opening = (place[:rounds] % 2).expand(len(keys), -1)  # B leaves node 0, T or P node 1
        node = torch.cat([opening, walk(after, coins[:, rounds:])], dim=1)  # (N, places)
        string, may = symbol[node, coins], legal[node]

        letters = string[:, 1:rounds:2]  # (N, lag)
        closing = torch.stack([letters.flip(1), torch.full_like(letters, SYMBOLS.index("E"))], -1)
        since = place - (node < END).sum(dim=1, keepdim=True)  # the end of the innermost string
        closes = (since >= 0) & (since < rounds)
        closing = closing.flatten(1).gather(1, since.clamp(0, rounds - 1))
        string = closing.where(closes, string)
        alone = closing[..., None] == torch.arange(self.outputs, device=coins.device)
        may = alone.to(may.dtype).where(closes[..., None], may)
        return Batch(string[:, :-1], may[:, 1:], string[:, 1:] != BLANK)

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A C"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of strings without a wrong prediction."""
        return (self.right(output, y) | ~mask).all(dim=2).float().mean(dim=1)

    def right(self, output: Outputs, y: Shaped[Tensor, "E B A C"]) -> Bool[Tensor, "E B A"]:
        """Return where the possible next symbols have the largest outputs."""
        return ranks_first(output, y)


def ranks_first(output: Outputs, y: Shaped[Tensor, "E B A C"]) -> Bool[Tensor, "E B A"]:
    """Return where the smallest output of the symbols in y exceeds the largest of the others."""
    least = output.masked_fill(y == 0, inf).amin(dim=-1)
    most = output.masked_fill(y == 1, -inf).amax(dim=-1)
    return least > most


@cache
def tables(
    edges: tuple[str, ...], device: torch.device
) -> tuple[Int[Tensor, "nodes 2"], Int[Tensor, "nodes 2"], Float[Tensor, "nodes 7"]]:
    """Return for each node the symbols of its two edges, the nodes they lead to, and which symbols may follow.

    Parameters
    ----------
    edges
        For each node its one or two edges, ``"S2 X4"``: a symbol, and the number of the node after it.
    """
    both = [(node.split()[0], node.split()[-1]) for node in edges]
    symbol = [[f"{SYMBOLS}_".index(edge[0]) for edge in node] for node in both]
    after = [[int(edge[1:]) for edge in node] for node in both]
    legal = [[float(s in node) for s in range(len(SYMBOLS))] for node in symbol]
    return (
        torch.tensor(symbol, device=device),
        torch.tensor(after, device=device),
        torch.tensor(legal, dtype=torch.float32, device=device),
    )


def walk(after: Int[Tensor, "nodes 2"], coins: Int[Tensor, "N T"]) -> Int[Tensor, "N T"]:
    """Return the nodes of N walks from node 0, each before its step."""
    node, nodes = torch.zeros_like(coins[:, 0]), []
    for coin in coins.unbind(dim=1):
        nodes.append(node)
        node = after[node, coin]
    return torch.stack(nodes, dim=1)
