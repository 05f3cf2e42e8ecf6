"""What a search needs before it begins, from flat arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.linear.search_layout import (
    BESIDES,
    CAP,
    CAS,
    CLASS_OF,
    CLASSES,
    CONTROL,
    CONTROLS,
    CRASHED,
    DATA_ROWS,
    EVENT,
    EVENTS,
    FIELD,
    FIELD_WORDS,
    FREE,
    FREE_COUNT,
    FRONTIER,
    HAS_MISSES,
    KIND,
    LIMIT,
    LISTED,
    LISTED_COUNT,
    LOOKERS,
    MISS,
    MISSERS,
    MISSES_LEFT,
    NEVER,
    NODE,
    NONE,
    RANK,
    READ,
    REMEMBERED,
    RETURNED,
    ROWS,
    SHIFT,
    SLACK,
    SPARE,
    VALUES,
    WORD,
    WORDS,
    WRITE,
    A,
    B,
)


@njit(cache=True)
def _matters(kind: Any, a: Any, b: Any, returned: Any, values: int) -> Any:
    """Which operations matter. A crashed one does where somebody may look for what it left, or where somebody
    saw that something was not there."""
    kept = np.ones(kind.size, np.bool_)
    lookers = np.zeros(values, np.int64)
    missed = False
    for i in range(kind.size):
        missed |= kind[i] == MISS
        if returned[i] >= NEVER and (kind[i] in (READ, MISS) or (kind[i] == CAS and a[i] == b[i])):
            kept[i] = False
        elif kind[i] in (READ, CAS):
            lookers[a[i]] += 1
    again = not missed
    while again:
        again = False
        for i in range(kind.size):
            if kept[i] and returned[i] >= NEVER and lookers[a[i] if kind[i] == WRITE else b[i]] == 0:
                kept[i] = False
                if kind[i] == CAS:
                    lookers[a[i]] -= 1
                    again = True
    return kept


@njit(cache=True)
def register_classes(kind: Any, a: Any, b: Any, returned: Any, values: int) -> Any:
    """Numbers a register's operations by class of equal ones: (the class of each, NONE where it does not
    matter; and of each class its kind, a and b)."""
    kept = _matters(kind, a, b, returned, values)
    size = 8
    while size < 2 * kind.size:
        size *= 2
    table = np.full(size, NONE, np.int64)
    class_of = np.full(kind.size, NONE, np.int64)
    kinds, first, second = (
        np.empty(kind.size, np.int64),
        np.empty(kind.size, np.int64),
        np.empty(kind.size, np.int64),
    )
    count = 0
    for i in range(kind.size):
        if not kept[i]:
            continue
        what = READ if kind[i] == CAS and a[i] == b[i] else kind[i]
        other = b[i] if what == CAS else 0
        at = (((what * 1000003 + a[i]) * 1000003 + other) * 2654435761 >> 8) & (size - 1)
        while table[at] != NONE:
            c = table[at]
            if kinds[c] == what and first[c] == a[i] and second[c] == other:
                break
            at = (at + 1) & (size - 1)
        if table[at] == NONE:
            kinds[count], first[count], second[count] = what, a[i], other
            table[at] = count
            count += 1
        class_of[i] = table[at]
    return class_of, kinds[:count], first[:count], second[:count]


@njit(cache=True)
def _events(data: Any, class_of: Any, invoked: Any, returned: Any) -> int:
    """Enters the events; returns the greatest number of operations that are open at once."""
    ranks = 0
    for i in range(class_of.size):
        ranks = max(ranks, invoked[i] + 1, returned[i] + 1 if returned[i] < NEVER else 0)
    at_rank = np.full(ranks, NONE, np.int64)
    for i in range(class_of.size):
        if class_of[i] != NONE:
            at_rank[invoked[i]] = 2 * i
            if returned[i] < NEVER:
                at_rank[returned[i]] = 2 * i + 1
    count = now = most = 0
    for rank in range(ranks):
        event = at_rank[rank]
        if event == NONE:
            continue
        data[EVENT, count], data[RANK, count] = event, rank
        count += 1
        if event & 1:
            now -= 1
        elif returned[event >> 1] < NEVER:
            now += 1
            most = max(most, now)
    data[CONTROL, EVENTS] = count
    return int(most)


@njit(cache=True)
def _count(data: Any, class_of: Any, returned: Any) -> None:
    control = data[CONTROL]
    for i in range(class_of.size):
        cls = class_of[i]
        data[CLASS_OF, i], data[RETURNED, i] = cls, returned[i]
        if cls == NONE:
            continue
        if returned[i] >= NEVER:
            data[CRASHED, cls] += 1
        if data[KIND, cls] in (READ, CAS):
            data[LOOKERS, data[A, cls]] += 1
        elif data[KIND, cls] == MISS:
            data[MISSERS, data[A, cls]] += 1
            control[MISSES_LEFT] += 1
    control[HAS_MISSES] = control[MISSES_LEFT]


@njit(cache=True)
def _fields(data: Any) -> int:
    """Gives each class with crashed operations a field for their count, with a bit above it to spare; returns
    how many words they take."""
    word = shift = listed = 0
    for cls in range(data[CONTROL, CLASSES]):
        if data[CRASHED, cls] == 0:
            continue
        width = 2
        while data[CRASHED, cls] >> (width - 1):
            width += 1
        if shift + width > 64:
            word, shift = word + 1, 0
        data[WORD, cls], data[SHIFT, cls], data[FIELD, cls] = word, shift, (1 << (width - 1)) - 1
        data[LISTED, listed] = cls
        shift += width
        listed += 1
    data[CONTROL, LISTED_COUNT] = listed
    data[CONTROL, FIELD_WORDS] = word + 1 if listed else 0
    return int(data[CONTROL, FIELD_WORDS])


@njit(cache=True)
def prepare(
    class_of: Any, kinds: Any, a: Any, b: Any, invoked: Any, returned: Any, values: int, cap: int, limit: int
) -> Any:
    """(the data of a search that stands at its first event, the width of a row). Operations are in order of
    invocation."""
    n = class_of.size
    # The counts of crashed operations have at most 64 bits each, and the bits of open ones two for each.
    width = 8 + n // 32 + kinds.size
    data = np.zeros((DATA_ROWS, max(CONTROLS, 2 * n, values, width)), np.int64)
    control = data[CONTROL]
    control[CLASSES], control[VALUES], control[CAP], control[LIMIT] = kinds.size, values, cap, limit
    for cls in range(kinds.size):
        data[KIND, cls], data[A, cls], data[B, cls] = kinds[cls], a[cls], b[cls]
    most = _events(data, class_of, invoked, returned)
    _count(data, class_of, returned)
    control[WORDS] = max(1, (most + 63) // 64)
    control[FREE_COUNT] = most
    for slot in range(most):
        data[FREE, slot] = slot
    width = 1 + 2 * control[WORDS] + _fields(data) + BESIDES
    control[SLACK] = -1
    data[REMEMBERED, :width] = -1
    for i in range(control[LISTED_COUNT]):
        cls = data[LISTED, i]
        data[SPARE, data[WORD, cls]] |= (data[FIELD, cls] + 1) << data[SHIFT, cls]
    return data, width


@njit(cache=True)
def stores(capacity: int, width: int) -> Any:
    """Empty stores of configurations, and the chains in them."""
    size = 16
    while size < 2 * capacity:
        size *= 2
    return np.empty((3, capacity, width), np.int64), np.zeros((3, 2, size), np.int64)


@njit(cache=True)
def start(data: Any, rows: Any, initial: int) -> None:
    """Enters the one configuration that there is at first."""
    rows[FRONTIER, 0, :] = 0
    rows[FRONTIER, 0, 0], rows[FRONTIER, 0, NODE] = initial, NONE
    data[CONTROL, ROWS + FRONTIER] = 1
