"""The search for an order of one register's operations that follows one configuration as far as it goes.

What is tried first is what lets it go far: the operation that returns, or one that leaves what it looks for;
a compare-and-set before a write, which may yet go unseen; and last what crashed, which may be needed later.
A configuration is not entered where one that was entered before can do all that it can, with no more steps:
where an order begins with this one, one begins with that, and was found or is still to be. So there is none
where nothing is left to be tried. `search.py` says what is searched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.linear.operations import Decision, Limits
from checkers.linear.order import explained
from checkers.linear.problems import Registers
from checkers.linear.stoppable import TimeIsUp, stoppable
from checkers.verdict import Validity

# So many configurations are visited without a look at the time.
_SOON = 20_000
_NO_LIMIT = 1 << 60


class DepthFirst:
    def __init__(self, problem: Registers, limits: Limits) -> None:
        from checkers.linear.depth_first_layout import LIMIT
        from checkers.linear.depth_first_tables_kernels import tables

        self._problem = problem
        self._limits = limits
        class_of, kinds, a, b = problem.classes
        *self._tables, self._is_possible = tables(
            class_of, kinds, a, b, problem.invoked, problem.returned, problem.values
        )
        self._events, self._now, self._spare = self._tables[0], self._tables[4], self._tables[5]
        self._now[LIMIT] = _SOON

    @property
    def visited(self) -> int:
        from checkers.linear.depth_first_layout import VISITED

        return int(self._now[VISITED])

    @property
    def returns_passed(self) -> int:
        from checkers.linear.depth_first_layout import FURTHEST

        return int(np.count_nonzero(self._events[: self._now[FURTHEST]] & 1))

    def decide(self) -> Decision | None:
        """None where too many operations are open at once, or the configurations would take more memory than
        is allowed. Raises TimeIsUp."""
        from checkers.linear import depth_first_layout as layout
        from checkers.linear.depth_first_tables_kernels import more_room, room

        if not self._is_possible:
            return None
        rows, heads = room(64 + len(self._problem.operations), self._spare.size)
        while True:
            status = self._run(rows, heads)
            if status == layout.STOPPED:
                raise TimeIsUp
            if status == layout.BUDGET:
                self._now[layout.LIMIT] = _NO_LIMIT
            elif status == layout.FULL:
                if 5 * (rows.nbytes + heads.nbytes) > self._limits.memory_bytes:
                    return None
                rows, heads = more_room(rows, self._now[layout.COUNT])
            else:
                return self._yes(rows) if status == layout.DONE else self._no()

    def _run(self, rows: Any, heads: Any) -> int:
        """One stretch of the search, which ends with the time allowed unless it is a short one."""
        from checkers.linear.depth_first_kernels import run
        from checkers.linear.depth_first_layout import LIMIT, STOP

        arrays = (*self._tables, rows, heads)
        if self._now[LIMIT] == _SOON:
            return int(run(*arrays))
        return stoppable(run, arrays, self._now, STOP, self._limits)

    def _yes(self, rows: Any) -> Decision:
        from checkers.linear.depth_first_layout import NONE, PARENT, POSITION, TOP, TRIED

        found, row = [], self._now[TOP]
        while row != NONE:
            if rows[row, TRIED] != NONE:
                returning = int(self._events[rows[row, POSITION]]) >> 1
                found.append((int(rows[row, TRIED]), int(self._problem.returned[returning])))
            row = rows[row, PARENT]
        order = explained(self._problem, found[::-1])
        return Decision(Validity.YES, "search", order=order, configurations=self.visited)

    def _no(self) -> Decision:
        """Blames what was invoked before the return that no order gets past."""
        from checkers.linear.depth_first_layout import FURTHEST

        blocked = int(self._events[self._now[FURTHEST]]) >> 1
        before = np.nonzero(self._problem.invoked < self._problem.returned[blocked])[0]
        return Decision(Validity.NO, "search", culprits=tuple(before.tolist()), configurations=self.visited)
