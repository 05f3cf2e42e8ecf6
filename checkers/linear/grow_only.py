"""Sets that only grow, read whole or asked for one element.

Whole reads must contain one another, which puts every addition between two of them. Of several additions
of an element the first to be invoked may be taken for the one that had the effect: wherever another
stands, it can stand right before it. So what must come before what is known, and there is an order if
that and real time together have no cycle.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from checkers.linear.operations import Decision, Operation
from checkers.linear.places import no
from checkers.verdict import Validity

ALGORITHM = "grow-only"


@dataclass(frozen=True, slots=True)
class _Calls:
    """Positions: of the additions of each element, first invoked first; of reads, smallest first; of
    questions after one element."""

    adds: dict[Hashable, list[int]]
    reads: list[int]
    asked: list[int]


def grow_only(operations: Sequence[Operation]) -> Decision | None:
    """None where anything is removed."""
    calls = _collect(operations)
    if calls is None:
        return None
    for at in [*calls.reads[-1:], *calls.asked]:
        if not _shown(operations[at]) <= calls.adds.keys():
            return no(ALGORITHM, "never-added", [at])
    levels: list[list[int]] = []  # reads that are equal
    level_of: dict[Hashable, int] = {}  # of an element: the first that shows it
    for at in calls.reads:
        before = operations[levels[-1][0]].result if levels else frozenset()
        seen = operations[at].result
        if not before <= seen:
            return no(ALGORITHM, "incompatible-reads", [levels[-1][0], at])
        if not levels or before != seen:
            level_of.update(dict.fromkeys(seen - before, len(levels)))
            levels.append([])
        levels[-1].append(at)
    return _constraints(operations, calls, levels, level_of).decide()


def _collect(operations: Sequence[Operation]) -> _Calls | None:
    calls = _Calls({}, [], [])
    for at in sorted(range(len(operations)), key=lambda at: operations[at].invoked):
        operation = operations[at]
        if operation.f == "add":
            calls.adds.setdefault(operation.argument, []).append(at)
        elif operation.f == "read":
            if not operation.crashed and not isinstance(operation.result, frozenset):
                return None
            calls.reads.extend([] if operation.crashed else [at])
        elif operation.f == "contains":
            if not operation.crashed and operation.result not in _answers(operation):
                return None
            calls.asked.extend([] if operation.crashed else [at])
        else:
            return None
    calls.reads.sort(key=lambda at: len(operations[at].result))
    return calls


def _constraints(
    operations: Sequence[Operation],
    calls: _Calls,
    levels: Sequence[Sequence[int]],
    level_of: dict[Hashable, int],
) -> _Order:
    order = _Order(operations, 2 * len(levels) + 2)
    # The reads of a level come after the barrier 2 * level + 1, and before the next.
    for level, same in enumerate(levels):
        for at in same:
            order.put_before(order.barrier(2 * level + 1), at)
            order.put_before(at, order.barrier(2 * level + 2))
    seen = frozenset().union(*(_shown(operations[at]) for at in calls.asked)) | level_of.keys()
    for element, (first, *others) in calls.adds.items():
        returned = [at for at in others if not operations[at].crashed]
        if returned or element in seen or not operations[first].crashed:
            level = level_of.get(element, len(levels))
            order.put_before(order.barrier(2 * level), first)
            order.put_before(first, order.barrier(2 * level + 1))
        for at in returned:
            order.put_before(first, at)
    for at in calls.asked:
        operation = operations[at]
        order.include(at)
        if _shown(operation):
            order.put_before(calls.adds[operation.argument][0], at)
        elif operation.argument in calls.adds:
            first = calls.adds[operation.argument][0]
            if order.includes(first):
                order.put_before(at, first)
    return order


def _shown(operation: Operation) -> frozenset[Hashable]:
    """The elements that were there."""
    if operation.f == "read":
        return frozenset(operation.result)
    return frozenset([operation.argument] if operation.result == _answers(operation)[1] else [])


def _answers(operation: Operation) -> tuple[tuple[Hashable, bool], tuple[Hashable, bool]]:
    return (operation.argument, False), (operation.argument, True)


class _Order:
    """Operations that must stand before others, and barriers between them that real time does not know of."""

    def __init__(self, operations: Sequence[Operation], barriers: int) -> None:
        self._operations = operations
        nodes = len(operations) + barriers
        self._after: list[list[int]] = [[] for _ in range(nodes)]
        self._before: list[list[int]] = [[] for _ in range(nodes)]
        self._included = [False] * nodes

    def barrier(self, number: int) -> int:
        return len(self._operations) + number

    def include(self, node: int) -> None:
        self._included[node] = True

    def includes(self, node: int) -> bool:
        return self._included[node]

    def put_before(self, one: int, other: int) -> None:
        self._after[one].append(other)
        self._before[other].append(one)
        self.include(one)
        self.include(other)

    def decide(self) -> Decision:
        """Always one that nothing left has to come before; a no with a cycle where there is none."""
        count = len(self._operations)
        waiting_for = [len(before) for before in self._before]
        by_invocation = [at for at in range(count) if self._included[at]]
        by_invocation.sort(key=lambda at: self._operations[at].invoked)
        by_return = sorted(by_invocation, key=lambda at: self._operations[at].returned)
        ready = [node for node in range(count, len(waiting_for)) if not waiting_for[node]]
        begun = [node >= count for node in range(len(waiting_for))]
        gone = [not included for included in self._included]
        order: list[int] = []
        invoked = returned = 0
        while True:
            while returned < len(by_return) and gone[by_return[returned]]:
                returned += 1
            if returned == len(by_return):
                return Decision(Validity.YES, ALGORITHM, order=order)
            soonest = by_return[returned]
            until = self._operations[soonest].returned
            while invoked < len(by_invocation) and self._operations[by_invocation[invoked]].invoked < until:
                begun[by_invocation[invoked]] = True
                if not waiting_for[by_invocation[invoked]]:
                    ready.append(by_invocation[invoked])
                invoked += 1
            if not ready:
                return no(ALGORITHM, "stale-read", self._cycle(soonest, gone))
            node = ready.pop()
            gone[node] = True
            if node < count:
                order.append(node)
            for after in self._after[node]:
                waiting_for[after] -= 1
                if begun[after] and not waiting_for[after]:
                    ready.append(after)

    def _cycle(self, soonest: int, gone: Sequence[bool]) -> list[int]:
        """Where nothing can be next: whatever waits does so for something else, or for what returns first."""
        path: dict[int, None] = {}
        node = soonest
        while node not in path:
            path[node] = None
            node = next((before for before in self._before[node] if not gone[before]), soonest)
        nodes = list(path)
        return [at for at in nodes[nodes.index(node) :] if at < len(self._operations)]
