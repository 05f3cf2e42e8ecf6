"""The thin asyncio adapter around the replica: inputs in, one flush for a batch of them, one timer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from system.control_plane.replica import Outcome, Query, ReadOutcome, Replica
from system.control_plane.state_machine import Applied
from system.raft.log import EntryKind
from system.raft.messages import Message

log = logging.getLogger(__name__)

# How long a proposal waits for others to share its batch, its fsync and its messages.
LINGER_S = 0.001


class Driver:
    """Everything below runs on one event loop; only on_durable_threadsafe may be called from elsewhere.

    die(reason, error) ends the process; it is called for any exception out of the replica, whose state is not
    to be trusted after it. on_commit(latency_s): every command of ours, from its append to its commit.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        die: Callable[[BaseException], None],
        on_commit: Callable[[float], None],
    ) -> None:
        self._loop = loop
        self._die = die
        self._on_commit = on_commit
        self._flush_handle: asyncio.Handle | None = None
        self._lingering = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._stopped = False

    def start(self, replica: Replica) -> None:
        self.replica = replica
        self._flush_soon()

    def stop(self) -> None:
        """No input reaches the replica any more."""
        self._stopped = True
        for handle in (self._flush_handle, self._timer):
            if handle:
                handle.cancel()

    def on_message(self, src: str, message: Message) -> None:
        def hand_over(now_ns: int) -> None:
            refusal = self.replica.on_message(now_ns, src, message)
            if refusal is not None:
                log.warning("refused a message: %s", refusal)

        self._input(hand_over)

    def on_durable_threadsafe(self, mark: int) -> None:
        def on_durable() -> None:
            self._input(lambda now_ns: self.replica.on_durable(now_ns, mark))

        self._loop.call_soon_threadsafe(on_durable)

    async def submit(self, kind: EntryKind, command: bytes) -> Outcome:
        """Appends a command and waits for its fate. A cancelled command may still take effect."""
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        settle, on_commit = _settle(answer), self._on_commit
        started_ns = time.monotonic_ns()

        def done(outcome: Outcome) -> None:
            if isinstance(outcome, Applied):
                on_commit((time.monotonic_ns() - started_ns) / 1e9)
            settle(outcome)

        self._input(lambda now_ns: self.replica.submit(now_ns, kind, command, done), linger=True)
        return await answer

    async def read(self, query: Query) -> ReadOutcome:
        """A linearizable read; query gets the state machine and its applied index."""
        answer: asyncio.Future[ReadOutcome] = self._loop.create_future()
        self._input(lambda now_ns: self.replica.read(now_ns, query, _settle(answer)), linger=True)
        return await answer

    def _input(self, hand_over: Callable[[int], None], *, linger: bool = False) -> None:
        if self._stopped:
            return
        try:
            hand_over(time.monotonic_ns())
        except Exception as error:
            self._die(error)
            raise
        self._flush_soon(linger=linger)

    def _flush_soon(self, *, linger: bool = False) -> None:
        if self._flush_handle:
            if linger or not self._lingering:
                return
            self._flush_handle.cancel()
        self._lingering = linger
        if linger:
            self._flush_handle = self._loop.call_later(LINGER_S, self._flush)
        else:
            self._flush_handle = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_handle = None
        try:
            self.replica.flush(time.monotonic_ns())
        except Exception as error:
            self._die(error)
            raise
        self._arm_timer()

    def _arm_timer(self) -> None:
        """One lazy timer: it moves forward at once, and backward only by firing for nothing."""
        due_ns = self.replica.next_deadline_ns
        if self._timer:
            if self._timer_ns <= due_ns:
                return
            self._timer.cancel()
        self._timer_ns = due_ns
        delay_s = (due_ns - time.monotonic_ns()) / 1e9
        self._timer = self._loop.call_later(max(delay_s, 0.0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if time.monotonic_ns() < self.replica.next_deadline_ns:
            self._arm_timer()
        else:
            self._input(self.replica.on_time)


def _settle(answer: asyncio.Future[Any]) -> Callable[[Any], None]:
    def done(outcome: Any) -> None:
        if not answer.done():  # the caller may have gone away
            answer.set_result(outcome)

    return done
