"""The judges of banks and of long forks: good and bad in pairs, and against every order of writes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.classics.bank import bank
from checkers.classics.long_fork import long_fork
from checkers.history import HistoryError
from tests.checkers.build import Did
from tests.checkers.client_ops import (
    NO,
    UNKNOWN,
    VACUOUS,
    YES,
    did,
    exhaustive,
    happened,
    kinds,
    refused,
    seen,
)

# Banks


def moved(source: Any, target: Any, amount: int, at_ms: float, **more: Any) -> Did:
    value = {"from": source, "to": target, "amount": amount}
    return did("transfer", value, at_ms, at_ms + 0.5, **more)


FIRST = seen("read", {"0": 10, "1": 0}, 1)
MOVED = moved(0, 1, 4, 3)


def test_a_bank_keeps_its_money() -> None:
    verdict = bank(happened(FIRST, MOVED, seen("read", {"0": 6, "1": 4}, 5)))
    assert verdict.valid is YES
    assert verdict.evidence["accounts"] == ["0", "1"]
    assert verdict.evidence["total"] == 10


def test_a_read_with_another_sum_is_named_with_the_first() -> None:
    verdict = bank(happened(FIRST, MOVED, seen("read", {"0": 6, "1": 0}, 5)))
    assert kinds(verdict) == ["wrong-total"]
    assert "read 4 (process 2) shows 6 in all; it should be 10, as in read 0, the first" in verdict.summary
    assert verdict.anomalies[0].ops == (0, 4)


def test_a_given_sum_judges_the_first_read_too() -> None:
    assert kinds(bank(happened(FIRST, MOVED), total=12)) == ["wrong-total"]
    assert kinds(bank(happened(FIRST, MOVED, total_amount=12))) == ["wrong-total"]
    assert bank(happened(FIRST, MOVED), total=10).valid is YES


def test_a_balance_below_zero_is_wrong_unless_it_is_allowed() -> None:
    found = happened(FIRST, MOVED, seen("read", {"0": 11, "1": -1}, 5))
    verdict = bank(found)
    assert kinds(verdict) == ["negative-balance"]
    assert "shows 1 at -1, below zero" in verdict.summary
    assert bank(found, negative_allowed=True).valid is YES


def test_an_account_that_the_bank_does_not_have_is_named() -> None:
    found = happened(FIRST, MOVED, seen("read", {"0": 6, "1": 4, "7": 0}, 5))
    verdict = bank(found)
    assert kinds(verdict) == ["unexpected-account"]
    assert "shows account 7, which the bank does not have" in verdict.summary
    assert bank(found, accounts=[0, 1, 7]).valid is YES
    named_by_a_transfer = happened(FIRST, moved(0, 7, 4, 3), seen("read", {"0": 6, "1": 0, "7": 4}, 5))
    assert bank(named_by_a_transfer).valid is YES


def test_an_account_that_a_read_leaves_out_counts_as_empty() -> None:
    verdict = bank(happened(FIRST, MOVED, seen("read", {"0": 10}, 5)))
    assert verdict.valid is YES
    assert verdict.evidence["reads_without_some_account"] == 1
    assert kinds(bank(happened(FIRST, MOVED, seen("read", {"1": 4}, 5)))) == ["wrong-total"]


def test_a_balance_of_nil_is_named_and_no_measure_for_others() -> None:
    verdict = bank(happened(seen("read", {"0": 3, "1": None}, 0), FIRST, MOVED))
    assert kinds(verdict) == ["nil-balance"]
    assert "shows no balance for account 1" in verdict.summary
    assert kinds(bank(happened(seen("read", {"0": None}, 0), MOVED))) == ["nil-balance"]


def test_fractions_of_money_add_up_as_they_are_written() -> None:
    reads = (seen("read", {"0": 0.1, "1": 0.2}, 1), seen("read", {"0": 0.3, "1": 0}, 5))
    assert bank(happened(MOVED, *reads)).valid is YES
    assert bank(happened(MOVED, *reads), total=0.3).valid is YES
    verdict = bank(happened(MOVED, *reads), total=0.25)
    assert "shows 0.3 in all; it should be 0.25" in verdict.summary


def test_a_bank_shows_nothing_with_nothing_to_compare_or_nothing_moved() -> None:
    assert bank(happened(FIRST, MOVED)).valid is VACUOUS
    assert bank(happened(FIRST, seen("read", {"0": 10, "1": 0}, 5))).valid is VACUOUS
    assert bank(happened(FIRST, refused("transfer", {"from": 0, "to": 1}, 3), FIRST)).valid is VACUOUS
    assert bank(happened(MOVED)).valid is VACUOUS


def test_a_read_that_is_no_bank_is_refused_with_its_place() -> None:
    with pytest.raises(HistoryError, match=r"op 1: a read of the bank returned \[1\]; expected an object"):
        bank(happened(seen("read", [1], 1)))
    for wrong in ("10", True, float("inf"), 1 << 5000):
        with pytest.raises(HistoryError, match="op 1: read has"):
            bank(happened(seen("read", {"0": wrong}, 1)))


# Long forks


def wrote(key: Any, at_ms: float, value: int = 1, **more: Any) -> Did:
    return did("txn", [["w", key, value]], at_ms, at_ms + 0.5, **more)


def looked(at_ms: float, **values: int | None) -> Did:
    asked = [["r", key, None] for key in values]
    answered = [["r", key, value] for key, value in values.items()]
    return did("txn", asked, at_ms, at_ms + 0.5, result=answered)


XY = (wrote("x", 1), wrote("y", 1))


def test_reads_that_see_writes_in_one_order_are_good() -> None:
    found = happened(*XY, looked(3, x=None, y=None), looked(3, x=1, y=None), looked(5, y=1, x=1))
    verdict = long_fork(found)
    assert verdict.valid is YES
    assert verdict.evidence["group_sizes"] == [2]
    assert (verdict.evidence["early_reads"], verdict.evidence["late_reads"]) == (1, 1)


def test_two_reads_that_see_two_writes_in_opposite_orders_are_a_fork() -> None:
    verdict = long_fork(happened(*XY, looked(3, x=1, y=None), looked(4, x=None, y=1)))
    assert kinds(verdict) == ["long-fork"]
    assert verdict.anomalies[0].ops == (0, 1, 4, 6)
    assert (
        "txn 4 saw the write of key 'x' but not that of key 'y', txn 6 saw that of 'y' but not that of 'x'"
        " (written by txn 0 and txn 1); the two writes cannot each have come before the other"
    ) in verdict.summary


def test_a_fork_is_found_where_one_read_saw_more_than_the_other() -> None:
    reads = (looked(3, x=1, y=None, z=1), looked(4, x=None, y=1, z=None))
    assert kinds(long_fork(happened(*XY, wrote("z", 1), *reads))) == ["long-fork"]


def test_reads_of_other_keys_are_not_compared() -> None:
    apart = happened(*XY, looked(3, x=1, y=None), looked(4, x=None, y=1, z=None))
    assert long_fork(apart).valid is VACUOUS
    assert long_fork(happened(*XY, looked(3, x=1), looked(4, x=None))).valid is VACUOUS


def test_a_key_written_twice_has_no_order_to_judge() -> None:
    forked = (looked(3, x=1, y=None), looked(4, x=None, y=1))
    twice = long_fork(happened(*XY, wrote("x", 2, 2), *forked))
    assert twice.valid is UNKNOWN
    assert "1 keys were written more than once" in twice.summary
    assert long_fork(happened(looked(3, x=1, y=None), looked(4, x=2, y=1))).valid is UNKNOWN
    assert long_fork(happened(*XY, wrote("x", 2, 2, type="fail"), *forked)).valid is NO


def test_what_is_no_such_transaction_is_refused_with_its_place() -> None:
    for wrong in (7, None, [["r", 1]], [["append", 1, 2]], ["r"]):
        with pytest.raises(HistoryError, match=r"op 0: txn has .* where long-fork expects a transaction"):
            long_fork(happened(did("txn", wrong, 1, 2)))


@exhaustive
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=5))
def test_long_fork_is_that_no_order_of_the_writes_explains_all_reads(views: list[list[bool]]) -> None:
    keys = ("x", "y", "z")
    reads = [
        looked(10 + at, **{key: 1 if shown else None for key, shown in zip(keys, view, strict=True)})
        for at, view in enumerate(views)
    ]
    states = [{key for key, shown in zip(keys, view, strict=True) if shown} for view in views]
    explained = any(
        all(any(state == set(order[:size]) for size in range(4)) for state in states)
        for order in permutations(keys)
    )
    verdict = long_fork(happened(*(wrote(key, 1) for key in keys), *reads))
    assert verdict.valid is (YES if explained else NO)
