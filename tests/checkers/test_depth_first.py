"""The search in depth: that it needs few configurations where there is an order, and goes on where its tables
are full."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from checkers.linear import search as searching
from checkers.linear.breadth_first import ATTEMPTS
from checkers.linear.certificate import verify
from checkers.linear.depth_first import DepthFirst
from checkers.linear.depth_first_layout import COUNTS, EFFECTS, NONE, POSITION, SLOTS, STATE
from checkers.linear.depth_first_tables_kernels import find, room
from checkers.linear.operations import Decision, Limits, Operation
from checkers.linear.problems import Registers
from checkers.linear.search import search
from checkers.models.register import CAS_REGISTER
from checkers.verdict import Validity
from tests.checkers.searching import in_breadth
from tests.checkers.spread_histories import ops


def overlapping(seed: int, count: int, width: float, crash: float) -> list[Operation]:
    """Calls with few values, one an instant, that begin up to `width` before it and end up to as much after.
    Of those that crash, every second one happens."""
    rng, state = Random(seed), 0
    calls, moments = [], []
    for at in range(count):
        f, new = rng.choice(("read", "read", "write", "cas")), rng.randint(1, 5)
        crashed = f != "read" and rng.random() < crash
        argument = {"read": None, "write": new, "cas": (state, new)}[f]
        calls.append((f, argument, state if f == "read" else argument))
        moments.append((at - width * rng.random(), at, 0))
        if not crashed:
            moments.append((at + width * rng.random(), at, 1))
        if f != "read" and not (crashed and rng.random() < 0.5):
            state = new
    rank = {(at, side): number for number, (_, at, side) in enumerate(sorted(moments), start=2)}
    rows = [(*call, rank[at, 0], rank.get((at, 1))) for at, call in enumerate(calls)]
    return sorted(ops(("write", 0, 0, 0, 1), *rows), key=lambda operation: operation.invoked)


def searched(operations: list[Operation]) -> Decision:
    decision = search(CAS_REGISTER, operations, Limits.of(120))
    if decision.validity is Validity.YES:
        assert verify(CAS_REGISTER, operations, decision.order or ()) is None
    return decision


def total(found: Iterable[Decision], validity: Validity) -> int:
    """How many configurations it took to decide so."""
    decisions = list(found)
    assert {decision.validity for decision in decisions} == {validity}, decisions
    return sum(decision.configurations for decision in decisions)


@pytest.mark.parametrize(("crash", "at_most"), [(0, 14_000), (0.03, 15_000), (0.2, 27_000)])
def test_an_order_is_found_without_long_detours(crash: float, at_most: int) -> None:
    found = (searched(overlapping(seed, 2_000, 10, crash)) for seed in range(4))
    assert total(found, Validity.YES) < at_most


@pytest.mark.parametrize(("crash", "at_most"), [(0, 2_900), (0.2, 2_200)])
def test_no_configuration_is_entered_that_can_do_no_more_than_another(crash: float, at_most: int) -> None:
    """Nobody wrote 9, so whatever may have happened before it is read is gone through."""
    late = ops(("read", None, 9, 1_000, 1_001))
    found = (searched([*overlapping(seed, 30, 10, crash), *late]) for seed in range(4))
    assert total(found, Validity.NO) < at_most


def test_a_search_that_takes_long_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "ATTEMPTS", ())
    assert total([searched(overlapping(2, 2_000, 20, 0.2))], Validity.YES) > 50_000


def test_as_many_at_once_as_there_are_slots_and_not_one_more() -> None:
    for more, is_possible in ((0, True), (1, False)):
        count = SLOTS + more
        writes = [("write", at, None, at, 1_000 + at) for at in range(count)]
        operations = ops(*writes, ("read", None, count - 1, 2_000, 2_001))
        decision = DepthFirst(Registers(CAS_REGISTER, operations), Limits.of(30)).decide()
        assert (decision is not None) is is_possible
        assert searched(operations).validity is Validity.YES


@pytest.mark.parametrize("field", [POSITION, STATE, EFFECTS])
def test_configurations_that_differ_in_anything_are_kept_apart(field: int) -> None:
    rows, heads = room(8, COUNTS + 1)
    rows[:] = 0
    for row in range(8):
        rows[row, field] = row + 1
        at = find(rows, heads, rows[row])
        assert heads[at] == NONE, f"taken for configuration {heads[at]}"
        heads[at] = row
    assert [heads[find(rows, heads, rows[row])] for row in range(8)] == list(range(8))


def test_both_searches_blame_the_return_that_no_order_gets_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """However far another branch got last."""
    histories = [overlapping(seed, 40, 6, 0.1) for seed in range(40)]
    late = ops(("read", None, 9, 1_000, 1_001), ("read", None, 9, 1_002, 1_003))
    in_depth = [searched([*history, *late]).culprits for history in histories]
    in_breadth(monkeypatch, ATTEMPTS)
    assert in_depth == [searched([*history, *late]).culprits for history in histories]
