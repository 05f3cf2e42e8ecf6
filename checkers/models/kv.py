"""Keys that hold texts or other values: get, put, append to a text, and compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Any

from checkers.linear.operations import IMPOSSIBLE, Effect, Model, Operation
from checkers.models.register import ANYTHING
from checkers.models.register import step as register_step


def step(state: Any, operation: Operation) -> Any:
    """get -> value, where "" and nil both mean nothing is there; put value; append text; a register's own."""
    f = operation.f
    if f == "get":
        seen = operation.crashed or (operation.result or None) == (state or None)
        return state if seen else IMPOSSIBLE
    if f == "put":
        return operation.argument
    if f == "append":
        return (state or "") + operation.argument
    return register_step(state, operation)


def _effects(operations: Sequence[Operation]) -> list[Effect]:
    """As a register, where nobody appends: who saw a value hangs on whoever may have put it there. A text that
    was seen was put together from a first one and from appended ones, each of which it contains; an empty one is
    contained in all, and so are nil's. What else was written had been overwritten before."""
    produced = [_produced(op) for op in operations]
    appends = any(op.f == "append" for op in operations)
    parts = {name for names in produced for name in names} if appends else set()
    lengths = sorted({len(part) for part in parts if isinstance(part, str)})
    return [
        (names, _observed(op, parts, lengths)) for op, names in zip(operations, produced, strict=True)
    ]


def _produced(operation: Operation) -> Sequence[Hashable]:
    if operation.f in ("put", "write", "append"):
        return (operation.argument or None,)
    return (operation.argument[1] or None,) if operation.f == "cas" else ()


def _observed(
    operation: Operation, parts: Collection[Hashable], lengths: Sequence[int]
) -> Sequence[Hashable] | None:
    if operation.f == "miss":
        return None
    if operation.f == "cas":
        seen = operation.argument[0]
    elif operation.f in ("get", "read") and not operation.crashed and operation.result is not ANYTHING:
        seen = operation.result
    else:
        return ()
    names = {seen or None, *((None,) if parts else ())}
    if isinstance(seen, str):
        names |= {
            seen[start : start + length]
            for length in lengths
            for start in range(len(seen) - length + 1)
            if seen[start : start + length] in parts
        }
    return tuple(names)


KV = Model(
    "kv",
    "keys of their own, each with get, put, append and compare-and-set",
    None,
    step,
    functions=frozenset({"get", "put", "append", "read", "write", "cas", "miss"}),
    reads=frozenset({"get", "read", "miss"}),
    blind=frozenset({"put", "write"}),
    effects=_effects,
    keyed=True,
)
