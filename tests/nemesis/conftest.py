from __future__ import annotations

import pytest

from nemesis import targets


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing changes here while a nemesis waits for it, unless a test says so."""
    monkeypatch.setattr(targets, "LEADER_DEADLINE_S", 0.0)
    monkeypatch.setattr(targets, "FREE_DEADLINE_S", 0.0)
    monkeypatch.setattr(targets, "_POLL_S", 0.005)
