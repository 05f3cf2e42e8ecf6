"""Registers whose written values are all different, in linear time.

Gibbons and Korach ("Testing Shared Memories", SIAM J. Computing 26(4), 1997, §4): where every read names its
write, a value must have lasted from the first return to the last invocation of the operations that had to do
with it, or else it can have been there for a moment only. Here a compare-and-set joins the value that it
expected to the one it left, since nothing can come between the two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from heapq import heappop, heappush
from typing import Any, cast

import numpy as np

from checkers.linear.operations import NEVER, Decision, Operation
from checkers.verdict import Validity

ALGORITHM = "zones"
READ, WRITE, CAS = 0, 1, 2
_KINDS = {"read": READ, "get": READ, "write": WRITE, "put": WRITE, "cas": CAS}


def zones(operations: Sequence[Operation], initial: Hashable = None) -> Decision | None:
    """None where a value was written twice, or where an operation is none of read, write and cas (a miss that
    the order found does not explain included)."""
    from checkers.linear.zones_kernels import REPEATED, YES, decide

    misses = [i for i, operation in enumerate(operations) if operation.f == "miss"]
    if any(operation.f not in _KINDS and operation.f != "miss" for operation in operations):
        return None
    looked_at = [
        i for i, operation in enumerate(operations) if operation.f != "miss" and not _idle(operation)
    ]
    calls = _calls([operations[i] for i in looked_at], initial)
    found = _nowhere()
    status, order = decide(calls, found, True)
    if status == REPEATED:
        return None
    if status != YES:
        return Decision(
            Validity.NO, ALGORITHM, culprits=tuple(looked_at[i] for i in _in_chains(calls, found))
        )
    explained: list[int] | None = [looked_at[i] for i in order]
    if misses and explained is not None:
        explained = _with_misses(operations, explained, misses, initial)
    return None if explained is None else Decision(Validity.YES, ALGORITHM, order=explained)


def _idle(operation: Operation) -> bool:
    """Whether it makes no difference to anyone if it happened."""
    return operation.crashed and operation.f == "cas" and operation.argument[0] == operation.argument[1]


def _nowhere() -> Any:
    return np.full(4, -1, np.int64)


def _calls(operations: Sequence[Operation], initial: Hashable) -> Any:
    from checkers.linear.zones_kernels import Calls

    numbers: dict[Hashable, int] = {initial: 0}
    count = len(operations)
    columns = np.zeros((5, count), np.int64)
    for i, operation in enumerate(operations):
        kind = _KINDS[operation.f]
        if kind == READ:
            seen, left = operation.result, None
        elif kind == WRITE:
            seen, left = operation.argument, None
        else:
            seen, left = operation.argument
            if seen == left:
                kind = READ  # it looked, and changed nothing
            columns[2, i] = numbers.setdefault(left, len(numbers))
        columns[0, i] = kind
        columns[1, i] = numbers.setdefault(seen, len(numbers))
        columns[3, i] = operation.invoked
        columns[4, i] = operation.returned
    ended = columns[4][columns[4] < NEVER]
    ranks = int(max(columns[3].max(initial=0), ended.max(initial=0))) + 1
    return Calls(
        columns[0], columns[1], columns[2], columns[3], columns[4], np.zeros(len(numbers), np.int64), 1, ranks
    )


def _in_chains(calls: Any, found: Any) -> list[int]:
    """Every operation of the chains of values that the operations found belong to."""
    parent = list(range(len(calls.key_of)))

    def root(value: int) -> int:
        while parent[value] != value:
            parent[value] = parent[parent[value]]
            value = parent[value]
        return value

    for i in np.nonzero(calls.kind == CAS)[0]:
        parent[root(int(calls.a[i]))] = root(int(calls.b[i]))
    chains = {root(int(calls.a[i])) for i in found if i >= 0}
    return [i for i, value in enumerate(calls.a.tolist()) if root(value) in chains]


def _with_misses(
    operations: Sequence[Operation], order: Sequence[int], misses: Sequence[int], initial: Hashable
) -> list[int] | None:
    """The order with each miss at the first place where real time allows it and the register held something
    else; None where there is none, which proves nothing: another order may have one."""
    latest, states = [-1], [initial]  # before each place: the last invocation, and what the register holds
    for at in order:
        operation = operations[at]
        latest.append(max(latest[-1], operation.invoked))
        states.append(_left(operation, states[-1]))
    first_return = [NEVER]  # after each place, from the end
    for at in reversed(order):
        first_return.append(min(first_return[-1], operations[at].returned))
    first_return.reverse()
    placed: list[tuple[int, int]] = []
    ended: list[tuple[int, int]] = []  # a heap of (return, place) of misses that may still be open
    floor = 0  # the last place of a miss that had returned
    for miss in sorted(misses, key=lambda at: operations[at].invoked):
        operation = operations[miss]
        while ended and ended[0][0] < operation.invoked:
            floor = max(floor, heappop(ended)[1])
        place = max(floor, bisect_right(first_return, operation.invoked))
        while place < len(states) and states[place] == operation.argument[0]:
            place += 1
        if place == len(states) or latest[place] > operation.returned:
            return None
        placed.append((place, miss))
        heappush(ended, (operation.returned, place))
    placed.sort(key=lambda one: one[0])
    merged: list[int] = []
    done = 0
    for place, miss in placed:
        merged += order[done:place]
        merged.append(miss)
        done = place
    return [*merged, *order[done:]]


def _left(operation: Operation, state: Hashable) -> Hashable:
    if operation.f in ("write", "put"):
        return cast(Hashable, operation.argument)
    return cast(Hashable, operation.argument[1]) if operation.f == "cas" else state
