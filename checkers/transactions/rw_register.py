"""Registers: a read tells one version, not the order of versions, so that is inferred as far as it can be:
nothing comes before nil, and, where the caller vouches for it, from what single transactions, processes or
real time say of a key (Kingsbury and Alvaro, VLDB 2020, §4.3 and §5.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from checkers.transactions import graph as graphs
from checkers.transactions.codes import INFO, NEVER, OK, READ, WR, WRITE, WW
from checkers.transactions.columns import Bytes, Ints, Longs, TransactionColumns
from checkers.transactions.graph import Graph
from checkers.transactions.list_append import by_group

Pairs = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class KeyOrders:
    """What is known of each key alone, and so tells the order of its versions.

    writes_follow_reads: a transaction that reads a key and writes it, wrote the next version or a later one
    sequential:          every process sees a key's versions in order
    linearizable:        all see a key's versions in order of real time
    """

    writes_follow_reads: bool = False
    sequential: bool = False
    linearizable: bool = False


@dataclass(frozen=True)
class Registers:
    """What the reads and writes of the registers say.

    writer, failed: (versions,) the transaction that may have written it; that failed to; -1 for none
    twice:          a version that two transactions may have written, or -1
    faults:         (m,) what is wrong with a micro-operation by itself: bits of checkers.transactions.codes
    external:       (m,) whether it is a transaction's first touch of a key, a read, or its last write of one
    order:          (k, 2) versions, the first before the second; number versions + key is the key's nil
    cycles:         sets of versions, each before itself, and the assumption that says so
    """

    columns: TransactionColumns
    writer: Ints
    failed: Ints
    twice: int
    faults: Bytes
    external: npt.NDArray[np.bool_]
    order: Pairs
    cycles: list[tuple[list[int], str]]

    def nil(self, key: int) -> int:
        return self.columns.versions + key


def read_registers(c: TransactionColumns, known: KeyOrders) -> Registers:
    from checkers.transactions.kernels import find_writers
    from checkers.transactions.register_kernels import find_register_faults

    writer, failed, overwritten, twice = find_writers(
        c.status, c.first, c.f, c.key, c.version, c.keys, c.versions
    )
    faults, external = find_register_faults(
        c.status, c.first, c.f, c.key, c.version, writer, failed, overwritten, c.keys
    )
    order, cycles = _version_order(c, external, known)
    return Registers(c, writer, failed, int(twice), faults, external, order, cycles)


def dependencies(registers: Registers) -> Graph:
    """The graph of the transactions' dependencies on one another's data. A crashed transaction counts where
    another read what it wrote."""
    c = registers.columns
    of_op = _transactions_of_ops(c)
    reads = np.flatnonzero(registers.external & (c.f == READ) & (c.status[of_op] == OK))
    writes = np.flatnonzero(registers.external & (c.f == WRITE))
    version_read = np.where(c.version[reads] >= 0, c.version[reads], c.versions + c.key[reads])
    happened = c.status == OK
    seen = registers.writer[c.version[reads][c.version[reads] >= 0]]
    happened[seen[seen >= 0]] = True
    by = np.full(c.versions + c.keys, -1, np.int32)
    writes = writes[happened[of_op[writes]]]
    by[c.version[writes]] = of_op[writes]
    earlier, later = by[registers.order[:, 0]], by[registers.order[:, 1]]
    readers = np.column_stack([version_read, of_op[reads]]).astype(np.int32)
    writers = np.column_stack([registers.order[:, 0], later]).astype(np.int32)[later >= 0]
    groups = by_group(np.unique(writers, axis=0), readers[np.isin(readers[:, 0], writers[:, 0])])
    return graphs.of_edges(
        np.arange(c.transactions + len(groups[0]) - 1, dtype=np.int32),
        _edges(earlier, later, WW),
        _edges(by[version_read], of_op[reads], WR),
        _group_edges(groups, c.transactions),
    )


def _edges(sources: Ints, targets: Ints, relation: int) -> graphs.Edges:
    real = (sources >= 0) & (targets >= 0) & (sources != targets)
    return sources[real], targets[real], np.full(int(np.count_nonzero(real)), relation, np.uint8)


def _group_edges(groups: tuple[Longs, Ints, Longs, Ints], transactions: int) -> graphs.Edges:
    from checkers.transactions.edge_kernels import group_edges

    edges: graphs.Edges = group_edges(transactions, *groups, transactions)
    return edges


def _transactions_of_ops(c: TransactionColumns) -> Ints:
    return np.repeat(np.arange(c.transactions, dtype=np.int32), np.diff(c.first))


def find_lost_updates(registers: Registers, at_most: int) -> Longs:
    """(k, 2): pairs of reads of one version whose transactions both went on to write the key."""
    c = registers.columns
    based: dict[tuple[int, int], int] = {}
    found: list[tuple[int, int]] = []
    for transaction in np.flatnonzero(c.status == OK).tolist():
        read: dict[int, int] = {}
        for j in c.micro_ops(transaction):
            key = int(c.key[j])
            if c.f[j] == READ:
                read.setdefault(key, j)
                continue
            base = read.get(key, -1)
            read[key] = -1
            if base < 0:
                continue
            first = based.setdefault((key, int(c.version[base])), base)
            if first != base and len(found) < at_most:
                found.append((first, base))
    return np.array(found, np.int64).reshape(-1, 2)


def _version_order(
    c: TransactionColumns, external: npt.NDArray[np.bool_], known: KeyOrders
) -> tuple[Pairs, list[tuple[list[int], str]]]:
    """The order's pairs, and what goes in circles. An assumption that leads to a circle is not used."""
    touches = _touches(c, external)
    order = _pairs((c.versions + touch.key, v) for touch in touches for v in touch.versions if v >= 0)
    cycles: list[tuple[list[int], str]] = []
    for holds, name, infer in (
        (known.writes_follow_reads, "a transaction writes after what it read", _within_transactions),
        (known.sequential, "every process sees a key's versions in order", _by_process),
        (known.linearizable, "a key's versions follow real time", _by_real_time),
    ):
        if holds:
            nils = ((_or_nil(c, key, a), _or_nil(c, key, b)) for key, a, b in infer(c, touches))
            more = np.unique(np.concatenate([order, _pairs(nils)]), axis=0)
            circles = _circles(more, c.versions + c.keys)
            cycles += [(circle, name) for circle in circles]
            order = order if circles else more
    return np.unique(order, axis=0), cycles


