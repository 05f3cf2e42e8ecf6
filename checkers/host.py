"""Bounds in time on a host that may stand still: what of a delay is the host's own."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class Met(Enum):
    """Whether something happened within its bound. HOST_TOO_SLOW: only the host's lag could excuse it."""

    IN_TIME = "in time"
    LATE = "late"
    HOST_TOO_SLOW = "host too slow"


def lag_within(lag: Sequence[tuple[int, int]], start_ns: int, end_ns: int) -> int:
    """How much of the window [start_ns, end_ns] the host's ticker spent waiting to run: each (time_ns,
    lag_ns) says that it should have run at time_ns - lag_ns and did at time_ns."""
    return sum(max(0, min(end_ns, at) - max(start_ns, at - late)) for at, late in lag)


TOO_SLOW = "host too slow"


def only_too_slow(unknown: Sequence[str]) -> bool:
    """Whether nothing but the host keeps a checker from deciding."""
    return bool(unknown) and all(reason.startswith(TOO_SLOW) for reason in unknown)


def judge(lag: Sequence[tuple[int, int]], start_ns: int, end_ns: int, bound_ns: int) -> Met:
    """Judges what began at start_ns, and happened at end_ns or had not happened by then. The bound is
    extended by the lag inside the window, but at most doubled."""
    took_ns = end_ns - start_ns
    if took_ns <= bound_ns:
        return Met.IN_TIME
    lagged_ns = lag_within(lag, start_ns, end_ns)
    if took_ns <= bound_ns + min(lagged_ns, bound_ns):
        return Met.IN_TIME
    return Met.HOST_TOO_SLOW if took_ns <= bound_ns + lagged_ns else Met.LATE
