"""What the columns of list-append transactions say, compiled. Arrays are those of TransactionColumns."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.transactions.codes import (
    ABORTED,
    FAIL,
    FUTURE,
    GARBAGE,
    INTERMEDIATE,
    INTERNAL,
    ODD,
    OK,
    READ,
    WRITE,
)

Array = Any


@njit(cache=True)
def find_writers(
    status: Array, first: Array, f: Array, key: Array, version: Array, keys: int, versions: int
) -> tuple[Array, Array, Array, int]:
    """Of each version the transaction that may have written it and the one that failed to, or -1; whether
    its transaction wrote the key again; and a version that two may have written, or -1."""
    writer = np.full(versions, -1, np.int32)
    failed = np.full(versions, -1, np.int32)
    overwritten = np.zeros(versions, np.bool_)
    last = np.full(keys, -1, np.int32)
    twice = -1
    for t in range(len(status)):
        for j in range(first[t + 1] - 1, first[t] - 1, -1):
            if f[j] != WRITE:
                continue
            v = version[j]
            if last[key[j]] == t:
                overwritten[v] = True
            last[key[j]] = t
            if status[t] == FAIL:
                failed[v] = t
            elif writer[v] < 0:
                writer[v] = t
            else:
                twice = v
    return writer, failed, overwritten, twice


@njit(cache=True)
def find_orders(
    status: Array,
    first: Array,
    f: Array,
    key: Array,
    element_first: Array,
    elements: Array,
    keys: int,
    versions: int,
) -> tuple[Array, Array, Array, Array]:
    """Of each key the longest read's micro-operation, or -1; its elements without repetitions, key after key
    (order_first, order); and each version's place among its key's, or -1."""
    longest = np.full(keys, -1, np.int64)
    for t in range(len(status)):
        if status[t] != OK:
            continue
        for j in range(first[t], first[t + 1]):
            if f[j] == READ and element_first[j + 1] > element_first[j]:
                best = longest[key[j]]
                length = element_first[j + 1] - element_first[j]
                if best < 0 or length > element_first[best + 1] - element_first[best]:
                    longest[key[j]] = j
    position = np.full(versions, -1, np.int32)
    order_first = np.zeros(keys + 1, np.int64)
    total = 0
    for k in range(keys):
        if longest[k] >= 0:
            total += element_first[longest[k] + 1] - element_first[longest[k]]
    order = np.empty(total, np.int32)
    size = 0
    for k in range(keys):
        if longest[k] >= 0:
            for e in range(element_first[longest[k]], element_first[longest[k] + 1]):
                if position[elements[e]] < 0:
                    position[elements[e]] = size - order_first[k]
                    order[size] = elements[e]
                    size += 1
        order_first[k + 1] = size
    return longest, order_first, order[:size], position


@njit(cache=True)
def _first_bad(order_first: Array, order: Array, writer: Array, failed: Array, aborted: bool) -> Array:
    """Of each key the first place in its order that a failed transaction wrote, or else that none did."""
    keys = len(order_first) - 1
    bad = np.full(keys, 2**31 - 1, np.int32)
    for k in range(keys):
        for p in range(order_first[k], order_first[k + 1]):
            if writer[order[p]] < 0 and (failed[order[p]] >= 0) == aborted:
                bad[k] = p - order_first[k]
                break
    return bad


@njit(cache=True)
def _same(elements: Array, at: int, bt: int, length: int) -> bool:
    # Without an early way out, and with indices that cannot be negative, this becomes vector code; nearly
    # every call goes to the end.
    a, b = np.uint64(at), np.uint64(bt)
    differ = np.int32(0)
    for i in range(np.uint64(length)):
        differ |= elements[a + i] ^ elements[b + i]
    return bool(differ == 0)


@njit(cache=True)
def find_faults(  # noqa: PLR0912, PLR0915 — one pass over the columns, which is what makes it fast
    status: Array,
    first: Array,
    f: Array,
    key: Array,
    version: Array,
    element_first: Array,
    elements: Array,
    writer: Array,
    failed: Array,
    overwritten: Array,
    longest: Array,
    order_first: Array,
    order: Array,
    position: Array,
) -> tuple[Array, Array]:
    """Of each micro-operation what is wrong with it: bits; and its place in its list: how many elements a
    read saw, at which position an append landed; -1 where the list's order does not tell."""
    keys = len(longest)
    place = np.full(len(f), -1, np.int32)
    faults = np.zeros(len(f), np.uint8)
    aborted_at = _first_bad(order_first, order, writer, failed, True)
    garbage_at = _first_bad(order_first, order, writer, failed, False)
    touched = np.full(keys, -1, np.int32)
    last_read = np.full(keys, -1, np.int64)
    tail = np.full(keys, -1, np.int64)
    tail_length = np.zeros(keys, np.int64)
    seen = np.zeros(keys, np.int64)
    own = np.zeros(keys, np.int64)
    previous = np.full(len(f), -1, np.int32)
    for t in range(len(status)):
        if status[t] == FAIL:
            continue
        for j in range(first[t], first[t + 1]):
            k = key[j]
            if touched[k] != t:
                touched[k] = t
                last_read[k] = tail[k] = own[k] = -1
                tail_length[k] = seen[k] = 0
            if f[j] == WRITE:
                previous[j] = tail[k] - first[t] if tail[k] >= 0 else -1
                tail[k] = j
                tail_length[k] += 1
                p = position[version[j]]
                place[j] = p
                if p >= 0:
                    if p < own[k]:
                        faults[j] |= INTERNAL
                    if p < seen[k]:
                        faults[j] |= FUTURE
                    own[k] = max(own[k], p)
                continue
            if status[t] != OK:
                continue
            start, end = element_first[j], element_first[j + 1]
            length = end - start
            if length and not _same(elements, start, element_first[longest[k]], length):
                faults[j] |= ODD
                for e in range(start, end):
                    if writer[elements[e]] < 0:
                        faults[j] |= ABORTED if failed[elements[e]] >= 0 else GARBAGE
            else:
                if length > aborted_at[k]:
                    faults[j] |= ABORTED
                if length > garbage_at[k]:
                    faults[j] |= GARBAGE
                seen[k] = max(seen[k], length)
            place[j] = position[elements[end - 1]] + 1 if length else 0
            if length and place[j] == 0:
                place[j] = -1
            if length and overwritten[elements[end - 1]]:
                by = (
                    writer[elements[end - 1]] if writer[elements[end - 1]] >= 0 else failed[elements[end - 1]]
                )
                if by != t:
                    faults[j] |= INTERMEDIATE
            before = length - tail_length[k]
            expected = before >= 0
            if last_read[k] >= 0:
                base = element_first[last_read[k]]
                expected = before == element_first[last_read[k] + 1] - base
                if expected and (faults[j] | faults[last_read[k]]) & ODD:
                    expected = _same(elements, start, base, before)
            if expected:
                e, w = end - 1, tail[k]
                while w >= 0 and expected:
                    expected = elements[e] == version[w]
                    e -= 1
                    w = first[t] + previous[w] if previous[w] >= 0 else -1
            if not expected:
                faults[j] |= INTERNAL
            last_read[k] = j
            tail[k] = -1
            tail_length[k] = 0
    return faults, place


@njit(cache=True)
def find_lost_updates(
    status: Array, first: Array, f: Array, key: Array, place: Array, order_first: Array, at_most: int
) -> Array:
    """Pairs of reads (k, 2), of different transactions that read the same state of a key and went on to
    append to it."""
    keys = len(order_first) - 1
    based = np.full(order_first[keys] + keys, -1, np.int32)
    touched = np.full(keys, -1, np.int32)
    read = np.full(keys, -1, np.int64)
    found = np.empty((at_most, 2), np.int64)
    count = 0
    for t in range(len(status)):
        if status[t] != OK:
            continue
        for j in range(first[t], first[t + 1]):
            k = key[j]
            if f[j] == READ:
                if touched[k] != t:
                    touched[k] = t
                    read[k] = j
                continue
            base = read[k] if touched[k] == t else -1
            touched[k] = t
            read[k] = -1
            if base < 0 or place[base] < 0:
                continue
            state = order_first[k] + k + place[base]
            if based[state] < 0:
                based[state] = base
            elif count < at_most:
                found[count, 0] = based[state]
                found[count, 1] = base
                count += 1
    return found[:count]
