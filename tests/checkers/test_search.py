"""The compiled searches, in depth and in breadth, with very many operations at once or crashed ones."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from checkers.linear.breadth_first import ATTEMPTS
from checkers.linear.brute_force import brute_force
from checkers.linear.operations import Limits
from checkers.linear.search import search
from checkers.models import LINEAR_MODELS
from tests.checkers.searching import in_breadth, judged
from tests.checkers.spread_histories import ops, spread

CAS_REGISTER, QUEUE = LINEAR_MODELS["cas-register"], LINEAR_MODELS["queue"]


@pytest.fixture(params=["in depth", "in breadth"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in breadth":
        in_breadth(monkeypatch, ATTEMPTS)


def test_what_crashed_is_not_used_up_where_another_order_does_without_it() -> None:
    """2 is swapped for 3 at first; it comes back only if the crashed write of it is still to happen."""
    rows = [
        ("write", 2, None, 0, 1),
        ("write", 1, None, 2, None),
        ("cas", (2, 3), None, 3, 6),
        ("write", 2, None, 4, None),
        ("cas", (1, 1), None, 5, 7),
        ("cas", (2, 2), None, 8, 9),
    ]
    assert judged(CAS_REGISTER, ops(*rows))
    assert not judged(CAS_REGISTER, ops(*rows, ("cas", (1, 1), None, 10, 11)))


def test_a_crashed_write_is_left_for_whoever_needs_it_later() -> None:
    """The first write of 5 can be swapped for 4, and the crashed one read; the other way round it is too late
    for the first."""
    rows = [
        ("write", 5, None, 0, 5),
        ("write", 4, None, 1, 3),
        ("write", 5, None, 2, None),
        ("cas", (5, 4), None, 4, 6),
        ("read", None, 5, 7, 8),
    ]
    assert judged(CAS_REGISTER, ops(*rows))
    assert not judged(CAS_REGISTER, ops(*rows, ("cas", (4, 1), None, 9, 10)))


def test_many_values_that_one_is_swapped_for() -> None:
    rows: list[tuple[Any, ...]] = []
    for value in range(1, 200):
        at = 6 * value
        rows += [("write", 0, None, at, at + 1), ("cas", (0, value), None, at + 2, at + 3)]
        rows.append(("read", None, value, at + 4, at + 5))
    assert judged(CAS_REGISTER, ops(*rows))


def few_values(rng: random.Random, at: int) -> tuple[str, Any]:
    f = rng.choice(("read", "write", "write", "write", "cas"))
    a, b = rng.choice((1, 2)), rng.choice((1, 2))
    return f, None if f == "read" else a if f == "write" else (a, b)


@pytest.mark.parametrize("crash", [0.0, 0.2])
def test_writes_of_few_values_that_hide_each_other(crash: float) -> None:
    rng = random.Random(f"few {crash}")
    said: Counter[bool] = Counter()
    for _ in range(400):
        width, damage = rng.choice((1, 2, 4)), rng.choice((0, 1, 2))
        operations = spread(rng, CAS_REGISTER, few_values, 8, width=width, crash=crash, damage=damage)
        expected = brute_force(CAS_REGISTER, operations)
        assert judged(CAS_REGISTER, operations) is expected, operations
        said[expected] += 1
    assert min(said.values()) > 30


def test_a_write_of_what_is_there_already_hides_another() -> None:
    hidden, hiding = ("write", 2, None, 2, 8), ("write", 1, None, 3, 5)
    reads = ("read", None, 1, 6, 7), ("read", None, 1, 9, 10)
    assert judged(CAS_REGISTER, ops(("write", 1, None, 0, 1), hidden, hiding, *reads))
    assert not judged(CAS_REGISTER, ops(("write", 1, None, 0, 1), hidden, *reads))


def test_a_write_that_took_effect_later_hides_more() -> None:
    """5 can be there for the first read, or only for the second: then it hides the write of 1."""
    rows = [
        ("write", 5, None, 0, 20),
        ("read", None, 5, 1, 19),
        ("read", None, None, 2, 3),
        ("write", 1, None, 4, 8),
        ("read", None, 5, 5, 6),
        ("read", None, 5, 9, 10),
    ]
    assert judged(CAS_REGISTER, ops(*rows))
    assert not judged(
        CAS_REGISTER,
        ops(*rows[:4], ("read", None, 5, 5, 6), ("read", None, 1, 9, 10), ("read", None, 5, 11, 12)),
    )


def test_more_operations_at_once_than_a_word_has_bits() -> None:
    count = 150
    writes = [("write", at % 75, None, at, 1000 + at) for at in range(count)]
    reads = [("read", None, at % 75, 300 + 2 * at, 301 + 2 * at) for at in range(count)]
    assert judged(CAS_REGISTER, ops(*writes, *reads))
    thrice = ("read", None, 0, 700, 701), ("read", None, 1, 702, 703), ("read", None, 0, 704, 705)
    assert not judged(CAS_REGISTER, ops(*writes, *reads, *thrice))


def test_more_crashed_operations_than_a_word_can_count() -> None:
    """Three equal writes of each value crashed, so each can come back three times, and not a fourth time."""
    values = range(40)
    crashed = [("write", value, None, 3 * value + at, None) for value in values for at in range(3)]
    rows: list[tuple[Any, ...]] = [*crashed]
    at = 1000
    for _ in range(3):
        for value in values:
            rows += [("write", -1, None, at, at + 1), ("read", None, value, at + 2, at + 3)]
            at += 4
    assert judged(CAS_REGISTER, ops(*rows))
    for value in (0, 13, 39):
        again = ("write", -1, None, at, at + 1), ("read", None, value, at + 2, at + 3)
        assert not judged(CAS_REGISTER, ops(*rows, *again))


def test_many_equal_crashed_operations() -> None:
    """Of n crashed enqueues n can be taken out, and no more."""
    for count in (1, 3, 4, 7, 8, 33):
        enqueues = [("enqueue", 1, None, at, None) for at in range(count)]
        dequeues = [("dequeue", None, 1, 100 + 2 * at, 101 + 2 * at) for at in range(count)]
        assert judged(QUEUE, ops(*enqueues, *dequeues))
        assert not judged(QUEUE, ops(*enqueues, *dequeues, ("dequeue", None, 1, 300, 301)))
        early = ("dequeue", None, 1, -2, -1)
        shifted = [replace(op, invoked=op.invoked + 2) for op in ops(*enqueues)]
        assert not judged(QUEUE, [replace(ops(early)[0], invoked=0, returned=1), *shifted])


def test_registers_begin_with_what_the_model_says() -> None:
    model = replace(CAS_REGISTER, initial=7)
    assert judged(model, ops(("read", None, 7, 0, 1), ("cas", (7, 8), None, 2, 3), ("read", None, 8, 4, 5)))
    assert not judged(model, ops(("read", None, None, 0, 1)))


def test_the_culprits_are_all_that_was_invoked_before_the_return_that_no_order_gets_past() -> None:
    rows = [
        ("write", 1, None, 0, 1),
        ("read", None, 7, 2, 5),
        ("write", 2, None, 3, 4),
        ("write", 7, None, 6, 7),
    ]
    assert search(CAS_REGISTER, ops(*rows), Limits.of(30)).culprits == (0, 1, 2)
