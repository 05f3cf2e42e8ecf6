"""Graphs of transactions in compressed rows, and where they run in circles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from checkers.transactions.codes import FAIL, OK, PROCESS
from checkers.transactions.columns import Bytes, Ints, Longs, TransactionColumns

# (sources, targets, relations), as checkers.transactions.edge_kernels makes them.
Edges = tuple[Ints, Ints, Bytes]


@dataclass(frozen=True)
class Graph:
    """Node v's edges lead to targets[first[v]:first[v + 1]], for the reasons in relations.

    ids: (nodes,) the transaction that a node is, or a number beyond the last transaction's: a node that only
         passes edges on
    """

    first: Longs
    targets: Ints
    relations: Bytes
    ids: Ints

    @property
    def nodes(self) -> int:
        return len(self.ids)


def of_edges(ids: Ints, *parts: Edges) -> Graph:
    from checkers.transactions.edge_kernels import count_out, place_out

    first = np.zeros(len(ids) + 1, np.int64)
    for sources, _, _ in parts:
        count_out(first, sources)
    np.cumsum(first, out=first)
    targets, relations = np.empty(first[-1], np.int32), np.empty(first[-1], np.uint8)
    cursor = first.copy()
    for sources, ends, why in parts:
        place_out(cursor, targets, relations, sources, ends, why)
    return Graph(first, targets, relations, ids)


def restricted(graph: Graph, kept: Ints) -> Graph:
    """The graph of the kept nodes and the edges between them."""
    return of_edges(graph.ids[kept], edges_of(graph, kept))


def edges_of(graph: Graph, kept: Ints) -> Edges:
    from checkers.transactions.edge_kernels import kept_edges

    local = np.full(graph.nodes, -1, np.int32)
    local[kept] = np.arange(len(kept), dtype=np.int32)
    edges: Edges = kept_edges(graph.first, graph.targets, graph.relations, kept, local)
    return edges


def with_real_time(graph: Graph, happened: Ints, transactions: int) -> Graph:
    """The graph with the edges of real time, and the nodes that these need, added."""
    from checkers.transactions.edge_kernels import real_time_edges

    local = np.full(transactions, -1, np.int32)
    real = graph.ids < transactions
    local[graph.ids[real]] = np.flatnonzero(real).astype(np.int32)
    moments = np.arange(int(np.count_nonzero(real)), dtype=np.int32)
    beyond = int(graph.ids.max(initial=transactions)) + 1
    return of_edges(
        np.concatenate([graph.ids, beyond + moments]),
        edges_of(graph, np.arange(graph.nodes, dtype=np.int32)),
        real_time_edges(happened, local, graph.nodes),
    )


def process_edges(columns: TransactionColumns) -> Edges:
    """From each acknowledged transaction to the next of its process."""
    done = np.flatnonzero(columns.status == OK)
    done = done[np.lexsort((columns.returned[done], columns.process[done]))].astype(np.int32)
    same = columns.process[done[:-1]] == columns.process[done[1:]]
    return done[:-1][same], done[1:][same], np.full(int(np.count_nonzero(same)), PROCESS, np.uint8)


def with_processes(graph: Graph, columns: TransactionColumns) -> Graph:
    """The graph with the edges of process order added."""
    everything = np.arange(graph.nodes, dtype=np.int32)
    return of_edges(graph.ids, edges_of(graph, everything), process_edges(columns))


@dataclass(frozen=True)
class Sorted:
    """order: transactions in an order that respects every edge (all of them where circles is empty);
    circles: graphs in which every node reaches every other"""

    order: Ints
    circles: list[Graph]


def sort(graph: Graph, columns: TransactionColumns, real_time: bool) -> Sorted:
    from checkers.transactions.graph_kernels import in_time, put_in_order

    happened: Ints = np.empty(0, np.int32)
    if real_time:
        happened = in_time(columns.status, columns.invoked, columns.returned, columns.events)
    left_out: npt.NDArray[np.bool_] = np.zeros(graph.nodes, np.bool_)
    left_out[: columns.transactions] = columns.status == FAIL
    order, stuck = put_in_order(graph.first, graph.targets, left_out, happened)
    order = order[order < columns.transactions]
    if not stuck.any():
        return Sorted(order, [])
    rest = restricted(graph, np.flatnonzero(stuck).astype(np.int32))
    if real_time:
        rest = with_real_time(rest, happened, columns.transactions)
    return Sorted(order, sorted(circles_in(rest), key=lambda circle: circle.nodes))


def keeping(graph: Graph, wanted: npt.NDArray[np.bool_]) -> Graph:
    """The graph with only the wanted edges, a mask."""
    sources = np.repeat(np.arange(graph.nodes, dtype=np.int32), np.diff(graph.first))
    return of_edges(graph.ids, (sources[wanted], graph.targets[wanted], graph.relations[wanted]))


def circles_in(graph: Graph) -> Iterator[Graph]:
    """The strongly connected components of more than one node."""
    from checkers.transactions.graph_kernels import components

    component, count = components(graph.first, graph.targets)
    sizes = np.bincount(component, minlength=count)
    inside = np.flatnonzero(sizes[component] > 1).astype(np.int32)
    inside = inside[np.argsort(component[inside], kind="stable")]
    starts = np.flatnonzero(np.diff(component[inside], prepend=-1))
    for kept in np.split(inside, starts[1:]) if len(inside) else ():
        yield restricted(graph, kept)
