"""The search for a linearization in plain Python: any model, any history, as far as the limits go.

Wing and Gong, "Testing and verifying concurrent objects" (1993): a list of invocations and returns in order
of time, from which an operation is lifted when it takes effect. Lowe, "Testing for linearizability" (2017):
never enter twice what was left in the same state by the same operations. It shares nothing with the compiled
search, so that either can vouch for the other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.linear.operations import IMPOSSIBLE, NEVER, Decision, Limits, Model, Operation
from checkers.verdict import Validity

ALGORITHM = "wing-gong"
# How many steps are tried between two looks at the clock.
_STEPS_A_LOOK = 256
# A remembered configuration's tuple, its place in the set, and what the search keeps while it is inside it.
_BYTES_A_CONFIGURATION = 400
# How much of the time taken so far it may take to give the memory back.
_CLEARING = 0.1
_HEAD = 0


def wing_gong(
    model: Model, operations: Sequence[Operation], limits: Limits, max_configurations: int = 10_000_000
) -> Decision:
    """Whether the operations are linearizable; UNKNOWN, saying how far it got, where a limit ends the search.

    The culprits of a no are the operations invoked before the return that no order gets past: they contradict
    each other by themselves.
    """
    search = _Search(model, operations)
    return search.run(limits, max_configurations)


@dataclass(slots=True)
class _Crashed:
    """Operations that crashed and differ in nothing but their invocation, in order of it. None can do what an
    earlier one cannot, so they are used in this order."""

    positions: list[int]
    used: int = 0


class _Search:
    """A configuration is what has taken effect so far, and the state that it left.

    Entries are the invocations and returns of those operations that returned, in order of time, doubly
    linked, between a head and an end. The effects of operations that returned are kept as the first one in
    order of invocation that has none, and a mask of those after it: small, whatever the history's length.
    """

    def __init__(self, model: Model, operations: Sequence[Operation]) -> None:
        self._model = model
        self._operations = operations
        returned = [at for at, operation in enumerate(operations) if not operation.crashed]
        events = sorted(
            event
            for at in returned
            for event in ((operations[at].invoked, at, True), (operations[at].returned, at, False))
        )
        self._wanted = len(returned)
        # Of each entry, its rank, its operation's position, and whether it is the invocation.
        self._entries = [(-1, -1, False), *events, (NEVER, -1, False)]
        self._next = list(range(1, len(self._entries) + 1))
        self._previous = list(range(-1, len(self._entries) - 1))
        self._invocation = [_HEAD] * len(operations)
        self._return = [_HEAD] * len(operations)
        for entry, (_, at, invokes) in enumerate(events, start=1):
            (self._invocation if invokes else self._return)[at] = entry
        self._number = self._numbered(returned)
        self._crashed, self._class = self._classes()
        self._state: Any = model.initial
        self._mask = 0
        self._used = 0
        # What took effect, with the state and the mask before it.
        self._path: list[tuple[int, Any, int]] = []
        self._effects = 0
        self._most_effects = 0
        self._furthest_rank = -1
        self._seen: set[tuple[int, int, int, Any]] = {(0, 0, 0, model.initial)}
        self._bytes = 0
        self._began_s = time.monotonic()

    def run(self, limits: Limits, max_configurations: int) -> Decision:
        if self._effects == self._wanted:
            return Decision(Validity.YES, ALGORITHM, order=())
        step, operations = self._model.step, self._operations
        choices, steps = [self._candidates()], 0
        while choices:
            steps += 1
            if steps % _STEPS_A_LOOK == 0 and (reason := self._exhausted(limits, max_configurations)):
                return Decision(Validity.UNKNOWN, ALGORITHM, reason=reason, configurations=len(self._seen))
            at = next(choices[-1], None)
            if at is None:
                choices.pop()
                if self._path:
                    self._undo()
                continue
            after = step(self._state, operations[at])
            # One that may never have happened and changes nothing is as well left out.
            if after is IMPOSSIBLE or (operations[at].crashed and after == self._state):
                continue
            self._take(at, after)
            if self._effects == self._wanted:
                order = [at for at, _, _ in self._path]
                return Decision(Validity.YES, ALGORITHM, order=order, configurations=len(self._seen))
            if self._new():
                choices.append(self._candidates())
            else:
                self._undo()
        culprits = [at for at, op in enumerate(operations) if op.invoked <= self._furthest_rank]
        return Decision(Validity.NO, ALGORITHM, culprits=culprits, configurations=len(self._seen))

    def _candidates(self) -> Iterator[int]:
        """What may take effect next: whatever was invoked before the first return of an operation that has
        had none. Those that crashed come last: they can be left out."""
        entries, following = self._entries, self._next
        entry = following[_HEAD]
        while entries[entry][2]:
            yield entries[entry][1]
            entry = following[entry]
        rank = entries[entry][0]
        self._furthest_rank = max(self._furthest_rank, rank)
        for group in self._crashed:
            if self._operations[group.positions[0]].invoked > rank:
                return
            if group.used < len(group.positions):
                at = group.positions[group.used]
                if self._operations[at].invoked < rank:
                    yield at

    def _take(self, at: int, after: Any) -> None:
        self._path.append((at, self._state, self._mask))
        self._state = after
        if self._operations[at].crashed:
            self._used |= 1 << self._number[at]
            self._class[at].used += 1
            return
        first = self._first()
        for entry in (self._invocation[at], self._return[at]):
            self._next[self._previous[entry]] = self._next[entry]
            self._previous[self._next[entry]] = self._previous[entry]
        self._mask = (self._mask | 1 << self._number[at] - first) >> self._first() - first
        self._effects += 1
        self._most_effects = max(self._most_effects, self._effects)

    def _undo(self) -> None:
        at, self._state, self._mask = self._path.pop()
        if self._operations[at].crashed:
            self._used ^= 1 << self._number[at]
            self._class[at].used -= 1
            return
        for entry in (self._return[at], self._invocation[at]):
            self._next[self._previous[entry]] = entry
            self._previous[self._next[entry]] = entry
        self._effects -= 1

    def _first(self) -> int:
        """The number of the first operation, in order of invocation, that has had no effect yet."""
        at = self._entries[self._next[_HEAD]][1]
        return self._number[at] if at >= 0 else self._wanted

    def _new(self) -> bool:
        """Remembers the present configuration. False: it was entered before."""
        configuration = self._first(), self._mask, self._used, self._state
        before = len(self._seen)
        self._seen.add(configuration)
        if len(self._seen) == before:
            return False
        self._bytes += _BYTES_A_CONFIGURATION + sum(map(sys.getsizeof, configuration))
        return True

    def _exhausted(self, limits: Limits, max_configurations: int) -> str | None:
        if limits.left_s() <= _CLEARING * (time.monotonic() - self._began_s):
            what = "ran out of time"
        elif self._bytes > limits.memory_bytes:
            what = f"reached its {limits.memory_bytes / 1e9:g} GB of memory"
        elif len(self._seen) > max_configurations:
            what = f"reached its {max_configurations:,} configurations"
        else:
            return None
        return (
            f"the search {what} after {len(self._seen):,} configurations;"
            f" its longest order explains {self._most_effects:,} of {self._wanted:,} operations that returned"
        )

    def _numbered(self, returned: Sequence[int]) -> list[int]:
        """Each operation's number in order of invocation, among those that returned or among those that
        did not."""
        numbers = [0] * len(self._operations)
        crashed = [at for at, operation in enumerate(self._operations) if operation.crashed]
        for positions in (returned, crashed):
            in_order = sorted(positions, key=lambda at: self._operations[at].invoked)
            for number, at in enumerate(in_order):
                numbers[at] = number
        return numbers

    def _classes(self) -> tuple[list[_Crashed], dict[int, _Crashed]]:
        """The classes of equal operations that crashed, in order of invocation; and each one's class."""
        classes: dict[Any, _Crashed] = {}
        of: dict[int, _Crashed] = {}
        in_order = sorted(enumerate(self._operations), key=lambda item: item[1].invoked)
        for at, operation in in_order:
            if operation.crashed:
                who = operation.process if self._model.by_process else None
                group = classes.setdefault((operation.f, operation.argument, who), _Crashed([]))
                group.positions.append(at)
                of[at] = group
        return list(classes.values()), of
