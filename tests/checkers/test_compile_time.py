"""A budget of time is for judging: what it takes to compile a judge, once a machine, is not taken from it."""

import threading
import time
from typing import Any

import pytest

from checkers.compile_time import COMPILING
from checkers.compiled import njit
from checkers.linear.operations import Limits
from checkers.linear.stoppable import stoppable


def compiled_anew(numbers: int) -> int:
    total = 0
    for number in range(numbers):
        total += number * number
    return total


def test_a_budget_outlasts_whatever_is_compiled_meanwhile() -> None:
    limits, before_s = Limits.of(0.05), COMPILING.spent_s()
    compiled: Any = njit(compiled_anew)
    assert compiled(3) == 5
    spent_s = COMPILING.spent_s() - before_s
    assert spent_s > 0.05, "compiling takes longer than the budget"
    began_s = time.monotonic()
    assert limits.deadline_s < began_s
    assert limits.left_s() == pytest.approx(limits.deadline_s + spent_s - began_s, abs=0.02)


def test_what_is_compiled_at_the_same_time_counts_once_and_while_it_lasts() -> None:
    before_s, began_s = COMPILING.spent_s(), time.monotonic()
    COMPILING.began()
    limits = Limits.of(0.01)
    while time.monotonic() < limits.deadline_s:
        time.sleep(0.001)
    COMPILING.began()
    assert limits.left_s() > 0
    COMPILING.ended()
    COMPILING.ended()
    spent_s, lasted_s = COMPILING.spent_s() - before_s, time.monotonic() - began_s
    assert 0.01 <= spent_s <= lasted_s
    assert COMPILING.spent_s() - before_s == spent_s


def test_a_search_is_not_stopped_while_it_is_compiled() -> None:
    control, limits, compiled = [0], Limits.of(0.01), threading.Event()

    def search() -> int:
        COMPILING.began()
        while time.monotonic() < limits.deadline_s + 0.05:
            time.sleep(0.001)
        COMPILING.ended()
        compiled.set()
        while not control[0]:
            time.sleep(0.001)
        return 7

    assert stoppable(search, (), control, 0, limits) == 7
    assert compiled.is_set()
