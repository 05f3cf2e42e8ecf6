"""A register's search in depth, compiled. `depth_first.py` says what is searched and why it is sound."""

from __future__ import annotations

from typing import Any

from checkers.compiled import leaf, njit
from checkers.linear.depth_first_layout import (
    BEFORE,
    BLOCKED,
    BUDGET,
    CAS,
    CLASS,
    COUNT,
    COUNTS,
    DONE,
    EFFECTS,
    FIELD,
    FULL,
    FURTHEST,
    INVOKED,
    KIND,
    LEFT,
    LIMIT,
    LISTED,
    LISTED_COUNT,
    MARKS,
    MISS,
    NONE,
    OPERATION,
    PARENT,
    POSITION,
    READ,
    RETURNED,
    SHIFT,
    SLOT,
    STATE,
    STOP,
    STOPPED,
    SWAPPERS,
    TOP,
    TRIED,
    UNTRIED,
    UNTRIED_LISTED,
    VISITED,
    WORD,
    WRITE,
    A,
    B,
)
from checkers.linear.depth_first_tables_kernels import find, go_past, lowest


@leaf
def _absorb(values: Any, now: Any, here: Any) -> None:
    """What only looks, and would see what it saw, takes effect; a write of what is there is marked."""
    state = here[STATE]
    here[EFFECTS] |= values[state, READ] | (now[MISS] & ~values[state, MISS])
    here[MARKS] |= values[state, WRITE] & ~here[EFFECTS]


@leaf
def _go_on(events: Any, operations: Any, classes: Any, values: Any, now: Any, here: Any) -> bool:
    """Goes on as far as nothing is to be chosen, which is up to the return of an operation that did not take
    effect, nor was marked as one that nobody looks for. False at the end."""
    for at in range(here[POSITION], events.size):
        event = events[at]
        if event & 1:
            _absorb(values, now, here)
            op = event >> 1
            cls, bit = operations[op, CLASS], 1 << operations[op, SLOT]
            if not here[EFFECTS] & bit:
                a = classes[cls, A]
                looked_for = values[a, LEFT + READ] + values[a, LEFT + CAS] + now[LEFT + MISS] > 0
                if looked_for or not here[MARKS] & bit:
                    here[POSITION] = at
                    return True
            here[EFFECTS] &= ~bit
            here[MARKS] &= ~bit
        go_past(operations, classes, values, now, event, 1)
    here[POSITION] = events.size
    return False


@leaf
def _go_back(
    events: Any, operations: Any, classes: Any, values: Any, now: Any, here: Any, rows: Any, row: int
) -> None:
    for at in range(here[POSITION] - 1, rows[row, POSITION] - 1, -1):
        go_past(operations, classes, values, now, events[at], -1)
    for i in range(here.size):
        here[i] = rows[row, i]


@leaf
def _needless(here: Any, spare: Any, rows: Any, row: int) -> bool:
    """Whether a row at the same event, with equal state and effects, can do all that is possible from here:
    it has marked no fewer writes, and used no more crashed operations of any class."""
    needless = here[MARKS] & ~rows[row, MARKS] == 0
    for w in range(COUNTS, spare.size):
        needless &= ((here[w] | spare[w]) - rows[row, w]) & spare[w] == spare[w]
    return bool(needless)


@leaf
def _remember(values: Any, now: Any, here: Any, spare: Any, rows: Any, heads: Any) -> bool:
    """Enters the configuration, which must have room. False where one that was entered before can do all that
    it can. A value that nobody will look for is like any other such."""
    state = here[STATE]
    if values[state, LEFT + READ] + values[state, LEFT + CAS] + values[state, LEFT + MISS] == 0:
        here[STATE] = values.shape[0] - 1
    at = find(rows, heads, here)
    other = heads[at]
    while other != NONE:
        if _needless(here, spare, rows, other):
            return False
        other = rows[other, BEFORE]
    row = now[COUNT]
    here[BEFORE], here[PARENT] = heads[at], now[TOP]
    for i in range(here.size):
        rows[row, i] = here[i]
    heads[at] = now[TOP] = row
    now[COUNT] = row + 1
    return True


@leaf
def _worth(classes: Any, values: Any, now: Any, here: Any, last: int, value: int, bit: int) -> bool:
    """Whether it may be of use that `value` is left before an operation of the class `last` returns: somebody
    waits to see it, or it is there already and other open writes may go unseen before it. What waits to see
    anything but what is there can wait on, until it returns, or until another write of what is there does, to
    which the value would give way."""
    state, effects = here[STATE], here[EFFECTS]
    if value == state:
        return bool(now[WRITE] & ~effects & ~here[MARKS] & ~bit)
    if values[value, SWAPPERS] > 0 or (values[value, READ] | values[value, CAS]) & ~effects:
        return True
    kind = classes[last, KIND]
    urgent = kind == MISS or (kind == WRITE and classes[last, A] == state)
    return urgent and bool(now[MISS] & ~values[value, MISS] & ~effects)


@leaf
def _is_first(operations: Any, now: Any, op: int, equal: int) -> bool:
    """Whether none of these open operations is equal and returns earlier: then the two could be exchanged."""
    while equal:
        other = now[OPERATION + lowest(equal)]
        equal &= equal - 1
        if (
            operations[other, CLASS] == operations[op, CLASS]
            and operations[other, RETURNED] < operations[op, RETURNED]
        ):
            return False
    return True


