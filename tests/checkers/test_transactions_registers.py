"""Registers in transactions: which reads and writes others can see, and what is assumed of their versions."""

from __future__ import annotations

import pytest

from checkers.history import History
from checkers.transactions import transactions
from checkers.transactions.codes import FUTURE
from checkers.transactions.consistency import forbidden
from checkers.transactions.micro_ops import to_columns
from checkers.transactions.rw_register import KeyOrders, read_registers
from checkers.verdict import Validity, Verdict
from tests.checkers.test_transactions import registers
from tests.checkers.transaction_histories import at_once, one_after_another


@pytest.mark.parametrize(
    ("text", "external"),
    [
        ("rx1", [True]),
        ("rx1rx1", [True, False]),
        ("wx2", [True]),
        ("wx2wx3", [False, True]),
        ("wx2rx2", [True, False]),
        ("wx2rx2wx3", [False, False, True]),
        ("rx1wx2wx3rx3", [True, False, True, False]),
        ("rx1wy2rx1wx3", [True, True, False, True]),
    ],
)
def test_others_see_the_last_write_and_are_seen_by_the_first_read(text: str, external: list[bool]) -> None:
    columns = to_columns(at_once(text, write="w"), "rw-register")
    assert read_registers(columns, KeyOrders()).external.tolist() == external


def test_a_read_of_what_its_own_transaction_writes_later() -> None:
    columns = to_columns(at_once("rx1wx1", write="w"), "rw-register")
    assert (read_registers(columns, KeyOrders()).faults & FUTURE != 0).tolist() == [True, False]
    assert "future-read" in kinds(registers(at_once("rx1wx1", "rx1", write="w")))


def kinds(verdict: Verdict) -> list[str]:
    return [anomaly.kind for anomaly in verdict.anomalies]


def test_a_process_goes_on_from_what_it_wrote() -> None:
    def run(last: str) -> History:
        return one_after_another("wx1", "rx1wx2", last, write="w", processes=[0, 1, 1])

    assert registers(run("rx1"), known="sequential").valid is Validity.NO
    assert registers(run("rx2"), known="sequential").valid is Validity.YES


def test_an_assumption_that_contradicts_itself_is_told_and_not_used() -> None:
    found = one_after_another("wx1", "wx2", "rx1", write="w", processes=[0, 0, 0])
    assert kinds(registers(found, known="sequential")) == ["cyclic-versions"]


def test_a_lost_update_is_a_circle_of_two_transactions() -> None:
    """Each comes before the other, since it read what the other overwrote."""
    assert "lost-update" in forbidden(None, ["G2-item"])
    assert "lost-update" not in forbidden(None, ["G-single"])


def test_a_lost_update_is_told_once_however_often_its_transaction_writes() -> None:
    found = at_once("rx0wx1wx2", "rx0wx3wx4", write="w")
    verdict = transactions(found, "rw-register", None, ["lost-update"])
    assert kinds(verdict) == ["lost-update"]
