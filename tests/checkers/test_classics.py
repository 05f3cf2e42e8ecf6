"""The simple judges of Jepsen's workloads: counters, ids, latency, and what is true of all of them."""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.classics import CLASSICS
from checkers.classics.counter_bounds import counter_bounds
from checkers.classics.latency import Latency, latencies, latency, quantile
from checkers.classics.unique_ids import unique_ids
from checkers.formats.reading import read_history
from checkers.history import History, HistoryError
from checkers.verdict import Validity
from tests.checkers.build import Did, fault, ops
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

SHARED = Path(__file__).parents[3] / "shared" / "histories" / "jepsen"

# Counters


def test_a_counter_counts_what_was_acknowledged_and_maybe_what_was_not() -> None:
    before = (add(1, 1), add(2, 1), crashed("add", 4, 1), refused("add", 8, 1))
    for value in (3, 5, 7):
        assert counter_bounds(happened(*before, seen("read", value, 5))).valid is YES, value
    for value, kind in ((2, "below-bounds"), (8, "above-bounds")):
        verdict = counter_bounds(happened(*before, seen("read", value, 5)))
        assert kinds(verdict) == [kind]
    assert "read 7 (process 4) returned 8, but at most 7 can have been counted by then" in verdict.summary


def test_a_read_of_a_counter_that_was_not_answered_tells_nothing() -> None:
    for how in ("fail", "info"):
        unanswered = did("read", None, 5, 6, type=how)
        assert counter_bounds(happened(add(1, 1), seen("read", 1, 3), unanswered)).valid is YES


def test_a_counters_bounds_are_those_of_the_time_of_the_read() -> None:
    for value, valid in ((0, NO), (1, YES), (3, YES), (4, NO)):
        found = happened(add(1, 1, 2), add(2, 1, 6), seen("read", value, 5, 7), add(4, 8))
        assert counter_bounds(found).valid is valid, value
    overlapping = happened(add(1, 1, 6), seen("read", 0, 5, 7))
    assert counter_bounds(overlapping).valid is YES


def test_an_add_below_zero_moves_the_other_bound() -> None:
    for value, valid in ((-4, NO), (-3, YES), (-1, YES), (0, YES), (1, NO)):
        found = happened(add(-1, 1, 2), add(-2, 1, 6), add(1, 1, 6), seen("read", value, 5, 7))
        assert counter_bounds(found).valid is valid, value


def test_a_counter_that_was_never_read_or_never_moved_shows_nothing() -> None:
    assert counter_bounds(happened(add(1, 1))).valid is VACUOUS
    assert counter_bounds(happened(seen("read", 0, 1))).valid is VACUOUS
    assert counter_bounds(happened(refused("add", 1, 1), seen("read", 0, 2))).valid is VACUOUS
    assert counter_bounds(happened(seen("read", 1, 1))).valid is NO


def test_a_counter_holds_whole_numbers() -> None:
    for wrong in ("7", 1.5, True, None, [1], float("nan"), 1 << 5000):
        with pytest.raises(HistoryError, match="op 3: read has"):
            counter_bounds(happened(add(1, 1), seen("read", wrong, 5, type="ok")))
        with pytest.raises(HistoryError, match="op 0: add has"):
            counter_bounds(happened(add(wrong, 1), seen("read", 0, 5)))
    unrecorded = happened(add(1, 1), seen("read", None, 5), seen("read", 1, 7), nil_reads="unrecorded")
    assert counter_bounds(unrecorded).valid is YES


@st.composite
def counter_runs(draw: st.DrawFn) -> History:
    slots = draw(st.permutations(range(12)))
    pairs = [tuple(sorted(slots[i : i + 2])) for i in range(0, 12, 2)]
    adds = [
        Did(0, "add", draw(st.integers(-3, 3)), start, end, draw(st.sampled_from(["ok", "fail", "info"])))
        for start, end in pairs[:4]
    ]
    reads = [seen("read", draw(st.integers(-6, 6)), start, end) for start, end in pairs[4:]]
    return happened(*adds, *reads)


@exhaustive
@given(counter_runs())
def test_counter_bounds_are_those_of_every_subset_that_can_have_been_counted(run: History) -> None:
    calls = list(run.calls())
    adds = [c for c in calls if c.invoke.f == "add" and c.type != "fail"]
    good = True
    for read in (c for c in calls if c.invoke.f == "read"):
        assert read.completion is not None
        must = [c for c in adds if c.type == "ok" and c.completion and c.completion.index < read.invoke.index]
        may = [c for c in adds if c not in must and c.invoke.index < read.completion.index]
        subsets = chain.from_iterable(combinations(may, size) for size in range(len(may) + 1))
        sums = [sum(c.invoke.value for c in (*must, *subset)) for subset in subsets]
        good &= min(sums) <= read.completion.value <= max(sums)
    assert (counter_bounds(run).valid is NO) == (not good)


# Ids


def test_ids_are_unique() -> None:
    found = happened(*(seen("generate", one, at) for at, one in enumerate((5, 3, 9))))
    verdict = unique_ids(found)
    assert verdict.valid is YES
    assert verdict.evidence["range"] == [3, 9]


def test_an_id_given_out_twice_is_named_with_both() -> None:
    verdict = unique_ids(
        happened(seen("generate", "a", 1), seen("generate", "b", 2), seen("generate", "a", 3))
    )
    assert kinds(verdict) == ["duplicate-id"]
    assert (
        "id 'a' was given out 2 times: to generate 0 (process 0) and generate 4 (process 2)"
        in verdict.summary
    )
    assert verdict.anomalies[0].ops == (0, 4)


