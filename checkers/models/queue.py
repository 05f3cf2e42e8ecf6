"""A first-in, first-out queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from checkers.linear.fifo import fifo
from checkers.linear.operations import IMPOSSIBLE, Effect, Model, Operation


def step(state: Any, operation: Operation) -> Any:
    """enqueue element; dequeue -> the oldest element, or None where there is none."""
    if operation.f == "enqueue":
        return (*state, operation.argument)
    if operation.crashed:
        return state[1:]
    return state[1:] if operation.result == (state[0] if state else None) else IMPOSSIBLE


def effects(operations: Sequence[Operation], brings: str = "enqueue") -> list[Effect]:
    """An element leaves with everything that brought or took it, and the rest of the queue, or of a stack,
    moves up: whatever was first, or last, still is, and what was empty still is. An empty answer changed
    nothing. What a crashed call took nobody can say: it stays. So does an empty answer where nil is an
    element, too."""
    has_nil = any(op.f == brings and op.argument is None for op in operations)
    return [_effect(op, brings, has_nil) for op in operations]


def _effect(operation: Operation, brings: str, has_nil: bool) -> Effect:
    if operation.f == brings:
        return (operation.argument,), (operation.argument,)
    if operation.crashed:
        return None, ()
    if operation.result is None:
        return (None, (None,)) if has_nil else ((), ())
    return (operation.result,), (operation.result,)


def needless(operations: Sequence[Operation], brings: str = "enqueue") -> Collection[int]:
    """A crashed call takes, if anything, an element that no other call took. Where there are more of them
    than of such elements, those invoked first will do: they can do all that the later ones can."""
    brought = Counter(op.argument for op in operations if op.f == brings)
    if None in brought:
        return ()
    taken = Counter(op.result for op in operations if op.f != brings and not op.crashed)
    crashed = [at for at, op in enumerate(operations) if op.f != brings and op.crashed]
    crashed.sort(key=lambda at: operations[at].invoked)
    return crashed[(brought - taken).total() :]


QUEUE = Model(
    "queue",
    "a first-in, first-out queue: enqueue and dequeue",
    (),
    step,
    functions=frozenset({"enqueue", "dequeue"}),
    produces=lambda operation: (operation.argument,) if operation.f == "enqueue" else (),
    observes=lambda operation: (
        (operation.result,)
        if operation.f == "dequeue" and not operation.crashed and operation.result is not None
        else ()
    ),
    effects=effects,
    needless=needless,
    algorithms=(fifo,),
)
