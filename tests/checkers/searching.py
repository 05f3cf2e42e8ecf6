"""The compiled searches as their tests call them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from checkers.linear import search as searching
from checkers.linear.breadth_first import BreadthFirst
from checkers.linear.certificate import verify
from checkers.linear.operations import Limits, Model, Operation
from checkers.linear.search import search
from checkers.verdict import Validity


def in_breadth(monkeypatch: pytest.MonkeyPatch, attempts: Sequence[tuple[int, int, int]]) -> None:
    """From here on nothing is searched in depth; attempts as breadth_first.ATTEMPTS."""
    monkeypatch.setattr(
        searching,
        "_attempts",
        lambda problem, limits: (BreadthFirst(problem, limits, *attempt) for attempt in attempts),
    )


def judged(model: Model, operations: list[Operation]) -> bool:
    decision = search(model, operations, Limits.of(30))
    assert decision.validity in (Validity.YES, Validity.NO), decision
    if decision.validity is Validity.YES:
        assert decision.order is not None
        assert verify(model, operations, decision.order) is None
    return decision.validity is Validity.YES
