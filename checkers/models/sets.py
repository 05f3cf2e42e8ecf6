"""A set: add, remove, contains, and a read of all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkers.linear.grow_only import grow_only
from checkers.linear.operations import IMPOSSIBLE, Effect, Model, Operation


def step(state: Any, operation: Operation) -> Any:
    """add element; remove element; contains element -> [element, bool]; read -> all, a frozenset."""
    f = operation.f
    if f == "add":
        return state | {operation.argument}
    if f == "remove":
        return state - {operation.argument}
    if operation.crashed:
        return state
    seen = state if f == "read" else (operation.argument, operation.argument in state)
    return state if operation.result == seen else IMPOSSIBLE


def _observes(operation: Operation) -> Any:
    if operation.crashed or operation.f in ("add", "remove"):
        return ()
    return operation.result if operation.f == "read" else (operation.argument,)


def _effects(operations: Sequence[Operation]) -> list[Effect]:
    """An element leaves with everything that added or removed it and everyone who saw it. Who did not see it
    sees, without it, the same. A removal by itself may not leave: a read that lacks the element hangs on
    it."""
    return [
        ((op.argument,), (op.argument,)) if op.f in ("add", "remove") else ((), _observes(op))
        for op in operations
    ]


SET = Model(
    "set",
    "additions to a set, removals, and reads of all of it",
    frozenset(),
    step,
    functions=frozenset({"add", "remove", "contains", "read"}),
    reads=frozenset({"contains", "read"}),
    produces=lambda operation: (operation.argument,) if operation.f in ("add", "remove") else (),
    observes=_observes,
    effects=_effects,
    algorithms=(grow_only,),
)
