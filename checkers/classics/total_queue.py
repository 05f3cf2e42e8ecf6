"""What goes into a queue comes out, once: for a history that empties the queue in the end.

After Jepsen's total-queue: elements are counted, their order does not matter, and a `drain` is a dequeue of
each element of the list it returned. It differs in that an element that comes out more often than it went in
is wrong, unless the queue only promises at-least-once delivery; that an element cannot come out before it
went in; and that a dequeue that crashed may have taken an element with it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from checkers.classics.calls import acknowledged, attempted, elements, identity, named, precedes
from checkers.history import Call, History, Op, order
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import listed

NAME = "total-queue"


def total_queue(history: History, *, at_least_once: bool = False) -> Verdict:
    """An acknowledged dequeue of nil found the queue empty. Raises HistoryError for a drain of no list."""
    calls = list(history.calls())
    found = _elements(calls)
    last_look = max(_looks(calls), key=order, default=None)
    due = {key: element.due(last_look) for key, element in found.items()}
    lost = {key: due[key] - len(found[key].taken) for key in found if due[key] > len(found[key].taken)}
    unread = sum(
        max(0, len(element.acknowledged) - max(due[key], len(element.taken)))
        for key, element in found.items()
    )
    taking, draining = _crashed(calls, "dequeue"), _crashed(calls, "drain")
    explained = draining > 0 or sum(lost.values()) <= taking
    anomalies = [
        *([] if explained else [_lost(found[key], times, taking) for key, times in lost.items()]),
        *_wrongly_taken(found.values(), at_least_once=at_least_once),
    ]
    unknown = []
    if lost and explained:
        unknown.append(
            f"{sum(lost.values())} acknowledged elements never came out, but a dequeue or drain that crashed"
            " may have taken them"
        )
    if unread and last_look is not None:
        unknown.append(f"{unread} elements were acknowledged after the last dequeue began")
    taken = sum(len(element.taken) for element in found.values())
    enqueued = sum(len(element.acknowledged) for element in found.values())
    return conclude(
        NAME,
        f"all {enqueued} acknowledged elements came out"
        + ("" if at_least_once else ", none more often than it went in"),
        anomalies=anomalies,
        unknown=unknown,
        vacuous=[] if taken or sum(due.values()) else ["nothing was in the queue when it was last looked at"],
        evidence={
            "attempted": sum(len(element.asked) for element in found.values()),
            "acknowledged": enqueued,
            "dequeued": taken,
            "lost": sum(lost.values()),
            "recovered": sum(element.recovered for element in found.values()),
            "crashed_dequeues": taking + draining,
        },
    )


@dataclass(slots=True)
class _Element:
    """asked: enqueues of it that were not refused, in order
    acknowledged: completions of those that succeeded
    taken: dequeues and drains of it, invocation and completion, in order of completion
    """

    value: Any
    asked: list[Op] = field(default_factory=list)
    acknowledged: list[Op] = field(default_factory=list)
    taken: list[tuple[Op, Op]] = field(default_factory=list)

    def due(self, last_look: Op | None) -> int:
        """How often it was certainly in the queue when somebody looked."""
        return 0 if last_look is None else sum(precedes(done, last_look) for done in self.acknowledged)

    @property
    def recovered(self) -> int:
        return max(0, min(len(self.taken), len(self.asked)) - len(self.acknowledged))


def _elements(calls: Sequence[Call]) -> dict[Hashable, _Element]:
    found: dict[Hashable, _Element] = {}
    for invoke, done in attempted(calls, "enqueue"):
        element = found.setdefault(identity(invoke.value), _Element(invoke.value))
        element.asked.append(invoke)
        if done is not None:
            element.acknowledged.append(done)
    for invoke, done, value in sorted(_taken(calls), key=lambda one: order(one[1])):
        found.setdefault(identity(value), _Element(value)).taken.append((invoke, done))
    return found


def _taken(calls: Sequence[Call]) -> Iterator[tuple[Op, Op, Any]]:
    for invoke, done in acknowledged(calls, "dequeue"):
        if done.value is not None:
            yield invoke, done, done.value
    for invoke, done in acknowledged(calls, "drain"):
        for value in elements(done):
            yield invoke, done, value


def _looks(calls: Sequence[Call]) -> Iterator[Op]:
    """Dequeues and drains that ended: in some histories a refused dequeue is one that found nothing."""
    return (call.invoke for call in calls if call.invoke.f in ("dequeue", "drain") and call.type != "info")


def _crashed(calls: Sequence[Call], f: str) -> int:
    return sum(call.invoke.f == f and call.type == "info" for call in calls)


def _lost(element: _Element, times: int, crashed: int) -> Anomaly:
    again = f" {times} more times" if element.taken else ""
    but = f"; dequeues that crashed can have taken {crashed} elements in all, not so many" if crashed else ""
    message = (
        f"element {element.value!r} of {listed(map(named, element.asked[:8]))} was acknowledged, but never"
        f" came out{again}{but}"
    )
    ops = tuple(op.index for op in (*element.asked, *(invoke for invoke, _ in element.taken)))
    return Anomaly("lost-element", message, ops, time_ns=element.asked[0].time_ns)


def _wrongly_taken(found: Iterable[_Element], *, at_least_once: bool) -> Iterator[Anomaly]:
    for element in found:
        out = [invoke for invoke, _ in element.taken]
        names = listed(map(named, out[:8]))
        ops = tuple(sorted(op.index for op in (*element.asked, *out)))
        if out and not element.asked:
            message = f"{names} returned element {element.value!r}, which no enqueue put there"
            yield Anomaly("unexpected-element", message, ops, time_ns=out[0].time_ns)
        elif len(out) > len(element.asked) and not at_least_once:
            message = (
                f"element {element.value!r} came out {len(out)} times, by {names}, but was enqueued"
                f" {len(element.asked)} times, by {listed(map(named, element.asked[:8]))}"
            )
            yield Anomaly("duplicate-element", message, ops, time_ns=out[-1].time_ns)
        for (invoke, done), asked in zip(element.taken, element.asked, strict=False):
            if precedes(done, asked):
                message = (
                    f"{named(invoke)} returned element {element.value!r} before {named(asked)} put it there"
                )
                yield Anomaly(
                    "unexpected-element", message, (invoke.index, asked.index), time_ns=done.time_ns
                )
                break
