"""Plays and storms can fail: each planted bug changes a play, and the storms find those they are made for,
by the right rule."""

from __future__ import annotations

import pytest

from tests.raft.judge import BrokenError
from tests.raft.mutants import MUTANTS
from tests.raft.play import perform
from tests.raft.storm import Storm
from tests.raft.test_plays import PLAYS

# The rules that may be found broken.
FOUND_BY_STORMS: dict[str, set[str]] = {
    "VotesTwice": {"one vote", "election safety"},
    "VotesForStaleLogs": {"leader completeness", "durability"},
    "HalfIsMajority": {"election safety", "durability"},
    "IgnoresRival": {"liveness"},
    "SendsAtOnce": {"durability"},
    "AcknowledgesBeforeSync": {"durability", "term"},
    "CountsOwnUnsynced": {"durability"},
    "CommitsUnverified": {"state machine safety"},
    "TruncatesAlways": {"durability", "leader completeness", "liveness"},
    "ChecksIndexOnly": {"state machine safety", "log matching", "durability"},
    "AcknowledgesTail": {"durability", "liveness"},
    "ReadsBeforeNoOp": {"linearizability"},
    "ReadsLocally": {"linearizability"},
    "KeepsDurableIndex": {"durability"},
}
# The first to find them needs 1 to 23 of these.
SEEDS = 60


@pytest.mark.parametrize("name", FOUND_BY_STORMS)
def test_storms_find(name: str) -> None:
    for seed in range(SEEDS):
        try:
            Storm(seed, 3, MUTANTS[name]).run()
        except BrokenError as broken:
            assert broken.rule in FOUND_BY_STORMS[name], broken
            return
    pytest.fail(f"{name} survived {SEEDS} storms")


@pytest.mark.parametrize("name", MUTANTS)
def test_plays_find(name: str) -> None:
    def differs(script: str) -> bool:
        try:
            return perform(script, MUTANTS[name]) != script
        except Exception:
            return True

    assert any(differs(path.read_text(encoding="utf-8")) for path in PLAYS)
