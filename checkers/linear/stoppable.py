"""Compiled searches that end when the time allowed or an interrupt does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from checkers.linear.operations import Limits


class TimeIsUp(Exception):
    pass


class MemoryIsUp(Exception):
    pass


def stoppable(
    run: Callable[..., int], arrays: tuple[Any, ...], control: Any, stop: int, limits: Limits
) -> int:
    """What `run` returns, which it does soon after control[stop] was set. It runs in a thread of its own,
    without the interpreter's lock."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(int(run(*arrays))), daemon=True)
    thread.start()
    try:
        while thread.is_alive() and (left_s := limits.left_s()) > 0:
            thread.join(left_s)
    finally:
        control[stop] = 1
        thread.join()
        control[stop] = 0
    return found[0]
