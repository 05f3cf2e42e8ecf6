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


class Links(NamedTuple):
    """Of each value: who wrote it, the compare-and-set that replaced it, and of its reads the one that
    returned first and the one that was invoked last."""

    kept: Any
    writer: Any
    swap: Any
    first: Any
    last: Any


class Chains(NamedTuple):
    """A chain is a write, its reads, the compare-and-set from it, its reads … Nothing can come between them.
    It is known by the value it begins with. earliest: its operation that returned first; latest: the one that
    was invoked last; of[v]: the chain of value v; next: the chain placed after it at the same rank."""

    earliest: Any
    latest: Any
    of: Any
    next: Any


@njit(cache=True)
def _keep(calls: Calls, kept: Any) -> int:
    kind, a, b, returned = calls.kind, calls.a, calls.b, calls.returned
    crashed = np.full(calls.key_of.size, NONE, np.int64)
    for i in range(kind.size):
        kept[i] = returned[i] < NEVER
        if not kept[i] and kind[i] != READ:
            value = a[i] if kind[i] == WRITE else b[i]
            crashed[value] = i if crashed[value] == NONE else SEVERAL
    for i in range(kind.size):
        at = i if kept[i] else NONE
        while at != NONE and kind[at] != WRITE:
            at = crashed[a[at]]
            if at == SEVERAL:
                return REPEATED
            if at == NONE or kept[at]:
                break
            kept[at] = True
    return YES


@njit(cache=True)
def _link(calls: Calls, links: Links, found: Any) -> int:
    writer, swap, first, last, kept = links.writer, links.swap, links.first, links.last, links.kept
    kind, a, b, invoked, returned, keys = (
        calls.kind,
        calls.a,
        calls.b,
        calls.invoked,
        calls.returned,
        calls.keys,
    )
    for i in range(kind.size):
        if kept[i] and kind[i] != READ:
            value = a[i] if kind[i] == WRITE else b[i]
            if value < keys or writer[value] != NONE:
                return REPEATED
            writer[value] = i
    for i in range(kind.size):
        if not kept[i] or kind[i] == WRITE:
            continue
        value = a[i]
        if value >= keys and writer[value] == NONE:
            found[0] = i
            return NEVER_WRITTEN
        if kind[i] == READ:
            if first[value] == NONE or returned[i] < returned[first[value]]:
                first[value] = i
            if last[value] == NONE or invoked[i] > invoked[last[value]]:
                last[value] = i
            continue
        if swap[value] != NONE:
            found[0], found[1] = swap[value], i
            return TWO_CAS
        swap[value] = i
    return YES


@njit(cache=True)
def _chain(calls: Calls, links: Links, chains: Chains, found: Any) -> int:
    writers, swap, first, last = links.writer, links.swap, links.first, links.last
    kind, b, invoked, returned, keys = calls.kind, calls.b, calls.invoked, calls.returned, calls.keys
    of, c_earliest, c_latest = chains.of, chains.earliest, chains.latest
    for root in range(calls.key_of.size):
        writer = writers[root]
        if root >= keys and (writer == NONE or kind[writer] != WRITE):
            continue
        earliest, latest = NONE, NONE
        value = root
        while True:
            of[value] = root
            for stage in range(2):
                ending = writers[value] if stage == 0 else first[value]
                opening = writers[value] if stage == 0 else last[value]
                if ending == NONE:
                    continue
                if latest != NONE and invoked[latest] > returned[ending]:
                    found[0], found[1] = ending, latest
                    return IN_CHAIN
                if earliest == NONE or returned[ending] < returned[earliest]:
                    earliest = ending
                if latest == NONE or invoked[opening] > invoked[latest]:
                    latest = opening
            if swap[value] == NONE:
                break
            value = b[swap[value]]
        c_earliest[root], c_latest[root] = earliest, latest
    for value in range(calls.key_of.size):
        if writers[value] != NONE and of[value] == NONE:
            found[0] = writers[value]
            return CAS_CYCLE
    return YES


