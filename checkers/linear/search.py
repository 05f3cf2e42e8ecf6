"""A search for an order that explains what one object did, for any model.

Wing and Gong's search (1993), just in time as Lowe has it ("Testing for linearizability", 2017): the history
is gone through once, and an operation takes effect only when one must have, at a return. What differs from a
search with backtracking is that all configurations of a moment are kept together, so that those which can do
no more than another can be dropped:

- What only looks takes effect as soon as it would see what it saw.
- Of equal open operations the one that returns first takes effect first, then the crashed ones: whoever did
it otherwise can exchange the two.
- A write may be followed at once by another and so be seen by nobody. It need not be tried as such: while it
is open and another write takes effect, it is marked as possibly overwritten, and may then return at no cost.
  It is marked as well where it would leave what is there already. Hence a write is tried only where somebody
  waits to see it, where it must return unmarked, or where it changes nothing but marks others.
- A crashed operation takes effect only where somebody waits to see it. Of configurations that are equal but
for the crashed operations they used and the writes they have marked, those with no more used and no fewer
marked stay.
- A value that nobody will look for is like any other such value.

If there are too many at a moment for the first attempt, others keep only some of them; those can find an
order, but only an attempt that kept all can exclude one.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from checkers.linear.operations import IMPOSSIBLE, NEVER, Decision, Limits, Model, Operation
from checkers.linear.order import explained
from checkers.verdict import Validity

ALGORITHM = "search"
# Configurations to keep a moment, 0 for all; how many more crashed operations than the least they may have
# used, -1 for any number; configurations to visit in all.
_NO_LIMIT = 1 << 60
_ATTEMPTS = (
    (0, -1, 20_000),
    (32, 1, _NO_LIMIT),
    (64, 1, _NO_LIMIT),
    (128, 2, _NO_LIMIT),
    (512, 4, _NO_LIMIT),
    (0, -1, _NO_LIMIT),
)
_KINDS = {"read": 0, "get": 0, "write": 1, "put": 1, "cas": 2, "miss": 3}
_LOOK, _STEP = 4, 5
_BYTES_A_NODE = 24


class _TimeIsUp(Exception):
    pass


class _MemoryIsUp(Exception):
    pass


def search(model: Model, operations: Sequence[Operation], limits: Limits) -> Decision:
    """Decides, or gives up when the limits of time or memory are reached. Operations are in order of
    invocation."""
    problem = _Registers(model, operations) if _is_register(model, operations) else _Steps(model, operations)
    visited, attempt, reason = 0, None, "no attempt kept all configurations"
    try:
        for cap, slack, limit in _ATTEMPTS:
            attempt = _Attempt(problem, cap, slack, limit, limits)
            decision = attempt.decide()
            visited += attempt.visited
            if decision is not None:
                return decision
    except _TimeIsUp:
        reason = "the time allowed was up"
    except (_MemoryIsUp, MemoryError):
        reason = "the memory allowed was used up"
    else:
        return Decision(Validity.UNKNOWN, ALGORITHM, reason=reason, configurations=visited)
    if attempt is not None:
        visited += attempt.visited
        reason += f" at return {attempt.returns_passed} of {problem.returns}"
    return Decision(
        Validity.UNKNOWN,
        ALGORITHM,
        reason=f"{reason}, after {visited} configurations",
        configurations=visited,
    )


def _is_register(model: Model, operations: Sequence[Operation]) -> bool:
    from checkers.models import kv, register

    if any(operation.f not in _KINDS for operation in operations):
        return False
    # Of a key an empty text and nil are the same to a get, but not to a compare-and-set.
    has_empty = any("" in (operation.argument, operation.result) for operation in operations)
    return model.step is register.step or (model.step is kv.step and not has_empty)


class _Registers:
    """Registers step by rules that the search knows."""

    def __init__(self, model: Model, operations: Sequence[Operation]) -> None:
        from checkers.linear.prepare_kernels import register_classes

        self.operations = operations
        self.returns = sum(not operation.crashed for operation in operations)
        numbers: dict[Hashable, int] = {model.initial: 0}
        kind, a, b = (np.zeros(len(operations), np.int64) for _ in range(3))
        for i, operation in enumerate(operations):
            kind[i] = _KINDS[operation.f]
            seen = operation.argument
            if operation.f in ("read", "get"):
                seen = operation.result
            elif operation.f in ("cas", "miss"):
                seen = operation.argument[0]
                b[i] = numbers.setdefault(operation.argument[1], len(numbers))
            a[i] = numbers.setdefault(seen, len(numbers))
        self.invoked, self.returned = _ranks(operations)
        self.classes = register_classes(kind, a, b, self.returned, len(numbers))
        self.values = len(numbers)
        self.initial = 0
        self.known = 0

    def after(self, state: int, cls: int) -> int:
        raise AssertionError("the search knows a register's steps")


class _Steps:
    """Any other model is asked for each step once."""

    def __init__(self, model: Model, operations: Sequence[Operation]) -> None:
        self.operations = operations
        self.returns = sum(not operation.crashed for operation in operations)
        self._model = model
        self._settled = model.settle(operations) if model.settle is not None else _as_it_is
        self.states: list[Any] = [model.initial]
        self._numbers: dict[Hashable, int] = {model.initial: 0}
        classes: dict[Hashable, int] = {}
        self._examples: list[Operation] = []
        class_of = np.empty(len(operations), np.int64)
        for i, operation in enumerate(operations):
            key = (
                operation.f,
                operation.argument,
                operation.result,
                operation.process if model.by_process else 0,
            )
            if key not in classes:
                classes[key] = len(classes)
                self._examples.append(operation)
            class_of[i] = classes[key]
        kinds = np.array([_LOOK if one.f in model.reads else _STEP for one in self._examples], np.int64)
        nothing = np.zeros(len(classes), np.int64)
        self.classes = (class_of, kinds, nothing, nothing)
        self.invoked, self.returned = _ranks(operations)
        self.values = 0
        self.initial = 0
        self.known = 0  # steps in the table

    def after(self, state: int, cls: int) -> int:
        """The number of the state after a step, -1 where it is impossible."""
        left = self._model.step(self.states[state], self._examples[cls])
        if left is IMPOSSIBLE:
            return -1
        left = self._settled(left)
        if left not in self._numbers:
            self._numbers[left] = len(self.states)
            self.states.append(left)
        return self._numbers[left]


def _as_it_is(state: Any) -> Any:
    return state


def _ranks(operations: Sequence[Operation]) -> tuple[Any, Any]:
    invoked = np.array([operation.invoked for operation in operations], np.int64)
    returned = np.array([min(operation.returned, NEVER) for operation in operations], np.int64)
    return invoked, returned


class _Attempt:
    def __init__(
        self, problem: _Registers | _Steps, cap: int, slack: int, limit: int, limits: Limits
    ) -> None:
        from checkers.linear import prepare_kernels as preparing
        from checkers.linear.search_layout import CERTIFY, CONTROL, SLACK

        self._problem = problem
        self._limits = limits
        self._may_be_long = limit == _NO_LIMIT
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
        """None where this attempt could not tell. Raises _TimeIsUp, _MemoryIsUp."""
        from checkers.linear import search_layout as layout

        while True:
            status = self._run()
            if status == layout.NEED:
                self._learn()
            elif status == layout.FULL:
                self._grow()
            elif status == layout.STOPPED:
                raise _TimeIsUp
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
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(int(run(*arrays))), daemon=True)
        thread.start()
        try:
            thread.join(max(0.0, self._limits.left_s()))
        finally:
            self._control[STOP] = 1
            thread.join()
            self._control[STOP] = 0
        return found[0]

    def _learn(self) -> None:
        """Enters what the model says of the state at hand and every operation that may be next there."""
        from checkers.linear import search_layout as layout
        from checkers.linear.store_kernels import learn

        problem, data, control = self._problem, self.data, self._control
        assert isinstance(problem, _Steps)
        if self._limits.left_s() <= 0:
            raise _TimeIsUp
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
            raise _MemoryIsUp

    def _yes(self) -> Decision:
        order = explained(self._problem, self.data, self.trace, self._last_node())
        return Decision(Validity.YES, ALGORITHM, order=order, configurations=self.visited)

    def _last_node(self) -> int:
        from checkers.linear.search_layout import FRONTIER, GONE, NODE

        return next(int(row[NODE]) for row in self._rows[FRONTIER] if not row[GONE])

    def _no(self) -> Decision:
        from checkers.linear.search_layout import EVENT, POSITION

        blocked = int(self.data[EVENT, self._control[POSITION]]) >> 1
        before = np.nonzero(self._problem.invoked < self._problem.returned[blocked])[0]
        return Decision(Validity.NO, ALGORITHM, culprits=tuple(before.tolist()), configurations=self.visited)
