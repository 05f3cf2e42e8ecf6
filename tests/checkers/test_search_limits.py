"""A compiled search that has no time or no memory left, or may keep only some configurations."""

from __future__ import annotations

import random
import re
import time
from collections import Counter

import pytest

from checkers.compile_time import COMPILING
from checkers.linear.breadth_first import NO_LIMIT
from checkers.linear.brute_force import brute_force
from checkers.linear.operations import Limits, Model, Operation
from checkers.linear.search import search
from checkers.models import LINEAR_MODELS
from checkers.verdict import Validity
from tests.checkers.random_histories import small
from tests.checkers.searching import in_breadth, judged
from tests.checkers.spread_histories import ops

CAS_REGISTER, QUEUE, FENCED = (LINEAR_MODELS[name] for name in ("cas-register", "queue", "fenced-mutex"))


def hopeless(count: int) -> list[Operation]:
    """Many compare-and-sets at once of few values, and a read of what nobody wrote."""
    rng = random.Random(1)
    swaps = [(rng.randint(0, 6), rng.randint(0, 6)) for _ in range(count)]
    rows = [("cas", swap, None, 2 + at, 3_000 - at) for at, swap in enumerate(swaps)]
    return ops(("write", 0, None, 0, 1), *rows, ("read", None, 9, 1_000, 1_001))


@pytest.mark.parametrize("count", [55, 400])
@pytest.mark.parametrize(("limits", "reason"), [((0.3, 10**10), "the time"), ((30, 2_000_000), "the memory")])
def test_a_limit_ends_the_search_and_says_how_far_it_got(
    limits: tuple[float, int], reason: str, count: int
) -> None:
    began_s, compiling_s = time.monotonic(), COMPILING.spent_s()
    decision = search(CAS_REGISTER, hopeless(count), Limits.of(*limits))
    assert decision.validity is Validity.UNKNOWN
    assert re.match(reason + r" allowed was (up|used up) at return \d+ of \d+, after \d+", decision.reason)
    assert time.monotonic() - began_s - (COMPILING.spent_s() - compiling_s) < 10


@pytest.mark.parametrize("model", [CAS_REGISTER, QUEUE, FENCED], ids=lambda model: model.name)
def test_an_attempt_that_keeps_only_some_excludes_nothing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_breadth(monkeypatch, ((1, -1, NO_LIMIT), (0, -1, NO_LIMIT)))
    rng = random.Random(model.name)
    said: Counter[bool] = Counter()
    for _ in range(250):
        operations = small(rng, model)
        expected = brute_force(model, operations)
        assert judged(model, operations) is expected, operations
        said[expected] += 1
    assert min(said.values()) > 20


def test_an_attempt_that_looks_at_only_some_excludes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum takes all eight additions, before which there are 255 others to look at."""
    in_breadth(monkeypatch, ((1, -1, NO_LIMIT), (0, -1, NO_LIMIT)))
    adds = [("add", 1 << at, None, at, 100 + at) for at in range(8)]
    assert judged(LINEAR_MODELS["counter"], ops(*adds, ("read", None, 255, 20, 21)))
    assert not judged(LINEAR_MODELS["counter"], ops(*adds, ("read", None, 256, 20, 21)))
