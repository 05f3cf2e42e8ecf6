"""Lists whose appends report the index they took in one log, from columns, at the speed of memory.

An operation that reports its log index is its own witness: all there is to find out is whether the log
explains what everybody saw. The appends of a list stand as reads show them, those that no read shows by their
log indices; every read must show what its list begins with, up to the log index that it reports; and no
operation may stand before one that had returned when it was invoked (Herlihy and Wing, TOPLAS 1990, §2),
which takes a running maximum. An append that crashed stands where a read shows it, or else need not have
happened.
A no means that this log explains nothing: for clients that never saw a log index, another order may.

It takes three passes over the operations, two of them over the contents, and about 80 bytes an append; so a
history that is larger than memory can be handed over in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from checkers.verdict import Validity

# What the numbers of witness_kernels mean, as kinds of anomalies.
_KINDS = {
    3: "never-appended",
    4: "duplicate-element",
    5: "log-order",
    6: "lost-append",
    7: "incompatible-reads",
    8: "read-past-its-index",
    9: "read-short-of-its-index",
    10: "real-time-order",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """Whether the log explains the operations. None: that cannot be told, because an element was appended
    twice, or one that no read shows reported no log index.

    pair: positions of one or two operations that contradict each other, or of those that cannot be told
    kind: of a no, a short stable name
    """

    validity: Validity | None
    pair: tuple[int, ...] = ()
    kind: str = ""


def explained_by_log(parts: Callable[[], Iterable[Any]], keys: int, elements: int) -> Explained:
    """Judges lists that are appended to and read whole.

    parts: called anew for each pass, gives the operations as witness_kernels.Calls, in one part or more
    keys, elements: how many lists there are, and how many numbers of elements
    """
    from checkers.linear import witness_kernels as kernels

    found = np.full(2, -1, np.int64)
    given = iter(parts())
    first = list(islice(given, 2))
    if len(first) == 1:
        status = kernels.explain(first[0], keys, elements, found)
    else:
        status = _explain(parts, chain(first, given), keys, elements, found)
    if status == kernels.OUT_OF_ORDER:
        found[:] = _positions(parts(), *found)
    pair = tuple(at for at in found.tolist() if at >= 0)
    if status in (kernels.REPEATED, kernels.UNTOLD):
        return Explained(None, pair)
    return Explained(Validity.NO, pair, _KINDS[status]) if status else Explained(Validity.YES)


def _explain(
    parts: Callable[[], Iterable[Any]], given: Iterable[Any], keys: int, elements: int, found: Any
) -> int:
    """As kernels.explain, part by part. given: all of them, for the first pass."""
    from checkers.linear import witness_kernels as kernels

    appends = kernels.no_appends(keys, elements)
    status = kernels.YES
    for calls in given:
        status = status or kernels.enter(calls, appends, found)
    lists = kernels.empty_lists(appends)
    for calls in parts():
        status = status or kernels.show(calls, lists, found)
    status = status or kernels.settle(appends, lists, found)
    for calls in parts():
        status = status or kernels.compare(calls, appends, lists, found)
    return int(status or kernels.in_order(appends, lists, found))


def _positions(parts: Iterable[Any], returned: int, invoked: int) -> list[int]:
    """The operation that returned at the one rank, and that which was invoked at the other."""
    found = [-1, -1]
    for calls in parts:
        for which, ranks, rank in ((0, calls.returned, returned), (1, calls.invoked, invoked)):
            for at in np.nonzero(ranks == rank)[0]:
                found[which] = calls.begin + at
    return found
