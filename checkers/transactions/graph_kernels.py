"""Orders and circles in a graph of transactions, compiled; linear in nodes, edges and events."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.transactions.codes import FAIL, NEVER

Array = Any


@njit(cache=True)
def in_time(status: Array, invoked: Array, returned: Array, events: int) -> Array:
    """What happened at each position of the history: t + 1 where transaction t was invoked, -(t + 1) where it
    returned, 0 where neither."""
    happened = np.zeros(events, np.int32)
    for t in range(len(status)):
        if status[t] != FAIL:
            if invoked[t] >= 0:
                happened[invoked[t]] = t + 1
            if returned[t] != NEVER:
                happened[returned[t]] = -(t + 1)
    return happened


@njit(cache=True)
def put_in_order(  # noqa: PLR0912 — time and edges release nodes in one loop
    first: Array, targets: Array, left_out: Array, happened: Array
) -> tuple[Array, Array]:
    """Kahn's algorithm (1962), with time as one more thing to wait for: it passes a return only once that
    transaction has its place. Nodes in an order that respects all edges, and which nodes got no place; nodes
    in `left_out` (a mask) have no edges and get none."""
    nodes = len(first) - 1
    waits = np.zeros(nodes, np.int32)
    for e in range(len(targets)):
        waits[targets[e]] += 1
    for i in range(len(happened)):
        if happened[i] > 0:
            waits[happened[i] - 1] += 1
    placed = left_out.copy()
    queue = np.empty(nodes, np.int32)
    head = tail = 0
    for v in range(nodes):
        if waits[v] == 0 and not left_out[v]:
            queue[tail] = v
            tail += 1
    now = 0
    while True:
        while now < len(happened):
            t = abs(happened[now]) - 1
            if happened[now] < 0:
                if not placed[t]:
                    break
            elif happened[now] > 0:
                waits[t] -= 1
                if waits[t] == 0:
                    queue[tail] = t
                    tail += 1
            now += 1
        if head == tail:
            break
        v = queue[head]
        head += 1
        placed[v] = True
        for e in range(first[v], first[v + 1]):
            waits[targets[e]] -= 1
            if waits[targets[e]] == 0:
                queue[tail] = targets[e]
                tail += 1
    return queue[:head], ~placed


@njit(cache=True)
def components(first: Array, targets: Array) -> tuple[Array, int]:
    """Tarjan's strongly connected components (1972), without recursion: each node's component, and how many
    there are."""
    nodes = len(first) - 1
    number = np.full(nodes, -1, np.int32)
    low = np.zeros(nodes, np.int32)
    component = np.full(nodes, -1, np.int32)
    cursor = first[:-1].copy()
    path = np.empty(nodes, np.int32)
    stack = np.empty(nodes, np.int32)
    found = numbered = stacked = 0
    for root in range(nodes):
        if number[root] >= 0:
            continue
        depth = 0
        path[0] = root
        number[root] = low[root] = numbered
        numbered += 1
        stack[stacked] = root
        stacked += 1
        while depth >= 0:
            v = path[depth]
            if cursor[v] < first[v + 1]:
                w = targets[cursor[v]]
                cursor[v] += 1
                if number[w] < 0:
                    number[w] = low[w] = numbered
                    numbered += 1
                    stack[stacked] = w
                    stacked += 1
                    depth += 1
                    path[depth] = w
                elif component[w] < 0:
                    low[v] = min(low[v], number[w])
                continue
            if low[v] == number[v]:
                while True:
                    stacked -= 1
                    component[stack[stacked]] = found
                    if stack[stacked] == v:
                        break
                found += 1
            depth -= 1
            if depth >= 0:
                low[path[depth]] = min(low[path[depth]], low[v])
    return component, found
