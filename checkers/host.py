"""Bounds in time on a host that may stand still: what of a delay is the host's own."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class Met(Enum):
    """Whether something happened within its bound. HOST_TOO_SLOW: it did not, but the host was late by more
    than the bound itself, so nobody can say whose fault that is."""

    IN_TIME = "in time"
    LATE = "late"
    HOST_TOO_SLOW = "host too slow"


def lag_within(lag: Sequence[tuple[int, int]], start_ns: int, end_ns: int) -> int:
    """How much of the window [start_ns, end_ns] the host kept its ticker waiting: each (time_ns, lag_ns) says
    that what was due at time_ns - lag_ns was over at time_ns. Time that several of them cover counts once."""
    waited_ns, counted_ns = 0, start_ns
    for due_ns, over_ns in sorted((at - late, at) for at, late in lag):
        until_ns = min(over_ns, end_ns)
        waited_ns += max(0, until_ns - max(due_ns, counted_ns))
        counted_ns = max(counted_ns, until_ns)
    return waited_ns


TOO_SLOW = "host too slow"


def only_too_slow(unknown: Sequence[str]) -> bool:
    """Whether nothing but the host keeps a checker from deciding."""
    return bool(unknown) and all(reason.startswith(TOO_SLOW) for reason in unknown)


def judge(lag: Sequence[tuple[int, int]], start_ns: int, end_ns: int, bound_ns: int) -> Met:
    """Judges what began at start_ns, and happened at end_ns or had not happened by then.

    The bound is extended by the lag inside its window, at most doubled; so no lag counts that came after
    twice the bound. What took longer is late; where the lag was more than the bound could be extended by, it
    is the host that was too slow."""
    took_ns = end_ns - start_ns
    if took_ns <= bound_ns:
        return Met.IN_TIME
    lagged_ns = lag_within(lag, start_ns, min(end_ns, start_ns + 2 * bound_ns))
    if took_ns <= bound_ns + min(lagged_ns, bound_ns):
        return Met.IN_TIME
    return Met.HOST_TOO_SLOW if lagged_ns > bound_ns else Met.LATE
