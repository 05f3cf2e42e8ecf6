from __future__ import annotations

import pytest

from nemesis import targets


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody elects a leader here while a nemesis waits for one."""
    monkeypatch.setattr(targets, "DEADLINE_S", 0.02)
    monkeypatch.setattr(targets, "_POLL_S", 0.005)
