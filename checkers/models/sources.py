"""Which writes a read of a register can have seen."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Sequence
from itertools import accumulate

from checkers.linear.operations import Effect, Operation

Produces = Callable[[Operation], Sequence[Hashable]]
Observes = Callable[[Operation], Sequence[Hashable] | None]
_CRASHED = "crashed"


def effects(
    operations: Sequence[Operation], produces: Produces, observes: Observes, initial: Hashable = None
) -> list[Effect]:
    """A write, or cas, leaves with every operation that can have seen it.

    In any order, what an operation sees was left by the last write before it, its source. If that stays, and
    some other writes go, it still is the last one, so the operation sees the same. Which one it was depends
    on the order; but a write that had returned when another began, which in turn had returned when the
    operation began, was it in none. A miss saw any value but one, so any write may have been its source.
    Those that crashed never return, so they may be the source of all that comes after; of one value, they
    leave together.

    An operation that none can be the source of contradicts them: the last one that might have been before
    that stays with it, or the first one that came too late, so that it is told from a value that nobody
    wrote.
    """
    made = [produces(op) for op in operations]
    writes = _Writes(operations, made)
    return [
        (_names(at, op, made[at]), writes.sources(op, observes(op), initial))
        for at, op in enumerate(operations)
    ]


def _names(at: int, operation: Operation, produced: Sequence[Hashable]) -> Sequence[Hashable]:
    if not produced:
        return ()
    return ((_CRASHED, produced[0]), _CRASHED) if operation.crashed else (at,)


class _Writes:
    def __init__(self, operations: Sequence[Operation], made: Sequence[Sequence[Hashable]]) -> None:
        self._operations = operations
        acknowledged = [at for at, names in enumerate(made) if names and not operations[at].crashed]
        by_return = sorted(acknowledged, key=lambda at: operations[at].returned)
        self._returns = [operations[at].returned for at in by_return]
        self._latest = list(accumulate((operations[at].invoked for at in by_return), max))
        by_value: defaultdict[Hashable, list[int]] = defaultdict(list)
        for at in acknowledged:
            by_value[made[at][0]].append(at)
        self._all = _InOrder(operations, acknowledged)
        self._of = {value: _InOrder(operations, mine) for value, mine in by_value.items()}
        self._crashed = {names[0] for at, names in enumerate(made) if names and operations[at].crashed}

    def sources(
        self, operation: Operation, seen: Sequence[Hashable] | None, initial: Hashable
    ) -> Sequence[Hashable]:
        since = bisect_left(self._returns, operation.invoked)
        overwritten = self._latest[since - 1] if since else -1
        if seen is None:
            return (*self._all.between(overwritten, operation.returned), _CRASHED)
        if not seen:
            return ()
        found: list[Hashable] = []
        mine = self._of.get(seen[0])
        if mine is not None:
            found += mine.between(overwritten, operation.returned)
            if not found and seen[0] != initial:
                found.append(mine.nearest(operation.returned))
        if seen[0] in self._crashed:
            found.append((_CRASHED, seen[0]))
        return found


class _InOrder:
    """Writes that returned, in order of invocation."""

    def __init__(self, operations: Sequence[Operation], positions: Sequence[int]) -> None:
        self._operations = operations
        self._positions = sorted(positions, key=lambda at: operations[at].invoked)
        self._invoked = [operations[at].invoked for at in self._positions]
        self._returned = list(accumulate((operations[at].returned for at in self._positions), max))

    def between(self, overwritten: int, until: int) -> list[int]:
        """Those that returned after the one rank and were invoked before the other."""
        found = []
        index = bisect_left(self._invoked, until) - 1
        while index >= 0 and self._returned[index] > overwritten:
            at = self._positions[index]
            if self._operations[at].returned > overwritten:
                found.append(at)
            index -= 1
        return found

    def nearest(self, until: int) -> int:
        """The last one that was invoked before the rank, or else the first one."""
        return self._positions[max(bisect_left(self._invoked, until) - 1, 0)]


def needless(operations: Sequence[Operation], produces: Produces, observes: Observes) -> Collection[int]:
    """A crashed write that is nobody's source may as well never have happened. So of equal ones there need be
    no more than operations that saw the value, or may have: those invoked first, which can do all that the
    later ones can."""
    seen: Counter[Hashable] = Counter()
    misses = 0
    for names in map(observes, operations):
        if names is None:
            misses += 1
        elif names:
            seen[names[0]] += 1
    used: Counter[Hashable] = Counter()
    spare = []
    for at in sorted(range(len(operations)), key=lambda at: operations[at].invoked):
        operation = operations[at]
        if operation.crashed and (made := produces(operation)):
            used[operation.f, operation.argument] += 1
            if used[operation.f, operation.argument] > seen[made[0]] + misses:
                spare.append(at)
    return spare
