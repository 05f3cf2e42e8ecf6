"""What can be said of any object: the operation that no order gets past, and the states that were possible
then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.linear.contradictions.telling import Scene, Told, all_named, did, said
from checkers.linear.operations import IMPOSSIBLE, Model, Operation

# Configurations, and operations, that are looked at before it is only said that there is no order.
_MOST_CONFIGURATIONS = 20_000
_MOST_OPERATIONS = 200
_STATES_TOLD = 6
KIND = "not-linearizable"


@dataclass(frozen=True)
class Impasse:
    """blocked: the first operation to return that no order explains; states: all that the object may have
    been in when it had to take effect."""

    blocked: Operation
    states: Sequence[Any]


def told(scene: Scene, operations: Sequence[Operation]) -> Told:
    """operations: the whole core, in order of invocation."""
    impasse = find(scene.model, operations)
    if impasse is None:
        return Told(
            KIND, f"no order explains these {len(operations)} operations: {all_named(operations, did)}"
        )
    others = [op for op in operations if op is not impasse.blocked]
    given = f", given that {all_named(others, did)}" if others else ""
    states = [_state(scene.model, state) for state in impasse.states[:_STATES_TOLD]]
    if len(impasse.states) > _STATES_TOLD:
        states.append(f"{len(impasse.states) - _STATES_TOLD} more")
    return Told(
        KIND,
        f"no order explains that {did(impasse.blocked)}{given}: whatever order of these agrees with"
        " everything"
        f" that had returned before, the {scene.model.name} can only have been {' or '.join(states)} when it"
        " took"
        " effect",
    )


def _state(model: Model, state: Any) -> str:
    if model.name == "mutex":
        return "held" if state else "free"
    if model.name == "fenced-mutex":
        holder, token = state
        held = "free" if holder is None else f"held by process {holder}"
        return f"{held} with {'no token' if token < 0 else f'the token {token}'} given out last"
    return said(state)


def find(model: Model, operations: Sequence[Operation]) -> Impasse | None:
    """None where the operations have an order, or too many to tell.

    A search as wide as all orders at once (Lowe, "Testing for linearizability", 2017, just in time): at every
    return, all ways to have had that operation take effect by then.
    """
    if len(operations) > _MOST_OPERATIONS:
        return None
    budget = _MOST_CONFIGURATIONS
    # A configuration is a state, and which of the operations begun have taken effect.
    frontier: dict[tuple[Any, frozenset[int]], None] = {(model.initial, frozenset()): None}
    for at, begun in _returns(operations):
        seen = dict(frontier)
        waiting = list(frontier)
        after: dict[tuple[Any, frozenset[int]], None] = {}
        while waiting:
            state, done = waiting.pop()
            if at in done:
                after[state, done] = None
                continue
            budget -= 1
            if budget < 0:
                return None
            for other in begun:
                following = model.step(state, operations[other]) if other not in done else IMPOSSIBLE
                configuration = (following, done | {other})
                if following is not IMPOSSIBLE and configuration not in seen:
                    seen[configuration] = None
                    waiting.append(configuration)
        if not after:
            return Impasse(operations[at], list(dict.fromkeys(state for state, _ in seen)))
        frontier = after
    return None


def _returns(operations: Sequence[Operation]) -> Iterator[tuple[int, list[int]]]:
    """Every return in order of time, with all that had begun by then."""
    returned = sorted((op.returned, at) for at, op in enumerate(operations) if not op.crashed)
    for rank, at in returned:
        yield at, [other for other, op in enumerate(operations) if op.invoked < rank]
