"""Registers with unique values: where they begin, and what compare-and-sets that missed say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from checkers.linear.brute_force import brute_force
from checkers.linear.operations import Operation
from checkers.linear.zones import zones
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.random_histories import small
from tests.checkers.spread_histories import Choose, agree, kind, ops, seen_all, spread

CAS_REGISTER = LINEAR_MODELS["cas-register"]
FIRST = 77


def choose(rng: random.Random, at: int) -> tuple[str, Any]:
    """Writes all differ; what is expected may be what is there."""
    f = rng.choice(("read", "read", "write", "cas"))
    expected = rng.choice((None, *range(at)))
    return f, None if f == "read" else at if f == "write" else (expected, rng.choice((at, at, expected)))


def beginning_with(value: Any, operations: Sequence[Operation]) -> list[Operation]:
    def named(one: Any) -> Any:
        return tuple(map(named, one)) if isinstance(one, tuple) else value if one is None else one

    seen = [op for op in operations if op.f != "read"], [op for op in operations if op.f == "read"]
    changed = [replace(op, argument=named(op.argument)) for op in seen[0]]
    changed += [replace(op, result=op.result if op.crashed else named(op.result)) for op in seen[1]]
    return sorted(changed, key=lambda op: op.invoked)


def registers(choose: Choose, crash: float) -> list[list[Operation]]:
    rng = random.Random(f"zones {crash}")
    found = [small(rng, CAS_REGISTER) for _ in range(300)]
    for _ in range(900):
        width, damage = rng.choice((0.3, 0.6, 1, 2, 4)), rng.choice((0, 1, 2))
        length = rng.randint(3, 7)
        found.append(spread(rng, CAS_REGISTER, choose, length, width=width, crash=crash, damage=damage))
    return found


@pytest.mark.parametrize("crash", [0.0, 0.15, 0.4])
def test_agrees_with_every_order_there_is(crash: float) -> None:
    histories = registers(choose, crash)
    assert seen_all([agree(zones, CAS_REGISTER, operations, brute_force) for operations in histories])


@pytest.mark.parametrize("crash", [0.0, 0.3])
def test_registers_that_begin_with_a_value(crash: float) -> None:
    model = replace(CAS_REGISTER, initial=FIRST)
    tally = [
        agree(lambda operations: zones(operations, FIRST), model, beginning_with(FIRST, one), brute_force)
        for one in registers(choose, crash)
    ]
    assert seen_all(tally)
    read = ops(("read", None, FIRST, 0, 1))
    assert kind(zones, read) is not None and kind(zones, read) != "yes"


def test_a_miss_has_its_place_in_real_time() -> None:
    write, miss = ("write", 1, None, 0, 1), ("miss", (1, 2), None, 2, 3)
    # What an order does not explain proves nothing: another one might.
    assert kind(zones, ops(write, miss)) is None
    assert kind(zones, ops(write, miss, ("write", 2, None, 4, 5))) is None
    assert kind(zones, ops(("miss", (None, 2), None, 0, 1), ("write", 1, None, 2, 3))) is None
    # The first found 1 or 2, and the second came after it and found 2.
    first, second = ("miss", (None, 9), None, 0, 5), ("miss", (1, 9), None, 6, 9)
    rows = [first, ("write", 1, None, 1, 2), second, ("write", 2, None, 7, 8)]
    assert kind(zones, ops(*rows)) == "yes"


def test_what_zones_know() -> None:
    write, read = ("write", 1, None, 0, 1), ("read", None, 1, 4, 5)
    # A compare-and-set to what is there is a read.
    assert kind(zones, ops(write, ("cas", (1, 1), None, 2, 3), read)) == "yes"
    # Two are one too many, and none can be the first of two that need each other.
    twice = [write, ("cas", (1, 2), None, 2, 9), ("cas", (1, 3), None, 3, 10)]
    assert kind(zones, ops(*twice)) not in ("yes", None)
    assert kind(zones, ops(("cas", (1, 2), None, 0, 2), ("cas", (2, 1), None, 1, 3))) not in ("yes", None)
    # Nil was there before it was written: nobody knows which of the two was read.
    assert kind(zones, ops(("read", None, None, 0, 1), write, ("write", None, None, 2, 3))) is None


def test_what_is_read_of_two_crashed_writes_of_a_value_is_for_a_search() -> None:
    rows = [
        ("write", 1, None, 0, None),
        ("write", 2, None, 1, 2),
        ("read", None, 1, 3, 4),
        ("write", 1, None, 5, None),
    ]
    assert zones(ops(*rows)) is None
    # Nobody read it, so neither need have happened.
    decision = zones(ops(rows[0], rows[1], rows[3]))
    assert decision is not None and decision.validity is Validity.YES


def test_a_crashed_write_of_what_was_there_from_the_first_is_for_a_search() -> None:
    """What was read may have been there all along, so the write need not come before the read."""
    rows = [("read", None, None, 0, 1), ("write", None, None, 2, None), ("read", None, None, 3, 4)]
    assert zones(ops(*rows)) is None
