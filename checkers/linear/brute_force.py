"""Every order there is: far too slow for a real history, and too simple to be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkers.linear.operations import IMPOSSIBLE, Model, Operation

# Ten operations all at once have 3.6 million orders.
MOST_OPERATIONS = 10


def brute_force(model: Model, operations: Sequence[Operation]) -> bool:
    """Whether the operations are linearizable, by trying every order of effect that real time allows. An
    operation that returned takes effect; one that crashed may or may not.

    Raises ValueError for more than MOST_OPERATIONS operations.
    """
    if len(operations) > MOST_OPERATIONS:
        raise ValueError(
            f"{len(operations)} operations have too many orders to try them all;"
            f" brute force takes at most {MOST_OPERATIONS}"
        )
    return _explained(model, model.initial, tuple(operations))


def _explained(model: Model, state: Any, left: tuple[Operation, ...]) -> bool:
    if all(operation.crashed for operation in left):
        return True
    for position, operation in enumerate(left):
        others = left[:position] + left[position + 1 :]
        if any(other.returned < operation.invoked for other in others):
            continue
        after = model.step(state, operation)
        if after is not IMPOSSIBLE and _explained(model, after, others):
            return True
    return False
