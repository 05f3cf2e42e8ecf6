"""The search for circles of a shape, against every walk there is; and what a replay of transactions sees."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from checkers.transactions import serial, transactions
from checkers.transactions.codes import ONWARD, PROCESS, REALTIME, RW, WR, WW
from checkers.transactions.cycle_kernels import APART, NOWHERE, shortest_circle
from checkers.transactions.cycles import SHAPES, Search, Shape
from checkers.transactions.micro_ops import to_columns
from checkers.transactions.serial import verify_serial
from checkers.verdict import Validity
from tests.checkers.transaction_histories import at_once, history, micro_ops, one_after_another

# (from, to, relation)
Edge = tuple[int, int, int]


def some_edges(rng: random.Random) -> list[Edge]:
    nodes = rng.randint(2, 5)
    relations = rng.choice(((WW, WR, RW), (RW, WR), (RW, WW, REALTIME), (WW, WR, RW, PROCESS, REALTIME)))
    pairs = [(a, b) for a in range(nodes) for b in range(nodes) if a != b]
    chosen = rng.sample(pairs, rng.randint(2, min(10, len(pairs))))
    return sorted((a, b, rng.choice(relations)) for a, b in chosen)


def walks(edges: Sequence[Edge], start: int, longest: int) -> Iterator[list[Edge]]:
    """Back to where they began, with the start only there."""
    unfinished = [[edge] for edge in edges if edge[0] == start]
    while unfinished:
        walk = unfinished.pop()
        if walk[-1][1] == start:
            yield walk
        elif len(walk) < longest:
            unfinished += [[*walk, edge] for edge in edges if edge[0] == walk[-1][1]]


def _nodes(edges: Sequence[Edge]) -> int:
    return 1 + max(max(a, b) for a, b, _ in edges)


def is_of(shape: Shape, relations: Sequence[int]) -> bool:
    """By what the shape's kind says, not by how it is searched for."""
    if not relations[0] & shape.opening or (
        shape.wanted and not any(relation & shape.wanted for relation in relations)
    ):
        return False
    plain = [relation & shape.plain != 0 for relation in relations]
    anti = [relation == RW for relation in relations]
    if shape.mode == NOWHERE:
        return all(plain[1:])
    if not all(a or b for a, b in zip(plain, anti, strict=True)):
        return False
    if shape.mode == APART:
        return sum(anti) >= 2 and not any(a and b for a, b in zip(anti, [*anti[1:], anti[0]], strict=True))
    return anti[1]


def led(rng: random.Random, edges: Sequence[Edge]) -> list[Edge]:
    """The edges, one of which may lead through a node that only passes it on."""
    through, passed = _nodes(edges), rng.randrange(2 * len(edges))
    parts = [
        [(a, through, relation), (through, b, ONWARD)] if at == passed else [(a, b, relation)]
        for at, (a, b, relation) in enumerate(edges)
    ]
    return sorted(edge for part in parts for edge in part)


def searched(shape: Shape, edges: Sequence[Edge], real: int) -> tuple[list[int], list[int]]:
    """The circle's nodes and relations, without those from `real` on, which only pass edges on."""
    nodes = _nodes(edges)
    first = np.searchsorted([a for a, _, _ in edges], np.arange(nodes + 1)).astype(np.int64)
    targets = np.array([b for _, b, _ in edges], np.int32)
    relations = np.array([relation for _, _, relation in edges], np.uint8)
    starts = np.arange(real, dtype=np.int32)
    passes = np.arange(nodes) >= real
    sought = shape.opening, shape.plain, shape.mode, shape.wanted
    walk, reasons, _ = shortest_circle(first, targets, relations, passes, starts, *sought, 0, 10**6)
    steps = [(node, why) for node, why in zip(walk.tolist(), reasons.tolist(), strict=True) if node < real]
    return [node for node, _ in steps], [why for _, why in steps]


