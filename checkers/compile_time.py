"""How long this process has spent compiling judges, which happens once a machine, and which no budget of time
is meant for. It knows nothing of the compiler; checkers.compiled tells it."""

from __future__ import annotations

import threading
import time


class _Stopwatch:
    """What is under way at the same time counts once, whoever does it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._began_s = 0.0
        self._over_s = 0.0

    def began(self) -> None:
        with self._lock:
            if self._under_way == 0:
                self._began_s = time.monotonic()
            self._under_way += 1

    def ended(self) -> None:
        with self._lock:
            self._under_way -= 1
            if self._under_way == 0:
                self._over_s += time.monotonic() - self._began_s

    def spent_s(self) -> float:
        """In all, up to now."""
        with self._lock:
            return self._over_s + (time.monotonic() - self._began_s if self._under_way else 0.0)


COMPILING = _Stopwatch()
