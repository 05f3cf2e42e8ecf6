"""The judge of transactions: each anomaly found and not found, its words, its proofs, and an oracle."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest

from checkers.history import History, HistoryError, Op
from checkers.linear.operations import Limits
from checkers.transactions import ANOMALIES, MODELS, transactions
from checkers.transactions.consistency import forbidden, ruled_out
from checkers.transactions.micro_ops import to_columns
from checkers.transactions.serial import verify_serial
from checkers.verdict import Validity, Verdict
from tests.checkers.transaction_histories import (
    Event,
    at_once,
    completed,
    history,
    one_after_another,
)

YES, NO, UNKNOWN, VACUOUS = Validity.YES, Validity.NO, Validity.UNKNOWN, Validity.VACUOUS


def kinds(verdict: Verdict) -> set[str]:
    return {anomaly.kind for anomaly in verdict.anomalies}


def lists(history_: History, consistency: str | None = "strict-serializable", *anomalies: str) -> Verdict:
    return transactions(history_, "list-append", consistency, anomalies or None)


def registers(history_: History, consistency: str = "serializable", known: str = "") -> Verdict:
    return transactions(
        history_,
        "rw-register",
        consistency,
        writes_follow_reads="writes-follow-reads" in known,
        sequential_keys="sequential" in known,
        linearizable_keys="linearizable" in known,
    )


# An anomaly, a history that has it, one as near to it as may be that does not, and the weakest model that
# forbids it with a stronger one's neighbour that does not.
LISTS: list[tuple[str, History, History, str, str | None]] = [
    (
        "G0",
        at_once("ax1ay1", "ax2ay2", "rx12ry21"),
        at_once("ax1ay1", "ax2ay2", "rx12ry12"),
        "read-uncommitted",
        None,
    ),
    ("G1a", at_once("ax1!", "rx1"), at_once("ax1?", "rx1"), "read-committed", "read-uncommitted"),
    (
        "G1b",
        at_once("ax1ax2", "rx1", "rx12"),
        at_once("ax1ax2", "rx12", "rx"),
        "read-committed",
        "read-uncommitted",
    ),
    (
        "G1c",
        at_once("ax1ry1", "ax2ay1", "rx12"),
        at_once("ax1ry", "ay1", "ax2", "rx12"),
        "read-committed",
        "read-uncommitted",
    ),
    (
        "G-single-item",
        at_once("ax1ay1", "rx1ry"),
        at_once("ax1ay1", "rx1ry1", "rxry"),
        "consistent-view",
        "read-committed",
    ),
    (
        "G-nonadjacent-item",
        at_once("ax1", "rx1ry", "ay1", "ry1rx"),
        at_once("ax1", "rx1ry", "ay1", "ry1rx1"),
        "snapshot-isolation",
        "consistent-view",
    ),
    (
        "G2-item",
        at_once("ax1ry", "ay1rx"),
        at_once("ax1ry", "ay1rx1"),
        "repeatable-read",
        "snapshot-isolation",
    ),
    (
        "lost-update",
        at_once("ax0", "rx0ax1", "rx0ax2"),
        at_once("ax0", "rx0ax1", "rx01ax2"),
        "cursor-stability",
        "read-committed",
    ),
    ("internal", at_once("ax1rx", "rx1"), at_once("ax1rx1", "rx1"), "read-atomic", "read-committed"),
    (
        "incompatible-order",
        at_once("ax1", "ax2", "ax3", "rx13", "rx123"),
        at_once("ax1", "ax2", "ax3", "rx12", "rx123"),
        "read-committed",
        "read-uncommitted",
    ),
    (
        "duplicate-elements",
        at_once("ax1", "ax2", "rx121"),
        at_once("ax1", "ax2", "rx12"),
        "read-uncommitted",
        None,
    ),
    (
        "dirty-update",
        at_once("ax1!", "ax2", "rx12"),
        at_once("ax1?", "ax2", "rx12"),
        "read-committed",
        "read-uncommitted",
    ),
    ("future-read", at_once("rx1ax1", "ry"), at_once("rxax1", "ry"), "read-committed", "read-uncommitted"),
    ("garbage-read", at_once("ax1", "rx12"), at_once("ax1", "ax2", "rx12"), "read-uncommitted", None),
    (
        "G0-realtime",
        one_after_another("ax1", "ax2", "rx21"),
        at_once("ax1", "ax2", "rx21"),
        "strong-read-uncommitted",
        "strong-session-serializable",
    ),
    (
        "G1c-realtime",
        one_after_another("ry1", "ax1", "ay1"),
        at_once("ry1", "ax1", "ay1"),
        "strong-read-committed",
        "strong-session-serializable",
    ),
    (
        "G-single-item-realtime",
        one_after_another("ax1", "rx"),
        one_after_another("ax1", "rx1"),
        "strong-snapshot-isolation",
        "strong-session-serializable",
    ),
    (
        "G0-process",
        one_after_another("ax1", "ax2", "rx21", processes=[7, 7, 8]),
        one_after_another("ax1", "ax2", "rx21", processes=[7, 8, 9]),
        "strong-session-read-uncommitted",
        "serializable",
    ),
    (
        "G1c-process",
        one_after_another("rx1", "ay1", "ax1ry1", processes=[7, 7, 8]),
        one_after_another("rx1", "ay1", "ax1ry1", processes=[7, 8, 9]),
        "strong-session-read-committed",
        "serializable",
    ),
    (
        "G-single-item-process",
        one_after_another("ax1", "rx", processes=[7, 7]),
        one_after_another("ax1", "rx", processes=[7, 8]),
        "strong-session-snapshot-isolation",
        "serializable",
    ),
    (
        "G2-item-process",
        one_after_another("ay1", "rx", "ax1ry", processes=[7, 7, 8]),
        one_after_another("ay1", "rx", "ax1ry", processes=[7, 9, 8]),
        "strong-session-serializable",
        "strong-session-snapshot-isolation",
    ),
]


@pytest.mark.parametrize(("kind", "bad", "good", "model", "weaker"), LISTS, ids=[case[0] for case in LISTS])
def test_lists(kind: str, bad: History, good: History, model: str, weaker: str | None) -> None:
    found = lists(bad, model)
    assert found.valid is NO
    assert kind in kinds(found)
    assert lists(bad, None, kind).valid is NO
    assert kind not in kinds(lists(good, model))
    if weaker is not None:
        assert kind not in kinds(lists(bad, weaker))
    assert model in ruled_out([kind])


def test_a_skew_of_real_time() -> None:
    # The writer of x, which did not see y, runs beside both others.
    y, rx, x = (one_after_another(text).ops for text in ("ay1", "rx", "ax1ry"))
    events: list[Event] = [(3, "invoke", x[0].value), (1, "invoke", y[0].value), (1, "ok", y[1].value)]
    events += [(2, "invoke", rx[0].value), (2, "ok", rx[1].value), (3, "ok", x[1].value)]
    assert kinds(lists(history(events))) == {"G2-item-realtime"}
    assert lists(history(events), "strong-snapshot-isolation").valid is YES
    assert lists(history(events), "strong-session-serializable").valid is YES


def test_sessions_that_cross() -> None:
    events: list[Event] = []
    for process, text in ((7, "ax1"), (8, "ay1"), (7, "ry"), (8, "rx")):
        invoke, completion = one_after_another(text).ops
        events += [(process, "invoke", invoke.value), (process, "ok", completion.value)]
    assert kinds(lists(history(events), "strong-session-serializable")) == {"G-nonadjacent-item-process"}
    assert lists(history(events), "serializable").valid is YES


def test_real_time_is_blamed_only_where_data_close_no_circle() -> None:
    skew = one_after_another("ax1ry", "ay1rx")
    assert kinds(lists(skew)) == {"G2-item"}
    # The same reads with the second write gone leave nothing but a stale read.
    assert kinds(lists(one_after_another("ax1ry", "rx"))) == {"G-single-item-realtime"}


def test_strong_snapshot_isolation_sees_the_stale_read_behind_a_skew() -> None:
    skew = one_after_another("ax1ry", "ay1rx")
    assert lists(skew, "snapshot-isolation").valid is YES
    assert kinds(lists(skew, "strong-snapshot-isolation")) == {"G-single-item-realtime"}


def test_every_step_of_a_circle_is_justified() -> None:
    verdict = lists(at_once("ax1ay1", "ax2ry", "rx12"), "serializable")
    (anomaly,) = verdict.anomalies
    assert anomaly.kind == "G-single-item"
    assert anomaly.ops == (1, 0)
    assert anomaly.message == (
        "T1 is op 1 and T2 is op 0. T1 comes before T2: T1 read y as [], without T2's append of 1, which no"
        " read of y has; but T2 comes before T1: T1 appended 2 to x right after T2 had appended 1: op 2 read"
        " [1 2]. No order has both"
    )


def test_the_shortest_circle_is_told() -> None:
    # A stale read, with two hundred transactions between the write that it missed and itself.
    texts = ["ax1", *["ry"] * 200, "rx", "rx1"]
    verdict = lists(one_after_another(*texts))
    assert [(anomaly.kind, anomaly.ops) for anomaly in verdict.anomalies] == [
        ("G-single-item-realtime", (402, 0))
    ]


def test_values_in_braces_and_long_lists_are_told_as_they_are() -> None:
    value: list[list[Any]] = [["append", "{a}", f"{{{n}}}"] for n in range(30)]
    seen = [f"{{{n}}}" for n in range(30)]
    events: list[Event] = [(0, "invoke", value), (0, "ok", value)]
    events += [(1, "invoke", [["r", "{a}", None]]), (1, "ok", [["r", "{a}", seen[:29]]])]
    text = lists(history(events)).anomalies[0].message
    assert "read {a} as [{0} {1} {2} {3} {4} … 19 more … {24} {25} {26} {27} {28}]" in text


def test_crashed_transactions_happened_where_they_were_seen() -> None:
    assert lists(at_once("ax1?", "rx1", "rx")).valid is YES
    # Never seen, so it need not have happened; but not after it was seen.
    assert lists(one_after_another("ax1?", "rx")).valid is YES
    assert lists(one_after_another("ax1?", "rx1", "rx")).valid is NO
    # A crashed read says nothing.
    assert lists(one_after_another("ax1", "rx?", "rx1")).valid is YES


def test_what_is_never_read_still_comes_after_what_is() -> None:
    verdict = lists(at_once("ax1ay1", "ax2ay2", "ax3ay3", "rx12", "ry2"), "serializable")
    assert kinds(verdict) == {"G0", "G-single-item"}


def test_an_unseen_write_of_the_reader_itself_is_no_circle() -> None:
    assert lists(at_once("rxax1", "rx")).valid is YES
    assert lists(at_once("rxax1", "ax2", "rx")).valid is YES
    assert kinds(lists(at_once("rxax1", "rxax2", "rx"))) == {"G2-item", "lost-update"}


def test_own_appends_out_of_order() -> None:
    assert kinds(lists(at_once("ax1ax2", "ax3", "rx213"), "serializable")) >= {"internal"}


def test_a_yes_carries_a_serial_order() -> None:
    verdict = lists(one_after_another("ax1", "ax2?", "ax3?", "rx13", "ry"))
    assert verdict.valid is YES
    certificate = verdict.evidence["certificate"]
    assert certificate == {"serial_order_of": 4, "verified": True, "order": [0, 4, 6, 8]}
    weaker = lists(at_once("ax1ry", "ay1rx"), "snapshot-isolation")
    assert weaker.evidence["certificate"] == {"version_orders": [["x", []], ["y", []]]}


@pytest.mark.parametrize(
    ("order", "real_time", "wrong"),
    [
        ([0, 1, 2], True, None),
        ([0, 2, 1], False, "op 4 read what was not there at its turn"),
        ([3, 0, 1, 2], True, "op 6 is missing, failed, or is there twice"),
        ([0, 1], True, "op 4 is missing, failed, or is there twice"),
        ([0, 0, 1, 2], False, "op 0 is missing, failed, or is there twice"),
        ([0, 1, 2, 3], False, "op 6 is missing, failed, or is there twice"),
        ([1, 0, 2], False, "op 2 read what was not there at its turn"),
    ],
)
def test_the_verifier_sees_through_a_wrong_order(
    order: list[int], real_time: bool, wrong: str | None
) -> None:
    columns = to_columns(one_after_another("ax1", "rx1ax2", "rx12", "ax3!"), "list-append")
    assert verify_serial(columns, np.array(order, np.int32), real_time=real_time) == wrong


def test_the_verifier_holds_real_time() -> None:
    columns = to_columns(one_after_another("ax1", "ry", "rx1"), "list-append")
    for order, wrong in (
        ([0, 1, 2], None),
        ([1, 0, 2], "op 0 comes after one that was invoked when it had returned"),
        ([0, 2, 1], "op 2 comes after one that was invoked when it had returned"),
    ):
        assert verify_serial(columns, np.array(order, np.int32), real_time=False) is None
        assert verify_serial(columns, np.array(order, np.int32), real_time=True) == wrong


def test_the_verifier_holds_sessions() -> None:
    columns = to_columns(one_after_another("ax1", "ry", processes=[5, 5]), "list-append")
    order = np.array([1, 0], np.int32)
    assert verify_serial(columns, order, real_time=False) is None
    assert (
        verify_serial(columns, order, real_time=False, sessions=True)
        == "op 0 comes after a later one of its process"
    )


def test_vacuous() -> None:
    assert lists(at_once("ax1", "ax2")).valid is VACUOUS
    assert lists(at_once("rx", "ry")).valid is VACUOUS
    assert lists(history([])).valid is VACUOUS
    assert registers(at_once("wx1", "wx2", write="w")).valid is VACUOUS


def test_unknown() -> None:
    twice = lists(at_once("ax1", "ax1", "rx1"))
    assert twice.valid is UNKNOWN
    assert (
        twice.summary
        == "1 was written to x twice: no read tells the two apart; every write needs a value of its own"
    )
    assert lists(at_once("ax1", "ax1!", "rx1")).valid is YES
    good = one_after_another("ax1ay1", "rx1")
    said = transactions(good, "list-append").summary
    assert said.startswith("2 transactions of 3 micro-operations are ")
    for limits in (Limits.of(-1.0), Limits(memory_bytes=100)):
        assert transactions(good, "list-append", limits=limits).valid is UNKNOWN
    columns = to_columns(good, "list-append")
    arrays_bytes = columns.nbytes
    assert arrays_bytes == sum(array.nbytes for array in vars(columns).values() if hasattr(array, "nbytes"))
    assert arrays_bytes > 100
    little = transactions(good, "list-append", limits=Limits(memory_bytes=100)).summary
    (needed,) = re.findall(r"^2 transactions need up to ([\d,]+) bytes; the limit is 100$", little)
    enough = Limits(memory_bytes=int(needed.replace(",", "")))
    assert transactions(good, "list-append", limits=enough).valid is YES
    nil: list[Event] = [(0, "invoke", [["w", "x", None]]), (0, "ok", [["w", "x", None]])]
    assert (
        registers(history([*nil, (0, "invoke", [["r", "x", None]]), (0, "ok", [["r", "x", None]])])).valid
        is UNKNOWN
    )


def test_the_evidence_names_the_model_and_those_that_are_ruled_out() -> None:
    _, bad, good, model, _ = next(case for case in LISTS if case[0] == "G0")
    found = lists(bad, model)
    assert found.evidence["consistency"] == model
    assert found.evidence["not"] == ruled_out(kinds(found))
    assert model in found.evidence["not"]
    assert lists(good, model).evidence["consistency"] == model
    assert "not" not in lists(good, model).evidence
    assert lists(bad, None, "G0").evidence["consistency"] is None


# Registers.

REGISTERS: list[tuple[str, History, History, str]] = [
    ("G1a", at_once("wx1!", "rx1", write="w"), at_once("wx1?", "rx1", write="w"), ""),
    ("G1b", at_once("wx1wx2", "rx1", write="w"), at_once("wx1wx2", "rx2", write="w"), ""),
    ("G1c", at_once("wx1ry1", "wy1rx1", write="w"), at_once("wx1ry_", "wy1rx1", write="w"), ""),
    ("internal", at_once("rx_wx1rx2", "wx2", write="w"), at_once("rx_wx1rx1", "wx2", write="w"), ""),
    ("G-single-item", at_once("rx_ry1", "wy1wx2", write="w"), at_once("rx2ry1", "wy1wx2", write="w"), ""),
    ("G2-item", at_once("rx_wy1", "ry_wx1", write="w"), at_once("rx1wy1", "ry_wx1", write="w"), ""),
    ("lost-update", at_once("rx0wx1", "rx0wx2", write="w"), at_once("rx0wx1", "rx1wx2", write="w"), ""),
    (
        "G-single-item",
        completed("ry1wx1wy2", "rx1ry1", write="w"),
        completed("ry1wx1wy2", "rx1ry2", write="w"),
        "writes-follow-reads",
    ),
    (
        "cyclic-versions",
        one_after_another("wx1", "wx2", "rx1", write="w", processes=[0, 0, 0]),
        one_after_another("wx1", "wx2", "rx2", write="w", processes=[0, 0, 0]),
        "sequential",
    ),
    (
        "cyclic-versions",
        one_after_another("wx1", "rx2", "rx1", write="w"),
        at_once("wx1", "rx2", "rx1", write="w"),
        "linearizable",
    ),
    (
        "G0",
        one_after_another("wx1wy2", "wx2wy1", "rx2", "ry2", write="w", processes=[0, 1, 0, 1]),
        one_after_another("wx1wy2", "wx2wy1", "rx2", "ry1", write="w", processes=[0, 1, 0, 1]),
        "sequential",
    ),
]


@pytest.mark.parametrize(("kind", "bad", "good", "known"), REGISTERS)
def test_registers(kind: str, bad: History, good: History, known: str) -> None:
    verdict = registers(bad, known=known)
    assert verdict.valid is NO
    assert kind in kinds(verdict)
    assert registers(good, known=known).valid is YES
    if known:
        assert registers(bad).valid is not NO


def test_register_circles_in_words() -> None:
    (anomaly,) = registers(at_once("rx_ry1", "wy1wx2", write="w")).anomalies
    assert anomaly.message == (
        "T1 is op 0 and T2 is op 1. T1 comes before T2: T1 read x = nil, and T2 wrote the later version 2;"
        " but T2 comes before T1: T1 read y = 1, which T2 wrote. No order has both"
    )


def test_what_nobody_wrote_may_be_what_a_register_held_at_first() -> None:
    verdict = registers(at_once("rx7", "rx7wx1", "rx1", write="w"))
    assert verdict.valid is YES
    assert verdict.evidence["reads_of_values_nobody_wrote"] == 2


def test_registers_in_strict_order() -> None:
    stale = one_after_another("wx1", "rx1", "rx_", write="w")
    assert registers(stale, "serializable").valid is YES
    assert kinds(registers(stale, "strict-serializable")) == {"G-single-item-realtime"}


# Models and anomalies.


def test_a_model_forbids_all_that_weaker_ones_do() -> None:
    order = ["read-uncommitted", "read-committed", "repeatable-read", "serializable", "strict-serializable"]
    for weaker, stronger in pairwise(order):
        assert forbidden(weaker) < forbidden(stronger)
    assert forbidden("snapshot-isolation") & {"G-single-item", "G2-item"} == {"G-single-item"}
    assert forbidden("strict-serializable") == frozenset(ANOMALIES)
    assert all(forbidden(model) <= forbidden("strict-serializable") for model in MODELS)
    assert forbidden("PL-3") == forbidden("serializable")


def test_an_anomaly_stands_for_its_special_cases() -> None:
    assert forbidden(None, ["G1"]) == {
        "G0",
        "G1",
        "G1a",
        "G1b",
        "G1c",
        "incompatible-order",
        "dirty-update",
        "future-read",
    }
    assert "G0" not in forbidden(None, ["G2"])


@pytest.mark.parametrize(
    ("kind_of", "expected"),
    [
        (["G0"], ["read-uncommitted"]),
        (["G-nonadjacent-item"], ["repeatable-read", "snapshot-isolation"]),
        (["lost-update"], ["cursor-stability", "update-atomic"]),
        (["G1b", "G-single-item"], ["read-committed"]),
        ([], []),
    ],
)
def test_the_weakest_models_ruled_out(kind_of: list[str], expected: list[str]) -> None:
    assert ruled_out(kind_of) == expected


# What is no history of transactions.


@pytest.mark.parametrize(
    ("value", "kind", "complaint"),
    [
        (3, "list-append", 'op 1: value 3; expected a list of micro-operations such as ["append", "x", 1]'),
        ([3], "list-append", 'op 1: micro-operation 3; expected ["append", key, value] or ["r", key, value]'),
        ([["w", "x", 1]], "list-append", 'op 1: micro-operation "w"; list-append knows "r" and "append"'),
        (
            [["append", "x", 1]],
            "rw-register",
            'op 1: micro-operation "append"; rw-register knows "r" and "w"',
        ),
        ([["r", "x", 1]], "list-append", "op 1: read 1; expected the list's elements, or nil"),
        ([["r"]], "list-append", 'op 1: micro-operation ["r"]; expected'),
    ],
)
def test_what_is_no_transaction(
    value: Any, kind: Literal["list-append", "rw-register"], complaint: str
) -> None:
    ops = [Op(0, 0, 0, "invoke", "txn", []), Op(1, 1, 0, "ok", "txn", value)]
    with pytest.raises(HistoryError) as error:
        transactions(History(ops), kind)
    assert str(error.value).startswith(complaint)


def test_what_is_no_history() -> None:
    begun: Event = (0, "invoke", [])
    with pytest.raises(
        HistoryError, match="op 1: process 0 invoked a transaction while its op 0 was still open"
    ):
        lists(history([begun, begun]))
    with pytest.raises(HistoryError, match="op 1: process 1 completed what it had not invoked"):
        lists(history([begun, (1, "ok", [])]))
    with pytest.raises(
        HistoryError, match="no transactions are called 'sets'; there are list-append, rw-reg"
    ):
        transactions(history([]), "sets")  # type: ignore[arg-type]
    with pytest.raises(HistoryError, match="no consistency model is called 'eventual'"):
        lists(history([]), "eventual")
    with pytest.raises(HistoryError, match="no anomaly is called 'G9'"):
        lists(history([]), None, "G9")
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(HistoryError, match="nested too deeply"):
        lists(history([(0, "ok", [["append", deep, 1]])]))


def test_values_of_other_types_are_other_values() -> None:
    events: list[Event] = [(0, "ok", [["append", "x", 1]]), (1, "ok", [["append", "x", True]])]
    assert lists(history([*events, (2, "ok", [["r", "x", [1, True]]])])).valid is YES
    assert kinds(lists(history([*events, (2, "ok", [["r", "x", [1.0]]])]))) >= {"garbage-read"}
