"""The search for an order, compiled. `search.py` says what is searched and why it is sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.linear.search_layout import (
    AT_RANK,
    AVAILABLE,
    BESIDES,
    BLOCKED,
    BUDGET,
    CAP,
    CAS,
    CERTIFY,
    CLASS_OF,
    CONTROL,
    CRASHED,
    CRASHED_LOOKERS,
    CURSOR,
    DONE,
    EVENT,
    EVENTS,
    FIELD,
    FIELD_WORDS,
    FORGOTTEN,
    FREE,
    FREE_COUNT,
    FRONTIER,
    FULL,
    GONE,
    HAS_MISSES,
    IMPOSSIBLE,
    KIND,
    LEAST,
    LIMIT,
    LISTED,
    LISTED_COUNT,
    LOOK,
    LOOKERS,
    MISS,
    MISSERS,
    MISSES_LEFT,
    NEED,
    NEVER,
    NODE,
    NODES,
    NONE,
    OP,
    OPEN,
    OPEN_COUNT,
    OPEN_LOOKERS,
    OPEN_MISSES,
    PARENT,
    POSITION,
    RANK,
    REACHED,
    READ,
    REMEMBERED,
    RETURNED,
    ROW,
    ROWS,
    SEEN,
    SHIFT,
    SLACK,
    SLOT,
    STAMP,
    STEP,
    STOP,
    STOPPED,
    TRIED,
    TRUNCATED,
    TURN,
    UNSEEN,
    USED,
    VALUES,
    VISITED,
    WORD,
    WORDS,
    WRITE,
    WRITES,
    A,
    B,
)
from checkers.linear.store_kernels import add, has, step


@njit(cache=True)
def _only_looks(kind: int) -> bool:
    return kind in (READ, MISS, LOOK)


@njit(cache=True)
def _absorb(data: Any, steps: Any) -> bool:
    """What only looks, and would see what it saw, takes effect: no other time is better. A write of what is
    there
    already is marked: it may take effect here. False where the step is not known."""
    row, words = data[ROW], data[CONTROL, WORDS]
    for i in range(data[CONTROL, OPEN_COUNT]):
        op = data[OPEN, i]
        cls = data[CLASS_OF, op]
        at, bit = 1 + (data[SLOT, op] >> 6), 1 << (data[SLOT, op] & 63)
        if row[at] & bit:
            continue
        if data[KIND, cls] == WRITE and data[A, cls] == row[0]:
            row[words + at] |= bit
        elif _only_looks(data[KIND, cls]):
            after = step(data, steps, row[0], cls)
            if after == UNSEEN:
                return False
            if after != IMPOSSIBLE:
                row[at] |= bit
    return True


@njit(cache=True)
def _awaited(data: Any, row: Any, returning: int, value: int) -> bool:
    """Whether an open operation waits to see this value, or a crashed compare-and-set may. What waits to see
    anything but the value that is there can wait on: until it returns, or until another write of what is
    there does, to which the value would give way."""
    if data[CRASHED_LOOKERS, value] > 0:
        return True
    last = data[CLASS_OF, returning]
    urgent = data[KIND, last] == MISS or (data[KIND, last] == WRITE and data[A, last] == row[0])
    if data[OPEN_LOOKERS, value] == 0 and not (urgent and data[CONTROL, OPEN_MISSES] > 0):
        return False
    for i in range(data[CONTROL, OPEN_COUNT]):
        op = data[OPEN, i]
        cls = data[CLASS_OF, op]
        kind = data[KIND, cls]
        if kind == MISS:
            looks = urgent and data[A, cls] != value
        else:
            looks = kind in (READ, CAS) and data[A, cls] == value
        if looks and not has(data, row, op):
            return True
    return False


@njit(cache=True)
def _worth(data: Any, row: Any, returning: int, op: int, value: int) -> bool:
    """Whether it may be of use that a write takes effect before it must: somebody waits to see it; or it
    leaves what is there already, and other open writes may go unseen before it."""
    if value != row[0]:
        return bool(_awaited(data, row, returning, value))
    words = data[CONTROL, WORDS]
    for w in range(words):
        unmarked = data[WRITES, w] & ~row[1 + w] & ~row[1 + words + w]
        if op != NONE and data[SLOT, op] >> 6 == w:
            unmarked &= ~(1 << (data[SLOT, op] & 63))
        if unmarked:
            return True
    return False


@njit(cache=True)
def _push(
    data: Any, rows: Any, heads: Any, trace: Any, steps: Any, of: int, op: int, cls: int, after: int
) -> int:
    """Adds the configuration `of` after one more operation took effect; of a crashed one, `op` is NONE."""
    row, words, control = data[ROW], data[CONTROL, WORDS], data[CONTROL]
    used = rows[SEEN, of, USED] + (op == NONE)
    if control[SLACK] >= 0 and used > control[LEAST] + control[SLACK]:
        control[TRUNCATED] = 1
        return DONE
    for i in range(rows.shape[2] - BESIDES):
        row[i] = rows[SEEN, of, i]
    row[0] = after
    if data[KIND, cls] == WRITE:
        for w in range(words):
            row[1 + words + w] |= data[WRITES, w] & ~row[1 + w]
    if op == NONE:
        row[1 + 2 * words + data[WORD, cls]] += 1 << data[SHIFT, cls]
    else:
        bit = 1 << (data[SLOT, op] & 63)
        row[1 + (data[SLOT, op] >> 6)] |= bit
        row[1 + words + (data[SLOT, op] >> 6)] &= ~bit
    node = rows[SEEN, of, NODE]
    if control[CERTIFY]:
        at = control[NODES]
        if at == trace.shape[1]:
            return FULL
        trace[OP, at], trace[PARENT, at] = op if op != NONE else -2 - cls, node
        trace[AT_RANK, at] = data[RANK, control[POSITION]]
        control[NODES] = at + 1
        node = at
    if not _absorb(data, steps):
        return NEED
    return DONE if add(data, rows, heads, SEEN, node, used) else FULL


@njit(cache=True)
def _candidates(data: Any, row: Any, returning: int, found: Any) -> int:
    """Which effects may come next: operations, and -2 - class for a crashed one. Of equal operations the one
    that
    returns first, then a crashed one: any order that has them otherwise is as good with the two exchanged."""
    data[CONTROL, TURN] += 1
    turn, count = data[CONTROL, TURN], 0
    for i in range(data[CONTROL, OPEN_COUNT]):
        op = data[OPEN, i]
        cls = data[CLASS_OF, op]
        kind = data[KIND, cls]
        if data[TRIED, cls] == turn or _only_looks(kind) or has(data, row, op):
            continue
        data[TRIED, cls] = turn
        must = op == returning and data[A, cls] != row[0]
        if kind != WRITE or must or _worth(data, row, returning, op, data[A, cls]):
            found[count] = op
            count += 1
    for i in range(data[CONTROL, LISTED_COUNT]):
        cls = data[LISTED, i]
        kind = data[KIND, cls]
        used = row[1 + 2 * data[CONTROL, WORDS] + data[WORD, cls]] >> data[SHIFT, cls] & data[FIELD, cls]
        if data[TRIED, cls] == turn or used >= data[AVAILABLE, cls]:
            continue
        if kind == WRITE:
            worth = _worth(data, row, returning, NONE, data[A, cls])
        else:
            worth = kind == STEP or (data[B, cls] != row[0] and _awaited(data, row, returning, data[B, cls]))
        if worth:
            found[count] = -2 - cls
            count += 1
    return count


@njit(cache=True)
def _expand(
    data: Any, rows: Any, heads: Any, trace: Any, steps: Any, of: int, returning: int, found: Any
) -> int:
    row = rows[SEEN, of]
    for i in range(_candidates(data, row, returning, found)):
        op = found[i]
        cls = data[CLASS_OF, op] if op >= 0 else -2 - op
        after = step(data, steps, row[0], cls)
        if after == UNSEEN:
            return NEED
        if after != IMPOSSIBLE:
            status = _push(data, rows, heads, trace, steps, of, op if op >= 0 else NONE, cls, after)
            if status != DONE:
                return int(status)
    return DONE


@njit(cache=True)
def _begin(data: Any, rows: Any, heads: Any, steps: Any) -> int:
    """The configurations so far, each after all that only looks."""
    control, row = data[CONTROL], data[ROW]
    control[STAMP] += 1
    control[ROWS + SEEN] = control[ROWS + REACHED] = 0
    control[LEAST] = NEVER
    for i in range(control[ROWS + FRONTIER]):
        if not rows[FRONTIER, i, GONE]:
            control[LEAST] = min(control[LEAST], rows[FRONTIER, i, USED])
    for i in range(control[ROWS + FRONTIER]):
        if rows[FRONTIER, i, GONE]:
            continue
        if control[SLACK] >= 0 and rows[FRONTIER, i, USED] > control[LEAST] + control[SLACK]:
            control[TRUNCATED] = 1
            continue
        for j in range(rows.shape[2] - BESIDES):
            row[j] = rows[FRONTIER, i, j]
        if not _absorb(data, steps):
            return NEED
        if not add(data, rows, heads, SEEN, rows[FRONTIER, i, NODE], rows[FRONTIER, i, USED]):
            return FULL
    return DONE


@njit(cache=True)
def _reach(data: Any, rows: Any, heads: Any, of: int, slot: int) -> int:
    row, words = data[ROW], data[CONTROL, WORDS]
    for j in range(rows.shape[2] - BESIDES):
        row[j] = rows[SEEN, of, j]
    row[1 + (slot >> 6)] &= ~(1 << (slot & 63))
    row[1 + words + (slot >> 6)] &= ~(1 << (slot & 63))
    return DONE if add(data, rows, heads, REACHED, rows[SEEN, of, NODE], rows[SEEN, of, USED]) else FULL


@njit(cache=True)
def _moment(data: Any, rows: Any, heads: Any, trace: Any, steps: Any, returning: int, found: Any) -> int:
    """All configurations in which the operation that returns now has taken effect, in the store REACHED."""
    control, cls = data[CONTROL], data[CLASS_OF, returning]
    is_write = data[KIND, cls] == WRITE
    nobody_looks = is_write and data[LOOKERS, data[A, cls]] == 0 and control[MISSES_LEFT] == 0
    status, at = DONE, control[CURSOR]
    if at == 0:
        status = _begin(data, rows, heads, steps)
    while status == DONE and at < control[ROWS + SEEN]:
        control[CURSOR] = at
        status = _look(data, rows, heads, trace, steps, at, returning, nobody_looks, found)
        at += 1
    if status != NEED:
        control[CURSOR] = 0
    return int(status)


@njit(cache=True)
def _look(
    data: Any,
    rows: Any,
    heads: Any,
    trace: Any,
    steps: Any,
    at: int,
    returning: int,
    nobody_looks: bool,
    found: Any,
) -> int:
    """One configuration of the moment: whether it is one to keep, and what may come after it."""
    control, slot, row = data[CONTROL], data[SLOT, returning], rows[SEEN, at]
    if row[GONE]:
        return DONE
    control[VISITED] += 1
    if control[STOP]:
        return STOPPED
    if control[VISITED] >= control[LIMIT]:
        return BUDGET
    effective = has(data, row, returning)
    overwritten = row[1 + control[WORDS] + (slot >> 6)] >> (slot & 63) & 1
    if (effective or overwritten) and _reach(data, rows, heads, at, slot) != DONE:
        return FULL
    capped = control[CAP] > 0 and at > 64 * control[CAP]
    control[TRUNCATED] |= capped
    if capped or effective or (overwritten and nobody_looks):
        return DONE
    return int(_expand(data, rows, heads, trace, steps, at, returning, found))


@njit(cache=True)
def _forget(data: Any) -> None:
    """Crashed operations whose value nobody will look for do not count any more; nor does, then, what they
    would have looked for themselves."""
    again = data[CONTROL, HAS_MISSES] == 0
    while again:
        again = False
        for i in range(data[CONTROL, LISTED_COUNT]):
            cls = data[LISTED, i]
            kind, expected = data[KIND, cls], data[A, cls]
            left = expected if kind == WRITE else data[B, cls]
            if kind == STEP or data[CRASHED, cls] == 0 or data[LOOKERS, left] > 0:
                continue
            data[REMEMBERED, data[WORD, cls]] &= ~(data[FIELD, cls] << data[SHIFT, cls])
            if kind == CAS:
                data[LOOKERS, expected] -= data[CRASHED, cls]
                data[CRASHED_LOOKERS, expected] -= data[AVAILABLE, cls]
                again = True
            data[CRASHED, cls] = data[AVAILABLE, cls] = 0


@njit(cache=True)
def _return(data: Any, op: int) -> None:
    slot, cls, control = data[SLOT, op], data[CLASS_OF, op], data[CONTROL]
    kind, a = data[KIND, cls], data[A, cls]
    at = 0
    while data[OPEN, at] != op:
        at += 1
    control[OPEN_COUNT] -= 1
    for i in range(at, control[OPEN_COUNT]):
        data[OPEN, i] = data[OPEN, i + 1]
    data[FREE, control[FREE_COUNT]] = slot
    control[FREE_COUNT] += 1
    if kind == WRITE:
        data[WRITES, slot >> 6] &= ~(1 << (slot & 63))
    elif kind in (READ, CAS):
        data[OPEN_LOOKERS, a] -= 1
        data[LOOKERS, a] -= 1
        if data[LOOKERS, a] == 0 and control[LISTED_COUNT] > 0:
            _forget(data)
    elif kind == MISS:
        control[OPEN_MISSES] -= 1
        control[MISSES_LEFT] -= 1
        data[MISSERS, a] -= 1


@njit(cache=True)
def _invoke(data: Any, op: int) -> None:
    cls, control = data[CLASS_OF, op], data[CONTROL]
    kind, a = data[KIND, cls], data[A, cls]
    if data[RETURNED, op] >= NEVER:
        if data[CRASHED, cls] > 0:
            data[AVAILABLE, cls] += 1
            if kind == CAS:
                data[CRASHED_LOOKERS, a] += 1
        return
    control[FREE_COUNT] -= 1
    slot = data[FREE, control[FREE_COUNT]]
    data[SLOT, op] = slot
    at = control[OPEN_COUNT]
    while at > 0 and data[RETURNED, data[OPEN, at - 1]] > data[RETURNED, op]:
        data[OPEN, at] = data[OPEN, at - 1]
        at -= 1
    data[OPEN, at] = op
    control[OPEN_COUNT] += 1
    if kind == WRITE:
        data[WRITES, slot >> 6] |= 1 << (slot & 63)
    elif kind in (READ, CAS):
        data[OPEN_LOOKERS, a] += 1
    elif kind == MISS:
        control[OPEN_MISSES] += 1


@njit(cache=True)
def _finish(data: Any, rows: Any, heads: Any) -> None:
    """What was reached becomes the frontier. Where that is capped, what was reached first stays. A value that
    nobody will look for is like any other such."""
    control, row = data[CONTROL], data[ROW]
    control[STAMP] += 1
    control[ROWS + FRONTIER] = 0
    counts = 1 + 2 * control[WORDS]
    for i in range(control[ROWS + REACHED]):
        if rows[REACHED, i, GONE]:
            continue
        if control[CAP] > 0 and control[ROWS + FRONTIER] == control[CAP]:
            control[TRUNCATED] = 1
            break
        for j in range(rows.shape[2] - BESIDES):
            row[j] = rows[REACHED, i, j]
        state = row[0]
        if control[VALUES] > 0 and state >= 0 and data[LOOKERS, state] == 0 and data[MISSERS, state] == 0:
            row[0] = FORGOTTEN
        for w in range(control[FIELD_WORDS]):
            row[counts + w] &= data[REMEMBERED, w]
        add(data, rows, heads, FRONTIER, rows[REACHED, i, NODE], rows[REACHED, i, USED])


@njit(cache=True, nogil=True)
def run(data: Any, rows: Any, heads: Any, trace: Any, steps: Any) -> int:
    """Goes through the events from POSITION on. DONE: there is an order. BLOCKED: there is none in which the
    operation that returns at POSITION has taken effect; SEEN holds every configuration that there was by
    then. NEED: a step is not known. FULL: the stores or the trace are. BUDGET, STOPPED: enough for now. After
    all but the first two, `run` goes on with the same event."""
    control = data[CONTROL]
    found = np.empty(control[OPEN_COUNT] + control[FREE_COUNT] + control[LISTED_COUNT], np.int64)
    while control[POSITION] < control[EVENTS]:
        event = data[EVENT, control[POSITION]]
        op = event >> 1
        if event & 1:
            nodes = control[NODES]
            status = _moment(data, rows, heads, trace, steps, op, found)
            if status != DONE:
                if status != NEED:
                    control[NODES] = nodes
                return int(status)
            if control[ROWS + REACHED] == 0:
                return BLOCKED
            _return(data, op)
            _finish(data, rows, heads)
        else:
            _invoke(data, op)
        control[POSITION] += 1
    return DONE
