"""The judge of queues that are emptied in the end: good and bad in pairs, and against multisets."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from checkers.classics.total_queue import total_queue
from tests.checkers.build import Did
from tests.checkers.client_ops import (
    NO,
    UNKNOWN,
    VACUOUS,
    YES,
    crashed,
    did,
    exhaustive,
    happened,
    kinds,
    refused,
    seen,
)


def put(value: Any, start_ms: float, end_ms: float | None = None) -> Did:
    return did("enqueue", value, start_ms, start_ms + 0.5 if end_ms is None else end_ms)


def take(value: Any, start_ms: float, end_ms: float | None = None) -> Did:
    return seen("dequeue", value, start_ms, end_ms)


def test_what_goes_in_comes_out_in_any_order() -> None:
    assert total_queue(happened(put(1, 1), put(2, 2), take(2, 5), take(1, 6), take(None, 7))).valid is YES
    recovered = total_queue(happened(crashed("enqueue", 1, 1), put(2, 2), take(2, 5), take(1, 6)))
    assert recovered.valid is YES
    assert recovered.evidence["recovered"] == 1
    assert total_queue(happened(put(1, 1), crashed("enqueue", 2, 1), take(1, 5))).valid is YES


def test_an_acknowledged_element_that_never_comes_out_is_lost() -> None:
    verdict = total_queue(happened(put(1, 1), put(2, 2), take(2, 5), refused("dequeue", None, 7)))
    assert kinds(verdict) == ["lost-element"]
    assert "element 1 of enqueue 0 was acknowledged, but never came out" in verdict.summary
    twice = total_queue(happened(put(1, 1), put(1, 2), take(1, 5), take(None, 6)))
    assert kinds(twice) == ["lost-element"]


def test_a_refused_dequeue_is_a_look_that_found_nothing() -> None:
    assert kinds(total_queue(happened(put(1, 1), refused("dequeue", None, 5)))) == ["lost-element"]
    gave_up = did("dequeue", None, 5, 6, type="info")
    assert total_queue(happened(put(1, 1), gave_up)).valid is VACUOUS


def test_an_element_from_nowhere_or_from_a_refused_enqueue_is_unexpected() -> None:
    assert kinds(total_queue(happened(put(1, 1), take(1, 5), take(9, 6)))) == ["unexpected-element"]
    never = total_queue(happened(put(1, 1), refused("enqueue", 9, 1), take(1, 5), take(9, 6)))
    assert kinds(never) == ["unexpected-element"]


def test_an_element_cannot_come_out_before_it_goes_in() -> None:
    assert kinds(total_queue(happened(take(1, 1), put(1, 5), take(None, 9)))) == ["unexpected-element"]
    assert total_queue(happened(take(1, 1, 6), put(1, 5), take(None, 9))).valid is YES
    early = happened(put(1, 1), take(1, 2), take(1, 3), put(1, 5), take(None, 9))
    assert kinds(total_queue(early)) == ["unexpected-element"]


def test_an_element_that_comes_out_twice_is_a_duplicate_unless_delivery_is_at_least_once() -> None:
    found = happened(put(1, 1), take(1, 5), take(1, 6))
    assert kinds(total_queue(found)) == ["duplicate-element"]
    assert total_queue(found, at_least_once=True).valid is YES
    assert total_queue(happened(put(1, 1), put(1, 2), take(1, 5), take(1, 6))).valid is YES


def test_a_drain_takes_all_that_it_returns() -> None:
    assert total_queue(happened(put(1, 1), put(2, 2), seen("drain", [2, 1], 5))).valid is YES
    assert kinds(total_queue(happened(put(1, 1), put(2, 2), seen("drain", [2], 5)))) == ["lost-element"]
    assert kinds(total_queue(happened(put(1, 1), seen("drain", [1, 1], 5)))) == ["duplicate-element"]
    assert total_queue(happened(put(1, 1), take(1, 2), seen("drain", [], 5))).valid is YES


def test_a_dequeue_that_crashed_may_have_taken_one_element_and_a_drain_many() -> None:
    gone = (put(1, 1), put(2, 1), take(None, 5))
    assert kinds(total_queue(happened(*gone, crashed("dequeue", None, 3)))) == ["lost-element"] * 2
    two = happened(*gone, crashed("dequeue", None, 3), crashed("dequeue", None, 3))
    assert total_queue(two).valid is UNKNOWN
    assert total_queue(happened(*gone, crashed("drain", None, 3))).valid is UNKNOWN
    nothing_missing = happened(put(1, 1), take(1, 5), crashed("drain", None, 3))
    assert total_queue(nothing_missing).valid is YES


def test_what_goes_in_after_the_last_look_is_not_missed() -> None:
    verdict = total_queue(happened(put(1, 1), take(1, 2), put(2, 5)))
    assert verdict.valid is UNKNOWN
    assert "1 elements were acknowledged after the last dequeue began" in verdict.summary
    assert total_queue(happened(put(1, 1))).valid is VACUOUS
    assert total_queue(happened(take(None, 1), crashed("enqueue", 1, 2))).valid is VACUOUS


@exhaustive
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["ok", "fail", "info"])), max_size=5),
    st.lists(st.integers(0, 3), max_size=5),
    st.integers(0, 2),
)
def test_total_queue_is_the_arithmetic_of_multisets(
    puts: list[tuple[int, Any]], takes: list[int], crashes: int
) -> None:
    """Where all is enqueued before anything is dequeued."""
    entered = [did("enqueue", value, at, at + 0.5, type=kind) for at, (value, kind) in enumerate(puts)]
    left = [take(value, 100 + at) for at, value in enumerate(takes)]
    lost_sight = [crashed("dequeue", None, 50)] * crashes
    verdict = total_queue(happened(*entered, *lost_sight, *left, take(None, 200)))
    asked = Counter(value for value, kind in puts if kind != "fail")
    sure = Counter(value for value, kind in puts if kind == "ok")
    out = Counter(takes)
    lost, surplus = (sure - out).total(), (out - asked).total()
    assert verdict.evidence["lost"] == lost
    if surplus or lost > crashes:
        assert verdict.valid is NO
    else:
        assert verdict.valid is (UNKNOWN if lost else YES if sure or takes else VACUOUS)
