"""The order that a search found, from what took effect when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from checkers.linear.operations import NEVER
from checkers.linear.problems import Registers, Steps


def explained(problem: Registers | Steps, found: Iterable[tuple[int, int]]) -> list[int]:
    """Positions of operations in an order that explains them.

    `found` holds, in order, what changed the state for others to see: an operation, or -2 - the class of a
    crashed one, and the rank of the return that called for it. The rest finds its place here: what only
    looks, in the first state that shows what it saw; a write that nobody saw, right before one that took
    effect while it was open, or where it changes nothing.
    """
    from checkers.linear.search_layout import WRITE

    class_of, kinds, first, _ = problem.classes
    path = list(_named(problem, found))
    placed = {op for op, _ in path}
    before: dict[int, list[int]] = {}
    looks: dict[int, list[int]] = {}
    states = list(_states(problem, path))
    ends = [rank for _, rank in path] + [NEVER]  # ends[i]: when the state before path[i] was gone
    for op in range(len(class_of)):
        if class_of[op] < 0 or op in placed or problem.returned[op] >= NEVER:
            continue
        at = bisect_right(ends, problem.invoked[op])
        if kinds[class_of[op]] == WRITE:
            while states[at] != first[class_of[op]] and kinds[class_of[path[at][0]]] != WRITE:
                at += 1
            unseen = looks if states[at] == first[class_of[op]] else before
            unseen.setdefault(at, []).append(op)
        else:
            while not _shows(problem, states[at], op):
                at += 1
            looks.setdefault(at, []).append(op)
    order: list[int] = []
    for at in range(len(path) + 1):
        order += looks.get(at, ())
        order += before.get(at, ())
        if at < len(path):
            order.append(path[at][0])
    return order


def effects(trace: Any, node: int) -> list[tuple[int, int]]:
    """What a trace holds up to this entry, as `explained` takes it."""
    from checkers.linear.search_layout import AT_RANK, OP, PARENT

    found = []
    while node >= 0:
        found.append((int(trace[OP, node]), int(trace[AT_RANK, node])))
        node = int(trace[PARENT, node])
    return found[::-1]


def _named(problem: Registers | Steps, found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """With operations in place of classes: of crashed operations that are equal, those invoked first."""
    crashed: dict[int, Iterator[int]] = {}
    for op, rank in found:
        if op >= 0:
            yield op, rank
            continue
        cls = -2 - op
        if cls not in crashed:
            equal = np.nonzero((problem.classes[0] == cls) & (problem.returned >= NEVER))[0]
            crashed[cls] = iter(equal.tolist())
        yield next(crashed[cls]), rank


def _states(problem: Registers | Steps, path: list[tuple[int, int]]) -> Iterator[int]:
    """The state before each of the path's operations, and the last."""
    from checkers.linear.search_layout import WRITE

    class_of, kinds, first, second = problem.classes
    state = problem.initial
    yield state
    for op, _ in path:
        cls = class_of[op]
        if problem.values:
            state = int(first[cls] if kinds[cls] == WRITE else second[cls])
        else:
            state = problem.after(state, int(cls))
        yield state


def _shows(problem: Registers | Steps, state: int, op: int) -> bool:
    from checkers.linear.search_layout import READ

    class_of, kinds, first, _ = problem.classes
    cls = class_of[op]
    if problem.values:
        return bool((state == first[cls]) == (kinds[cls] == READ))
    return int(problem.after(state, int(cls))) >= 0
