"""The time of a run: this host's, or a simulated cluster's own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol


class Clock(Protocol):
    """A cluster's class makes one for each of its clusters (`clock()`); see system/clusters/clock.py.

    virtual: whether time passes only with what happens
    """

    @property
    def virtual(self) -> bool: ...

    def now_ns(self) -> int: ...

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs it to its end, on a loop that has this time."""


def now_s() -> float:
    """The running loop's time in seconds; for durations and deadlines only."""
    return asyncio.get_running_loop().time()
