"""A bounded queue that drops the oldest: Raft repeats what matters, and what is old matters least."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque(maxlen=limit)
        self._filled = asyncio.Event()

    def put(self, item: T) -> None:
        self._items.append(item)
        self._filled.set()

    def keep_newest(self) -> None:
        """Drops all but the last item."""
        while len(self._items) > 1:
            self._items.popleft()

    async def get(self) -> T:
        """Waits for an item. One reader only."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()
