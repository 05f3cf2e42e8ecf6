"""The operations of each object in a history, as its model understands them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, cast

from checkers.history import Call, HistoryError, Op, order
from checkers.linear.operations import NEVER, UNKNOWN, Model, Operation
from checkers.linear.values import frozen
from checkers.words import shown

# The one object of a history whose values carry no key.
ALONE = None
_ALIASES: dict[str, dict[str, str]] = {
    "register": {"get": "read", "put": "write"},
    "cas-register": {"get": "read", "put": "write"},
    "fetch-add": {"add": "fetch-add", "fetch-and-add": "fetch-add"},
    "mutex": {"lock": "acquire", "unlock": "release"},
    "fenced-mutex": {"lock": "acquire", "unlock": "release"},
}
_PAIRS = frozenset({"cas", "miss"})
_NUMBERS = frozenset({"counter", "fetch-add"})
# A refusal that tells what was seen: a compare-and-set's mismatch, and what found nothing to take.
_MISMATCH, _EMPTY = "mismatch", "empty"


def objects(
    model: Model, calls: Sequence[Call], *, keyed: bool | None = None, nil_is_unrecorded: bool = False
) -> dict[Hashable, list[Operation]]:
    """Each object's operations in order of invocation, by key; by ALONE where there is but one.

    keyed: whether values are [key, …]; None: as the model says, else as the history looks
    nil_is_unrecorded: a read of nil is one whose value the client did not record
    Raises HistoryError for an operation that the model does not know, or whose value has another shape.
    """
    if keyed is None:
        keyed = model.keyed if model.keyed is not None else _looks_keyed(calls)
    ranks = _ranks(calls)
    found: dict[Hashable, list[Operation]] = {}
    for call in calls:
        key, invoked, completed = _split(call, keyed)
        operation = _operation(model, call, invoked, completed, ranks)
        unrecorded = nil_is_unrecorded and operation is not None and operation.result is None
        if operation is None or (operation.f in model.reads and (operation.crashed or unrecorded)):
            continue
        found.setdefault(key, []).append(operation)
    return found


def _looks_keyed(calls: Sequence[Call]) -> bool:
    """Whether every value is a pair; of compare-and-sets, whose values are pairs without a key too, whether
    what comes second is one."""
    pairs = [call.invoke for call in calls if not (call.invoke.f == "cas" and _is_pair(call.invoke.value))]
    swaps = [call.invoke for call in calls if call.invoke.f == "cas"]
    return (
        bool(calls)
        and all(_is_pair(op.value) for op in pairs)
        and all(_is_pair(op.value) and _is_pair(op.value[1]) for op in swaps)
    )


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _ranks(calls: Iterable[Call]) -> Mapping[int, int]:
    """Each operation's place in the history's order, by index."""
    ops: list[Op] = []
    for call in calls:
        ops.append(call.invoke)
        if call.completion is not None and call.completion.type != "info":
            ops.append(call.completion)
    return {op.index: rank for rank, op in enumerate(sorted(ops, key=order))}


def _split(call: Call, keyed: bool) -> tuple[Hashable, Any, Any]:
    """(key, what was invoked, what completed) without the key."""
    completed: Any = call.completion.value if call.completion is not None else None
    if not keyed:
        return ALONE, call.invoke.value, completed
    if not _is_pair(call.invoke.value):
        raise HistoryError(
            f"op {call.invoke.index}: value {shown(call.invoke.value)}; expected [key, value], since the"
            " history is of many objects"
        )
    key, invoked = call.invoke.value
    return frozen(key), invoked, completed[1] if _is_pair(completed) else completed


def _operation(
    model: Model, call: Call, invoked: Any, completed: Any, ranks: Mapping[int, int]
) -> Operation | None:
    """None for what was refused, and so did not happen."""
    op, completion = call.invoke, call.completion
    f = _ALIASES.get(model.name, {}).get(op.f, op.f)
    if model.functions and f not in model.functions:
        raise HistoryError(
            f"op {op.index}: {op.f} is nothing that a {model.name} does; expected one of"
            f" {', '.join(sorted(model.functions))}"
        )
    if call.type == "fail":
        assert completion is not None  # or it would be an info
        if f == "cas" and completion.error == _MISMATCH:
            f, completed = "miss", invoked
        elif f in ("dequeue", "pop") and completion.error == _EMPTY:
            completed = None
        else:
            return None
    returned = completion if completion is not None and call.type != "info" else None
    try:
        argument = _argument(model, f, invoked)
        result = UNKNOWN if returned is None else _result(model, f, argument, completed)
    except ValueError as error:
        raise HistoryError(f"op {op.index}: {error}") from None
    return Operation(
        f,
        argument,
        result,
        ranks[op.index],
        NEVER if returned is None else ranks[returned.index],
        op.index,
        op.process if isinstance(op.process, int) else 0,
        returned.index if returned is not None else None,
        returned.witness if returned is not None else None,
    )


def _argument(model: Model, f: str, invoked: Any) -> Hashable:
    if f in model.reads - {"contains", "miss"} or f in ("dequeue", "pop", "acquire", "release"):
        return None
    if f in _PAIRS and model.functions:
        if not _is_pair(invoked):
            raise ValueError(f"{f} of {shown(invoked)}; expected [expected, new]")
        return frozen(invoked)
    if model.name in _NUMBERS:
        return _number(f, invoked)
    if f == "append" and model.name == "kv" and not isinstance(invoked, str):
        raise ValueError(f"append of {shown(invoked)} to a key; expected a text")
    return frozen(invoked)


def _result(model: Model, f: str, argument: Any, completed: Any) -> Any:
    if not model.functions:
        return frozen(completed)
    if f == "read":
        return _seen(model.name, completed)
    if f == "acquire" and model.name == "fenced-mutex":
        return _number(f, completed)
    if f not in ("fetch-add", "contains"):
        return frozen(completed)
    answer = completed[1] if _is_pair(completed) else completed  # with or without the argument
    if f == "fetch-add":
        return (argument, _number(f, answer))
    if not isinstance(answer, bool):
        raise ValueError(f"contains answered {shown(completed)}; expected true or false")
    return (argument, answer)


def _seen(name: str, completed: Any) -> Any:
    """What a read returned; None where it is nil."""
    if completed is None:
        return None
    if name in _NUMBERS:
        return _number("read", completed)
    if name not in ("append", "set"):
        return frozen(completed)
    if not isinstance(completed, (list, tuple)):
        raise ValueError(f"read answered {shown(completed)}; expected a list of elements")
    elements = cast("tuple[Hashable, ...]", frozen(completed))
    return elements if name == "append" else frozenset(elements)


def _number(f: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{f} with {shown(value)}; expected a whole number")
    return value
