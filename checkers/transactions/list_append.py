"""Lists: a read tells its list's whole past, so the longest read of a list is the order of its versions
(Kingsbury and Alvaro, VLDB 2020, §4.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from checkers.transactions import graph as graphs
from checkers.transactions.columns import Bytes, Ints, Longs, TransactionColumns
from checkers.transactions.graph import Graph


@dataclass(frozen=True)
class Lists:
    """What the reads of the lists say.

    writer, failed: (versions,) the transaction that may have appended it; that failed to; -1 for none
    twice:          a version that two transactions may have appended, or -1
    longest:        (keys,) the longest read, a micro-operation; -1 for none
    order_first:    (keys + 1,) and order: the versions that were seen, in order, list after list
    faults:         (m,) what is wrong with a micro-operation by itself: bits of checkers.transactions.codes
    place:          (m,) how many elements a read saw, at which position an append landed; -1: cannot be told
    """

    columns: TransactionColumns
    writer: Ints
    failed: Ints
    twice: int
    longest: Longs
    order_first: Longs
    order: Ints
    faults: Bytes
    place: Ints

    def versions(self, key: int) -> Ints:
        return self.order[self.order_first[key] : self.order_first[key + 1]]


def read_lists(c: TransactionColumns) -> Lists:
    from checkers.transactions.kernels import find_faults, find_orders, find_writers

    writer, failed, overwritten, twice = find_writers(
        c.status, c.first, c.f, c.key, c.version, c.keys, c.versions
    )
    reads = (c.element_first, c.elements)
    longest, order_first, order, position = find_orders(
        c.status, c.first, c.f, c.key, *reads, c.keys, c.versions
    )
    orders = (longest, order_first, order, position)
    faults, place = find_faults(
        c.status, c.first, c.f, c.key, c.version, *reads, writer, failed, overwritten, *orders
    )
    return Lists(c, writer, failed, int(twice), longest, order_first, order, faults, place)


def find_lost_updates(lists: Lists, at_most: int) -> Longs:
    """(k, 2): pairs of reads of one state whose transactions both went on to append to the list."""
    from checkers.transactions import kernels

    c = lists.columns
    pairs: Longs = kernels.find_lost_updates(
        c.status, c.first, c.f, c.key, lists.place, lists.order_first, at_most
    )
    return pairs


def dependencies(lists: Lists) -> Graph:
    """The graph of the transactions' dependencies on one another's data."""
    from checkers.transactions.edge_kernels import find_unseen, group_edges, list_edges

    c = lists.columns
    writers, readers = find_unseen(c.status, c.first, c.f, c.key, lists.place, lists.order_first)
    groups = by_group(writers, readers)
    return graphs.of_edges(
        np.arange(c.transactions + len(groups[0]) - 1, dtype=np.int32),
        list_edges(
            c.status,
            c.first,
            c.f,
            c.key,
            c.element_first,
            c.elements,
            lists.place,
            lists.writer,
            lists.order_first,
            lists.order,
        ),
        group_edges(c.transactions, *groups, c.transactions),
    )


def by_group(writers: Ints, readers: Ints) -> tuple[Longs, Ints, Longs, Ints]:
    """Pairs (group, transaction), laid out as checkers.transactions.edge_kernels.group_edges takes them: a
    group for each that has a writer."""
    groups = np.unique(writers[:, 0])
    writers = writers[np.argsort(writers[:, 0], kind="stable")]
    readers = readers[np.argsort(readers[:, 0], kind="stable")]
    return (
        np.append(np.searchsorted(writers[:, 0], groups), len(writers)),
        writers[:, 1].copy(),
        np.append(np.searchsorted(readers[:, 0], groups), len(readers)),
        readers[:, 1].copy(),
    )
