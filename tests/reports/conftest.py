"""Saved runs to look at, each made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from reports.record import Run, load
from tests.reports.synthetic import build


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """A synthetic run of a kind (tests.reports.synthetic.build), read back; not to be changed."""
    root = tmp_path_factory.mktemp("runs")
    return cache(lambda kind: load(build(root, kind).path))
