"""Every checker judges 10,000 operations in about a second on an idle core; a quadratic one would need
minutes."""

from __future__ import annotations

import time

import pytest

from checkers import CHECKERS
from checkers.history import History
from checkers.verdict import Validity
from tests.checkers.model import Model

# Generous: what is measured runs beside other work.
LIMIT_S = 5.0


@pytest.fixture(scope="module", params=["append", "register"])
def long_run(request: pytest.FixtureRequest) -> History:
    """10,000 operations, 30 to 60 a list or register as the workloads have it."""
    return Model(1, request.param, steps=5400, keys=250, harm=0.004).run().history()


def test_ten_thousand_operations(long_run: History, capsys: pytest.CaptureFixture[str]) -> None:
    count = len(list(long_run.calls()))
    figures = []
    for name, check in CHECKERS.items():
        began = time.process_time()
        verdict = check(long_run)
        took_s = time.process_time() - began
        figures.append(f"{name} {took_s * 1000:.0f} ms")
        assert verdict.valid in (Validity.YES, Validity.VACUOUS), verdict
        assert took_s < LIMIT_S, f"{name} took {took_s:.1f} s for {count} operations"
    with capsys.disabled():
        print(f"\n{count} operations: {', '.join(figures)}")
    assert count >= 10_000
