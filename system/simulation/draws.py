"""Randomness by counter: every draw is a function of the seed, of who draws, and of how often it drew before.

So taking one fault out of a schedule leaves everybody else's draws alone, which a sequential stream would
not.
"""

from __future__ import annotations

from hashlib import blake2b

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
SCALE = 1 << 16


def key(seed: int, *who: object) -> int:
    """64 bits that stand for one consumer of randomness."""
    text = "/".join(map(str, (seed, *who)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def bits(of: int, count: int) -> int:
    """The count-th 64 bits of a key: SplitMix64 (Steele, Lea and Flood, 2014), entered at any place."""
    x = (of + count * _GAMMA) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


class Draws:
    """One consumer's draws, in order."""

    __slots__ = ("_count", "_key")

    def __init__(self, seed: int, *who: object) -> None:
        self._key = key(seed, *who)
        self._count = 0

    def bits(self) -> int:
        """64 of them."""
        self._count += 1
        return bits(self._key, self._count)

    def below(self, limit: int) -> int:
        """A whole number from 0 up to but not `limit`."""
        return self.bits() % limit

    def unit(self) -> float:
        """A number from 0 up to but not 1."""
        return (self.bits() >> 11) / (1 << 53)

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        self._count += 1
        return low + bits(self._key, self._count) % (high - low + 1)
