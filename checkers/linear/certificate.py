"""Checks a linearization by the definition alone (Herlihy and Wing 1990), whatever found it."""

from __future__ import annotations

from collections.abc import Sequence

from checkers.linear.operations import IMPOSSIBLE, Model, Operation


def verify(model: Model, operations: Sequence[Operation], order: Sequence[int]) -> str | None:
    """None where `order` (positions in `operations`) proves them linearizable; else what is wrong with it.

    A proof holds every operation that returned once and every one that crashed at most once, puts none
    before another that had returned when it was invoked, and every step is possible from the initial state.
    """
    taken = [False] * len(operations)
    latest: Operation | None = None
    state = model.initial
    for position in order:
        if not 0 <= position < len(operations):
            return f"position {position} is none of the {len(operations)} operations"
        operation = operations[position]
        name = f"{operation.f} {operation.index}"
        if taken[position]:
            return f"{name} takes effect twice"
        taken[position] = True
        if latest is not None and operation.returned < latest.invoked:
            return f"{name} had returned before {latest.f} {latest.index} was invoked, yet comes after it"
        if latest is None or operation.invoked > latest.invoked:
            latest = operation
        state = model.step(state, operation)
        if state is IMPOSSIBLE:
            return f"{name} cannot have had its result where it stands in the order"
    for position, operation in enumerate(operations):
        if not taken[position] and not operation.crashed:
            return f"{operation.f} {operation.index} returned, yet never takes effect"
    return None
