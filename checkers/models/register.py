"""One register: read, write, and compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

from checkers.linear.operations import IMPOSSIBLE, Decision, Effect, Model, Operation
from checkers.models import sources


class Anything:
    """The result of a read whose value the client did not record."""

    def __repr__(self) -> str:
        return "anything"


ANYTHING = Anything()


def step(state: Any, operation: Operation) -> Any:
    """read -> value; write value; cas [expected, new]; miss [expected, new]: one that saw another."""
    f, argument = operation.f, operation.argument
    if f == "read":
        seen = operation.crashed or operation.result is ANYTHING or operation.result == state
        return state if seen else IMPOSSIBLE
    if f == "write":
        return argument
    expected, new = argument
    if f == "miss":
        return IMPOSSIBLE if state == expected else state
    return new if state == expected else state if operation.crashed else IMPOSSIBLE


def produces(operation: Operation) -> Sequence[Hashable]:
    if operation.f == "write":
        return (operation.argument,)
    return (operation.argument[1],) if operation.f == "cas" else ()


def observes(operation: Operation) -> Sequence[Hashable] | None:
    if operation.f == "read":
        return () if operation.crashed or operation.result is ANYTHING else (operation.result,)
    if operation.f == "miss":
        return None
    return (operation.argument[0],) if operation.f == "cas" else ()


def effects(operations: Sequence[Operation]) -> list[Effect]:
    return sources.effects(operations, produces, observes)


def needless(operations: Sequence[Operation]) -> Collection[int]:
    return sources.needless(operations, produces, observes)


def zones(operations: Sequence[Operation], initial: Hashable = None) -> Decision | None:
    """Unique values, decided in linear time (checkers/linear/zones.py)."""
    from checkers.linear import zones as algorithm

    return algorithm.zones(operations, initial)


REGISTER = Model(
    "register",
    "reads and writes of one value",
    None,
    step,
    functions=frozenset({"read", "write"}),
    reads=frozenset({"read"}),
    blind=frozenset({"write"}),
    produces=produces,
    observes=observes,
    algorithms=(zones,),
    compiled=True,
    effects=effects,
    needless=needless,
)
CAS_REGISTER = Model(
    "cas-register",
    "reads, writes and compare-and-sets of one value",
    None,
    step,
    functions=frozenset({"read", "write", "cas", "miss"}),
    reads=frozenset({"read", "miss"}),
    blind=frozenset({"write"}),
    produces=produces,
    observes=observes,
    algorithms=(zones,),
    compiled=True,
    effects=effects,
    needless=needless,
)
