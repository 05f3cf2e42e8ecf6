"""A set's elements, by who added them: what the two judges of sets share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from checkers.classics.calls import identity, named, precedes
from checkers.history import Call, Op
from checkers.verdict import Anomaly

REMOVES = (
    "elements are removed too, so one that is gone need not be lost; the model set judges such a history"
)


@dataclass(slots=True)
class Added:
    """An element that somebody asked to add.

    invoke: the first add of it that was not refused;  acknowledged: the first acknowledgement of one
    refused: an add of it that was refused
    """

    value: Any
    invoke: Op | None = None
    acknowledged: Op | None = None
    refused: Op | None = None


def added(calls: Iterable[Call]) -> dict[Hashable, Added]:
    """Every element that was asked for, by identity; calls are in order of invocation."""
    found: dict[Hashable, Added] = {}
    for call in calls:
        if call.invoke.f != "add":
            continue
        value = call.invoke.value
        element = found.setdefault(identity(value), Added(value))
        if call.type == "fail":
            element.refused = call.invoke
            continue
        if element.invoke is None:
            element.invoke = call.invoke
        done = call.completion if call.type == "ok" else None
        if done is not None and (element.acknowledged is None or precedes(done, element.acknowledged)):
            element.acknowledged = done
    return found


def unexpected(value: Any, element: Added | None, read: Op, done: Op) -> Anomaly | None:
    """What is wrong with the read showing this element; None where an add may have brought it there."""
    if element is None or (element.invoke is None and element.refused is None):
        why, by = "which nobody ever added", None
    elif element.invoke is None:
        assert element.refused is not None  # of the two, one is there
        why, by = f"whose {named(element.refused)} was refused", element.refused
    elif precedes(done, element.invoke):
        why, by = f"which was only added later, by {named(element.invoke)}", element.invoke
    else:
        return None
    message = f"{named(read)} shows element {value!r}, {why}"
    ops = tuple(sorted(op.index for op in (by, read) if op is not None))
    return Anomaly("unexpected-element", message, ops, time_ns=read.time_ns)
