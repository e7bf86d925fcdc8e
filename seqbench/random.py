r"""Counter-based random numbers: a pure function of an identity, without state, with the same bits on every device.

A number depends only on *what it is for* and *which sequence it belongs to*. The names of the data set and of the draw,
and the identity of the sequence, form the key and the counter of a block cipher::

    key      =  hash64(name / version / split)
    counter  =  (block, hash32(draw), index, seed)
    words    =  philox4x32-10(counter, key)                        four words of 32 bits

Batch size, order of batches, number of workers and device therefore cannot change the data, a task that makes an
additional draw does not change its other draws, and no model can influence its data.

Source: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3. The known-answer vectors
that its authors publish with Random123 are in the tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqbench.axes import Seeds

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # the key grows by these each round
MASK = 0xFFFFFFFF
CHUNK = 16_384  # blocks at once: the working set stays in a core's second-level cache
CHUNK_ON_A_GPU = 2**22  # blocks at once on a GPU; bounds the memory

Words = Int[Tensor, " K"]  # 32-bit words, each in an int64


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, ...]:
    """Ten rounds of Philox 4x32 on K counters; every word lies in [0, 2**32)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # The 64-bit product wraps to a negative int64; shifting and masking still gives its upper half.
        p0 = c0 * MULTIPLIERS[0]
        p1 = c2 * MULTIPLIERS[1]
        c0 = (p1 >> 32).bitwise_and_(MASK).bitwise_xor_(c1).bitwise_xor_(k0)
        c2 = (p0 >> 32).bitwise_and_(MASK).bitwise_xor_(c3).bitwise_xor_(k1)
        c1 = p1.bitwise_and_(MASK)
        c3 = p0.bitwise_and_(MASK)
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return c0, c1, c2, c3


@lru_cache(maxsize=4096)
def hash_bits(text: str, bits: int) -> int:
    """Return the first ``bits`` bits of BLAKE2b of a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=bits // 8).digest(), "little")


@dataclass(frozen=True)
class Keys:
    """The identities of N sequences, and the random numbers of each.

    Parameters
    ----------
    name, version, split
        What the numbers are for: a task with its version and ``"train"``, ``"validation"`` or ``"test"``, or a
        model with its version and ``"weights"``.
    seed, index
        ``(N,)`` integers below 2**32: the seed of the member, the position of the sequence in its split.
    """

    name: str
    version: int
    split: str
    seed: Seeds
    index: Seeds

    @classmethod
    def span(cls, name: str, version: int, split: str, seed: int, start: int, stop: int) -> "Keys":
        """Return the identities ``start … stop - 1`` of one seed."""
        index = torch.arange(start, stop)
        return cls(name, version, split, torch.full_like(index, seed), index)

    def __len__(self) -> int:
        return len(self.seed)

    def to(self, device: torch.device | str) -> "Keys":
        """Return the same identities on a device; their draws are made there."""
        return replace(self, seed=self.seed.to(device), index=self.index.to(device))

    def words(self, draw: str, count: int) -> Int[Tensor, "N count"]:
        """Return ``count`` words of 32 bits for each identity, under the name of the draw."""
        blocks = -(-count // 4)
        rows = max(1, (CHUNK if self.seed.is_cpu else CHUNK_ON_A_GPU) // blocks)
        parts = [
            part
            for start in range(0, len(self), rows)
            for part in self._blocks(draw, blocks, slice(start, start + rows))
        ]
        return torch.cat(parts)[:, :count] if parts else self.seed.new_empty(0, count)

    def _blocks(self, draw: str, blocks: int, rows: slice) -> Iterator[Int[Tensor, "n words"]]:
        seed, index = self.seed[rows], self.index[rows]
        whole = hash_bits(f"{self.name}/{self.version}/{self.split}", 64)
        shape = (len(seed), blocks)
        block = torch.arange(blocks, device=seed.device).expand(shape).flatten()
        counter = (
            block,
            torch.full_like(block, hash_bits(draw, 32)),
            index[:, None].expand(shape).flatten(),
            seed[:, None].expand(shape).flatten(),
        )
        words = philox(counter, (whole & MASK, whole >> 32))
        yield torch.stack(words, dim=-1).reshape(len(seed), 4 * blocks)

    def uniform(
        self, draw: str, *shape: int, low: float = 0.0, high: float = 1.0
    ) -> Float[Tensor, "N ..."]:
        """Return ``(N, *shape)`` float32 numbers, evenly spread over [low, high) in steps of 2**-24."""
        words = self.words(draw, prod(shape)) >> 8  # 24 bits: exact in float32
        unit = words.to(torch.float32).mul_(2.0**-24)
        return unit.mul_(high - low).add_(low).reshape(len(self), *shape)

    def integers(self, draw: str, low: int, high: int, *shape: int) -> Int[Tensor, "N ..."]:
        """Return ``(N, *shape)`` integers in [low, high); the bias is below (high - low) / 2**32."""
        if not low < high <= low + 2**31:
            raise ValueError(f"no integers between {low} and {high}")
        words = self.words(draw, prod(shape))
        return ((words * (high - low)) >> 32).add_(low).reshape(len(self), *shape)

    def permutation(self, draw: str, n: int) -> Int[Tensor, "N n"]:
        """Return a permutation of 0 … n - 1 for each identity."""
        return self.words(draw, n).argsort(dim=-1, stable=True)
