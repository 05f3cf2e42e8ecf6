"""The judge of transactions against an oracle that tries every order, and on large histories."""

from __future__ import annotations

import random
from typing import Any

import pytest

from checkers.history import History
from checkers.transactions import transactions
from checkers.transactions.codes import WRITE
from checkers.transactions.columns import TransactionColumns
from checkers.transactions.graph import sort
from checkers.transactions.judge import judge_columns
from checkers.transactions.list_append import dependencies, read_lists
from checkers.transactions.micro_ops import to_columns
from checkers.verdict import Validity, Verdict
from tests.checkers.transaction_histories import (
    Event,
    as_registers,
    at_once,
    has_serial_order,
    history,
    invoked,
    random_events,
    serial_events,
    transactions_of,
)

YES, NO, VACUOUS = Validity.YES, Validity.NO, Validity.VACUOUS


def kinds(verdict: Verdict) -> set[str]:
    return {anomaly.kind for anomaly in verdict.anomalies}


def lists(history_: History, consistency: str = "strict-serializable") -> Verdict:
    return transactions(history_, "list-append", consistency)


def registers(history_: History, consistency: str, known: str) -> Verdict:
    return transactions(
        history_,
        "rw-register",
        consistency,
        writes_follow_reads="writes-follow-reads" in known,
        linearizable_keys="linearizable" in known,
    )


SMALL = 700


@pytest.mark.parametrize(
    ("model", "order"),
    [("serializable", "any"), ("strong-session-serializable", "session"), ("strict-serializable", "strict")],
)
def test_lists_against_every_order(model: str, order: str) -> None:
    decided = {YES: 0, NO: 0, VACUOUS: 0}
    for seed in range(SMALL):
        events = random_events(random.Random(f"{order}/{seed}"))
        verdict = lists(history(events), model)
        possible = has_serial_order(transactions_of(events), order)
        assert (verdict.valid in (YES, VACUOUS)) is possible, f"seed {seed}: {verdict.summary}"
        decided[verdict.valid] += 1
    assert min(decided[YES], decided[NO]) > SMALL // 10


@pytest.mark.parametrize(("model", "order"), [("serializable", "any"), ("strict-serializable", "strict")])
@pytest.mark.parametrize("known", ["", "writes-follow-reads"])
def test_registers_against_every_order(model: str, order: str, known: str) -> None:
    # What is taken for granted follows from these models. A register's versions are ordered in part only, so
    # there are histories without an order in which nothing forbidden can be inferred; never the other way.
    known += " linearizable" if known and order == "strict" else ""
    decided = {YES: 0, NO: 0, VACUOUS: 0}
    missed = 0
    for seed in range(SMALL // 2):
        events = as_registers(random_events(random.Random(f"registers/{order}/{seed}")))
        verdict = registers(history(events), model, known)
        possible = has_serial_order(transactions_of(events), order, lists=False)
        assert verdict.valid is not NO or not possible, f"seed {seed}: {verdict.summary}"
        missed += verdict.valid is not NO and not possible
        decided[verdict.valid] += 1
    assert min(decided[YES], decided[NO]) > SMALL // 20
    assert missed <= SMALL // 50


# Large ones.


@pytest.mark.parametrize("seed", range(3))
def test_a_serial_store_passes_and_a_planted_fault_does_not(seed: int) -> None:
    random_ = random.Random(f"large/{seed}")
    events = serial_events(3000, 8, random_)
    verdict = lists(history(events))
    assert verdict.valid is YES, verdict.summary
    assert verdict.evidence["certificate"]["verified"]
    reads = [
        (at, number)
        for at, (_, kind, value) in enumerate(events)
        for number, (f, _, seen) in enumerate(value)
        if kind == "ok" and f == "r" and len(seen) > 8
    ]
    at, number = random_.choice(reads)
    value = [list(micro_op) for micro_op in events[at][2]]
    key, seen = value[number][1], value[number][2]
    for fault in (seen[:-6], [*seen[:-2], seen[-1], seen[-2]], [*seen, seen[0]], [*seen[:-1], -1]):
        value[number] = ["r", key, fault]
        broken = lists(history([*events[:at], (events[at][0], "ok", value), *events[at + 1 :]]))
        assert broken.valid is NO
    assert lists(history(events), "serializable").valid is YES


def test_a_large_circle_is_told_by_its_shortest() -> None:
    # The last transaction misses the first one's write, and everything between is on a circle with both.
    events = serial_events(2000, 4, random.Random("circle"))
    first: list[list[Any]] = [["append", "marker", 1]]
    last: list[list[Any]] = [["r", "marker", None]]
    seen: list[list[Any]] = [["r", "marker", [1]]]
    events = [(50, "invoke", first), (50, "ok", first), *events, (51, "invoke", last), (51, "ok", last)]
    events += [(52, "invoke", invoked(seen)), (52, "ok", seen)]
    verdict = lists(history(events))
    assert [(one.kind, one.ops) for one in verdict.anomalies] == [
        ("G-single-item-realtime", (len(events) - 4, 0))
    ]


def test_many_readers_of_many_unseen_appends_stay_linear() -> None:
    columns = to_columns(at_once(*["rx"] * 500, *[f"ax{n}" for n in range(500)]), "list-append")
    graph = dependencies(read_lists(columns))
    assert len(graph.targets) == 1000
    assert judge_columns(columns).found == []
    # Readers that write too do come before each other.
    columns = to_columns(at_once(*[f"rxax{n}" for n in range(300)]), "list-append")
    assert {one.kind for one in judge_columns(columns).found} == {"G2-item", "lost-update"}


def test_a_long_chain_does_not_overflow_the_stack() -> None:
    size = 20_000
    events: list[Event] = [(0, "ok", [["append", "x", n]]) for n in range(1, size - 1)]
    events += [
        (0, "ok", [["append", "x", size - 1], ["append", "y", 1]]),
        (0, "ok", [["r", "x", [*range(size)]]]),
    ]
    # Where the chain's first saw what its last wrote, there is one circle through all of it.
    verdict = lists(history([*events, (0, "ok", [["append", "x", 0], ["r", "y", [1]]])]), "serializable")
    assert [(one.kind, len(one.ops)) for one in verdict.anomalies] == [("G1c", size)]
    assert len(verdict.anomalies[0].message) < 10_000
    free = lists(history([*events, (0, "ok", [["append", "x", 0], ["r", "y", None]])]), "serializable")
    assert free.valid is YES


def test_memory_is_within_two_hundred_bytes_a_micro_operation() -> None:
    columns = to_columns(history(serial_events(4000, 8, random.Random("memory"))), "list-append")
    facts = read_lists(columns)
    graph = dependencies(facts)
    arrays = [columns.nbytes - columns.elements.nbytes, graph.targets.nbytes, graph.relations.nbytes]
    arrays += [graph.first.nbytes, facts.place.nbytes, facts.faults.nbytes, facts.order.nbytes]
    assert sum(arrays) < 100 * columns.micro_operations
    assert sort(graph, columns, True).circles == []
    assert int((columns.f == WRITE).sum()) == columns.versions
    assert isinstance(columns, TransactionColumns)
