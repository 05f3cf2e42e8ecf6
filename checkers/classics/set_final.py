"""Adds, then a final read: it shows every element that was acknowledged, and none that nobody added.

After Jepsen's checker of sets. It differs where that one is careless: an add that was acknowledged only after
the final read began is not missed from it, and an element whose every add was refused is unexpected.
"""

from __future__ import annotations

from checkers.classics.calls import acknowledged, elements, identity, is_recorded, named, precedes
from checkers.classics.sets import REMOVES, added, unexpected
from checkers.history import History, order
from checkers.verdict import Anomaly, Verdict, conclude

NAME = "set-final"


def set_final(history: History) -> Verdict:
    """The final read is the acknowledged read that ended last. Raises HistoryError for a read of no list."""
    calls = list(history.calls())
    if any(call.invoke.f == "remove" and call.type != "fail" for call in calls):
        return conclude(NAME, "", unknown=[REMOVES])
    asked = added(calls)
    reads = [(read, done) for read, done in acknowledged(calls, "read") if is_recorded(history, done)]
    evidence = {
        "attempted": sum(element.invoke is not None for element in asked.values()),
        "acknowledged": sum(element.acknowledged is not None for element in asked.values()),
    }
    if not reads:
        return conclude(NAME, "", vacuous=["the set was never read"], evidence=evidence)
    read, done = max(reads, key=lambda pair: order(pair[1]))
    shown = {identity(value): value for value in elements(done)}
    due = {
        key: element
        for key, element in asked.items()
        if element.acknowledged is not None and precedes(element.acknowledged, read)
    }
    lost = [
        Anomaly(
            "lost-element",
            f"element {element.value!r} was acknowledged (op {element.acknowledged.index}), but the final"
            f" {named(read)} (process {read.process}), which began later, does not show it",
            (element.invoke.index, read.index),
            time_ns=element.invoke.time_ns,
        )
        for key, element in due.items()
        if key not in shown and element.invoke is not None and element.acknowledged is not None
    ]
    strange = [unexpected(value, asked.get(key), read, done) for key, value in shown.items()]
    anomalies = [*lost, *(anomaly for anomaly in strange if anomaly is not None)]
    recovered = sum(key in shown for key, e in asked.items() if e.invoke and not e.acknowledged)
    return conclude(
        NAME,
        f"the final {named(read)} shows all {len(due)} elements that had been acknowledged",
        anomalies=anomalies,
        vacuous=[] if due else ["no add was acknowledged before the final read, so none could be lost"],
        evidence=evidence | {"judged": len(due), "shown": len(shown), "recovered": recovered},
    )