@njit(cache=True)
def _moments(calls: Calls, chains: Chains) -> Any:
    at = np.full(calls.ranks, NONE, np.int64)
    earliest, latest, invoked, returned = chains.earliest, chains.latest, calls.invoked, calls.returned
    for root in range(calls.keys, earliest.size):
        if earliest[root] != NONE:
            at[min(returned[earliest[root]], invoked[latest[root]])] = root
    return at


@njit(cache=True)
def _place(calls: Calls, chains: Chains, heads: Any, found: Any) -> int:
    at = _moments(calls, chains)
    earliest, latest, nexts = chains.earliest, chains.latest, chains.next
    invoked, returned, key_of = calls.invoked, calls.returned, calls.key_of
    over = np.full(calls.keys, NONE, np.int64)
    for key in range(calls.keys):
        if latest[key] != NONE:
            over[key] = key
    for rank in range(calls.ranks):
        root = at[rank]
        if root == NONE:
            continue
        key = key_of[root]
        span = over[key]
        end = invoked[latest[span]] if span != NONE else NONE
        lasts = returned[earliest[root]] == rank
        where = rank
        if rank < end:
            found[0], found[1] = span, root
            if lasts:
                return TWO_SPANS
            if returned[earliest[root]] < end:
                return INSIDE_A_SPAN
            where = end
        if lasts:
            over[key] = root
        nexts[root] = heads[where]
        heads[where] = root
    return YES


@njit(cache=True)
def _emit(calls: Calls, links: Links, root: int, begin: Any, reads: Any, order: Any, count: int) -> int:
    value = root
    while True:
        if links.writer[value] != NONE:
            order[count] = links.writer[value]
            count += 1
        for at in range(begin[value], begin[value + 1]):
            order[count] = reads[at]
            count += 1
        if links.swap[value] == NONE:
            return count
        value = calls.b[links.swap[value]]


@njit(cache=True)
def _order(calls: Calls, links: Links, chains: Chains, heads: Any) -> Any:
    """Chain after chain; within a value its reads in order of invocation."""
    begin = np.zeros(calls.key_of.size + 1, np.int64)
    for i in range(calls.kind.size):
        if calls.kind[i] == READ:
            begin[calls.a[i] + 1] += 1
    begin = np.cumsum(begin)
    at = begin.copy()
    reads = np.empty(calls.kind.size, np.int64)
    for i in range(calls.kind.size):
        if calls.kind[i] == READ:
            reads[at[calls.a[i]]] = i
            at[calls.a[i]] += 1
    order, count = np.empty(calls.kind.size, np.int64), 0
    for key in range(calls.keys):
        count = _emit(calls, links, key, begin, reads, order, count)
    for rank in range(calls.ranks):
        root = heads[rank]
        while root != NONE:
            count = _emit(calls, links, root, begin, reads, order, count)
            root = chains.next[root]
    return order[:count]


@njit(cache=True)
def decide(calls: Calls, found: Any, certify: bool) -> Any:
    """(what came of it, the order where it is YES and one is asked for). `found` gets the operations that
    contradict each other, up to four, and -1 where there are fewer."""
    values = calls.key_of.size
    nobody = np.full((8, values), NONE, np.int64)
    links = Links(np.ones(calls.kind.size, np.bool_), nobody[0], nobody[1], nobody[2], nobody[3])
    chains = Chains(nobody[4], nobody[5], nobody[6], nobody[7])
    heads = np.full(calls.ranks, NONE, np.int64)
    status = _keep(calls, links.kept)
    if status == YES:
        status = _link(calls, links, found)
    if status == YES:
        status = _chain(calls, links, chains, found)
    if status == YES:
        status = _place(calls, chains, heads, found)
    if status in (TWO_SPANS, INSIDE_A_SPAN):
        one, other = found[0], found[1]
        found[0], found[1] = chains.earliest[one], chains.latest[one]
        found[2], found[3] = chains.earliest[other], chains.latest[other]
    order = _order(calls, links, chains, heads) if status == YES and certify else heads[:0]
    return status, order
