"""Small parts of invalid histories, on cases small enough to say which part it must be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from checkers.linear.core import BRUTE_FORCE, SEARCH, Core, core
from checkers.linear.operations import NEVER, UNKNOWN, Decision, Limits, Operation
from checkers.linear.removals import Removals, cut
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.test_core import by_brute_force, by_search, history

REGISTER, COUNTER, APPEND = (LINEAR_MODELS[name] for name in ("register", "counter", "append"))
NO, UNKNOWN_YET = Decision(Validity.NO, "a test"), Decision(Validity.UNKNOWN, "a test")


def register_core(operations: Sequence[Operation], hint: Sequence[int] = ()) -> Core:
    return core(REGISTER, operations, by_brute_force(REGISTER), hint, Limits.of(30.0))


@pytest.mark.parametrize("hint", [(), range(7)])
def test_what_the_contradiction_does_not_need_leaves(hint: Sequence[int]) -> None:
    operations = history(
        ("write", 1, 1, 0, 1, 0),
        ("write", 2, 2, 2, 3, 0),
        *[("read", None, 2, at, at + 1, 1) for at in (4, 6, 8, 10)],
        ("read", None, 1, 12, 13, 2),
    )
    assert register_core(operations, hint).positions == (0, 1, 6)


def test_of_two_contradictions_the_hint_says_which() -> None:
    operations = history(
        ("write", 1, 1, 0, 1, 0),
        ("read", None, 9, 2, 3, 1),
        ("write", 2, 2, 4, 5, 0),
        ("read", None, 8, 6, 7, 1),
    )
    assert register_core(operations).positions == (1,)
    found = register_core(operations, (3,))
    assert (found.positions, found.widened) == ((3,), False)


@pytest.mark.parametrize(("adds", "judge"), [(8, BRUTE_FORCE), (9, SEARCH)])
def test_nine_operations_are_judged_again_by_brute_force(adds: int, judge: str) -> None:
    rows = [("add", 1, 1, 2 * at, 2 * at + 1, 0) for at in range(adds)]
    operations = history(*rows, ("read", None, 0, 100, 101, 1))
    found = core(COUNTER, operations, by_search(COUNTER), (), Limits.of(30.0))
    assert (len(found.positions), found.checked_by, found.refuted) == (adds + 1, judge, False)


@pytest.mark.parametrize("reads", [1, 20])
def test_a_judge_that_was_wrong_is_found_out(reads: int) -> None:
    rows = [("read", None, 1, 2 * at + 2, 2 * at + 3, 1) for at in range(reads)]
    operations = history(("write", 1, 1, 0, 1, 0), *rows)
    found = core(REGISTER, operations, lambda operations: NO if len(operations) > reads else UNKNOWN_YET,
                 (), Limits.of(30.0))  # fmt: skip
    assert (len(found.positions), found.refuted) == (reads + 1, True)


def test_of_what_is_valid_after_all_no_part_is_picked() -> None:
    writes = [("write", at, at, 2 * at, 2 * at + 1, 0) for at in range(4)]
    operations = history(*writes, ("write", 9, 9, 3, None, 1))
    assert register_core(operations).positions == (0, 1, 2, 3, 4)


def test_what_nobody_could_decide_is_not_smaller() -> None:
    operations = history(*[("read", None, 9, 2 * at, 2 * at + 1, 0) for at in range(6)])
    decided = core(
        REGISTER,
        operations,
        lambda part: NO if len(part) == len(operations) else UNKNOWN_YET,
        (),
        Limits.of(30.0),
    )
    assert len(decided.positions) == len(operations)


@pytest.mark.parametrize(("widest", "positions"), [(NO, (0, 1)), (UNKNOWN_YET, (0,))])
def test_a_core_is_widened_only_where_it_stays_invalid(widest: Decision, positions: tuple[int, ...]) -> None:
    operations = history(("read", None, 5, 0, 1, 1), ("write", 5, 5, 2, 3, 0), ("write", 6, 6, 4, 5, 0))
    found = core(REGISTER, operations, lambda part: widest if len(part) == 2 else NO, (), Limits.of(30.0))
    assert found.positions == positions


def test_with_hindsight_the_last_operation_is_still_the_one_that_stays() -> None:
    """A read that was open at the end of the contradiction comes before it in the whole history."""
    operations = history(
        ("read", None, 3, 0, 100, 9),
        ("add", 3, 3, 1, None, 0),
        ("add", 5, 5, 2, None, 1),
        ("read", None, 3, 3, 5, 2),
        ("read", None, 0, 4, 6, 3),
        ("read", None, 0, 7, 8, 2),
    )
    found = core(COUNTER, operations, by_brute_force(COUNTER), (), Limits.of(30.0))
    assert found.positions == (1, 2, 3, 5)


def test_a_cut_knows_what_was_known_then() -> None:
    operations = history(
        ("write", 1, 1, 0, 3, 0),
        ("read", None, 1, 1, 5, 1),
        ("write", 2, 2, 2, 6, 2),
        ("write", 3, 3, 4, 7, 0),
    )
    positions, known = cut(REGISTER, operations, 3)
    assert positions == [0, 2]
    assert known[0] == operations[0]
    assert (known[1].argument, known[1].result, known[1].returned) == (2, UNKNOWN, NEVER)


def test_a_long_read_leaves_with_what_it_saw_and_with_nothing_else() -> None:
    appends = [("append", at, at, 2 * at, 2 * at + 1, 0) for at in range(70)]
    operations = history(
        *appends, ("read", None, tuple(range(70)), 200, 201, 1), ("read", None, tuple(range(66)), 202, 203, 1)
    )
    removals = Removals(APPEND, operations)
    whole = set(range(72))
    assert removals.without(whole, [69]) == whole - {69, 70}
    assert removals.without(whole, [65]) == whole - {65, 70, 71}
    assert removals.closure([71]) == {*range(66), 71}


def test_a_part_has_no_crashed_operation_that_it_has_no_need_of() -> None:
    """Its positions are those of the whole, though some are missing before them."""
    operations = history(
        ("acquire", None, None, 0, 1, 0),
        ("release", None, None, 2, 3, 0),
        ("acquire", None, None, 4, 5, 1),
        *[("acquire", None, None, at, None, at) for at in (6, 7, 8)],
    )
    removals = Removals(LINEAR_MODELS["mutex"], operations)
    assert removals.part({2, 3, 4, 5}) == [2]
    assert removals.part({5, 0, 1, 4}) == [0, 1, 4]
