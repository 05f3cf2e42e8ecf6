"""A number that is added to: blindly (counter), or learning what it was (fetch-add)."""

from __future__ import annotations

from typing import Any

from checkers.linear.deadlines import counter
from checkers.linear.numbered import fetch_add
from checkers.linear.operations import IMPOSSIBLE, Model, Operation


def step(state: Any, operation: Operation) -> Any:
    """add delta; read -> the number; fetch-add delta -> [delta, the number before]."""
    if operation.f == "read":
        return state if operation.crashed or operation.result == state else IMPOSSIBLE
    if operation.f == "fetch-add" and not operation.crashed and operation.result[1] != state:
        return IMPOSSIBLE
    return state + operation.argument


def _observes(operation: Operation) -> tuple[()] | None:
    """What was read may have depended on any add."""
    return () if operation.f == "add" or operation.crashed else None


COUNTER = Model(
    "counter",
    "blind additions, and reads of the sum",
    0,
    step,
    functions=frozenset({"add", "read"}),
    reads=frozenset({"read"}),
    observes=_observes,
    algorithms=(counter,),
)
FETCH_ADD = Model(
    "fetch-add",
    "additions that return the number before",
    0,
    step,
    functions=frozenset({"fetch-add", "read"}),
    reads=frozenset({"read"}),
    observes=_observes,
    algorithms=(fetch_add,),
)
