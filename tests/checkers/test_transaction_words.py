"""How the judge of transactions puts into words why one comes before another, and what a circle is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from checkers.history import History
from checkers.transactions.codes import PROCESS, REALTIME, RW, WR, WW
from checkers.transactions.columns import TransactionColumns
from checkers.transactions.list_append import Lists, read_lists
from checkers.transactions.micro_ops import to_columns
from checkers.transactions.rw_register import KeyOrders, Registers, read_registers
from checkers.transactions.words import (
    A,
    B,
    Reason,
    circle_in_words,
    list_reasons,
    listed_elements,
    named,
    process_reasons,
    real_time_reasons,
    register_reasons,
)
from tests.checkers.transaction_histories import Event, at_once, completed, history, one_after_another


def columns(of: History) -> TransactionColumns:
    return to_columns(of, "list-append")


def lists(of: History) -> Lists:
    return read_lists(columns(of))


def registers(of: History) -> Registers:
    return read_registers(to_columns(of, "rw-register"), KeyOrders(writes_follow_reads=True))


def told(reasons: Sequence[Reason]) -> list[tuple[int, str]]:
    return [(why, text.replace(A, "A").replace(B, "B")) for why, text in reasons]


@pytest.mark.parametrize(
    ("texts", "a", "b", "expected"),
    [
        (
            ["ax1", "ax2", "rx12"],
            0,
            1,
            [(WW, "B appended 2 to x right after A had appended 1: op 4 read [1 2]")],
        ),
        (["ax1", "ax2", "rx12"], 1, 0, []),
        (["ax1", "ax2", "rx12"], 1, 2, [(WR, "B read x as [1 2], where A had appended 2")]),
        (["ax1", "ax2", "rx12"], 0, 2, []),
        (
            ["ax1", "rx1", "ax2"],
            0,
            2,
            [(WW, "no read has B's append of 2 to x: it came after A's of 1: op 2 read [1]")],
        ),
        (
            ["ax1", "rx1", "ax2"],
            1,
            2,
            [(RW, "A read x as [1], without B's append of 2, which no read of x has")],
        ),
        (["rx", "ax1", "rx1"], 0, 1, [(RW, "A read x as [], before B appended 1: op 4 read [1]")]),
        (["rx", "ax1", "ax2", "rx12"], 0, 2, []),
        (["ry", "ax1", "rx1"], 0, 1, []),
    ],
)
def test_of_lists(texts: list[str], a: int, b: int, expected: list[tuple[int, str]]) -> None:
    assert told(list(list_reasons(lists(one_after_another(*texts)), a, b))) == expected


@pytest.mark.parametrize(
    ("texts", "a", "b", "expected"),
    [
        (
            ["wx1", "rx1wx2"],
            0,
            1,
            [
                (WR, "B read x = 1, which A wrote"),
                (WW, "A wrote x = 1, and B the later version 2"),
            ],
        ),
        (["wx1", "rx1wx2", "rx1"], 2, 1, [(RW, "A read x = 1, and B wrote the later version 2")]),
        (["rx_", "wx1"], 0, 1, [(RW, "A read x = nil, and B wrote the later version 1")]),
        (["wx1", "wx2"], 0, 1, []),
        (["wx1", "rx1", "wx2"], 1, 2, []),
        (["wx1", "ry1", "wy1"], 0, 1, []),
        (
            ["wx1wy1", "ry1wx2wy2"],
            0,
            1,
            [
                (WR, "B read y = 1, which A wrote"),
                (WW, "A wrote y = 1, and B the later version 2"),
            ],
        ),
    ],
)
def test_of_registers(texts: list[str], a: int, b: int, expected: list[tuple[int, str]]) -> None:
    assert told(list(register_reasons(registers(at_once(*texts, write="w")), a, b))) == expected


def test_of_processes() -> None:
    c = columns(one_after_another("ax1", "ax2", "ax3", "ax4?", processes=[7, 7, 8, 7]))
    assert told(list(process_reasons(c, 0, 1))) == [(PROCESS, "process 7 ran A before B")]
    for a, b in ((1, 0), (0, 2), (0, 3), (3, 0)):
        assert not list(process_reasons(c, a, b))


def test_of_real_time() -> None:
    c = columns(one_after_another("ax1", "ax2"))
    assert told(list(real_time_reasons(c, 0, 1))) == [
        (REALTIME, "A had returned, op 1, before B was invoked")
    ]
    assert not list(real_time_reasons(c, 1, 0))
    assert not list(real_time_reasons(columns(at_once("ax1", "ax2")), 0, 1))


def test_a_transaction_is_known_by_its_invocation_or_else_by_its_completion() -> None:
    assert [named(columns(at_once("ax1", "ax2")), t) for t in (0, 1)] == ["op 0", "op 1"]
    assert [named(columns(completed("ax1", "ax2")), t) for t in (0, 1)] == ["op 0", "op 1"]


def test_lists_are_told_whole_up_to_eleven_elements() -> None:
    value = [["append", "x", n] for n in range(12)]
    events: list[Event] = [(0, "invoke", value), (0, "ok", value)]
    c = columns(history(events))
    whole = " ".join(map(str, range(11)))
    assert listed_elements(c, np.arange(11, dtype=np.int32)) == f"[{whole}]"
    assert listed_elements(c, np.arange(12, dtype=np.int32)) == "[0 1 2 3 4 … 2 more … 7 8 9 10 11]"


def circle(steps: int) -> str:
    c = columns(one_after_another(*(["ax1"] * steps)))
    return circle_in_words(c, range(steps), [f"{A} did {step}, unlike {B}" for step in range(steps)])


def test_a_circle() -> None:
    assert circle(2) == (
        "T1 is op 0 and T2 is op 2. T1 comes before T2: T1 did 0, unlike T2; but T2 comes before T1: T2 did"
        " 1, unlike T1. No order has both"
    )
    assert circle(3) == (
        "T1 is op 0, T2 is op 2 and T3 is op 4. T1 comes before T2: T1 did 0, unlike T2; T2 comes before T3:"
        " T2 did 1, unlike T3; but T3 comes before T1: T3 did 2, unlike T1. No order has all of these"
    )


def test_a_long_circle_is_told_in_part() -> None:
    assert "T20 comes before T1" in circle(20) and "and so on" not in circle(20)
    text = circle(21)
    assert text.startswith("21 transactions, op 0 the first, come in a circle. T1 comes before T2: T1 did 0")
    assert "T18 comes before T19: T18 did 17, unlike T19; and so on to T21, op 40; but T21 comes" in text
    assert text.endswith("but T21 comes before T1: T21 did 20, unlike T1. No order has all of these")
    assert "T19 comes before" not in text
