"""What the classics share: which calls count, what came before what, and when two values are the same."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from checkers.history import Call, History, HistoryError, Op, order

# A number longer than this is no balance and no count; adding such up would only cost time.
_BITS = 4096


def acknowledged(calls: Iterable[Call], f: str) -> Iterator[tuple[Op, Op]]:
    """Invocation and completion of those that happened for certain."""
    for call in calls:
        if call.invoke.f == f and call.completion is not None and call.type == "ok":
            yield call.invoke, call.completion


def attempted(calls: Iterable[Call], f: str) -> Iterator[tuple[Op, Op | None]]:
    """Invocation of those that may have happened, with the completion of those that did for certain."""
    for call in calls:
        if call.invoke.f == f and call.type != "fail":
            yield call.invoke, call.completion if call.type == "ok" else None


def precedes(one: Op, other: Op) -> bool:
    return order(one) < order(other)


def is_recorded(history: History, read: Op) -> bool:
    """Whether the history says what an acknowledged read returned: some recorders leave nil in its place."""
    return read.value is not None or history.facts.get("nil_reads") != "unrecorded"


def named(op: Op) -> str:
    """Such as "add 12", by the index of its invocation."""
    return f"{op.f} {op.index}"


def identity(value: Any) -> Hashable:
    """Equal exactly where the JSON values are: 1, 1.0 and true are three, and a list is itself only in order.
    Raises HistoryError where a value cannot be compared."""
    if type(value) is int or type(value) is str:
        return value
    try:
        return "json", json.dumps(value, sort_keys=True, default=_members)
    except (TypeError, RecursionError):
        raise HistoryError("a value that cannot be compared: nested too deeply, or no JSON value") from None


def _members(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(str(identity(member)) for member in value)
    raise TypeError


def elements(op: Op) -> list[Any]:
    """What a read of a set, or a drain of a queue, returned; nil is none. Raises HistoryError."""
    if isinstance(op.value, list | tuple | set | frozenset):
        return list(op.value)
    if op.value is None:
        return []
    raise HistoryError(f"op {op.index}: {op.f} returned {op.value!r:.60}; expected a list of elements")


def number(op: Op, value: Any) -> int | float:
    """A number that can be added up. Raises HistoryError."""
    whole = type(value) is int and value.bit_length() <= _BITS
    # No other float is less than infinity away from zero: infinities are not, and nan is not comparable.
    if whole or (type(value) is float and abs(value) < float("inf")):
        return value  # type: ignore[no-any-return]
    shown = "a huge number" if type(value) is int else f"{value!r:.60}"
    raise HistoryError(f"op {op.index}: {op.f} has {shown} where a number was expected")


def whole_number(op: Op) -> int:
    """Raises HistoryError."""
    value = number(op, op.value)
    if isinstance(value, int):
        return value
    raise HistoryError(f"op {op.index}: {op.f} has {value} where a whole number was expected")
