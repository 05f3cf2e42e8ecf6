"""The thin asyncio adapter around the replica: inputs in, one flush for a batch of them, one timer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from system.control_plane.replica import Outcome, Query, ReadOutcome, Replica
from system.control_plane.state_machine import Applied
from system.raft.log import EntryKind
from system.raft.messages import Message
from system.raft.node import RaftNode

log = logging.getLogger(__name__)

# How long a command or read waits for others, to share a batch, an fsync and a round of messages with them.
LINGER_S = 0.002


class Driver:
    """Lives on one event loop; only on_durable_threadsafe may be called from another thread.

    die:       ends the process; called with any exception out of the replica, whose state is not to be
               trusted after it
    on_commit: called with the time in seconds from a command's append here to its commit
    on_flush:  called after every flush, with the replica's node and the time of the flush
    now_ns:    the clock that the replica goes by
    """

    def __init__(
        self,
        die: Callable[[BaseException], None],
        on_commit: Callable[[float], None],
        on_flush: Callable[[RaftNode, int], None],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._die = die
        self._on_commit = on_commit
        self._on_flush = on_flush
        self._now_ns = now_ns
        self._flush_handle: asyncio.Handle | None = None
        # Commands and reads on their way to the replica, each a function of the time.
        self._lingering: list[Callable[[int], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._stopped = False

    def attach(self, replica: Replica) -> None:
        """The replica to drive; once, before anything else."""
        self.replica = replica

    def start(self) -> None:
        """On the event loop from which everything else is called; before any input."""
        self._loop = asyncio.get_running_loop()
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

        self.take_in(hand_over)

    def on_durable_threadsafe(self, mark: int) -> None:
        def on_durable() -> None:
            self.take_in(lambda now_ns: self.replica.on_durable(now_ns, mark))

        self._loop.call_soon_threadsafe(on_durable)

    async def submit(self, kind: EntryKind, command: bytes) -> Outcome:
        """Appends a command and waits for its fate. A cancelled command may still take effect."""
        answer: asyncio.Future[Outcome] = self._loop.create_future()

        def append(now_ns: int) -> None:
            def done(outcome: Outcome) -> None:
                if isinstance(outcome, Applied):
                    self._on_commit((self._now_ns() - now_ns) / 1e9)
                _settle(answer, outcome)

            self.replica.submit(now_ns, kind, command, done)

        self._linger(append)
        return await answer

    async def read(self, query: Query) -> ReadOutcome:
        """A linearizable read; query gets the state machine and its applied index."""
        answer: asyncio.Future[ReadOutcome] = self._loop.create_future()
        self._linger(lambda now_ns: self.replica.read(now_ns, query, partial(_settle, answer)))
        return await answer

    def _linger(self, hand_over: Callable[[int], None]) -> None:
        """Holds a request back for LINGER_S, for others to join it. It waits here rather than in the replica,
        where the next acknowledgement would flush it out alone."""
        if not self._lingering:
            self._loop.call_later(LINGER_S, self._end_linger)
        self._lingering.append(hand_over)

    def _end_linger(self) -> None:
        together, self._lingering = self._lingering, []

        def hand_over(now_ns: int) -> None:
            for one in together:
                one(now_ns)

        self.take_in(hand_over)

    def take_in(self, hand_over: Callable[[int], None]) -> None:
        """Any input: hand_over gets the time, and the flush comes soon."""
        if self._stopped:
            return
        try:
            hand_over(self._now_ns())
        except Exception as error:
            self._die(error)
            raise
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flush_handle is None:
            self._flush_handle = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_handle = None
        now_ns = self._now_ns()
        try:
            self.replica.flush(now_ns)
        except Exception as error:
            self._die(error)
            raise
        self._on_flush(self.replica.node, now_ns)
        self._arm_timer()

    def _arm_timer(self) -> None:
        """One lazy timer: it moves forward at once, and backward only by firing for nothing."""
        due_ns = self.replica.next_deadline_ns
        if self._timer:
            if self._timer_ns <= due_ns:
                return
            self._timer.cancel()
        self._timer_ns = due_ns
        delay_s = (due_ns - self._now_ns()) / 1e9
        self._timer = self._loop.call_later(max(delay_s, 0.0), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._now_ns() < self.replica.next_deadline_ns:
            self._arm_timer()
        else:
            self.take_in(self.replica.on_time)


def _settle(answer: asyncio.Future[Any], outcome: Any) -> None:
    if not answer.done():  # the caller may have gone away
        answer.set_result(outcome)