def _pairs(pairs: Iterator[tuple[int, int]]) -> Pairs:
    return np.array([pair for pair in pairs if pair[0] != pair[1]], np.int32).reshape(-1, 2)


def _or_nil(c: TransactionColumns, key: int, version: int) -> int:
    return version if version >= 0 else c.versions + key


def _circles(order: Pairs, versions: int) -> list[list[int]]:
    from checkers.transactions.graph_kernels import components

    graph = graphs.of_edges(
        np.arange(versions, dtype=np.int32),
        (order[:, 0].copy(), order[:, 1].copy(), np.zeros(len(order), np.uint8)),
    )
    component, count = components(graph.first, graph.targets)
    large = np.flatnonzero(np.bincount(component, minlength=count) > 1)
    return [np.flatnonzero(component == number).tolist() for number in large]


@dataclass(frozen=True, slots=True)
class _Touch:
    """What a transaction had to do with a key: the version it read first and the one it left, -1 for nil;
    `versions` holds those that there are."""

    transaction: int
    key: int
    versions: tuple[int, ...]


def _touches(c: TransactionColumns, external: npt.NDArray[np.bool_]) -> list[_Touch]:
    touches: list[_Touch] = []
    for transaction in np.flatnonzero(c.status <= INFO).tolist():
        keys: dict[int, list[int]] = {}
        for j in c.micro_ops(transaction):
            if external[j]:
                keys.setdefault(int(c.key[j]), []).append(int(c.version[j]))
        touches += [_Touch(transaction, key, tuple(versions)) for key, versions in keys.items()]
    return touches


Inferred = Iterator[tuple[int, int, int]]


def _within_transactions(_c: TransactionColumns, touches: list[_Touch]) -> Inferred:
    for touch in touches:
        if len(touch.versions) == 2:
            yield touch.key, *touch.versions


def _by_process(c: TransactionColumns, touches: list[_Touch]) -> Inferred:
    last: dict[tuple[int, int], _Touch] = {}
    done = [touch for touch in touches if c.status[touch.transaction] == OK]
    for touch in sorted(done, key=lambda touch: int(c.returned[touch.transaction])):
        before = last.get((int(c.process[touch.transaction]), touch.key))
        if before is not None:
            yield touch.key, before.versions[-1], touch.versions[0]
        last[int(c.process[touch.transaction]), touch.key] = touch


def _by_real_time(c: TransactionColumns, touches: list[_Touch]) -> Inferred:
    by_key: dict[int, list[_Touch]] = defaultdict(list)
    for touch in touches:
        by_key[touch.key].append(touch)
    for key, of_key in by_key.items():
        yield from ((key, before, after) for before, after in _in_real_time(c, of_key))


def _in_real_time(c: TransactionColumns, touches: list[_Touch]) -> Iterator[tuple[int, int]]:
    """Each touch with those that it surely follows and that no other such follows: enough to reach all."""
    moments: list[tuple[int, bool, int]] = []
    for at, touch in enumerate(touches):
        moments.append((int(c.invoked[touch.transaction]), True, at))
        if c.returned[touch.transaction] != NEVER:
            moments.append((int(c.returned[touch.transaction]), False, at))
    latest: set[int] = set()
    preceding: dict[int, set[int]] = {}
    for _, invoked, at in sorted(moments):
        if not invoked:
            latest -= preceding.pop(at)
            latest.add(at)
            continue
        preceding[at] = set(latest)
        for before in latest:
            yield touches[before].versions[-1], touches[at].versions[0]
