"""The search for a short circle of a certain shape, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.transactions.codes import ONWARD, RW

Array = Any

# Where edges that are anti-dependencies (RW) may stand beyond the first edge: nowhere; not next to each
# other, nor last, and at least once; right after the first, and then anywhere.
NOWHERE, APART, TOGETHER = 0, 1, 2
# A step's state: whether a wanted edge was taken; whether the last was RW (APART), or the second has been
# taken (TOGETHER); whether there was a second RW (APART).
STATES = 8
_GOT, _LAST, _TWO = 1, 2, 4


@njit(cache=True)
def _step(state: int, relation: int, plain: int, mode: int, wanted: int) -> int:
    """The state after an edge, or -1 where the shape does not allow it."""
    if relation & wanted:
        state |= _GOT
    if mode == TOGETHER and not state & _LAST:
        return state | _LAST if relation == RW else -1
    if relation == RW and mode != NOWHERE:
        if mode == APART:
            return -1 if state & _LAST else state | _LAST | _TWO
        return state
    if not relation & plain:
        return -1
    return state & ~_LAST if mode == APART else state


@njit(cache=True)
def _closes(state: int, mode: int, wanted: int) -> bool:
    if wanted and not state & _GOT:
        return False
    if mode == APART:
        return state & (_LAST | _TWO) == _TWO
    return mode == NOWHERE or state & _LAST != 0


@njit(cache=True)
def shortest_circle(  # noqa: PLR0912, PLR0915 — its queues are shared by all starts
    first: Array,
    targets: Array,
    relations: Array,
    passes: Array,
    starts: Array,
    opening: int,
    plain: int,
    mode: int,
    wanted: int,
    least: int,
    budget: int,
) -> tuple[Array, Array, int]:
    """The shortest circle from any of the starts whose first edge is an `opening` one and whose others are
    `plain`, or RW as `mode` allows, with a `wanted` one among them where that is not 0: its nodes, the start
    not repeated, and its edges' relations; empty where there is none. Breadth first from every start, until a
    circle of `least` edges is found or `budget` edges were looked at; the third result is how many were.
    Nodes that only pass edges on (`passes`) cost no length."""
    nodes = len(passes)
    stamp = np.zeros(nodes * STATES, np.int32)
    parent = np.empty(nodes * STATES, np.int32)
    via = np.empty(nodes * STATES, np.uint8)
    level = np.empty(nodes * STATES, np.int32)
    coming = np.empty(nodes * STATES, np.int32)
    walk = np.empty(0, np.int32)
    reasons = np.empty(0, np.uint8)
    best = nodes + 1
    spent = 0
    for number in range(len(starts)):
        start = starts[number]
        size = later = 0
        for e in range(first[start], first[start + 1]):
            if relations[e] & opening == 0:
                continue
            state = _GOT if relations[e] & wanted else 0
            if mode == APART:
                state |= _LAST
            code = targets[e] * STATES + state
            if stamp[code] != number + 1:
                stamp[code], parent[code], via[code] = number + 1, -1, relations[e]
                level[size] = code
                size += 1
        length = 1
        end = -1
        while size and length < best and end < 0:
            at = 0
            # Nodes that pass edges on come first, so that what they lead to is of this level too.
            for turn in range(2):
                at = 0
                while at < size and end < 0:
                    code = level[at]
                    at += 1
                    v, state = code // STATES, code % STATES
                    if passes[v] != (turn == 0):
                        continue
                    for e in range(first[v], first[v + 1]):
                        spent += 1
                        free = relations[e] == ONWARD
                        after = state if free else _step(state, relations[e], plain, mode, wanted)
                        if after < 0:
                            continue
                        w = targets[e]
                        if w == start:
                            if _closes(after, mode, wanted) and length + (0 if free else 1) < best:
                                end = code
                                best = length + (0 if free else 1)
                                last_relation = relations[e]
                                break
                            continue
                        code_after = w * STATES + after
                        if stamp[code_after] == number + 1:
                            continue
                        stamp[code_after] = number + 1
                        parent[code_after], via[code_after] = code, relations[e]
                        if free:
                            level[size] = code_after
                            size += 1
                        else:
                            coming[later] = code_after
                            later += 1
            level, coming = coming, level
            size, later = later, 0
            length += 1
            if spent > budget:
                break
        if end >= 0:
            steps = 1
            code = end
            while code >= 0:
                steps += 1
                code = parent[code]
            walk = np.empty(steps, np.int32)
            reasons = np.empty(steps, np.uint8)
            walk[0] = start
            reasons[steps - 1] = last_relation
            code = end
            for i in range(steps - 1, 0, -1):
                walk[i] = code // STATES
                reasons[i - 1] = via[code]
                code = parent[code]
        if best <= least or spent > budget:
            break
    return walk, reasons, spent
