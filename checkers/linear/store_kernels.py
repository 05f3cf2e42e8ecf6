"""Configurations of a search: kept where none makes them needless, and stepped on."""

from __future__ import annotations

from typing import Any

from checkers.compiled import njit
from checkers.linear.search_layout import (
    AFTER,
    BESIDES,
    CAS,
    CLASSES,
    CONTROL,
    FIELD_WORDS,
    GONE,
    HEAD,
    IMPOSSIBLE,
    KIND,
    MISS,
    NEED_CLASS,
    NEED_STATE,
    NEXT,
    NODE,
    NONE,
    READ,
    ROW,
    ROWS,
    SLOT,
    SPARE,
    STAMP,
    STAMP_OF,
    STEP_OF,
    UNSEEN,
    USED,
    WORDS,
    WRITE,
    A,
    B,
)


@njit(cache=True)
def has(data: Any, row: Any, op: int) -> bool:
    """Whether an open operation took effect."""
    slot = data[SLOT, op]
    return bool(row[1 + (slot >> 6)] >> (slot & 63) & 1)


@njit(cache=True)
def _dominates(data: Any, one: Any, other: Any) -> bool:
    """Whether `one`, equal to `other` in state and effects, can do all that it can: it has marked at least
    its writes, and used no more crashed operations of any class."""
    words = data[CONTROL, WORDS]
    for w in range(1 + words, 1 + 2 * words):
        if other[w] & ~one[w]:
            return False
    for w in range(data[CONTROL, FIELD_WORDS]):
        spare = data[SPARE, w]
        if ((other[1 + 2 * words + w] | spare) - one[1 + 2 * words + w]) & spare != spare:
            return False
    return True


@njit(cache=True)
def _find(data: Any, rows: Any, heads: Any, store: int, row: Any) -> int:
    """Where the chain of rows with the same state and effects begins, or would begin."""
    key = 1 + data[CONTROL, WORDS]
    hashed = 1469598103934665603
    for i in range(key):
        hashed = (hashed ^ row[i]) * 7046029254386353131
        hashed ^= hashed >> 29
    mask = heads.shape[2] - 1
    at = hashed & mask
    while heads[store, STAMP_OF, at] == data[CONTROL, STAMP]:
        head = heads[store, HEAD, at]
        same = True
        for i in range(key):
            if rows[store, head, i] != row[i]:
                same = False
                break
        if same:
            break
        at = (at + 1) & mask
    return int(at)


@njit(cache=True)
def add(data: Any, rows: Any, heads: Any, store: int, node: int, used: int) -> bool:
    """Adds the configuration in data[ROW], unless another makes it needless. False where the store is
    full."""
    row = data[ROW]
    at = _find(data, rows, heads, store, row)
    head = heads[store, HEAD, at] if heads[store, STAMP_OF, at] == data[CONTROL, STAMP] else NONE
    other = head
    while other != NONE:
        if rows[store, other, GONE] == 0:
            if _dominates(data, rows[store, other], row):
                return True
            if _dominates(data, row, rows[store, other]):
                rows[store, other, GONE] = 1
        other = rows[store, other, NEXT]
    count = data[CONTROL, ROWS + store]
    if count == rows.shape[1]:
        return False
    for i in range(rows.shape[2] - BESIDES):
        rows[store, count, i] = row[i]
    rows[store, count, NODE], rows[store, count, NEXT] = node, head
    rows[store, count, GONE], rows[store, count, USED] = 0, used
    heads[store, HEAD, at], heads[store, STAMP_OF, at] = count, data[CONTROL, STAMP]
    data[CONTROL, ROWS + store] = count + 1
    return True


@njit(cache=True)
def _slot_of(steps: Any, key: int) -> int:
    mask = steps.shape[1] - 1
    at = (key * 7046029254386353131 >> 20) & mask
    while steps[STEP_OF, at] != NONE and steps[STEP_OF, at] != key:
        at = (at + 1) & mask
    return int(at)


@njit(cache=True)
def learn(steps: Any, key: int, after: int) -> None:
    """Enters a step into the table, which must have room."""
    at = _slot_of(steps, key)
    steps[STEP_OF, at], steps[AFTER, at] = key, after


@njit(cache=True)
def step(data: Any, steps: Any, state: int, cls: int) -> int:
    kind, a = data[KIND, cls], data[A, cls]
    if kind == WRITE:
        return int(a)
    if kind == READ:
        return state if state == a else IMPOSSIBLE
    if kind == CAS:
        return int(data[B, cls]) if state == a else IMPOSSIBLE
    if kind == MISS:
        return state if state != a else IMPOSSIBLE
    at = _slot_of(steps, state * data[CONTROL, CLASSES] + cls)
    if steps[STEP_OF, at] != NONE:
        return int(steps[AFTER, at])
    data[CONTROL, NEED_STATE], data[CONTROL, NEED_CLASS] = state, cls
    return UNSEEN
