"""A run in figures: what was asked and answered, how fast, and over which time. Everything the terminal and
the page show is measured here, once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from checkers.history import Call, FaultWindow, History, HistoryError

# A run that left nothing to measure by still needs a time axis.
LEAST_NS = 1_000_000
OUTCOMES = ("ok", "fail", "info")


@dataclass(frozen=True)
class Measured:
    """A history, paired up once. Times are nanoseconds of the run's clock.

    start_ns, end_ns: the run's first and last moment, at least a millisecond apart
    calls:  client operations, in order of invocation
    counts: how many of them ended ok, fail and info (never completed counts as info)
    faults: the nemesis' operations, in order of injection
    problem: why the history cannot be paired up; None where it can. There are no calls or faults then
    """

    history: History
    start_ns: int
    end_ns: int
    calls: Sequence[Call] = ()
    counts: dict[str, int] = field(default_factory=dict)
    faults: Sequence[FaultWindow] = ()
    problem: str | None = None

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


def measure(history: History, time_zero_ns: int | None = None) -> Measured:
    """Measures a history, whole, cut short or contradictory. time_zero_ns: when the run began, where the
    history does not say."""
    calls: list[Call] = []
    faults: list[FaultWindow] = []
    problem = None
    try:
        calls, faults = list(history.calls()), list(history.faults())
    except HistoryError as error:
        problem = str(error)
    counts = dict.fromkeys(OUTCOMES, 0)
    for call in calls:
        counts[call.type] += 1
    start_ns, end_ns = _time_range(history, time_zero_ns)
    return Measured(history, start_ns, end_ns, calls, counts, faults, problem)


def _time_range(history: History, time_zero_ns: int | None) -> tuple[int, int]:
    """The recorded phases say it. Where they are missing, because the run crashed, the evidence does."""
    known = phases(history)
    moments = [*known.values(), *(op.time_ns for op in history.ops)]
    if not known:
        moments += [event["time_ns"] for event in all_events(history)]
    start_ns = known.get("start", time_zero_ns)
    if start_ns is None:
        start_ns = min(moments, default=0)
    return start_ns, max([start_ns + LEAST_NS, *moments])


def phases(history: History) -> dict[str, int]:
    """When each of the run's phases began, in order of time."""
    known = {str(name): int(ns) for name, ns in (history.facts.get("phases") or {}).items() if ns is not None}
    return dict(sorted(known.items(), key=lambda item: item[1]))


def all_events(history: History) -> list[dict[str, Any]]:
    """Every event of every node's log that has a time, in order of time."""
    events = [
        event
        for boots in history.events.values()
        for boot in boots
        for event in boot
        if isinstance(event.get("time_ns"), int)
    ]
    return sorted(events, key=lambda event: event["time_ns"])


@dataclass(frozen=True, slots=True)
class Point:
    """One completed operation: when it completed, and how long it took."""

    time_ns: int
    latency_ns: int
    type: str


@dataclass(frozen=True, slots=True)
class Bin:
    """A stretch of time with what completed in it: how many of each type, and latencies in nanoseconds of
    the ok ones at 50, 95 and 99 per cent (empty where there were none)."""

    start_ns: int
    end_ns: int
    counts: dict[str, int]
    percentiles: dict[int, int]


def points(measured: Measured) -> list[Point]:
    """Every completed operation, in order of invocation."""
    return [
        Point(call.completion.time_ns, call.completion.time_ns - call.invoke.time_ns, call.completion.type)
        for call in measured.calls
        if call.completion is not None
    ]


def bins(measured: Measured, completed: Sequence[Point], width_ns: int) -> list[Bin]:
    """The run cut into stretches of width_ns, the last one maybe shorter."""
    buckets: list[list[Point]] = [[] for _ in range(math.ceil(measured.duration_ns / width_ns))]
    for point in completed:
        if measured.start_ns <= point.time_ns <= measured.end_ns:
            buckets[min((point.time_ns - measured.start_ns) // width_ns, len(buckets) - 1)].append(point)
    return [
        _bin(
            measured.start_ns + i * width_ns,
            min(measured.start_ns + (i + 1) * width_ns, measured.end_ns),
            bucket,
        )
        for i, bucket in enumerate(buckets)
    ]


def _bin(start_ns: int, end_ns: int, bucket: Sequence[Point]) -> Bin:
    counts = {outcome: sum(point.type == outcome for point in bucket) for outcome in OUTCOMES}
    latencies = sorted(point.latency_ns for point in bucket if point.type == "ok")
    return Bin(start_ns, end_ns, counts, {p: percentile(latencies, p) for p in (50, 95, 99) if latencies})


def percentile(ordered: Sequence[int], per_cent: float) -> int:
    """The nearest rank: the smallest value that at least per_cent of them do not exceed. Of at least one."""
    return ordered[max(0, math.ceil(len(ordered) * per_cent / 100) - 1)]


def nice_width_ns(duration_ns: int, most: int) -> int:
    """The shortest of 0.1 s, 0.2 s, 0.5 s, 1 s … that cuts a duration into `most` stretches at most."""
    size_ns = 100_000_000
    while True:
        for factor in (1, 2, 5):
            if duration_ns <= factor * size_ns * most:
                return factor * size_ns
        size_ns *= 10


def sample(completed: Sequence[Point], most: int) -> list[Point]:
    """At most about `most` points, evenly taken from each type, always with each type's slowest tenth of a
    per cent: outliers are what the picture is looked at for."""
    chosen: list[Point] = []
    for outcome in ("fail", "info", "ok"):  # the rare ones first; ok fills what they leave
        mine = [point for point in completed if point.type == outcome]
        share = most // 4 if outcome != "ok" else most - len(chosen)
        stride = max(1, math.ceil(len(mine) / max(1, share)))
        chosen += mine[::stride]
        if stride > 1:
            chosen += sorted(mine, key=lambda point: -point.latency_ns)[: max(1, len(mine) // 1000)]
    return chosen
