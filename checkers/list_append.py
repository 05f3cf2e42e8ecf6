"""Linearizability of append-only lists, from what the clients saw alone.

With unique elements a list's content tells the order of everything that led to it, so nothing has to be
searched for (the idea of Elle: Kingsbury and Alvaro, 2020, §4): the reads of a list must be prefixes of one
another, and in the order that they spell, every operation must stand after what had completed before it was
invoked.
"""

from __future__ import annotations

from typing import Any

from checkers.history import Call, History
from checkers.real_time import Placed, out_of_order
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import asker, name_call

NAME = "list-append"


def list_append(history: History) -> Verdict:
    lists: dict[str, tuple[list[Call], list[Call]]] = {}
    for call in history.calls():
        if call.invoke.f == "append":
            lists.setdefault(str(call.invoke.value[0]), ([], []))[0].append(call)
        elif call.type == "ok" and _is_list_read(call):
            lists.setdefault(str(call.invoke.value[0]), ([], []))[1].append(call)
    anomalies: list[Anomaly] = []
    unknown: list[str] = []
    for appends, reads in lists.values():
        one = _List(appends, reads)
        anomalies += one.anomalies()
        unknown += one.unknown
    read = sum(len(reads) for _, reads in lists.values())
    appended = sum(call.type == "ok" for appends, _ in lists.values() for call in appends)
    return conclude(
        NAME,
        f"{read} reads of {len(lists)} lists agree with each other and with {appended} acknowledged appends",
        anomalies=anomalies,
        unknown=unknown,
        vacuous=[] if read and appended else ["no list was both appended to and read"],
        evidence={"lists": len(lists), "reads": read, "appends": appended},
    )


def _is_list_read(call: Call) -> bool:
    completion = call.completion
    return call.invoke.f == "read" and completion is not None and isinstance(completion.value[1], list)


class _List:
    """One list's appends, and its reads that were answered."""

    def __init__(self, appends: list[Call], reads: list[Call]) -> None:
        self.appends, self.reads = appends, reads
        self.unknown: list[str] = []
        self._by_element: dict[Any, Call] = {}
        for call in appends:
            element = call.invoke.value[1]
            if self._by_element.setdefault(element, call) is not call:
                self.unknown.append(
                    f"{name_call(self._by_element[element])} and {name_call(call)} append the same"
                    " element, so no read"
                    " tells them apart"
                )

    def anomalies(self) -> list[Anomaly]:
        if self.unknown:
            return []
        longest = max(self.reads, key=lambda read: len(_seen(read)), default=None)
        order = _seen(longest) if longest is not None else []
        found = [*self._torn(longest), *self._strange(longest)]
        # Where the reads spell no one order, there is none to hold against the clock.
        return found or self._out_of_order(order)

    def _torn(self, longest: Call | None) -> list[Anomaly]:
        """Reads that are no prefix of the longest."""
        found = []
        for read in self.reads:
            assert longest is not None  # it is one of them
            seen, order = _seen(read), _seen(longest)
            if seen != order[: len(seen)]:
                at = next(i for i, (a, b) in enumerate(zip(seen, order, strict=False)) if a != b)
                message = (
                    f"element {at} of the list is {seen[at]} in {name_call(read)} ({asker(read)}) and"
                    f" {order[at]} in"
                    f" {name_call(longest)} ({asker(longest)}); a list that only grows has one"
                )
                found.append(_anomaly("incompatible-reads", message, read, longest))
        return found

    def _strange(self, longest: Call | None) -> list[Anomaly]:
        """Elements that the longest read should not hold. Its prefixes, if they are such, hold no others."""
        found = []
        met: set[Any] = set()
        for element in _seen(longest) if longest is not None else []:
            assert longest is not None
            append = self._by_element.get(element)
            read = f"{name_call(longest)} ({asker(longest)})"
            if element in met:
                found.append(_anomaly("duplicate-element", f"{read} returned {element} twice", longest))
            elif append is None:
                message = f"{read} returned {element}, which nobody appended"
                found.append(_anomaly("unasked", message, longest))
            elif append.type == "fail":
                message = f"{read} returned {element}, although {name_call(append)} was refused"
                found.append(_anomaly("refused-yet-applied", message, append, longest))
            met.add(element)
        return found

    def _out_of_order(self, order: list[Any]) -> list[Anomaly]:
        place = {element: at for at, element in enumerate(order, 1)}
        placed = [Placed(read, len(_seen(read)), is_command=False) for read in self.reads]
        for append in self.appends:
            at = place.get(append.invoke.value[1])
            if at is not None:
                placed.append(Placed(append, at, is_command=True))
            elif append.type == "ok":
                # In no read: after everything that is in one, in whatever order.
                placed.append(Placed(append, float("inf"), is_command=False))
        found = []
        for earlier, later in out_of_order(placed):
            kind, message = _contradiction(earlier, later)
            found.append(_anomaly(kind, message, earlier.call, later.call))
        return found


def _contradiction(earlier: Placed, later: Placed) -> tuple[str, str]:
    then, now = name_call(earlier.call), f"{name_call(later.call)} ({asker(later.call)})"
    if later.call.invoke.f == "append":
        before = f"{then} was acknowledged" if earlier.call.invoke.f == "append" else f"{then} was answered"
        return "real-time-order", f"{now} was invoked after {before}, yet every read shows it as earlier"
    if earlier.call.invoke.f == "append":
        kind = "lost-append" if earlier.place == float("inf") else "stale-read"
        never = ", and no read ever did" if kind == "lost-append" else ""
        return kind, f"{now} began after {then} was acknowledged, yet it did not return it{never}"
    lengths = f"{int(later.place)} elements where that one had returned {int(earlier.place)}"
    return "stale-read", f"{now} began after {then} was answered, yet it returned {lengths}"


def _seen(read: Call) -> list[Any]:
    assert read.completion is not None  # only answered reads are kept
    elements: list[Any] = read.completion.value[1]
    return elements


def _anomaly(kind: str, message: str, *calls: Call) -> Anomaly:
    ops = tuple(call.invoke.index for call in calls)
    return Anomaly(kind, message[0].upper() + message[1:], ops, (), calls[-1].invoke.time_ns)
