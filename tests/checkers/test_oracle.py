"""The oracle, the plain search and the verifier of certificates on cases small enough to judge by eye."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checkers.linear.brute_force import MOST_OPERATIONS, brute_force
from checkers.linear.certificate import verify
from checkers.linear.operations import NEVER, UNKNOWN, Limits, Model, Operation
from checkers.linear.wing_gong import wing_gong
from checkers.models import LINEAR_MODELS
from checkers.models.register import ANYTHING
from checkers.verdict import Validity

MICRO = Path(__file__).parents[2].parent / "shared" / "histories" / "micro" / "register_interval_cases.json"
REGISTER, CAS, QUEUE = LINEAR_MODELS["register"], LINEAR_MODELS["cas-register"], LINEAR_MODELS["queue"]
KV, FENCED = LINEAR_MODELS["kv"], LINEAR_MODELS["fenced-mutex"]


def op(f: str, value: Any, start: int, end: int | None, process: int = 0) -> Operation:
    """One whose argument and result are the same, as most are. It never returned where `end` is None."""
    result, returned = (value, 2 * end + 1) if end is not None else (UNKNOWN, NEVER)
    return Operation(f, value, result, 2 * start, returned, index=start, process=process)


def judged(model: Model, operations: Sequence[Operation]) -> bool:
    """What brute force says; the plain search has to say the same, and be able to prove it."""
    expected = brute_force(model, operations)
    decision = wing_gong(model, operations, Limits.of(30))
    assert decision.validity is (Validity.YES if expected else Validity.NO)
    if expected:
        assert decision.order is not None
        assert verify(model, operations, decision.order) is None
    else:
        assert not brute_force(model, [operations[at] for at in decision.culprits])
    return expected


def micro_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(MICRO.read_text()) if MICRO.is_file() else []
    return cases


@pytest.mark.skipif(not MICRO.is_file(), reason=f"no {MICRO}")
def test_there_are_cases_written_by_others() -> None:
    assert len(micro_cases()) >= 13


@pytest.mark.parametrize("case", micro_cases(), ids=lambda case: case["name"])
def test_cases_written_by_others(case: dict[str, Any]) -> None:
    initial = case["initial"]
    if case["source_verdict_note"] == "initial 0":
        initial = 0
    model = replace(LINEAR_MODELS[case["model"]], initial=initial)
    # Within an instant invocations come first.
    calls = list(enumerate(case["ops"]))
    events = sorted((call[end], end == "end", at) for at, call in calls for end in ("start", "end"))
    rank = {(at, returns): number for number, (_, returns, at) in enumerate(events)}
    operations = [
        Operation(call["f"], call["value"], call["value"], rank[at, False], rank[at, True], index=at)
        for at, call in calls
    ]
    assert judged(model, operations) is case["linearizable"]


CASES: dict[str, tuple[Model, list[Operation], bool]] = {
    "nothing": (REGISTER, [], True),
    "only a crash": (REGISTER, [op("write", 1, 0, None)], True),
    "lost write": (REGISTER, [op("write", 1, 0, 1), op("read", None, 2, 3)], False),
    "read at once": (REGISTER, [op("write", 1, 0, 2), op("read", None, 1, 3)], True),
    "crashed, yet happened": (REGISTER, [op("write", 1, 0, None), op("read", 1, 5, 6)], True),
    "seen before invoked": (REGISTER, [op("read", 1, 0, 1), op("write", 1, 2, None)], False),
    "a crashed write undone": (
        REGISTER,
        [op("write", 1, 0, None), op("read", 1, 1, 2), op("read", None, 3, 4)],
        False,
    ),
    "a crashed write happens late": (
        REGISTER,
        [op("write", 1, 0, None), op("write", 2, 1, 2), op("read", 2, 3, 4), op("read", 1, 5, 6)],
        True,
    ),
    "a crashed write happens once": (
        REGISTER,
        [op("write", 1, 0, None), op("write", 2, 3, 4), op("read", 1, 5, 6), op("read", 2, 7, 8)],
        False,
    ),
    "two equal crashed writes happen twice": (
        REGISTER,
        [
            op("write", 1, 0, None),
            op("write", 1, 1, None),
            op("write", 2, 2, 3),
            op("read", 1, 4, 5),
            op("write", 2, 6, 7),
            op("read", 1, 8, 9),
        ],
        True,
    ),
    "of two equal crashed writes the second comes too late": (
        REGISTER,
        [
            op("write", 1, 0, None),
            op("write", 2, 2, 3),
            op("read", 1, 4, 5),
            op("write", 2, 6, 7),
            op("read", 1, 8, 9),
            op("write", 1, 10, None),
        ],
        False,
    ),
    "a crashed write that another order would waste": (
        CAS,
        [
            op("write", 2, 0, 1),
            op("write", 3, 2, 6),
            op("cas", (2, 3), 3, 7),
            op("write", 2, 4, None),
            op("read", 2, 8, 9),
        ],
        True,
    ),
    "crashed cas": (CAS, [op("cas", (None, 1), 0, None), op("cas", (1, 2), 1, 2), op("read", 2, 3, 4)], True),
    "a crashed cas that matches only later": (
        CAS,
        [op("write", 1, 0, 1), op("cas", (2, 3), 2, None), op("write", 2, 3, 4), op("read", 3, 5, 6)],
        True,
    ),
    "a read that was not recorded": (
        REGISTER,
        [op("write", 1, 0, 1), op("read", ANYTHING, 2, 3), op("read", 1, 4, 5)],
        True,
    ),
    "nil is not 0": (KV, [op("put", 0, 0, 1), op("get", None, 2, 3)], False),
    "nil is the empty text": (KV, [op("put", "", 0, 1), op("get", None, 2, 3)], True),
    "a miss that should match": (CAS, [op("write", 1, 0, 1), op("miss", (1, 2), 2, 3)], False),
    "a crashed dequeue took the first": (
        QUEUE,
        [
            op("enqueue", 1, 0, 1),
            op("enqueue", 2, 2, 3),
            op("dequeue", None, 4, None),
            op("dequeue", 2, 5, 6),
        ],
        True,
    ),
    "of two crashed releases only the later is the holder's": (
        FENCED,
        [
            op("acquire", 1, 0, 1, process=1),
            op("release", None, 2, None, 2),
            op("release", None, 3, None, 1),
            op("acquire", 2, 4, 5, process=3),
        ],
        True,
    ),
}


@pytest.mark.parametrize(("model", "operations", "valid"), CASES.values(), ids=CASES)
def test_cases_by_hand(model: Model, operations: list[Operation], valid: bool) -> None:
    assert judged(model, operations) is valid


def test_brute_force_takes_no_more_than_it_can() -> None:
    reads = [op("read", None, at, at) for at in range(MOST_OPERATIONS + 1)]
    assert brute_force(REGISTER, reads[1:])
    with pytest.raises(ValueError, match="11 operations have too many orders"):
        brute_force(REGISTER, reads)


# write 1, then write 2 at the same time as a read of 1 and a write of 3 that crashed.
CERTIFIED = [op("write", 1, 0, 1), op("write", 2, 2, 5), op("read", 1, 3, 4), op("write", 3, 3, None)]


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        ([0, 2, 1], None),
        ([0, 2, 1, 3], None),
        ([0, 2, 3, 1], None),
        ([0, 2], "write 2 returned, yet never takes effect"),
        ([], "write 0 returned, yet never takes effect"),
        ([0, 2, 1, 2], "read 3 takes effect twice"),
        ([3, 0, 2, 1, 3], "write 0 had returned before write 3 was invoked, yet comes after it"),
        ([0, 2, 1, 3, 3], "write 3 takes effect twice"),
        ([0, 1, 2], "read 3 cannot have had its result where it stands in the order"),
        ([2, 0, 1], "read 3 cannot have had its result where it stands in the order"),
        ([1, 0, 2], "write 0 had returned before write 2 was invoked, yet comes after it"),
        ([0, 2, 4], "position 4 is none of the 4 operations"),
        ([0, 2, -3], "position -3 is none of the 4 operations"),
    ],
)
def test_a_certificate_is_checked_by_the_definition(order: list[int], wrong: str | None) -> None:
    assert verify(REGISTER, CERTIFIED, order) == wrong


def test_real_time_is_checked_against_all_before_and_not_only_the_last() -> None:
    operations = [op("write", 1, 0, 1), op("write", 2, 0, 9), op("write", 3, 5, 6)]
    assert verify(REGISTER, operations, [2, 1, 0]) is not None
    assert verify(REGISTER, operations, [0, 2, 1]) is None


def concurrent_writes(count: int) -> list[Operation]:
    """A read of what nobody wrote, after writes all at once: there are 2^count things to rule out."""
    writes = [op("write", at, at, count + at) for at in range(count)]
    return [*writes, op("read", -1, 3 * count, 3 * count + 1)]


def test_the_plain_search_ends_with_its_budget_and_says_how_far_it_got() -> None:
    began_s = time.monotonic()
    decision = wing_gong(REGISTER, concurrent_writes(40), Limits.of(0.3))
    assert time.monotonic() - began_s < 1.3
    assert decision.validity is Validity.UNKNOWN
    assert decision.reason.startswith("the search ran out of time after ")
    assert decision.reason.endswith("its longest order explains 40 of 41 operations that returned")


def test_the_plain_search_ends_with_its_memory() -> None:
    decision = wing_gong(REGISTER, concurrent_writes(40), Limits.of(60, memory_bytes=2_000_000))
    assert decision.validity is Validity.UNKNOWN
    assert "0.002 GB of memory" in decision.reason
    assert 1_000 < decision.configurations < 10_000


def test_the_plain_search_ends_with_its_configurations() -> None:
    decision = wing_gong(REGISTER, concurrent_writes(40), Limits.of(60), max_configurations=5_000)
    assert decision.validity is Validity.UNKNOWN
    assert "its 5,000 configurations" in decision.reason


def test_the_plain_search_remembers_where_it_was() -> None:
    """Twelve writes at once have 479 million orders, but leave twelve states of each of 4,095 sets."""
    decision = wing_gong(REGISTER, concurrent_writes(12), Limits.of(30))
    assert decision.validity is Validity.NO
    assert decision.configurations <= 12 * 2**12


def test_equal_crashed_operations_stand_for_each_other() -> None:
    """Twenty crashed enqueues of one value can have happened in 21 ways, not in 2^20."""
    crashed = [op("enqueue", 1, at, None, process=at) for at in range(20)]
    decision = wing_gong(QUEUE, [*crashed, op("dequeue", 2, 30, 31)], Limits.of(30))
    assert decision.validity is Validity.NO
    assert decision.configurations <= 21


def test_the_culprits_end_with_the_first_operation_that_nothing_explains() -> None:
    operations = [
        op("write", 1, 0, 1),
        op("read", 1, 2, 3),
        op("write", 2, 4, 9),
        op("read", 7, 5, 6),
        op("read", 2, 10, 11),
        op("write", 3, 12, None),
    ]
    assert wing_gong(REGISTER, operations, Limits.of(30)).culprits == [0, 1, 2, 3]


def test_a_long_history_needs_no_deep_stack() -> None:
    operations = [op("write", at, 2 * at, 2 * at + 1) for at in range(20_000)]
    decision = wing_gong(REGISTER, operations, Limits.of(30))
    assert decision.order == list(range(20_000))
