r"""Duplicate: repeat a string of bits twice.

The input is a string of uniform random bits; at the blanks that follow it, symbol 2, it is due twice without a gap. ::

    symbol   0  1  1  _  _  _  _  _  _  _  _
    y        .  .  .  0  1  1  0  1  1  .  .

Strings have 1 to ``lag`` bits, every length equally often, in training, validation and test; the score weighs all
lengths the same. A trained model is then tested at other lengths: ``task.at(80)`` has test strings of exactly 80 bits.
Every answer repeats a bit from one or two string lengths ago.

The bits are uniform and independent: any answer given without having seen the bit is right half of the time, the
*chance*.

Source: Delétang et al. (2023), duplicate string: lengths 1 to 40 in training, 41 to 500 in the test.
"""

from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from seqbench.tasks.strings import Rewriting


@dataclass(frozen=True)
class Duplicate(Rewriting):
    """Duplication of strings of 1 to ``lag`` bits."""

    name = "duplicate"
    inputs = 3
    outputs = 2
    chance = 1 / 2
    times = 2

    def rewrite(
        self, string: Int[Tensor, "N L"], length: Int[Tensor, "N 1"], a: Int[Tensor, "N T"]
    ) -> Int[Tensor, "N T"]:
        """Return the bit at position a modulo the length."""
        return string.gather(1, a % length)
