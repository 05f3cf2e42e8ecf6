"""Keys that hold texts or other values: get, put, append to a text, and compare-and-set."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import replace
from typing import Any

from checkers.linear.operations import IMPOSSIBLE, Decision, Effect, Model, Operation
from checkers.linear.texts import texts
from checkers.models import sources
from checkers.models.register import ANYTHING, zones
from checkers.models.register import step as register_step

# Any text that nobody got, nor got the beginning of: what is appended to it is such a text, too.
LOST: Any = object()


def step(state: Any, operation: Operation) -> Any:
    """get -> value, where "" and nil both mean that nothing is there; put value; append text; a
    register's."""
    f = operation.f
    if state is LOST and f in ("get", "append"):
        return LOST if f == "append" or operation.crashed else IMPOSSIBLE
    if f == "get":
        seen = operation.crashed or operation.result is ANYTHING or there(operation.result) == there(state)
        return state if seen else IMPOSSIBLE
    if f == "put":
        return operation.argument
    if f == "append":
        return ("" if state is None else state) + operation.argument
    return register_step(state, operation)


def there(value: Any) -> Any:
    """A key's value: no text is nothing."""
    return None if value == "" else value


def _effects(operations: Sequence[Operation]) -> list[Effect]:
    """As a register's, where nobody appends. Otherwise a text that was seen was put together from a first one
    and from appended ones, each of which it contains (as it does the empty one, and so nil's), so it hangs on
    all that wrote or appended such a text. What else was written had been overwritten before."""
    if not any(op.f == "append" for op in operations):
        return sources.effects(operations, _produced, _observed)
    produced = [_produced(op) for op in operations]
    parts = {name for names in produced for name in names}
    lengths = sorted({len(part) for part in parts if isinstance(part, str)})
    return [
        (names, _contained(_observed(op), parts, lengths))
        for op, names in zip(operations, produced, strict=True)
    ]


def _settle(operations: Sequence[Operation]) -> Callable[[Any], Any]:
    got = sorted({str(op.result or "") for op in operations if op.f == "get" and not op.crashed})
    told_apart = any(op.f not in ("get", "put", "append") for op in operations)

    def settled(state: Any) -> Any:
        if told_apart or not isinstance(state, str | None):
            return state
        at = bisect_left(got, state or "")
        return state if at < len(got) and got[at].startswith(state or "") else LOST

    return settled


def _zones(operations: Sequence[Operation]) -> Decision | None:
    """As a register, where nobody appends. A compare-and-set tells nil and an empty text apart, so it is left
    to a search where there is an empty one."""
    if any(operation.argument == "" or operation.result == "" for operation in operations):
        if any(operation.f not in ("get", "put") for operation in operations):
            return None
        operations = [replace(op, argument=there(op.argument), result=there(op.result)) for op in operations]
    return zones(operations)


def _needless(operations: Sequence[Operation]) -> Collection[int]:
    if any(op.f == "append" for op in operations):
        return ()
    return sources.needless(operations, _produced, _observed)


def _produced(operation: Operation) -> Sequence[Hashable]:
    if operation.f in ("put", "write", "append"):
        return (there(operation.argument),)
    return (there(operation.argument[1]),) if operation.f == "cas" else ()


def _observed(operation: Operation) -> Sequence[Hashable] | None:
    if operation.f == "miss":
        return None
    if operation.f == "cas":
        return (there(operation.argument[0]),)
    looks = operation.f in ("get", "read") and not operation.crashed and operation.result is not ANYTHING
    return (there(operation.result),) if looks else ()


def _contained(
    seen: Sequence[Hashable] | None, parts: Collection[Hashable], lengths: Sequence[int]
) -> Sequence[Hashable] | None:
    if not seen:
        return seen
    names = {None, *seen}
    for text in seen:
        if isinstance(text, str):
            pieces = (
                text[start : start + length] for length in lengths for start in range(len(text) - length + 1)
            )
            names.update(piece for piece in pieces if piece in parts)
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
    needless=_needless,
    settle=_settle,
    keyed=True,
    algorithms=(texts, _zones),
    compiled=True,
)
