"""The judges of sets: good and bad in pairs, and against their definition, element by element."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.classics.set_final import set_final
from checkers.classics.set_full import set_full
from checkers.history import History, HistoryError
from tests.checkers.build import Did
from tests.checkers.client_ops import (
    NO,
    UNKNOWN,
    VACUOUS,
    YES,
    add,
    crashed,
    did,
    exhaustive,
    happened,
    kinds,
    refused,
    seen,
)

# By a final read


def test_a_final_read_that_shows_all_is_good_whatever_crashed() -> None:
    adds = (add(1, 1), crashed("add", 2, 1), crashed("add", 3, 1), refused("add", 4, 1))
    verdict = set_final(happened(*adds, seen("read", [1, 2], 5)))
    assert verdict.valid is YES
    assert verdict.evidence["recovered"] == 1


def test_an_acknowledged_element_that_the_final_read_lacks_is_lost() -> None:
    verdict = set_final(happened(add(1, 1), add(2, 2), seen("read", [1, 2], 3), seen("read", [1], 5)))
    assert kinds(verdict) == ["lost-element"]
    assert verdict.anomalies[0].ops == (2, 6)
    assert (
        verdict.summary
        == "lost-element: element 2 was acknowledged (op 3), but the final read 6 (process 3),"
        " which began later, does not show it"
    )


def test_only_the_final_read_counts_and_only_what_was_acknowledged_before_it_began() -> None:
    late = (add(2, 4, 5.2), add(3, 7))
    assert set_final(happened(add(1, 1), *late, seen("read", [], 2), seen("read", [1], 5))).valid is YES
    verdict = set_final(happened(add(1, 1), *late, seen("read", [], 5)))
    assert [anomaly.message.split()[1] for anomaly in verdict.anomalies] == ["1"]


def test_the_final_read_is_the_last_to_end_that_was_answered() -> None:
    answered = seen("read", [1], 2, 9)
    assert set_final(happened(add(1, 1), answered, seen("read", [], 3))).valid is YES
    assert set_final(happened(add(1, 1), seen("read", [1], 2), crashed("read", None, 3))).valid is YES


def test_an_element_that_nobody_added_is_unexpected() -> None:
    verdict = set_final(happened(add(1, 1), seen("read", [1, 9], 5)))
    assert kinds(verdict) == ["unexpected-element"]
    assert "element 9, which nobody ever added" in verdict.summary


def test_an_element_whose_only_add_was_refused_is_unexpected_but_not_if_another_was_not() -> None:
    verdict = set_final(happened(add(1, 1), refused("add", 2, 1), seen("read", [1, 2], 5)))
    assert kinds(verdict) == ["unexpected-element"]
    assert "was refused" in verdict.summary
    again = happened(add(1, 1), refused("add", 2, 1), crashed("add", 2, 2), seen("read", [1, 2], 5))
    assert set_final(again).valid is YES


def test_an_element_cannot_be_read_before_it_was_added() -> None:
    verdict = set_final(happened(add(1, 1), seen("read", [1, 2], 3), add(2, 5)))
    assert kinds(verdict) == ["unexpected-element"]
    assert set_final(happened(add(1, 1), seen("read", [1, 2], 3, 6), add(2, 5))).valid is YES


@pytest.mark.parametrize("judge", [set_final, set_full])
def test_an_element_that_is_added_again_was_there_before(judge: Any) -> None:
    assert judge(happened(add(1, 1), seen("read", [1], 3), add(1, 5))).valid is YES


@pytest.mark.parametrize("judge", [set_final, set_full])
def test_a_read_that_crashed_showed_nothing(judge: Any) -> None:
    gave_up = did("read", None, 5, 6, type="info")
    assert judge(happened(add(1, 1), seen("read", [1], 3), gave_up)).valid is YES
    assert judge(happened(add(1, 1), gave_up)).valid is VACUOUS


@pytest.mark.parametrize("judge", [set_final, set_full])
def test_an_add_that_gave_up_need_not_have_happened(judge: Any) -> None:
    gave_up = did("add", 2, 1, 2, type="info")
    assert judge(happened(add(1, 1), gave_up, seen("read", [1], 3))).valid is YES
    assert judge(happened(add(1, 1), gave_up, seen("read", [1, 2], 3))).valid is YES


def test_values_that_only_look_alike_are_different_elements() -> None:
    for one, other in ((1, 1.0), (1, True), ("1", 1), ("1.5", 1.5), ([1, 2], [2, 1]), (None, 0)):
        assert set_final(happened(add(one, 1), seen("read", [one], 5))).valid is YES
        verdict = set_final(happened(add(one, 1), seen("read", [other], 5)))
        assert kinds(verdict) == ["lost-element", "unexpected-element"]
    same = happened(add({"a": 1, "b": [2]}, 1), seen("read", [{"b": [2], "a": 1}], 5))
    assert set_final(same).valid is YES


@pytest.mark.parametrize("judge", [set_final, set_full])
def test_a_set_that_nobody_read_or_added_to_shows_nothing(judge: Any) -> None:
    assert judge(happened(add(1, 1))).valid is VACUOUS
    assert judge(happened(seen("read", [], 5))).valid is VACUOUS
    assert judge(happened(crashed("add", 1, 1), seen("read", [], 5))).valid is VACUOUS
    unrecorded = happened(add(1, 1), seen("read", None, 5), nil_reads="unrecorded")
    assert judge(unrecorded).valid is VACUOUS


@pytest.mark.parametrize("judge", [set_final, set_full])
def test_a_set_that_elements_are_removed_from_is_for_another_judge(judge: Any) -> None:
    removing = (add(1, 1), did("remove", 1, 2, 3), seen("read", [], 5))
    assert judge(happened(*removing)).valid is UNKNOWN
    assert judge(happened(add(1, 1), refused("remove", 1, 2), seen("read", [], 5))).valid is NO


@pytest.mark.parametrize("judge", [set_final, set_full])
def test_a_read_of_no_list_is_refused_with_its_place(judge: Any) -> None:
    with pytest.raises(HistoryError, match="op 3: read returned 7; expected a list of elements"):
        judge(happened(add(1, 1), seen("read", 7, 5)))


# Over all reads


def test_an_element_that_stays_once_it_was_seen_is_stable() -> None:
    found = happened(add(1, 1, 4), seen("read", [], 2), seen("read", [1], 5), seen("read", [1], 7))
    verdict = set_full(found, linearizable=True)
    assert verdict.valid is YES
    assert verdict.evidence["stable"] == 1
    assert verdict.evidence["stable_latency_ms"]["p100"] == 0.0


def test_an_element_is_lost_where_the_last_read_lacks_it() -> None:
    verdict = set_full(happened(add(1, 1), seen("read", [1], 3), seen("read", [], 6)))
    assert kinds(verdict) == ["lost-element"]
    assert "read 4, which began later, does not show it, nor does any after it; read 2 was" in verdict.summary
    assert verdict.evidence["lost_latency_ms"]["p100"] == 1.5
    assert verdict.evidence["lost_elements"] == [1]


def test_an_acknowledged_element_that_no_read_ever_showed_is_lost() -> None:
    assert kinds(set_full(happened(add(1, 1), seen("read", [], 3)))) == ["lost-element"]


def test_a_crashed_add_is_known_once_a_read_showed_it() -> None:
    assert kinds(set_full(happened(crashed("add", 1, 1), seen("read", [1], 3), seen("read", [], 6)))) == [
        "lost-element"
    ]
    never = set_full(happened(add(2, 1), crashed("add", 1, 1), seen("read", [2], 3), seen("read", [2], 6)))
    assert never.valid is YES
    assert never.evidence["never_read_elements"] == [1]


def test_an_element_that_shows_late_is_stale_and_wrong_only_of_a_linearizable_set() -> None:
    late = happened(add(1, 1), seen("read", [], 3), seen("read", [], 5), seen("read", [1], 8))
    verdict = set_full(late)
    assert verdict.valid is YES
    assert verdict.evidence["stale_elements"] == [1]
    assert verdict.evidence["stable_latency_ms"]["p100"] == 3.5
    strict = set_full(late, linearizable=True)
    assert kinds(strict) == ["stale-read"]
    assert strict.anomalies[0].ops == (0, 4)


def test_a_read_concurrent_with_the_add_may_miss_it() -> None:
    found = happened(add(1, 1, 9), seen("read", [], 3, 10), seen("read", [1], 11))
    assert set_full(found, linearizable=True).evidence["stale_elements"] == []
    only = set_full(happened(add(1, 1, 9), seen("read", [], 3, 10)))
    assert only.valid is VACUOUS
    assert only.evidence["never_read_elements"] == [1]


def test_a_read_that_showed_it_makes_a_later_miss_stale_though_the_add_goes_on() -> None:
    found = happened(add(1, 1, 20), seen("read", [1], 3), seen("read", [], 5), seen("read", [1], 7))
    assert kinds(set_full(found, linearizable=True)) == ["stale-read"]


def test_an_element_shown_twice_by_one_read_is_a_duplicate() -> None:
    verdict = set_full(happened(add(1, 1), add(2, 1), seen("read", [1, 2, 1], 5)))
    assert kinds(verdict) == ["duplicate-element"]
    assert "read 4 shows element 1 2 times" in verdict.summary
    assert set_full(happened(add(1, 1), add(1, 2), seen("read", [1], 5), seen("read", [1], 7))).valid is YES


def test_set_full_names_what_nobody_added() -> None:
    assert kinds(set_full(happened(add(1, 1), seen("read", [1, 3], 5)))) == ["unexpected-element"]
    assert kinds(set_full(happened(add(1, 1), seen("read", [1, 2], 2), add(2, 5)))) == ["unexpected-element"]


@st.composite
def set_runs(draw: st.DrawFn) -> History:
    """Two elements and a few reads at times of their own, each showing any of the elements."""
    slots = draw(st.permutations(range(10)))
    pairs = [tuple(sorted(slots[i : i + 2])) for i in range(0, 10, 2)]
    adds = [
        Did(0, "add", element, start, None if draw(st.booleans()) else end)
        for element, (start, end) in enumerate(pairs[:2])
    ]
    shown = st.lists(st.sampled_from([0, 1]), unique=True)
    reads = [seen("read", draw(shown), start, end) for start, end in pairs[2:]]
    return happened(*adds, *reads)


@exhaustive
@given(set_runs())
def test_set_full_is_its_definition(run: History) -> None:
    """Element by element, over all reads, as Jepsen defines it."""
    calls = list(run.calls())
    reads = [(c.invoke, c.completion) for c in calls if c.invoke.f == "read" and c.completion]
    lost, stale, known_ever = set(), set(), False
    for element in (0, 1):
        (one,) = [c for c in calls if c.invoke.f == "add" and c.invoke.value == element]
        ends = [one.completion.index] if one.completion else []
        ends += [done.index for _, done in reads if element in done.value]
        present = [invoke.index for invoke, done in reads if element in done.value]
        absent = [
            invoke.index
            for invoke, done in reads
            if element not in done.value and invoke.index > one.invoke.index
        ]
        missed = [index for index in absent if ends and index > min(ends)]
        if missed and max(missed) > max(present, default=-1):
            lost.add(element)
        elif missed:
            stale.add(element)
        known_ever |= bool(missed) or max(present, default=-1) > max(absent, default=-1)
    strange = {
        element
        for element in (0, 1)
        for _, done in reads
        if element in done.value
        and done.index < next(c.invoke.index for c in calls if c.invoke.value == element)
    }
    verdict = set_full(run)
    assert set(verdict.evidence["lost_elements"]) == lost
    assert set(verdict.evidence["stale_elements"]) == stale
    assert verdict.valid is (NO if lost or strange else YES if known_ever else VACUOUS)
    assert (set_full(run, linearizable=True).valid is NO) == bool(lost or stale or strange)
