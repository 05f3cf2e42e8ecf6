"""Texts that are put and appended to, where the text of each is found again in what was read.

A text that was read names the put that it began with and the order of the appends since, so all that was
seen of one put has its places (checkers/linear/places.py), and takes effect with nothing else in
between. Between those groups the order is that of the zones of Gibbons and Korach ("Testing Shared
Memories", SIAM J. Computing 26(4), 1997, §4): one goes before another if some of it had returned before
some of the other was invoked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from checkers.linear.operations import Decision, Operation
from checkers.linear.places import in_places, no
from checkers.verdict import Validity

ALGORITHM = "texts"


@dataclass(slots=True)
class _Group:
    """What was seen of one put, or of the beginning; or a write that was never seen, alone.

    longest: the longest text read of it
    reads:   positions, longest first
    places:  of each position in the operations
    """

    longest: str = ""
    reads: list[int] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)


def texts(operations: Sequence[Operation]) -> Decision | None:
    """Puts, appends and gets of a text. None where there is anything else, and where of two texts written one
    begins with the other or is the same, so that what was read could be read in several ways."""
    writes: dict[str, int] = {}
    gets: list[int] = []
    for at, operation in enumerate(operations):
        if not _is_text(operation):
            return None
        if operation.f != "get":
            if writes.setdefault(operation.argument, at) != at:
                return None
        elif not operation.crashed:
            gets.append(at)
    in_order = sorted(writes)
    if "" in writes or any(b.startswith(a) for a, b in pairwise(in_order)):
        return None
    lengths = sorted({len(text) for text in writes})
    groups = _groups(operations, writes, lengths, gets)
    if isinstance(groups, Decision):
        return groups
    seen = {at for group in groups for at in group.places}
    beginning = bool(groups[0].places)
    groups = groups if beginning else groups[1:]
    groups += [
        _Group(places={at: 0}) for at in writes.values() if at not in seen and not operations[at].crashed
    ]
    return _explain(operations, groups, beginning)


def _is_text(operation: Operation) -> bool:
    if operation.f == "get":
        return operation.crashed or operation.result is None or isinstance(operation.result, str)
    return operation.f in ("put", "append") and isinstance(operation.argument, str)


def _groups(
    operations: Sequence[Operation], writes: dict[str, int], lengths: Sequence[int], gets: Iterable[int]
) -> list[_Group] | Decision:
    """The group of the beginning, and one for each put that was seen."""
    by_put: dict[int, _Group] = {-1: _Group()}
    for at in gets:
        text = operations[at].result or ""
        first = _write_at(writes, lengths, text, 0) if text else -1
        if first is None:
            return no(ALGORITHM, "never-written", [at])
        group = by_put.setdefault(first if first >= 0 and operations[first].f == "put" else -1, _Group())
        group.reads.append(at)
        group.longest = max(group.longest, text, key=len)
    owner: dict[int, _Group] = {}
    for group in by_put.values():
        ends = {0: 0}
        end = 0
        group.reads.sort(key=lambda at: -len(operations[at].result or ""))
        longest = group.reads[:1]
        while end < len(group.longest):
            write = _write_at(writes, lengths, group.longest, end)
            if write is None:
                return no(ALGORITHM, "never-written", longest)
            if write in owner:
                return no(ALGORITHM, "seen-twice", [write, *longest, *owner[write].reads])
            if end > 0 and operations[write].f == "put":
                return no(ALGORITHM, "put-without-effect", [write, *longest])
            owner[write] = group
            group.places[write] = 2 * len(ends)
            end += len(operations[write].argument)
            ends[end] = 2 * len(ends) + 1
        ends[0] = 1
        for at in group.reads:
            text = operations[at].result or ""
            if not group.longest.startswith(text) or len(text) not in ends:
                return no(ALGORITHM, "incompatible-reads", [at, *longest])
            group.places[at] = ends[len(text)]
    return list(by_put.values())


def _write_at(writes: dict[str, int], lengths: Sequence[int], text: str, start: int) -> int | None:
    for length in lengths:
        write = writes.get(text[start : start + length])
        if write is not None:
            return write
    return None


def _explain(operations: Sequence[Operation], groups: Sequence[_Group], beginning: bool) -> Decision:
    """The groups one after the other: always one that none of the others has to come before. Where the first
    of them is the beginning, it comes before all others."""
    orders: list[list[int]] = []
    for group in groups:
        members = list(group.places)
        order = in_places([operations[at] for at in members], list(group.places.values()))
        if isinstance(order, tuple):
            return no(ALGORITHM, "stale-read", [*(members[i] for i in order), *group.reads[:1]])
        orders.append([members[i] for i in order])
    # Of each the first to return and the last to be invoked.
    ends = [
        (
            min(order, key=lambda at: operations[at].returned),
            max(order, key=lambda at: operations[at].invoked),
        )
        for order in orders
    ]
    first_return = [operations[first].returned for first, _ in ends]
    last_invocation = [operations[last].invoked for _, last in ends]
    if beginning:
        first_return[0] = -1
    by_return = sorted(range(len(groups)), key=lambda i: first_return[i])
    by_invocation = sorted(range(len(groups)), key=lambda i: last_invocation[i])
    gone = [False] * len(groups)
    explained: list[int] = []
    invoked = returned = 0
    while True:
        while invoked < len(groups) and gone[by_invocation[invoked]]:
            invoked += 1
        if invoked == len(groups):
            return Decision(Validity.YES, ALGORITHM, order=explained)
        while gone[by_return[returned]]:
            returned += 1
        one, soonest = by_invocation[invoked], by_return[returned]
        if one == soonest or last_invocation[one] > first_return[soonest]:
            # Only the soonest to return may still come first, if it is not too late for the next.
            one, following = soonest, returned + 1
            while following < len(groups) and gone[by_return[following]]:
                following += 1
            if following < len(groups) and last_invocation[one] > first_return[by_return[following]]:
                other = by_return[following]
                shown = [*groups[one].reads[:1], *groups[other].reads[:1]]
                return no(ALGORITHM, "stale-read", [*ends[one], *ends[other], *shown])
        gone[one] = True
        explained += orders[one]