def test_ids_that_were_refused_crashed_or_not_recorded_are_none() -> None:
    again = seen("generate", 1, 1), refused("generate", None, 2), crashed("generate", None, 3)
    assert unique_ids(happened(*again, seen("generate", 2, 4))).valid is YES
    assert unique_ids(happened(*again)).valid is VACUOUS
    nameless = happened(seen("generate", 1, 1), seen("generate", 2, 2), did("generate", None, 3, 4))
    assert unique_ids(nameless).valid is UNKNOWN


# Latency


def test_latencies_are_told_by_function_outcome_and_fault() -> None:
    run = (
        *(Did(i, "read", None, at, at + took) for i, (at, took) in enumerate(((0, 1), (100, 3), (200, 9)))),
        Did(3, "read", None, 150, 152, "fail"),
        Did(4, "write", 1, 100, None),
        Did(5, "write", 1, 1000, 1000),
    )
    found = History(ops=ops(*run, faults=fault(1, "partition", ["n1"], 99, 299)))
    whole, failed, hung = latencies(found)[0], latencies(found)[1], latencies(found)[3]
    assert whole == Latency("read", "ok", None, 3, 3.0, 3.0, 9.0, 9.0, 9.0)
    assert failed == Latency("read", "fail", None, 1, 1.0, 2.0, 2.0, 2.0, 2.0)
    assert hung == Latency("write", "info", None, 1, 1.0, None, None, None, None)
    inside = [row for row in latencies(found) if row.during == "partition (step 1)"]
    assert [(row.f, row.outcome, row.calls) for row in inside] == [
        ("read", "ok", 2),
        ("read", "fail", 1),
        ("write", "info", 1),
    ]
    assert inside[0].per_s == round(2 / 0.201, 3)
    assert inside[0].max_ms == 9.0


def test_what_begins_with_a_fault_is_inside_and_what_begins_with_its_end_is_not() -> None:
    told = fault(1, "partition", ["n1"], 100, 200)
    [window] = History(ops=ops(faults=told)).faults()
    assert window.healed_ns is not None
    first, last = (moment / 1e6 for moment in (window.inject_ns, window.healed_ns))
    run = [Did(process, "read", None, at, 300) for process, at in enumerate((first, last))]
    inside = [row for row in latencies(History(ops=ops(*run, faults=told))) if row.during is not None]
    assert [row.calls for row in inside] == [1]


def test_the_longest_of_many_is_told_beside_their_quantiles() -> None:
    run = [Did(process, "read", None, process, 2 * process + 1) for process in range(100)]
    [row] = latencies(History(ops=ops(*run)))
    assert (row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms) == (50.0, 95.0, 99.0, 100.0)


def test_how_long_a_refusal_took_is_not_judged() -> None:
    quick = [did("read", None, at, at + 1) for at in (0, 10, 20)]
    assert latency(happened(*quick, did("read", None, 30, 90, type="fail")), bound_ms=20).valid is YES


def test_latencies_of_nothing_are_none() -> None:
    assert latencies(History()) == []
    assert latencies(happened(did("read", None, 5, 5)))[0].per_s is None


def test_a_quantile_is_the_nearest_rank() -> None:
    hundred = list(range(1, 101))
    for share, value in ((0, 1), (0.5, 50), (0.501, 51), (0.95, 95), (0.99, 99), (1, 100)):
        assert quantile(hundred, share) == value
    assert quantile([7], 0.5) == 7


def test_a_latency_is_judged_only_against_a_bound() -> None:
    found = happened(*(did("read", None, at, at + took) for at, took in ((0, 1), (10, 2), (20, 30))))
    assert latency(found, bound_ms=30).valid is YES
    verdict = latency(found, bound_ms=29)
    assert kinds(verdict) == ["too-slow"]
    assert verdict.anomalies[0].ops == (4,)
    assert latency(found, bound_ms=2, share=0.5).valid is YES
    assert latency(happened(refused("read", None, 1)), bound_ms=1).valid is VACUOUS


def test_a_call_that_crashed_took_longer_than_anybody_waited() -> None:
    waited = happened(did("read", None, 0, 1), did("read", None, 10, 50, type="info"))
    assert latency(waited, bound_ms=20).valid is NO
    assert latency(waited, bound_ms=60).valid is UNKNOWN
    assert latency(waited, bound_ms=60, share=0.5).valid is YES
    assert latency(happened(crashed("read", None, 0), did("read", None, 29, 30)), bound_ms=20).valid is NO


# All of them


def test_every_classic_judges_an_empty_history_as_vacuous_under_its_own_name() -> None:
    for name, classic in CLASSICS.items():
        verdict = classic.judge(History())
        assert (verdict.checker, verdict.valid) == (name, VACUOUS)
        assert classic.name == name


def test_a_value_too_deep_to_compare_is_refused_in_one_line() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(HistoryError, match="nested too deeply"):
        unique_ids(happened(seen("generate", deep, 1)))


def shared(name: str) -> History:
    if not SHARED.is_dir():
        pytest.skip("the histories of other projects are not here")
    return read_history(SHARED / name)


@pytest.mark.parametrize(
    ("name", "model", "valid"),
    [
        ("bank.json", "bank", YES),
        ("bank-negative-balances.json", "bank", NO),
        # It has 287 adds and not one read.
        ("counter.json", "counter-bounds", VACUOUS),
        ("set.edn", "set-final", YES),
        ("set.edn", "set-full", YES),
        ("long-fork.edn", "long-fork", NO),
    ],
)
def test_histories_of_other_projects_have_their_known_verdicts(
    name: str, model: str, valid: Validity
) -> None:
    assert CLASSICS[model].judge(shared(name)).valid is valid
