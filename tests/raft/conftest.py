from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-plays",
        action="store_true",
        help="rewrite tests/raft/plays/*.txt with what happens now; review the difference by hand",
    )
