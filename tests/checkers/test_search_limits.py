"""A compiled search that has no time or no memory left."""

from __future__ import annotations

import random
import re
import time

import pytest

from checkers.linear.operations import Limits, Operation
from checkers.linear.search import search
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.spread_histories import ops

CAS_REGISTER = LINEAR_MODELS["cas-register"]


def hopeless(count: int) -> list[Operation]:
    """Many compare-and-sets at once of few values, and a read of what nobody wrote."""
    rng = random.Random(1)
    swaps = [(rng.randint(0, 6), rng.randint(0, 6)) for _ in range(count)]
    rows = [("cas", swap, None, 2 + at, 3_000 - at) for at, swap in enumerate(swaps)]
    return ops(("write", 0, None, 0, 1), *rows, ("read", None, 9, 1_000, 1_001))


@pytest.mark.parametrize(("limits", "reason"), [((0.3, 10**10), "the time"), ((30, 2_000_000), "the memory")])
def test_a_limit_ends_the_search_and_says_how_far_it_got(limits: tuple[float, int], reason: str) -> None:
    began_s = time.monotonic()
    decision = search(CAS_REGISTER, hopeless(400), Limits.of(*limits))
    assert decision.validity is Validity.UNKNOWN
    assert re.match(reason + r" allowed was (up|used up) at return \d+ of 402, after \d+", decision.reason)
    assert time.monotonic() - began_s < 10
