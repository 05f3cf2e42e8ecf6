"""Registers whose written values are unique, decided in linear time over flat arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from checkers.compiled import njit

READ, WRITE, CAS = 0, 1, 2
NONE, SEVERAL = -1, -2
NEVER = 1 << 60

# What came of it.
YES, REPEATED, NEVER_WRITTEN, TWO_CAS, CAS_CYCLE, IN_CHAIN, TWO_SPANS, INSIDE_A_SPAN = range(8)


class Calls(NamedTuple):
    """An entry an operation, in order of invocation. Values are numbers from 0; the first `keys` of them are
    the keys' initial values, and key_of gives each value's key. a: what was read, written or expected; b:
    what a compare-and-set leaves. Ranks of invocations and returns are unique and below `ranks`; NEVER:
    crashed."""

    kind: Any
    a: Any
    b: Any
    invoked: Any
    returned: Any
    key_of: Any
    keys: int
    ranks: int


class Values(NamedTuple):
    """What is known of each value.

    moments: a row of four ranks: of those who read it and of the one who wrote it the first return (NEVER:
        there was none), then likewise the last invocation (NONE)
    swap: the compare-and-set that replaced it
    swapped_in: whether one wrote it
    chained: whether it stands in a chain that began before it
    """

    moments: Any
    swap: Any
    swapped_in: Any
    chained: Any


# The columns of `moments`: these, and the same for those who wrote it, WRITE - READ further on.
_RETURN, _INVOCATION = 0, 2
_WRITTEN = _INVOCATION + WRITE


class Chains(NamedTuple):
    """A chain is a write, its reads, the compare-and-set from it, its reads … Nothing can come between them.
    It is known by the value it begins with. earliest: when the first of it returned; latest: when the last of
    it was invoked; at: by rank, the chain that must have been there at that moment."""

    earliest: Any
    latest: Any
    at: Any


@njit(cache=True)
def _enter(calls: Calls, values: Values, found: Any) -> int:
    kind, a, b, invoked, returned = calls.kind, calls.a, calls.b, calls.invoked, calls.returned
    moments, swap, swapped_in = values.moments, values.swap, values.swapped_in
    crashed, count = np.empty(kind.size, np.int64), 0
    status, repeated = YES, False
    for i in range(kind.size):
        if returned[i] >= NEVER:
            if kind[i] != READ:
                crashed[count] = i
                count += 1
            continue
        value = a[i]
        if kind[i] == CAS:
            if swap[value] != NONE:
                found[0], found[1] = swap[value], i
                status = TWO_CAS
            swap[value] = i
            value = b[i]
            swapped_in[value] = True
        # No branch, since nobody could foretell whether a read or a write comes next.
        role = READ if kind[i] == READ else WRITE
        repeated |= (role == WRITE) & ((value < calls.keys) | (moments[value, _WRITTEN] != NONE))
        moments[value, _RETURN + role] = min(moments[value, _RETURN + role], returned[i])
        moments[value, _INVOCATION + role] = max(moments[value, _INVOCATION + role], invoked[i])
    if not repeated and count:
        late = _enter_crashed(calls, values, crashed[:count], found)
        status = late if late != YES else status
    return REPEATED if repeated else status


@njit(cache=True)
def _enter_crashed(calls: Calls, values: Values, crashed: Any, found: Any) -> int:
    """Those that happened, because somebody saw what they wrote."""
    kind, a, b, moments, swap = calls.kind, calls.a, calls.b, values.moments, values.swap
    writer = np.full(swap.size, NONE, np.int64)
    status = YES
    for i in crashed:
        value = a[i] if kind[i] == WRITE else b[i]
        writer[value] = i if writer[value] == NONE else SEVERAL
    for i in crashed:
        value = a[i] if kind[i] == WRITE else b[i]
        while writer[value] != NONE and (moments[value, _RETURN] < NEVER or swap[value] != NONE):
            at = writer[value]
            if at == SEVERAL or value < calls.keys or moments[value, _WRITTEN] != NONE:
                return REPEATED
            writer[value] = NONE
            moments[value, _WRITTEN] = calls.invoked[at]
            if kind[at] == WRITE:
                break
            values.swapped_in[value] = True
            value = a[at]
            if swap[value] != NONE:
                found[0], found[1] = swap[value], at
                status = TWO_CAS
            swap[value] = at
    return status


@njit(cache=True)
def _chain(calls: Calls, values: Values, chains: Chains, found: Any) -> int:
    moments, swap, swapped_in, keys = values.moments, values.swap, values.swapped_in, calls.keys
    for root in range(swap.size):
        if root >= keys and (swapped_in[root] or moments[root, _WRITTEN] == NONE):
            if moments[root, _WRITTEN] == NONE and (moments[root, _RETURN] < NEVER or swap[root] != NONE):
                found[0] = swap[root] if swap[root] != NONE else _at(calls.returned, moments[root, _RETURN])
                return NEVER_WRITTEN
            continue
        value, earliest, latest = root, NEVER, NONE
        while True:
            for role in (WRITE, READ):
                if latest > moments[value, _RETURN + role]:
                    found[0] = _at(calls.returned, moments[value, _RETURN + role])
                    found[1] = _at(calls.invoked, latest)
                    return IN_CHAIN
                earliest = min(earliest, moments[value, _RETURN + role])
                latest = max(latest, moments[value, _INVOCATION + role])
            if swap[value] == NONE:
                break
            value = calls.b[swap[value]]
            values.chained[value] = True
        chains.earliest[root], chains.latest[root] = earliest, latest
        if root >= keys:
            chains.at[min(earliest, latest)] = root
    for value in range(swap.size):
        if swapped_in[value] and not values.chained[value]:
            found[0] = _at(calls.invoked, moments[value, _WRITTEN])
            return CAS_CYCLE
    return YES


@njit(cache=True)
def _at(ranks: Any, rank: int) -> int:
    """The position of the operation with this rank."""
    return int(np.nonzero(ranks == rank)[0][0])


@njit(cache=True)
def _place(calls: Calls, chains: Chains, found: Any, heads: Any, nexts: Any) -> int:
    """Whether the chains can follow each other. heads, nexts: of each rank the chain to be placed there last,
    and of each chain the one after it at the same rank; not filled where they are empty."""
    earliest, latest, at, key_of = chains.earliest, chains.latest, chains.at, calls.key_of
    lasting, end_of = np.arange(calls.keys), latest[: calls.keys].copy()
    for rank in range(calls.ranks):
        root = at[rank]
        if root == NONE:
            continue
        key = key_of[root]
        end = end_of[key]
        lasts = earliest[root] == rank
        if earliest[root] < end:
            for which, chain in enumerate((lasting[key], root)):
                found[2 * which] = _at(calls.returned, earliest[chain])
                found[2 * which + 1] = _at(calls.invoked, latest[chain])
            return TWO_SPANS if lasts else INSIDE_A_SPAN
        if heads.size:
            where = max(rank, end)
            nexts[root] = heads[where]
            heads[where] = root
        lasting[key] = root if lasts else lasting[key]
        end_of[key] = latest[root] if lasts else end
    return YES


@njit(cache=True)
def _emit(
    calls: Calls, swap: Any, writer: Any, root: int, begin: Any, reads: Any, order: Any, count: int
) -> int:
    value = root
    while True:
        if writer[value] != NONE:
            order[count] = writer[value]
            count += 1
        for at in range(begin[value], begin[value + 1]):
            order[count] = reads[at]
            count += 1
        if swap[value] == NONE:
            return count
        value = calls.b[swap[value]]


@njit(cache=True)
def _order(calls: Calls, values: Values, heads: Any, nexts: Any) -> Any:
    """Chain after chain; within a value its reads in order of invocation."""
    kind, a, b, swap = calls.kind, calls.a, calls.b, values.swap
    begin, writer = np.zeros(swap.size + 1, np.int64), np.full(swap.size, NONE, np.int64)
    for i in range(kind.size):
        if kind[i] == READ:
            begin[a[i] + 1] += 1
            continue
        value = a[i] if kind[i] == WRITE else b[i]
        if values.moments[value, _WRITTEN] == calls.invoked[i]:
            writer[value] = i
    begin = np.cumsum(begin)
    at = begin.copy()
    reads = np.empty(kind.size, np.int64)
    for i in range(kind.size):
        if kind[i] == READ:
            reads[at[a[i]]] = i
            at[a[i]] += 1
    order, count = np.empty(kind.size, np.int64), 0
    for key in range(calls.keys):
        count = _emit(calls, swap, writer, key, begin, reads, order, count)
    for rank in range(calls.ranks):
        root = heads[rank]
        while root != NONE:
            count = _emit(calls, swap, writer, root, begin, reads, order, count)
            root = nexts[root]
    return order[:count]


@njit(cache=True)
def _no_moments(values: int) -> Any:
    moments = np.empty((values, 4), np.int64)
    for value in range(values):
        for role in (READ, WRITE):
            moments[value, _RETURN + role], moments[value, _INVOCATION + role] = NEVER, NONE
    return moments


@njit(cache=True)
def decide(calls: Calls, found: Any, certify: bool) -> Any:
    """(what came of it, the order where it is YES and one is asked for). `found` gets the operations that
    contradict each other, up to four, and -1 where there are fewer."""
    count = calls.key_of.size
    cas = np.zeros((2, count), np.bool_)
    values = Values(_no_moments(count), np.full(count, NONE, np.int64), cas[0], cas[1])
    chains = Chains(
        np.empty(count, np.int64), np.empty(count, np.int64), np.full(calls.ranks, NONE, np.int64)
    )
    heads = np.full(calls.ranks if certify else 0, NONE, np.int64)
    nexts = np.empty(count if certify else 0, np.int64)
    status = _enter(calls, values, found)
    if status == YES:
        status = _chain(calls, values, chains, found)
    if status == YES:
        status = _place(calls, chains, found, heads, nexts)
    order = _order(calls, values, heads, nexts) if status == YES and certify else heads[:0]
    return status, order
