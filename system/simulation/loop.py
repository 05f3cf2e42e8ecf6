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


class RestlessError(Exception):
    """Something happens again and again, and no time passes."""


# More than could happen within a second, many times over; a run has some thousand events in all.
MOST_EVENTS = 200_000
# Not zero, which is too easily taken for nothing.
START_NS = 1_000_000_000


class Handle:
    """What asyncio gets for a callback it has asked for. A leaner one than its own, of which a run makes
    thousands; and without contexts, as nothing in a simulated run has context variables."""

    __slots__ = ("args", "callback", "is_cancelled")

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.callback = callback
        self.args = args
        self.is_cancelled = False

    def cancel(self) -> None:
        """A timer's stays among the events, and does nothing when it is due."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def run(self) -> None:
        if not self.is_cancelled:
            self.callback(*self.args)


class HaltedError(Exception):
    """Somebody had the loop stopped."""


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
        self._ready: deque[Handle] = deque()
        self._trouble: BaseException | None = None

    def at(self, time_ns: int, callback: Callable[..., Any], *args: Any) -> None:
        """Has callback(*args) called at that time, or now where that is past."""
        self._asked += 1
        now_ns = self.now_ns
        heappush(self._events, (time_ns if time_ns > now_ns else now_ns, self._asked, callback, args))

    def run_until_complete(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Raises StandstillError, RestlessError, and whatever an event raises."""
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
        """Looks at the clock now and then, and raises RestlessError where it stands still."""
        while not task.done():
            since_ns = self.now_ns
            self._advance(task)
            if self.now_ns - since_ns < 1_000_000_000 and not task.done():
                self._end(task)
                raise RestlessError(
                    f"{MOST_EVENTS:,} events and more within {(self.now_ns - since_ns) / 1e9:.3f} s, at"
                    f" {self.now_ns / 1e9:.3f} s: something is asked for again and again, at once"
                )

    def _advance(self, task: asyncio.Task[Any]) -> None:
        """Until the task is done, or so many events have come."""
        ready, pending = self._ready, self._events
        for _ in range(MOST_EVENTS):
            if ready:
                self._drain()
            if self._trouble is not None and not task.done():
                trouble, self._trouble = self._trouble, None
                self._end(task)
                raise trouble
            if task.done():
                return
            if not pending:
                raise StandstillError("nothing is left to happen, and the run is not over")
            self.now_ns, _, callback, args = heappop(pending)
            callback(*args)

    def _end(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self._drain()

    def _drain(self) -> None:
        """What is due at this very moment."""
        ready = self._ready
        for _ in range(MOST_EVENTS):
            if not ready:
                return
            handle = ready.popleft()
            if not handle.is_cancelled:
                handle.callback(*handle.args)
        if ready:
            ready.clear()
            raise RestlessError(f"at {self.now_ns / 1e9:.3f} s tasks wake each other again and again")

    def halt(self) -> None:
        """Has run_until_complete cancel what it runs before the next event, and end with HaltedError. No time
        passes for what waits for more than that."""
        if self._trouble is None:
            self._trouble = HaltedError()

    def close(self) -> None:
        """Forgets what has not happened; tasks that still wait are ended with what they wait for."""
        self._events.clear()
        self._ready.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self.now_ns / 1e9

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:
        handle = Handle(callback, args)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        return self.call_soon(callback, *args)

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(callback, args)
        self.at(self.now_ns + round(delay * 1e9), handle.run)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Handle:
        handle = Handle(callback, args)
        self.at(round(when * 1e9), handle.run)
        return handle

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

    # Asked of every future that is made.
    get_debug = staticmethod(bool)

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False
