"""What was done to one link's packets since the start: the evidence of a fault."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields

from compose.gateway.shape import NS_PER_MS, NS_PER_S, Fate

RECENT_PACKETS = 20
RECENT_NS = 2 * NS_PER_S


@dataclass(slots=True)
class Counts:
    """packets and bytes count what arrived, whatever became of it; dropped includes overflowed, which is what
    there was no room for."""

    packets: int = 0
    bytes: int = 0
    dropped: int = 0
    overflowed: int = 0
    duplicated: int = 0
    reordered: int = 0  # packets that another one overtook
    corrupted: int = 0
    queued: int = 0

    def count(self, fate: Fate, size_bytes: int) -> None:
        self.packets += 1
        self.bytes += size_bytes
        self.dropped += fate.copies == 0
        self.overflowed += fate.overflowed
        self.duplicated += fate.copies > 1
        self.reordered += fate.overtaken
        self.queued += fate.queued


@dataclass(slots=True)
class Dwell:
    """How long the latest packets were really held, of those that arrived since the last change of shape."""

    _since_ns: int = 0
    _recent: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=RECENT_PACKETS))

    def restart(self, now_ns: int) -> None:
        self._since_ns = now_ns
        self._recent.clear()

    def add(self, arrived_ns: int, left_ns: int) -> None:
        if arrived_ns >= self._since_ns:
            self._recent.append((left_ns, left_ns - arrived_ns))

    def mean_ms(self, now_ns: int) -> float | None:
        """Of up to RECENT_PACKETS that left within RECENT_NS; None if there are none."""
        held_ns = [held_ns for left_ns, held_ns in self._recent if now_ns - left_ns <= RECENT_NS]
        return round(sum(held_ns) / len(held_ns) / NS_PER_MS, 3) if held_ns else None


_NAMES = tuple(one.name for one in fields(Counts))


def as_json(counts: Counts, dwell: Dwell, now_ns: int) -> dict[str, object]:
    # Not dataclasses.asdict(), which is slow: packets wait meanwhile.
    return {name: getattr(counts, name) for name in _NAMES} | {"dwell_ms": dwell.mean_ms(now_ns)}
