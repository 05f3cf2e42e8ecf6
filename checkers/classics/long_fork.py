"""Long fork: two reads that saw two writes in opposite orders, which snapshot isolation forbids and parallel
snapshot isolation allows (Sovran et al., "Transactional storage for geo-replicated systems", 2011, §3).

After Jepsen's long-fork test: each key is written once, by a transaction [["w", key, value]], and read with
the others of its group, [["r", key, value or nil] …]. A read has seen some of its group's writes. Writes that
take effect in one order show themselves in one order, so of two reads of the same keys one has seen all that
the other has; where each has seen a write that the other has not, there is no such order.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from checkers.classics.calls import acknowledged, identity, named
from checkers.history import History, HistoryError, Op
from checkers.verdict import Anomaly, Verdict, conclude

NAME = "long-fork"
Group = frozenset[Hashable]


def long_fork(history: History) -> Verdict:
    """Groups are the sets of keys that reads ask for together, whatever their size. Only reads of exactly the
    same keys are compared. Raises HistoryError for an operation that is no such transaction."""
    calls = list(history.calls())
    writers: dict[Hashable, list[Op]] = {}
    for call in calls:
        for kind, key, _ in _micro_ops(call.invoke):
            if kind == "w" and call.type != "fail":
                writers.setdefault(identity(key), []).append(call.invoke)
    reads = [
        read
        for f in {call.invoke.f for call in calls}
        for read in _reads(acknowledged(calls, f))
        if read.keys
    ]
    reads.sort(key=lambda read: read.op.index)
    changed = {key for key, ops in writers.items() if len(ops) > 1} | _seen_twice(reads)
    groups: dict[Group, list[_Read]] = {}
    for read in reads:
        if len(read.keys) > 1 and not changed.intersection(read.keys):
            groups.setdefault(read.group, []).append(read)
    judged = {group: members for group, members in groups.items() if len(members) > 1}
    forks = [fork for members in judged.values() for fork in _forks(members, writers)]
    return conclude(
        NAME,
        f"{sum(map(len, judged.values()))} reads of {len(judged)} groups of keys; each group's writes were"
        " seen in one order",
        anomalies=forks,
        unknown=[f"{len(changed)} keys were written more than once, so what was seen of them has no order"]
        if changed
        else [],
        vacuous=[] if judged else ["no two reads of the same keys were acknowledged, so none can differ"],
        evidence={
            "reads": len(reads),
            "groups": len(groups),
            "group_sizes": sorted({len(group) for group in groups}),
            "early_reads": sum(not read.seen for read in reads),
            "late_reads": sum(len(read.seen) == len(read.keys) for read in reads),
        },
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """keys: as they were written, by identity;  seen: the values of those that had been written by then."""

    op: Op
    keys: dict[Hashable, Any]
    seen: dict[Hashable, Hashable]

    @property
    def group(self) -> Group:
        return frozenset(self.keys)


def _reads(pairs: Iterator[tuple[Op, Op]]) -> Iterator[_Read]:
    for invoke, done in pairs:
        steps = list(_micro_ops(done))
        if all(kind == "r" for kind, _, _ in steps):
            keys = {identity(key): key for _, key, _ in steps}
            seen = {identity(key): identity(value) for _, key, value in steps if value is not None}
            yield _Read(invoke, keys, seen)


def _micro_ops(op: Op) -> Iterator[tuple[str, Any, Any]]:
    steps = op.value if isinstance(op.value, list | tuple) else [None]
    for step in steps:
        if not isinstance(step, list | tuple) or len(step) != 3 or step[0] not in ("r", "w"):
            raise HistoryError(
                f"op {op.index}: {op.f} has {op.value!r:.60} where long-fork expects a transaction, a list of"
                ' ["r", key, value or null] and ["w", key, value]'
            )
        yield step[0], step[1], step[2]


def _seen_twice(reads: Sequence[_Read]) -> set[Hashable]:
    """Keys that reads saw different values of."""
    values: dict[Hashable, set[Hashable]] = {}
    for read in reads:
        for key, value in read.seen.items():
            values.setdefault(key, set()).add(value)
    return {key for key, seen in values.items() if len(seen) > 1}


def _forks(members: Sequence[_Read], writers: dict[Hashable, list[Op]]) -> Iterator[Anomaly]:
    """Sorted by how much they saw, reads in one order are each contained in the next; so looking at
    neighbours is enough."""
    different: dict[frozenset[Hashable], _Read] = {}
    for read in members:
        different.setdefault(frozenset(read.seen), read)
    for (few, one), (many, other) in pairwise(sorted(different.items(), key=lambda item: len(item[0]))):
        if not few <= many:
            yield _fork(one, min(few - many, key=repr), other, min(many - few, key=repr), writers)


def _fork(
    one: _Read, mine: Hashable, other: _Read, its: Hashable, writers: dict[Hashable, list[Op]]
) -> Anomaly:
    by = [op for key in (mine, its) for op in writers.get(key, ())]
    written = f" (written by {named(by[0])} and {named(by[1])})" if len(by) == 2 else ""
    a, b = one.keys[mine], one.keys[its]
    message = (
        f"{named(one.op)} saw the write of key {a!r} but not that of key {b!r}, {named(other.op)} saw that of"
        f" {b!r} but not that of {a!r}{written}; the two writes cannot each have come before the other"
    )
    ops = tuple(sorted(op.index for op in (*by, one.op, other.op)))
    return Anomaly("long-fork", message, ops, time_ns=max(one.op.time_ns, other.op.time_ns))
