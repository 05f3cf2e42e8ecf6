"""What is in force on one ordered pair of sites, and so the fate of each of its packets.

Pure: no I/O and no clock; times come in as ns of any monotonic clock. Each harm of each pair draws from a
stream of its own, `Random(f"{seed}/{pair}/{harm}")`, so what is in force elsewhere moves nothing here.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from random import Random
from typing import NamedTuple

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

# The largest value of each harm. Probabilities end at 1; delays are one way, on top of the base.
HARMS = {
    "delay_ms": 60_000.0,
    "jitter_ms": 60_000.0,
    "loss": 1.0,
    "duplicate": 1.0,
    "reorder": 1.0,
    "corrupt": 1.0,
    "rate_bytes_s": 1e9,
}
SLOWEST_BYTES_S = 1.0

# A packet that would wait longer than this for the rate is dropped: the queue of a link is not endless.
LONGEST_QUEUE_NS = NS_PER_S
# How long a reordered packet is held back for others to overtake it: long enough for sparse traffic, too.
HELD_BACK_NS = (5 * NS_PER_MS, 50 * NS_PER_MS)


class Fate(NamedTuple):
    """What becomes of one packet."""

    due_ns: int
    copies: int = 1  # 0: it is dropped
    corrupt: float | None = None  # where in the payload a bit flips, 0 to 1
    queued: bool = False  # it waits for the rate
    overflowed: bool = False  # dropped because too much waited for the rate already
    overtaken: int = 0  # how many packets, held back before, it overtakes


class Shape:
    """What is in force on the pair `name`, such as "cp-aws-1->cp-gcp-1".

    base_ns and jitter_ns, one way, always are.
    """

    def __init__(self, name: str, seed: str, base_ns: int, jitter_ns: int = 0) -> None:
        self._stream_name = f"{seed}/{name}"
        self._streams: dict[str, Random] = {}
        self._base_ns = base_ns
        self._base_jitter_ns = jitter_ns
        self._in_force: dict[str, float] = {}
        self._free_ns = 0  # when the rate has room again
        self._last_due_ns = 0
        self._held_back_ns: list[int] = []  # sorted; those that nobody overtook yet
        self._change()

    @property
    def in_force(self) -> Mapping[str, float]:
        return self._in_force

    def shape(self, how: Mapping[str, float]) -> None:
        """Merges `how` into what is in force; a probability or a delay of 0 ends it. See checked()."""
        self._in_force = {harm: value for harm, value in (self._in_force | dict(how)).items() if value}
        self._change()

    def unshape(self, which: Iterable[str]) -> None:
        self._in_force = {harm: value for harm, value in self._in_force.items() if harm not in set(which)}
        self._change()

    def fate(self, now_ns: int, size_bytes: int) -> Fate:
        """Of the packet that arrives now. Packets of a pair are told in the order they arrive."""
        if not self._in_force and not self._jitter_ns:
            return Fate(self._in_order(now_ns + self._delay_ns))
        if self._happens("loss"):
            return Fate(now_ns, copies=0)
        start_ns = now_ns
        if rate_bytes_s := self._in_force.get("rate_bytes_s"):
            start_ns = max(now_ns, self._free_ns)
            if start_ns - now_ns > LONGEST_QUEUE_NS:
                return Fate(now_ns, copies=0, overflowed=True)
            self._free_ns = start_ns + int(size_bytes * NS_PER_S / rate_bytes_s)
        queued = start_ns > now_ns
        due_ns = (self._free_ns if rate_bytes_s else now_ns) + self._drawn_delay_ns()
        if self._happens("reorder"):
            due_ns = max(due_ns, self._last_due_ns) + self._stream("reorder").randint(*HELD_BACK_NS)
            overtaken = self._overtake(now_ns, due_ns)
            insort(self._held_back_ns, due_ns)
        else:
            due_ns = self._in_order(due_ns)
            overtaken = self._overtake(now_ns, due_ns)
        return Fate(
            due_ns,
            copies=2 if self._happens("duplicate") else 1,
            corrupt=self._stream("corrupt").random() if self._happens("corrupt") else None,
            queued=queued,
            overtaken=overtaken,
        )

    def _change(self) -> None:
        """Packets that arrive from now on need not line up behind those that an earlier shape still holds."""
        self._delay_ns = self._base_ns + round(self._in_force.get("delay_ms", 0) * NS_PER_MS)
        self._jitter_ns = self._base_jitter_ns + round(self._in_force.get("jitter_ms", 0) * NS_PER_MS)
        self._free_ns = 0
        self._last_due_ns = 0
        self._held_back_ns = []

    def _drawn_delay_ns(self) -> int:
        if not self._jitter_ns:
            return self._delay_ns
        return max(0, self._delay_ns + self._stream("jitter").randint(-self._jitter_ns, self._jitter_ns))

    def _in_order(self, due_ns: int) -> int:
        """Jitter alone does not reorder, as a wire does not: whom it hurries waits for those in front."""
        self._last_due_ns = max(due_ns, self._last_due_ns)
        return self._last_due_ns

    def _overtake(self, now_ns: int, due_ns: int) -> int:
        if not self._held_back_ns:
            return 0
        del self._held_back_ns[: bisect_right(self._held_back_ns, now_ns)]
        first = bisect_right(self._held_back_ns, due_ns)
        overtaken = len(self._held_back_ns) - first
        del self._held_back_ns[first:]
        return overtaken

    def _happens(self, harm: str) -> bool:
        probability = self._in_force.get(harm)
        return probability is not None and self._stream(harm).random() < probability

    def _stream(self, harm: str) -> Random:
        if harm not in self._streams:
            self._streams[harm] = Random(f"{self._stream_name}/{harm}")
        return self._streams[harm]


def check_names(harms: Iterable[object]) -> None:
    """Raises ValueError, one line, if one is not the name of a harm."""
    for harm in harms:
        if not isinstance(harm, str) or harm not in HARMS:
            raise ValueError(f"there is no harm {harm!r}; there are {', '.join(HARMS)}")


def checked(how: Mapping[str, object]) -> dict[str, float]:
    """`how` if every harm of it is known and in range; raises ValueError, one line."""
    check_names(how)
    return {harm: _checked(harm, value) for harm, value in how.items()}


def _checked(harm: str, value: object) -> float:
    least, most = SLOWEST_BYTES_S if harm == "rate_bytes_s" else 0.0, HARMS[harm]
    if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
        return float(value)
    raise ValueError(f"{harm} is {value!r}; expected a number from {least:g} to {most:g}")
