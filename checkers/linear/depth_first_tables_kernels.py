"""The tables of a search in depth: made from columns, and kept true to the event that it stands at.

Columns are copied number by number: what else an assignment of arrays can do takes numba long to compile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import leaf, njit
from checkers.linear.depth_first_layout import (
    BEFORE,
    CAS,
    CLASS,
    CLASS_FIELDS,
    COUNTS,
    EFFECTS,
    FIELD,
    INVOKED,
    KIND,
    LEFT,
    LISTED,
    LISTED_COUNT,
    NEVER,
    NONE,
    NOW_FIELDS,
    OPERATION,
    POSITION,
    RETURNED,
    SHIFT,
    SLOT,
    SLOTS,
    STATE,
    SWAPPERS,
    TOP,
    VALUE_FIELDS,
    WORD,
    A,
    B,
)

# By powers of two, which differ in what is left of them by 67.
_NUMBERS = np.zeros(67, np.int64)
_NUMBERS[[(1 << bit) % 67 for bit in range(SLOTS)]] = np.arange(SLOTS)


@njit(cache=True)
def _order(class_of: Any, invoked: Any, returned: Any) -> Any:
    """The events: 2 * operation for an invocation, and one more for a return."""
    ranks = 0
    for i in range(class_of.size):
        ranks = max(ranks, invoked[i] + 1, returned[i] + 1 if returned[i] < NEVER else 0)
    at_rank = np.full(ranks, NONE, np.int64)
    for i in range(class_of.size):
        if class_of[i] != NONE:
            at_rank[invoked[i]] = 2 * i
            if returned[i] < NEVER:
                at_rank[returned[i]] = 2 * i + 1
    return at_rank[at_rank != NONE]


@njit(cache=True)
def _enter(class_of: Any, returned: Any, events: Any) -> Any:
    """(the operations, each with a slot that is free while it is open; whether there were enough slots)."""
    operations = np.empty((class_of.size, 3), np.int64)
    for i in range(class_of.size):
        operations[i, CLASS], operations[i, RETURNED] = class_of[i], returned[i]
    free, count = np.arange(SLOTS), SLOTS
    for event in events:
        op = event >> 1
        if event & 1:
            free[count] = operations[op, SLOT]
            count += 1
        elif returned[op] < NEVER:
            if count == 0:
                return operations, False
            count -= 1
            operations[op, SLOT] = free[count]
    return operations, True


@njit(cache=True)
def _crashed(operations: Any, classes: int) -> Any:
    found = np.zeros(classes, np.int64)
    for i in range(operations.shape[0]):
        if operations[i, CLASS] != NONE and operations[i, RETURNED] >= NEVER:
            found[operations[i, CLASS]] += 1
    return found


@njit(cache=True)
def _list_crashed(classes: Any, crashed: Any, now: Any) -> Any:
    """Gives each class with crashed operations a field for their count, with a bit above it to spare; returns
    those bits, in a configuration's layout."""
    word, shift = COUNTS, 0
    spare = np.zeros(COUNTS + 1 + crashed.size, np.int64)
    for cls in np.nonzero(crashed)[0]:
        width = 2
        while crashed[cls] >> (width - 1):
            width += 1
        if shift + width > 63:
            word, shift = word + 1, 0
        classes[cls, WORD], classes[cls, SHIFT], classes[cls, FIELD] = word, shift, (1 << (width - 1)) - 1
        classes[now[LISTED_COUNT], LISTED] = cls
        now[LISTED_COUNT] += 1
        spare[word] |= 1 << (shift + width - 1)
        shift += width
    return spare[: word + 1]


@njit(cache=True)
def tables(class_of: Any, kinds: Any, a: Any, b: Any, invoked: Any, returned: Any, count: int) -> Any:
    """(events, operations, classes, values, now, the bits to spare, the configuration at first, whether there
    were enough slots). The value 0 is the initial one; of `count`."""
    events = _order(class_of, invoked, returned)
    operations, enough = _enter(class_of, returned, events)
    classes = np.zeros((kinds.size, CLASS_FIELDS), np.int64)
    for cls in range(kinds.size):
        classes[cls, KIND], classes[cls, A], classes[cls, B] = kinds[cls], a[cls], b[cls]
    values, now = np.zeros((count + 1, VALUE_FIELDS), np.int64), np.zeros(NOW_FIELDS, np.int64)
    spare = _list_crashed(classes, _crashed(operations, kinds.size), now)
    for cls in class_of:
        if cls != NONE:
            values[a[cls], LEFT + kinds[cls]] += 1
            now[LEFT + kinds[cls]] += 1
    now[TOP] = NONE
    return events, operations, classes, values, now, spare, np.zeros(spare.size, np.int64), enough


@leaf
def go_past(operations: Any, classes: Any, values: Any, now: Any, event: int, by: int) -> None:
    """Past an event (`by` 1), or back to before it (-1)."""
    op = event >> 1
    cls = operations[op, CLASS]
    kind, a = classes[cls, KIND], classes[cls, A]
    if operations[op, RETURNED] >= NEVER:
        classes[cls, INVOKED] += by
        if kind == CAS:
            values[a, SWAPPERS] += by
        return
    slot = operations[op, SLOT]
    now[OPERATION + slot] = op
    values[a, kind] ^= 1 << slot
    now[kind] ^= 1 << slot
    if event & 1:
        values[a, LEFT + kind] -= by
        now[LEFT + kind] -= by


@leaf
def lowest(bits: int) -> int:
    """The number of the lowest bit that is set."""
    return int(_NUMBERS[(bits & -bits) % 67])


@njit(cache=True)
def room(capacity: int, width: int) -> Any:
    """(rows for so many configurations, the last row of each hash)."""
    size = 16
    while size < 2 * capacity:
        size *= 2
    return np.empty((capacity, width), np.int64), np.full(size, NONE, np.int64)


@leaf
def find(rows: Any, heads: Any, one: Any) -> int:
    """Where the rows of that position, state and effects begin, or would begin."""
    hashed = 1469598103934665603
    for i in (POSITION, STATE, EFFECTS):
        hashed = (hashed ^ one[i]) * 7046029254386353131
        hashed ^= hashed >> 29
    mask = heads.size - 1
    at = hashed & mask
    while heads[at] != NONE:
        row = heads[at]
        if (
            rows[row, POSITION] == one[POSITION]
            and rows[row, STATE] == one[STATE]
            and rows[row, EFFECTS] == one[EFFECTS]
        ):
            break
        at = (at + 1) & mask
    return int(at)


@njit(cache=True)
def more_room(rows: Any, count: int) -> Any:
    """Four times as much, with the rows there are."""
    wider, heads = room(4 * rows.shape[0], rows.shape[1])
    for row in range(count):
        for i in range(rows.shape[1]):
            wider[row, i] = rows[row, i]
        at = find(wider, heads, wider[row])
        wider[row, BEFORE], heads[at] = heads[at], row
    return wider, heads
