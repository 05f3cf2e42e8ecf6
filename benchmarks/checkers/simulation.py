"""What concurrent clients of an atomic object see, as columns, in order of invocation: every step, one client
drawn at random invokes an operation, or its operation takes effect, or returns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from checkers.linear.zones_kernels import CAS, NEVER, READ, WRITE

MISS = 3  # a compare-and-set that saw something else
_LEFT_OUT = -1  # a read that crashed
_IDLE = -1


@njit(cache=True)
def registers(
    clients: int,
    operations: int,
    crashed: float,
    keys: int,
    values: int,
    reads: float,
    swaps: float,
    seed: int,
) -> Any:
    """(kind, a, b, key, invoked, returned, how many values there are). Values are numbers; the first `keys`
    are the initial ones. What crashed takes effect some time later, or never.

    values: how many are written again and again; 0: every one is written once
    reads, swaps: their shares of the operations; the rest are writes
    """
    np.random.seed(seed)
    kind, key = np.empty(operations, np.int64), np.empty(operations, np.int64)
    a, b = np.zeros(operations, np.int64), np.zeros(operations, np.int64)
    invoked, returned = np.empty(operations, np.int64), np.full(operations, NEVER)
    state, fresh = np.arange(keys), keys
    of_client, happened = np.full(clients, _IDLE), np.zeros(operations, np.bool_)
    late, waiting = np.empty(operations, np.int64), 0
    now = begun = running = 0
    while begun < operations or running:
        if waiting and np.random.random() < 0.1:
            at = np.random.randint(waiting)
            op, late[at] = late[at], late[waiting - 1]
            waiting -= 1
            _happen(kind, a, b, key, state, op, True)
        client = np.random.randint(clients)
        op = of_client[client]
        if op == _IDLE:
            if begun == operations:
                continue
            op = of_client[client] = begun
            draw, key[op] = np.random.random(), np.random.randint(keys)
            kind[op] = READ if draw < reads else CAS if draw < reads + swaps else WRITE
            if kind[op] == WRITE:
                a[op] = keys + np.random.randint(values) if values else fresh
            elif kind[op] == CAS:
                known = state[key[op]]
                a[op] = known if np.random.random() < 0.7 else np.random.randint(max(values, 1))
                b[op] = keys + np.random.randint(values) if values else fresh
            fresh += kind[op] != READ
            invoked[op] = now
            now, begun, running = now + 1, begun + 1, running + 1
        elif happened[op]:
            returned[op] = now
            of_client[client] = _IDLE
            now, running = now + 1, running - 1
        elif np.random.random() < crashed:
            if kind[op] == READ:
                kind[op] = _LEFT_OUT
            elif np.random.random() < 0.5:
                late[waiting] = op
                waiting += 1
            of_client[client] = _IDLE
            running -= 1
        else:
            _happen(kind, a, b, key, state, op, False)
            happened[op] = True
    kept = np.nonzero(kind != _LEFT_OUT)[0]
    return (
        kind[kept], a[kept], b[kept], key[kept], invoked[kept], returned[kept],
        keys + values if values else fresh,
    )  # fmt: skip


@njit(cache=True)
def _happen(kind: Any, a: Any, b: Any, key: Any, state: Any, op: int, unknown: bool) -> None:
    if kind[op] == READ:
        a[op] = state[key[op]]
    elif kind[op] == WRITE:
        state[key[op]] = a[op]
    elif state[key[op]] == a[op]:
        state[key[op]] = b[op]
    elif not unknown:
        kind[op] = MISS


@njit(cache=True)
def lists(
    clients: int, operations: int, crashed: float, live: int, appends_a_list: int, appends: float, seed: int
) -> Any:
    """(append, key, element, witness, length, invoked, returned, each list's first place in `log`, `log`).

    Some lists are appended to and read at a time, each until it was asked for so many appends. Elements are
    numbers from 0. witness: of an append its index in the one log of all lists, of a read the last index it
    saw, -1 where it crashed. length: a read saw the elements log[first[key] : first[key] + length].
    """
    np.random.seed(seed)
    append, key = np.zeros(operations, np.uint8), np.empty(operations, np.int32)
    element, length = np.full(operations, -1, np.int32), np.zeros(operations, np.int32)
    witness = np.full(operations, -1, np.int64)
    invoked, returned = np.empty(operations, np.int64), np.full(operations, NEVER)
    listed, asked, all_lists = np.arange(live), np.zeros(live, np.int64), live
    log, log_length = np.empty((operations // appends_a_list + live + 1, appends_a_list), np.int32), 0
    filled = np.zeros(len(log), np.int64)
    of_client, happened = np.full(clients, _IDLE), np.zeros(operations, np.bool_)
    late, waiting, elements = np.empty(operations, np.int64), 0, 0
    now = begun = running = 0
    while begun < operations or running:
        if waiting and np.random.random() < 0.1:
            at, waiting = np.random.randint(waiting), waiting - 1
            op, late[at] = late[at], late[waiting]
            log_length += _enter(log, filled, key[op], element[op])
        client = np.random.randint(clients)
        op = of_client[client]
        if op == _IDLE:
            if begun == operations:
                continue
            op = of_client[client] = begun
            which = np.random.randint(live)
            key[op] = listed[which]
            if np.random.random() < appends:
                append[op], element[op] = 1, elements
                elements, asked[which] = elements + 1, asked[which] + 1
                if asked[which] == appends_a_list:
                    listed[which], asked[which], all_lists = all_lists, 0, all_lists + 1
            invoked[op] = now
            now, begun, running = now + 1, begun + 1, running + 1
        elif happened[op]:
            returned[op] = now
            of_client[client] = _IDLE
            now, running = now + 1, running - 1
        elif np.random.random() < crashed:
            if append[op] and np.random.random() < 0.5:
                late[waiting] = op
                waiting += 1
            key[op] = key[op] if append[op] else _LEFT_OUT
            of_client[client] = _IDLE
            running -= 1
        else:
            if append[op]:
                log_length += _enter(log, filled, key[op], element[op])
            else:
                length[op] = filled[key[op]]
            witness[op], happened[op] = log_length, True
    kept = np.nonzero(key != _LEFT_OUT)[0]
    return (
        append[kept], key[kept], element[kept], witness[kept], length[kept], invoked[kept], returned[kept],
        np.arange(all_lists) * appends_a_list, log.ravel(),
    )  # fmt: skip


@njit(cache=True)
def _enter(log: Any, filled: Any, key: int, element: int) -> int:
    """Appends; returns by how much the log has grown."""
    log[key, filled[key]] = element
    filled[key] += 1
    return 1


@njit(cache=True)
def contents(key: Any, length: Any, first: Any, log: Any) -> Any:
    """(where each operation's content begins, and the last ends; all contents end to end)."""
    begins = np.zeros(key.size + 1, np.int64)
    for i in range(key.size):
        begins[i + 1] = begins[i] + length[i]
    found = np.empty(begins[-1], np.int32)
    for i in range(key.size):
        found[begins[i] : begins[i + 1]] = log[first[key[i]] : first[key[i]] + length[i]]
    return begins, found
