"""The plays in plays/*.txt: what a cluster does, step by step. Rewrite them with
`pytest tests/raft --rewrite-plays`, and review every line that changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.raft.play import perform

PLAYS = sorted((Path(__file__).parent / "plays").glob("*.txt"))


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_play(path: Path, request: pytest.FixtureRequest) -> None:
    performed = perform(path.read_text(encoding="utf-8"))
    if request.config.getoption("--rewrite-plays", default=False):
        path.write_text(performed, encoding="utf-8")
    assert performed == path.read_text(encoding="utf-8")


def test_there_are_plays() -> None:
    assert len(PLAYS) >= 15
