"""How long operations took, and how many there were, overall and under each fault: figures, not a judgement.

Only against a bound is there something to judge, and then calls that crashed count: what nobody ever answered
took longer than anybody waited for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from checkers.history import Call, FaultWindow, History, OpType
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import NS_PER_S

NAME = "latency"
OUTCOMES: tuple[OpType, ...] = ("ok", "fail", "info")


@dataclass(frozen=True, slots=True)
class Latency:
    """One function's calls with one outcome. `during` is a fault such as "partition (step 3)", and then only
    calls that began in it count; None is the whole run. `per_s` is None over no time at all. Latencies are of
    the calls that returned, None where none did: an info's is how long its client waited."""

    f: str
    outcome: OpType
    during: str | None
    calls: int
    per_s: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def latencies(history: History) -> list[Latency]:
    """The whole run's, then each fault's, by function and outcome; what never happened has no row."""
    calls = list(history.calls())
    if not calls:
        return []
    start_ns, end_ns = _span(history)
    rows = list(_rows(None, calls, end_ns - start_ns))
    for fault in history.faults():
        until_ns = end_ns if fault.healed_ns is None else fault.healed_ns
        inside = [call for call in calls if fault.inject_ns <= call.invoke.time_ns < until_ns]
        rows += _rows(_name(fault), inside, until_ns - fault.inject_ns)
    return rows


def latency(history: History, *, bound_ms: float, share: float = 0.99) -> Verdict:
    """Whether of each function's calls this share was acknowledged within the bound. Refused calls are left
    out. A call that crashed counts as never answered; where the answer depends on those, and the time that
    their clients waited is within the bound, the verdict is unknown."""
    calls = list(history.calls())
    _, end_ns = _span(history) if calls else (0, 0)
    anomalies, unknown, worst_ms = [], [], 0.0
    functions = sorted({call.invoke.f for call in calls if call.type != "fail"})
    for f in functions:
        mine = [call for call in calls if call.invoke.f == f and call.type != "fail"]
        waited_ms = _share_ms(mine, share, lambda call: _took_ns(call, end_ns))
        at_most_ms = _share_ms(
            mine, share, lambda call: _took_ns(call, end_ns) if call.type == "ok" else math.inf
        )
        worst_ms = max(worst_ms, waited_ms)
        name = f"p{share * 100:g} of {len(mine)} {f} operations"
        if waited_ms > bound_ms:
            slow = [call for call in mine if _took_ns(call, end_ns) / 1e6 > bound_ms]
            message = f"{name} is {waited_ms:.1f} ms, over {bound_ms:g} ms; {len(slow)} took longer than that"
            ops = tuple(call.invoke.index for call in slow[:20])
            anomalies.append(Anomaly("too-slow", message, ops, time_ns=slow[0].invoke.time_ns))
        elif at_most_ms > bound_ms:
            crashed = sum(call.type == "info" for call in mine)
            unknown.append(f"{name} depends on {crashed} that crashed before the bound of {bound_ms:g} ms")
    return conclude(
        NAME,
        f"p{share * 100:g} of each of {len(functions)} functions is at most {worst_ms:.1f} ms",
        anomalies=anomalies,
        unknown=unknown,
        vacuous=[] if functions else ["no operation was acknowledged"],
        evidence={"bound_ms": bound_ms, "share": share, "worst_ms": round(worst_ms, 3)},
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank: the smallest value that at least this share of them does not exceed. Of at least
    one."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def _span(history: History) -> tuple[int, int]:
    times = [op.time_ns for op in history.ops]
    return min(times), max(times)


def _rows(during: str | None, calls: Sequence[Call], duration_ns: int) -> Iterator[Latency]:
    for f in sorted({call.invoke.f for call in calls}):
        for outcome in OUTCOMES:
            mine = [call for call in calls if call.invoke.f == f and call.type == outcome]
            if mine:
                yield _row(f, outcome, during, mine, duration_ns)


def _row(f: str, outcome: OpType, during: str | None, calls: Sequence[Call], duration_ns: int) -> Latency:
    ordered = sorted(
        call.completion.time_ns - call.invoke.time_ns for call in calls if call.completion is not None
    )
    p50, p95, p99, most = (
        (round(quantile(ordered, share) / 1e6, 3) for share in (0.5, 0.95, 0.99, 1.0))
        if ordered
        else (None, None, None, None)
    )
    per_s = round(len(calls) * NS_PER_S / duration_ns, 3) if duration_ns > 0 else None
    return Latency(f, outcome, during, len(calls), per_s, p50, p95, p99, most)


def _name(fault: FaultWindow) -> str:
    return f"{fault.nemesis} (step {fault.step})"


def _took_ns(call: Call, end_ns: int) -> int:
    """Of a call that never returned, until the history ends."""
    return (call.completion.time_ns if call.completion is not None else end_ns) - call.invoke.time_ns


def _share_ms(calls: Iterable[Call], share: float, took_ns: Callable[[Call], float]) -> float:
    return quantile(sorted(map(took_ns, calls)), share) / 1e6
