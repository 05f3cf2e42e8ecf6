"""The time that a cluster lives in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from system.simulation.loop import VirtualLoop


class HostClock:
    """This host's CLOCK_MONOTONIC."""

    virtual = False

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run(coroutine)


class VirtualClock:
    """A simulated cluster's own time."""

    virtual = True

    def __init__(self) -> None:
        self.loop = VirtualLoop()

    def now_ns(self) -> int:
        return self.loop.now_ns

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(coroutine)