def test_the_shortest_circle_of_a_shape_is_the_shortest_of_all_walks() -> None:
    rng = random.Random("circles")
    said: Counter[tuple[str, bool]] = Counter()
    for _ in range(6_000):
        edges = some_edges(rng)
        shape, through = rng.choice(SHAPES), led(rng, edges)
        # As long as a circle that passes every node once.
        longest = _nodes(through)
        lengths = {
            len(walk)
            for start in range(5)
            for walk in walks(edges, start, longest)
            if is_of(shape, [relation for _, _, relation in walk])
        }
        walk, relations = searched(shape, through, _nodes(edges))
        assert min(lengths, default=0) == len(walk), (shape, edges)
        if walk:
            steps = zip(walk, [*walk[1:], walk[0]], relations, strict=True)
            assert set(steps) <= set(edges), (shape, edges)
            assert is_of(shape, relations), (shape, edges, relations)
        said[shape.kind.split("-")[0], bool(walk)] += 1
    for kind in ("G0", "G1c", "G", "G2"):
        assert min(said[kind, True], said[kind, False]) > 20, said


def test_only_who_read_what_failed_is_told_of_it() -> None:
    verdict = transactions(at_once("ax1", "ax2!", "rx1", "rx12"), "list-append", "read-committed")
    assert [(anomaly.kind, anomaly.ops) for anomaly in verdict.anomalies] == [("G1a", (3, 1))]


@pytest.mark.parametrize(
    ("read", "right"), [("rx12", True), ("rx1", False), ("rx", False), ("rx123", False), ("rx21", False)]
)
def test_a_replay_sees_just_what_was_read(read: str, right: bool) -> None:
    """Something is read after it, too, so that what is missing from one read is not found in the next."""
    columns = to_columns(one_after_another("ax1", "ax2", read, "rx12", "ax3"), "list-append")
    wrong = verify_serial(columns, np.arange(5, dtype=np.int32), real_time=True)
    assert wrong == (None if right else "op 4 read what was not there at its turn")


def test_a_replay_holds_real_time_against_all_before() -> None:
    """The first is invoked when the third has returned; the second is open all the time."""
    long, short, late = (micro_ops(text) for text in ("ax1", "ay1", "az1"))
    columns = to_columns(
        history(
            [
                (0, "invoke", long),
                (1, "invoke", short),
                (1, "ok", short),
                (2, "invoke", late),
                (2, "ok", late),
                (0, "ok", long),
            ]
        ),
        "list-append",
    )
    # Transactions are numbered in order of invocation: 0 is long, 1 short, 2 late.
    assert verify_serial(columns, np.array([1, 0, 2], np.int32), real_time=True) is None
    assert verify_serial(columns, np.array([2, 0, 1], np.int32), real_time=True) is not None


def test_no_order_is_believed_without_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    found = one_after_another("ax1", "rx1")
    assert transactions(found, "list-append").valid is Validity.YES
    monkeypatch.setattr(serial, "effective", lambda order, columns, place: order[::-1])
    verdict = transactions(found, "list-append")
    assert verdict.valid is Validity.UNKNOWN
    assert "no anomaly was found, but no serial order either" in verdict.summary


def test_appends_in_order_show_nothing_where_nobody_reads() -> None:
    assert transactions(one_after_another("ax1", "ax2"), "list-append").valid is Validity.VACUOUS


def test_without_time_to_look_through_circles_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The circle that there is, of two anti-dependencies, is allowed; another might not be."""
    found = at_once("rxay1", "ryax1", "rx1ry1")
    assert transactions(found, "list-append", "read-committed").valid is Validity.YES
    monkeypatch.setattr("checkers.transactions.judge.Search", partial(_late, Search))
    verdict = transactions(found, "list-append", "read-committed")
    assert verdict.valid is Validity.UNKNOWN
    assert "the time ran out among 1 groups" in verdict.summary


def _late(search: Callable[..., Search], transactions: int, forbidden: Any, reasons: Any, _: Any) -> Search:
    return search(transactions, forbidden, reasons, lambda: 0.0)
