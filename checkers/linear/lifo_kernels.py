"""The peeling of a stack's values, compiled. Trees are complete and binary, in arrays: a node's children
are 2i and 2i + 1, its leaves the last half."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit

NOTHING = 1 << 62


@njit(cache=True)
def peel(put_invoked: Any, take_returned: Any, ranks: Any, by_rank: Any) -> tuple[Any, int, int]:
    """int64 arrays of n values, each certainly held from when its put returned to when its take was invoked,
    in order of the first of these. ranks: all the first, then all the second;  by_rank: what sorts them.

    Returns (order, low, high). order: i for the put of the i-th value, n + i for its take, as a stack can
    have done them. Where it cannot: as far as it got, and values low to high, but for those in the order,
    cannot have been held together; else low is -1.
    """
    count = len(put_invoked)
    place = np.empty(2 * count, np.int64)
    begun = np.zeros(2 * count + 1, np.int64)  # how many stays begin before each place
    for at in range(2 * count):
        place[by_rank[at]] = at
        begun[at + 1] = begun[at] + (by_rank[at] < count)
    cover = _cover(place, count)
    waiting = _tree(put_invoked, count)  # for everything left in their part to be put in after them
    ready = _tree(put_invoked[:0], count)  # waiting only for it to be taken out before them
    order = np.empty(2 * count, np.int64)
    done = 0
    tasks = np.empty((3 * count + 2, 2), np.int64)  # parts [first, last) to do, or (-1, the take to come)
    tasks[0, 0], tasks[0, 1] = 0, 2 * count
    size = 1
    while size > 0:
        size -= 1
        first, last = tasks[size]
        if first < 0:
            order[done] = last
            done += 1
            continue
        first = _next(cover, first, True)
        if first >= last:
            continue
        end = _next(cover, first, False)
        tasks[size, 0], tasks[size, 1] = end, last
        size += 1
        low, high = int(begun[first]), int(begun[end])
        earliest, latest = int(ranks[by_rank[first]]), int(ranks[by_rank[end]])
        one = _any_below(waiting, low, high, earliest)
        while one >= 0:
            _set(waiting, one, NOTHING)
            _set(ready, one, -take_returned[one])
            one = _any_below(waiting, low, high, earliest)
        one = _any_below(ready, low, high, -latest)
        if one < 0:
            return order[:done], low, high
        while one >= 0:
            _set(ready, one, NOTHING)
            _shift(cover, place[one], place[count + one], -1)
            order[done] = one
            done += 1
            tasks[size, 0], tasks[size, 1] = -1, count + one
            size += 1
            one = _any_below(ready, low, high, -latest)
        tasks[size, 0], tasks[size, 1] = first, end
        size += 1
    return order, -1, -1


@njit(cache=True)
def _leaves(count: int) -> int:
    leaves = 1
    while leaves <= count:
        leaves *= 2
    return leaves


@njit(cache=True)
def _tree(values: Any, count: int) -> Any:
    """Each node holds the least of its leaves."""
    leaves = _leaves(count)
    tree = np.full(2 * leaves, NOTHING)
    for at in range(len(values)):
        tree[leaves + at] = values[at]
    for node in range(leaves - 1, 0, -1):
        tree[node] = min(tree[2 * node], tree[2 * node + 1])
    return tree


@njit(cache=True)
def _set(tree: Any, at: int, value: int) -> None:
    node = at + len(tree) // 2
    tree[node] = value
    node //= 2
    while node > 0:
        tree[node] = min(tree[2 * node], tree[2 * node + 1])
        node //= 2


@njit(cache=True)
def _any_below(tree: Any, low: int, high: int, bound: int) -> int:
    """A leaf in [low, high) that holds less than the bound, or -1."""
    leaves = len(tree) // 2
    left, right = low + leaves, high + leaves
    while left < right:
        node = 0
        if left & 1:
            if tree[left] < bound:
                node = left
            left += 1
        if right & 1:
            right -= 1
            if tree[right] < bound:
                node = right
        if node > 0:
            while node < leaves:
                node = 2 * node if tree[2 * node] < bound else 2 * node + 1
            return node - leaves
        left //= 2
        right //= 2
    return -1


@njit(cache=True)
def _cover(place: Any, count: int) -> Any:
    """How many stays cover each place: (the least, the most, what holds for all) below each node; a leaf's
    count is its own and what holds for all of each node above it."""
    leaves = _leaves(2 * count)
    cover = np.zeros((3, 2 * leaves), np.int64)
    for one in range(count):
        cover[0, leaves + place[one]] += 1
        cover[0, leaves + place[count + one]] -= 1
    for leaf in range(leaves, 2 * leaves):
        cover[0, leaf] += cover[0, leaf - 1] if leaf > leaves else 0
        cover[1, leaf] = cover[0, leaf]
    for node in range(leaves - 1, 0, -1):
        _gather(cover, node)
    return cover


@njit(cache=True)
def _gather(cover: Any, node: int) -> None:
    cover[0, node] = min(cover[0, 2 * node], cover[0, 2 * node + 1]) + cover[2, node]
    cover[1, node] = max(cover[1, 2 * node], cover[1, 2 * node + 1]) + cover[2, node]


@njit(cache=True)
def _shift(cover: Any, first: int, last: int, by: int) -> None:
    leaves = cover.shape[1] // 2
    left, right = first + leaves, last + leaves
    while left < right:
        if left & 1:
            _add(cover, left, by)
            left += 1
        if right & 1:
            right -= 1
            _add(cover, right, by)
        left //= 2
        right //= 2
    for leaf in (first + leaves, last - 1 + leaves):
        node = leaf // 2
        while node > 0:
            _gather(cover, node)
            node //= 2


@njit(cache=True)
def _add(cover: Any, node: int, by: int) -> None:
    for row in range(3):
        cover[row, node] += by


@njit(cache=True)
def _next(cover: Any, at: int, covered: bool) -> int:
    """The first place from `at` that is covered, or that is not."""
    leaves: int = cover.shape[1] // 2
    node, above = at + leaves, 0
    ancestor = node // 2
    while ancestor > 0:
        above += cover[2, ancestor]
        ancestor //= 2
    while not _holds(cover, node, above, covered):
        while node & 1:
            node //= 2
            above -= cover[2, node]
            if node <= 1:
                return leaves
        node += 1
    while node < leaves:
        above += cover[2, node]
        node *= 2
        if not _holds(cover, node, above, covered):
            node += 1
    return node - leaves


@njit(cache=True)
def _holds(cover: Any, node: int, above: int, covered: bool) -> bool:
    if covered:
        return bool(cover[1, node] + above > 0)
    return bool(cover[0, node] + above == 0)