@leaf
def _untried(operations: Any, classes: Any, values: Any, now: Any, here: Any, returning: int) -> int:
    """Which open operations may take effect next."""
    state, last, found = here[STATE], operations[returning, CLASS], 0
    left = (now[WRITE] | values[state, CAS]) & ~here[EFFECTS]
    while left:
        bit = left & -left
        left ^= bit
        op = now[OPERATION + lowest(bit)]
        cls = operations[op, CLASS]
        kind, a = classes[cls, KIND], classes[cls, A]
        must = kind == CAS or (op == returning and a != state)
        if (must or _worth(classes, values, now, here, last, a, bit)) and _is_first(
            operations, now, op, values[a, kind] & ~here[EFFECTS]
        ):
            found |= bit
    return found


@leaf
def _best(operations: Any, classes: Any, now: Any, untried: int, returning: int) -> int:
    """Of these open operations the one to try first: that which returns, one that leaves what it looks for, a
    compare-and-set, since a write may yet go unseen."""
    last = operations[returning, CLASS]
    wanted = classes[last, A] if classes[last, KIND] in (READ, CAS) else NONE
    best, most = NONE, NONE
    while untried:
        op = now[OPERATION + lowest(untried)]
        untried &= untried - 1
        cls = operations[op, CLASS]
        swaps = classes[cls, KIND] == CAS
        left = classes[cls, B if swaps else A]
        points = 4 * (op == returning) + 2 * (left == wanted) + swaps
        if points > most:
            best, most = op, points
    return int(best)


@leaf
def _next_crashed(
    operations: Any, classes: Any, values: Any, now: Any, here: Any, last: int, begin: int
) -> int:
    """From which listed class on one crashed operation may take effect next; NONE: there is none. Of equal
    ones those that returned come first."""
    for i in range(begin, now[LISTED_COUNT]):
        cls = classes[i, LISTED]
        kind, a = classes[cls, KIND], classes[cls, A]
        left = a if kind == WRITE else classes[cls, B]
        if here[classes[cls, WORD]] >> classes[cls, SHIFT] & classes[cls, FIELD] >= classes[cls, INVOKED]:
            continue
        if kind == CAS and (a != here[STATE] or left == a):
            continue
        equal, found = values[a, kind] & ~here[EFFECTS], False
        while equal and not found:
            found = operations[now[OPERATION + lowest(equal)], CLASS] == cls
            equal &= equal - 1
        if not found and _worth(classes, values, now, here, last, left, 0):
            return i
    return NONE


@leaf
def _take(classes: Any, now: Any, here: Any, cls: int, bit: int) -> None:
    """An operation takes effect; `bit` is 0 of a crashed one. All open writes may have done so before it."""
    if classes[cls, KIND] == WRITE:
        here[MARKS] |= now[WRITE] & ~here[EFFECTS]
        here[STATE] = classes[cls, A]
    else:
        here[STATE] = classes[cls, B]
    if bit == 0:
        here[classes[cls, WORD]] += 1 << classes[cls, SHIFT]
    here[EFFECTS] |= bit
    here[MARKS] &= ~bit


@leaf
def _try(
    events: Any, operations: Any, classes: Any, values: Any, now: Any, here: Any, rows: Any, row: int
) -> bool:
    """Goes from a row, which `here` equals, on to what is to be tried next there. False: nothing is left."""
    event = events[here[POSITION]]
    returning = event >> 1
    if here[UNTRIED_LISTED] == NONE:
        rows[row, UNTRIED_LISTED], rows[row, TRIED] = 0, NONE
        here[MARKS] &= ~(1 << operations[returning, SLOT])
        go_past(operations, classes, values, now, event, 1)
        here[POSITION] += 1
    elif here[UNTRIED]:
        op = _best(operations, classes, now, here[UNTRIED], returning)
        bit = 1 << operations[op, SLOT]
        rows[row, UNTRIED] ^= bit
        rows[row, TRIED] = op
        _take(classes, now, here, operations[op, CLASS], bit)
    else:
        last = operations[returning, CLASS]
        i = _next_crashed(operations, classes, values, now, here, last, here[UNTRIED_LISTED])
        if i == NONE:
            return False
        rows[row, UNTRIED_LISTED], rows[row, TRIED] = i + 1, -2 - classes[i, LISTED]
        _take(classes, now, here, classes[i, LISTED], 0)
    return True


@njit(cache=True, nogil=True)
def run(
    events: Any,
    operations: Any,
    classes: Any,
    values: Any,
    now: Any,
    spare: Any,
    here: Any,
    rows: Any,
    heads: Any,
) -> int:
    """DONE: there is an order, the tried ones from TOP back. BLOCKED: there is none. FULL: the rows are.
    BUDGET, STOPPED: enough for now. After the last three, `run` goes on where it was."""
    while _go_on(events, operations, classes, values, now, here):
        if now[COUNT] == rows.shape[0]:
            return FULL
        if now[STOP]:
            return STOPPED
        if now[VISITED] >= now[LIMIT]:
            return BUDGET
        now[VISITED] += 1
        now[FURTHEST] = max(now[FURTHEST], here[POSITION])
        if _remember(values, now, here, spare, rows, heads):
            row, returning = now[TOP], events[here[POSITION]] >> 1
            rows[row, UNTRIED] = _untried(operations, classes, values, now, here, returning)
            marked = here[MARKS] >> operations[returning, SLOT] & 1
            rows[row, UNTRIED_LISTED] = NONE if marked else 0
        while True:
            row = now[TOP]
            if row == NONE:
                return BLOCKED
            _go_back(events, operations, classes, values, now, here, rows, row)
            if _try(events, operations, classes, values, now, here, rows, row):
                break
            now[TOP] = rows[row, PARENT]
    return DONE
