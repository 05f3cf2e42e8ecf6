"""Dependencies between transactions as edges, compiled: (sources, targets, relations), three arrays.

Arrays are those of TransactionColumns and of checkers.transactions.list_append.Lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.transactions.codes import FAIL, OK, ONWARD, REALTIME, RW, WR, WRITE, WW

Array = Any


@njit(cache=True)
def list_edges(
    status: Array,
    first: Array,
    f: Array,
    key: Array,
    element_first: Array,
    elements: Array,
    place: Array,
    writer: Array,
    order_first: Array,
    order: Array,
) -> tuple[Array, Array, Array]:
    """The edges between neighbours in the lists' orders. What no read saw comes after all that was seen."""
    most = 0
    for j in range(len(f)):
        most += 1 if f[j] == WRITE else 2
    sources, targets = np.empty(most, np.int32), np.empty(most, np.int32)
    relations = np.empty(most, np.uint8)
    size = 0
    for t in range(len(status)):
        if status[t] == FAIL:
            continue
        for j in range(first[t], first[t + 1]):
            start, end = order_first[key[j]], order_first[key[j] + 1]
            if f[j] == WRITE:
                before = start + place[j] - 1 if place[j] >= 0 else end - 1
                w = writer[order[before]] if before >= start else -1
                if w >= 0 and w != t:
                    sources[size], targets[size], relations[size] = w, t, WW
                    size += 1
                continue
            if status[t] != OK:
                continue
            w = -1
            if place[j] > 0:
                w = writer[order[start + place[j] - 1]]
            elif place[j] < 0:
                w = writer[elements[element_first[j + 1] - 1]]
            if w >= 0 and w != t:
                sources[size], targets[size], relations[size] = w, t, WR
                size += 1
            w = writer[order[start + place[j]]] if 0 <= place[j] < end - start else -1
            if w >= 0 and w != t:
                sources[size], targets[size], relations[size] = t, w, RW
                size += 1
    return sources[:size], targets[:size], relations[:size]


@njit(cache=True)
def find_unseen(  # noqa: PLR0912 — three plain loops over the columns
    status: Array, first: Array, f: Array, key: Array, place: Array, order_first: Array
) -> tuple[Array, Array]:
    """Of the keys with appends that no read saw: (key, transaction) of those appends, and of the reads that
    saw all that any read saw; each transaction once a key."""
    keys = len(order_first) - 1
    stamp = np.full(keys, -1, np.int32)
    has_unseen = np.zeros(keys, np.bool_)
    most = 0
    for t in range(len(status)):
        if status[t] == FAIL:
            continue
        for j in range(first[t], first[t + 1]):
            if f[j] == WRITE and place[j] < 0:
                has_unseen[key[j]] = True
                most += 1
    writers = np.empty((most, 2), np.int32)
    size = 0
    most = 0
    for t in range(len(status)):
        if status[t] == FAIL:
            continue
        for j in range(first[t], first[t + 1]):
            k = key[j]
            if not has_unseen[k]:
                continue
            if f[j] != WRITE:
                most += 1
            elif place[j] < 0 and stamp[k] != t:
                stamp[k] = t
                writers[size, 0], writers[size, 1] = k, t
                size += 1
    writers = writers[:size]
    readers = np.empty((most, 2), np.int32)
    size = 0
    stamp[:] = -1
    for t in range(len(status)):
        if status[t] != OK:
            continue
        for j in range(first[t], first[t + 1]):
            k = key[j]
            if (
                f[j] != WRITE
                and has_unseen[k]
                and place[j] == order_first[k + 1] - order_first[k]
                and stamp[k] != t
            ):
                stamp[k] = t
                readers[size, 0], readers[size, 1] = k, t
                size += 1
    return writers, readers[:size]


@njit(cache=True)
def group_edges(
    hub: int, writers_first: Array, writers: Array, readers_first: Array, readers: Array, transactions: int
) -> tuple[Array, Array, Array]:
    """In each group every reader comes before every writer but itself: as many edges as there are members,
    not as there are pairs. Node hub + g stands for group g's writers. A reader that writes too must not come
    before itself, so it has edges of its own; several of those come before each other, so for reachability
    the first one's edges do for all."""
    most = len(readers) + 2 * len(writers)
    sources, targets = np.empty(most, np.int32), np.empty(most, np.int32)
    relations = np.full(most, RW, np.uint8)
    size = 0
    member = np.full(transactions, -1, np.int32)
    for g in range(len(writers_first) - 1):
        low, high = writers_first[g], writers_first[g + 1]
        for i in range(low, high):
            member[writers[i]] = g
        through_hub = False
        both = -1
        for i in range(readers_first[g], readers_first[g + 1]):
            r = readers[i]
            if member[r] != g:
                sources[size], targets[size] = r, hub + g
                through_hub = True
                size += 1
            elif both < 0:
                both = r
                for w in range(low, high):
                    if writers[w] != r:
                        sources[size], targets[size] = r, writers[w]
                        size += 1
            else:
                sources[size], targets[size] = r, both
                size += 1
        if through_hub:
            for w in range(low, high):
                sources[size], targets[size], relations[size] = hub + g, writers[w], ONWARD
                size += 1
    return sources[:size], targets[:size], relations[:size]


@njit(cache=True)
def real_time_edges(happened: Array, local: Array, moment: int) -> tuple[Array, Array, Array]:
    """What returned comes before what was invoked later: a chain of nodes from `moment` on stands for the
    moments between, so there are three edges a transaction. local[t] is transaction t's node, or -1."""
    most = 0
    for i in range(len(happened)):
        t = abs(happened[i]) - 1
        most += 2 if t >= 0 and local[t] >= 0 else 0
    sources, targets = np.empty(most, np.int32), np.empty(most, np.int32)
    relations = np.full(most, ONWARD, np.uint8)
    size = moments = 0
    is_open = False
    for i in range(len(happened)):
        t = abs(happened[i]) - 1
        if t < 0 or local[t] < 0:
            continue
        if happened[i] < 0:
            if not is_open:
                is_open = True
                moments += 1
                if moments > 1:
                    sources[size], targets[size] = moment + moments - 2, moment + moments - 1
                    size += 1
            sources[size], targets[size], relations[size] = local[t], moment + moments - 1, REALTIME
            size += 1
        elif moments:
            is_open = False
            sources[size], targets[size] = moment + moments - 1, local[t]
            size += 1
    return sources[:size], targets[:size], relations[:size]


@njit(cache=True)
def kept_edges(
    first: Array, targets: Array, relations: Array, kept: Array, local: Array
) -> tuple[Array, Array, Array]:
    """A graph's edges between kept nodes; local[v] is a kept node's new number, -1 another's."""
    most = 0
    for v in kept:
        most += first[v + 1] - first[v]
    sources, ends = np.empty(most, np.int32), np.empty(most, np.int32)
    why = np.empty(most, np.uint8)
    size = 0
    for v in kept:
        for e in range(first[v], first[v + 1]):
            if local[targets[e]] >= 0:
                sources[size], ends[size], why[size] = local[v], local[targets[e]], relations[e]
                size += 1
    return sources[:size], ends[:size], why[:size]


@njit(cache=True)
def count_out(counts: Array, sources: Array) -> None:
    for i in range(len(sources)):
        counts[sources[i] + 1] += 1


@njit(cache=True)
def place_out(
    cursor: Array, into: Array, into_relations: Array, sources: Array, targets: Array, relations: Array
) -> None:
    for i in range(len(sources)):
        at = cursor[sources[i]]
        into[at], into_relations[at] = targets[i], relations[i]
        cursor[sources[i]] = at + 1
