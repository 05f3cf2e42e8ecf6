"""Anomalies that need no circle: what single transactions, lists and pairs of reads show by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from checkers.transactions.codes import (
    ABORTED,
    FAIL,
    FUTURE,
    GARBAGE,
    INFO,
    INTERMEDIATE,
    INTERNAL,
    ODD,
    OK,
    WRITE,
)
from checkers.transactions.columns import Bytes, TransactionColumns
from checkers.transactions.list_append import Lists, find_lost_updates
from checkers.transactions.rw_register import Registers
from checkers.transactions.rw_register import find_lost_updates as find_lost_register_updates
from checkers.transactions.words import listed_elements, named, op_of
from checkers.verdict import Anomaly
from checkers.words import listed, shown

# Anomalies of one kind that are told of.
EXAMPLES = 5

Cases = Iterable[Anomaly]


def list_anomalies(lists: Lists, forbidden: frozenset[str]) -> list[Anomaly]:
    return _first_few(
        forbidden,
        {
            "duplicate-elements": lambda: _duplicates(lists),
            "garbage-read": lambda: _marked(lists, GARBAGE, "garbage-read", _garbage),
            "incompatible-order": lambda: _incompatible(lists),
            "G1a": lambda: _marked(lists, ABORTED, "G1a", _aborted),
            "dirty-update": lambda: _dirty_updates(lists),
            "G1b": lambda: _marked(lists, INTERMEDIATE, "G1b", _intermediate),
            "internal": lambda: _marked(lists, INTERNAL, "internal", _internal),
            "future-read": lambda: _marked(lists, FUTURE, "future-read", _future),
            "lost-update": lambda: _lost_updates(lists),
        },
    )


def register_anomalies(registers: Registers, forbidden: frozenset[str]) -> list[Anomaly]:
    return _first_few(
        forbidden,
        {
            "cyclic-versions": lambda: _cyclic_versions(registers),
            "G1a": lambda: _marked(registers, ABORTED, "G1a", _aborted),
            "G1b": lambda: _marked(registers, INTERMEDIATE, "G1b", _intermediate),
            "internal": lambda: _marked(registers, INTERNAL, "internal", _internal),
            "future-read": lambda: _marked(registers, FUTURE, "future-read", _future),
            "lost-update": lambda: _lost_updates(registers),
        },
    )


def _first_few(forbidden: frozenset[str], kinds: dict[str, Callable[[], Cases]]) -> list[Anomaly]:
    return [
        anomaly for kind, cases in kinds.items() if kind in forbidden for anomaly in islice(cases(), EXAMPLES)
    ]


# What was read or written, what is wrong with it, and which other transaction is concerned, if any.
Told = tuple[str, int | None]


def _marked(
    facts: Lists | Registers, mark: int, kind: str, tell: Callable[[Lists | Registers, int], Told]
) -> Iterator[Anomaly]:
    c = facts.columns
    for j in np.flatnonzero(facts.faults & mark)[:EXAMPLES].tolist():
        transaction = c.transaction_of(j)
        text, other = tell(facts, j)
        ops = [op_of(c, transaction), *([op_of(c, other)] if other is not None else [])]
        yield Anomaly(kind, f"{named(c, transaction)} {text}", tuple(ops))


def _said(facts: Lists | Registers, j: int) -> str:
    """Such as "read x as [1 2]" or "appended 3 to x"."""
    c = facts.columns
    key = shown(c.key_name(int(c.key[j])))
    value = shown(c.value_name(int(c.version[j])))
    if isinstance(facts, Registers):
        return f"wrote {key} = {value}" if c.f[j] == WRITE else f"read {key} = {value}"
    if c.f[j] == WRITE:
        return f"appended {value} to {key}"
    return f"read {key} as {listed_elements(c, c.read(j))}"


def _seen(facts: Lists | Registers, j: int) -> list[int]:
    c = facts.columns
    return c.read(j).tolist() if isinstance(facts, Lists) else [int(c.version[j])]


def _aborted(facts: Lists | Registers, j: int) -> Told:
    bad = next(v for v in _seen(facts, j) if facts.writer[v] < 0 <= facts.failed[v])
    by = int(facts.failed[bad])
    c = facts.columns
    return f"{_said(facts, j)}; {shown(c.value_name(bad))} is of {named(c, by)}, which failed", by


def _garbage(facts: Lists | Registers, j: int) -> Told:
    bad = next(v for v in _seen(facts, j) if facts.writer[v] < 0 and facts.failed[v] < 0)
    return f"{_said(facts, j)}; nobody ever appended {shown(facts.columns.value_name(bad))}", None


def _intermediate(facts: Lists | Registers, j: int) -> Told:
    c = facts.columns
    last = _seen(facts, j)[-1]
    by = int(facts.writer[last] if facts.writer[last] >= 0 else facts.failed[last])
    writes = [i for i in c.micro_ops(by) if c.f[i] == WRITE and c.key[i] == c.key[j]]
    final = shown(c.value_name(int(c.version[writes[-1]])))
    return (
        f"{_said(facts, j)}; {shown(c.value_name(last))} was only on the way: {named(c, by)}, which wrote it,"
        f" went on to write {final}"
    ), by


def _internal(facts: Lists | Registers, j: int) -> Told:
    c = facts.columns
    own = range(int(c.first[c.transaction_of(j)]), j)
    before = [_said(facts, i) for i in own if c.key[i] == c.key[j]]
    return f"{_said(facts, j)}, although it itself had just {listed(before[-3:])}", None


def _future(facts: Lists | Registers, j: int) -> Told:
    return f"{_said(facts, j)}, and both read and wrote that version, but read it before it wrote it", None


def _duplicates(lists: Lists) -> Iterator[Anomaly]:
    c = lists.columns
    odd = np.flatnonzero(lists.faults & ODD).tolist()
    lengths = c.element_first[lists.longest + 1] - c.element_first[lists.longest]
    repeating = lists.longest[(lists.longest >= 0) & (lengths > np.diff(lists.order_first))].tolist()
    for j in [*repeating, *odd]:
        often = [v for v, times in Counter(c.read(j).tolist()).items() if times > 1]
        if often:
            transaction = c.transaction_of(j)
            text = f"{_said(lists, j)}: {shown(c.value_name(often[0]))} is there more than once"
            yield Anomaly("duplicate-elements", f"{named(c, transaction)} {text}", (op_of(c, transaction),))


def _incompatible(lists: Lists) -> Iterator[Anomaly]:
    c = lists.columns
    odd = np.flatnonzero(lists.faults & ODD)
    _, first = np.unique(c.key[odd], return_index=True)
    for j in odd[np.sort(first)].tolist():
        longest = int(lists.longest[c.key[j]])
        a, b = c.transaction_of(j), c.transaction_of(longest)
        yield Anomaly(
            "incompatible-order",
            f"{named(c, a)} {_said(lists, j)}, and {named(c, b)} {_said(lists, longest)}: a list that only"
            " grows cannot have been both",
            (op_of(c, a), op_of(c, b)),
        )


def _dirty_updates(lists: Lists) -> Iterator[Anomaly]:
    c = lists.columns
    aborted = (lists.writer[lists.order] < 0) & (lists.failed[lists.order] >= 0)
    for key in np.unique(np.searchsorted(lists.order_first, np.flatnonzero(aborted), "right") - 1).tolist():
        dirt: int | None = None
        for version in lists.versions(key).tolist():
            by = int(lists.writer[version] if lists.writer[version] >= 0 else lists.failed[version])
            status = int(c.status[by]) if by >= 0 else INFO
            if status == FAIL:
                dirt = version
            elif status == OK and dirt is not None:
                failed = int(lists.failed[dirt])
                yield Anomaly(
                    "dirty-update",
                    f"{named(c, by)} appended {shown(c.value_name(version))} to {shown(c.key_name(key))}"
                    f" on top of {shown(c.value_name(dirt))}, which is of {named(c, failed)}, which failed",
                    (op_of(c, by), op_of(c, failed)),
                )
                dirt = None


def _lost_updates(facts: Lists | Registers) -> Iterator[Anomaly]:
    c = facts.columns
    find = (
        find_lost_updates(facts, EXAMPLES)
        if isinstance(facts, Lists)
        else find_lost_register_updates(facts, EXAMPLES)
    )
    for one, other in find.tolist():
        a, b = c.transaction_of(one), c.transaction_of(other)
        key = shown(c.key_name(int(c.key[one])))
        yield Anomaly(
            "lost-update",
            f"{named(c, a)} {_said(facts, one)}, {named(c, b)} {_said(facts, other)}, and both went on to"
            f" write {key}: neither saw the other's write, so one of the two updates is lost",
            (op_of(c, a), op_of(c, b)),
        )


def _cyclic_versions(registers: Registers) -> Iterator[Anomaly]:
    c = registers.columns
    for versions, assumption in registers.cycles:
        real = [version for version in versions if version < c.versions]
        keys = np.flatnonzero(np.isin(c.version, real))
        key = int(c.key[keys[0]])
        values = listed(shown(c.value_name(version if version < c.versions else -1)) for version in versions)
        ops = sorted({op_of(c, c.transaction_of(int(j))) for j in keys})
        yield Anomaly(
            "cyclic-versions",
            f"{shown(c.key_name(key))}: if {assumption}, its versions {values} each came before the others",
            tuple(ops),
        )


def unwritten_reads(registers: Registers) -> int:
    """Reads of values that nobody wrote: they may be what the registers held at first, or may not."""
    c: TransactionColumns = registers.columns
    read = c.version[(c.f != WRITE) & (c.version >= 0)]
    unknown: Bytes = (registers.writer[read] < 0) & (registers.failed[read] < 0)
    return int(np.count_nonzero(unknown))
