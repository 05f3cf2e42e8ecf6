"""The search for an order that goes through the history once, for any model: all configurations of a moment
are kept together, and those that can do no more than another are dropped.

If there are too many at a moment for the first attempt, others keep only some of them; those can find an
order, but only an attempt that kept all can exclude one. `search.py` says what is searched.
"""

from __future__ import annotations

import numpy as np

from checkers.linear.operations import Decision, Limits
from checkers.linear.order import effects, explained
from checkers.linear.problems import Registers, Steps
from checkers.linear.stoppable import MemoryIsUp, TimeIsUp, stoppable
from checkers.verdict import Validity

NO_LIMIT = 1 << 60
# Configurations to keep a moment, 0 for all; how many more crashed operations than the least they may have
# used, -1 for any number; configurations to visit in all.
ATTEMPTS = (
    (0, -1, 20_000),
    (32, 1, NO_LIMIT),
    (64, 1, NO_LIMIT),
    (128, 2, NO_LIMIT),
    (512, 4, NO_LIMIT),
    (0, -1, NO_LIMIT),
)


class BreadthFirst:
    def __init__(self, problem: Registers | Steps, limits: Limits, cap: int, slack: int, limit: int) -> None:
        from checkers.linear import prepare_kernels as preparing
        from checkers.linear.search_layout import CERTIFY, CONTROL, SLACK

        self._problem = problem
        self._limits = limits
        self._may_be_long = limit == NO_LIMIT
        class_of, kinds, a, b = problem.classes
        self.data, self._width = preparing.prepare(
            class_of, kinds, a, b, problem.invoked, problem.returned, problem.values, cap, limit
        )
        self._control = self.data[CONTROL]
        self._control[CERTIFY] = 1
        self._control[SLACK] = slack
        self._rows, self._heads = preparing.stores(1 << 10, self._width)
        preparing.start(self.data, self._rows, problem.initial)
        self.trace = np.empty((3, 1 << 10), np.int64)
        self._steps = np.full((2, 16), -1, np.int64)

    @property
    def visited(self) -> int:
        from checkers.linear.search_layout import VISITED

        return int(self._control[VISITED])

    @property
    def returns_passed(self) -> int:
        from checkers.linear.search_layout import EVENT, POSITION

        return int(np.count_nonzero(self.data[EVENT, : self._control[POSITION]] & 1))

    def decide(self) -> Decision | None:
        """None where this attempt could not tell. Raises TimeIsUp, MemoryIsUp."""
        from checkers.linear import search_layout as layout

        while True:
            status = self._run()
            if status == layout.NEED:
                self._learn()
            elif status == layout.FULL:
                self._grow()
            elif status == layout.STOPPED:
                raise TimeIsUp
            elif status == layout.BUDGET:
                return None
            elif status == layout.DONE:
                return self._yes()
            else:
                return None if self._control[layout.TRUNCATED] else self._no()

    def _run(self) -> int:
        """One stretch of the search; in a thread of its own where it may be long, so that the time allowed
        and an interrupt end it."""
        from checkers.linear.search_kernels import run
        from checkers.linear.search_layout import STOP

        arrays = (self.data, self._rows, self._heads, self.trace, self._steps)
        if not self._may_be_long:
            return int(run(*arrays))
        return stoppable(run, arrays, self._control, STOP, self._limits)

    def _learn(self) -> None:
        """Enters what the model says of the state at hand and every operation that may be next there."""
        from checkers.linear import search_layout as layout
        from checkers.linear.store_kernels import learn

        problem, data, control = self._problem, self.data, self._control
        assert isinstance(problem, Steps)
        if self._limits.left_s() <= 0:
            raise TimeIsUp
        state, count = int(control[layout.NEED_STATE]), int(control[layout.CLASSES])
        open_now = data[layout.OPEN, : control[layout.OPEN_COUNT]]
        listed = data[layout.LISTED, : control[layout.LISTED_COUNT]]
        wanted = {int(cls) for cls in data[layout.CLASS_OF, open_now]}
        wanted |= {int(cls) for cls in listed if data[layout.AVAILABLE, cls]}
        wanted.add(int(control[layout.NEED_CLASS]))
        problem.known += len(wanted)
        if 2 * problem.known > self._steps.shape[1]:
            self._widen_steps()
        for cls in wanted:
            learn(self._steps, state * count + cls, problem.after(state, cls))

    def _widen_steps(self) -> None:
        from checkers.linear.search_layout import NONE
        from checkers.linear.store_kernels import learn

        old, size = self._steps, 4 * self._steps.shape[1]
        while size < 4 * self._problem.known:
            size *= 4
        self._check_memory(size * 16)
        self._steps = np.full((2, size), NONE, np.int64)
        for at in np.nonzero(old[0] != NONE)[0]:
            learn(self._steps, old[0, at], old[1, at])

    def _grow(self) -> None:
        from checkers.linear.prepare_kernels import stores
        from checkers.linear.search_layout import FRONTIER, ROWS

        old, room = self._rows, self._rows.shape[1]
        if self._control[ROWS : ROWS + 3].max() < room:  # so it was the trace
            self._check_memory(4 * self.trace.nbytes)
            more = np.empty((3, 3 * self.trace.shape[1]), np.int64)
            self.trace = np.concatenate([self.trace, more], axis=1)
            return
        self._check_memory(4 * (old.nbytes + self._heads.nbytes))
        self._rows, self._heads = stores(4 * room, self._width)
        kept = int(self._control[ROWS + FRONTIER])
        self._rows[FRONTIER, :kept] = old[FRONTIER, :kept]

    def _check_memory(self, more_bytes: int) -> None:
        now = (self.data, self._rows, self._heads, self.trace, self._steps)
        if sum(array.nbytes for array in now) + more_bytes > self._limits.memory_bytes:
            raise MemoryIsUp

    def _yes(self) -> Decision:
        order = explained(self._problem, effects(self.trace, self._last_node()))
        return Decision(Validity.YES, "search", order=order, configurations=self.visited)

    def _last_node(self) -> int:
        from checkers.linear.search_layout import FRONTIER, GONE, NODE

        return next(int(row[NODE]) for row in self._rows[FRONTIER] if not row[GONE])

    def _no(self) -> Decision:
        from checkers.linear.search_layout import EVENT, POSITION

        blocked = int(self.data[EVENT, self._control[POSITION]]) >> 1
        before = np.nonzero(self._problem.invoked < self._problem.returned[blocked])[0]
        return Decision(Validity.NO, "search", culprits=tuple(before.tolist()), configurations=self.visited)
