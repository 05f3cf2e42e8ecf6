"""Virtual time: an event loop whose clock jumps from one event to the next."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")


class StandstillError(Exception):
    """Nothing is left to happen, and what was waited for has not."""


# Not zero, which is too easily taken for nothing.
START_NS = 1_000_000_000


class VirtualLoop:
    """What coroutines need of an asyncio loop (tasks, futures, timers), over discrete events. asyncio asks
    for no more; whoever asks for a socket or a thread gets an AttributeError.

    now_ns: the time. Nodes, network and disks use `at` directly, without a handle: that is what keeps the
    simulator fast. Whoever asks for the same time goes first who asked first.
    """

    def __init__(self) -> None:
        self.now_ns = START_NS
        self._loop: Any = self  # to asyncio it is one
        self._events: list[tuple[int, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._asked = 0
        self._ready: deque[asyncio.Handle] = deque()
        self._trouble: BaseException | None = None

    def at(self, time_ns: int, callback: Callable[..., Any], *args: Any) -> None:
        """Has callback(*args) called at that time, or now where that is past."""
        self._asked += 1
        heappush(self._events, (max(time_ns, self.now_ns), self._asked, callback, args))

    def run_until_complete(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Raises StandstillError, and whatever an event raises."""
        before = events._get_running_loop()
        events._set_running_loop(self._loop)
        try:
            task = self.create_task(coroutine)
            self._run(task)
            result: T = task.result()
            return result
        finally:
            events._set_running_loop(before)

    def _run(self, task: asyncio.Task[Any]) -> None:
        ready, pending = self._ready, self._events
        while True:
            while ready:
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
            if self._trouble is not None:
                raise self._trouble
            if task.done():
                return
            if not pending:
                raise StandstillError("nothing is left to happen, and the run is not over")
            self.now_ns, _, callback, args = heappop(pending)
            callback(*args)

    def close(self) -> None:
        """Forgets what has not happened; tasks that still wait are ended with what they wait for."""
        self._events.clear()
        self._ready.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self.now_ns / 1e9

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self._loop, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._call_at(self.now_ns + round(delay * 1e9), callback, args, context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._call_at(round(when * 1e9), callback, args, context)

    def _call_at(
        self, time_ns: int, callback: Callable[..., Any], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(time_ns / 1e9, callback, args, self._loop, context)
        self.at(time_ns, self._fire, handle)
        return handle

    def _fire(self, handle: asyncio.TimerHandle) -> None:
        if not handle._cancelled:
            self._ready.append(handle)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays among the events, and does nothing when it is due."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._loop)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self._loop, name=name, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An exception that nobody waits for ends the run: nothing may fail unseen."""
        trouble = context.get("exception")
        if isinstance(trouble, BaseException) and self._trouble is None:
            self._trouble = trouble

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False
