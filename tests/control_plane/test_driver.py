"""The asyncio adapter: one flush for a batch of inputs, one timer, no leaks, and a loud end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from system.control_plane.driver import Driver
from system.control_plane.replica import NotLeader, Outcome, Replica
from system.control_plane.state_machine import Applied
from system.raft.log import EntryKind
from system.raft.messages import RequestVote
from tests.control_plane.nodes import wait_for_async

FAR_NS = 10**18
VOTE = RequestVote(1, "a", 0, 0)


class FakeReplica:
    def __init__(self) -> None:
        self.next_deadline_ns = FAR_NS
        self.calls: list[str] = []
        self.pending: list[Callable[[Outcome], None]] = []
        self.broken = False
        self.node = object()

    def on_message(self, _now_ns: int, src: str, _message: object) -> str | None:
        self._note("message")
        return "no such voter" if src == "mallory" else None

    def on_time(self, now_ns: int) -> None:
        assert now_ns >= self.next_deadline_ns
        self.next_deadline_ns = FAR_NS
        self._note("time")

    def on_durable(self, _now_ns: int, mark: int) -> None:
        self._note(f"durable {mark}")

    def submit(
        self, _now_ns: int, _kind: EntryKind, _command: bytes, done: Callable[[Outcome], None]
    ) -> None:
        self._note("submit")
        self.pending.append(done)

    def flush(self, _now_ns: int) -> None:
        self._note("flush")

    def _note(self, call: str) -> None:
        if self.broken:
            raise RuntimeError("broken invariant")
        self.calls.append(call)


class Bench:
    def __init__(self) -> None:
        self.deaths: list[BaseException] = []
        self.commits: list[float] = []
        self.replica = FakeReplica()
        self.flushed: list[tuple[object, int]] = []
        self.driver = Driver(
            self.deaths.append, self.commits.append, lambda node, now_ns: self.flushed.append((node, now_ns))
        )
        self.driver.attach(cast(Replica, self.replica))
        self.driver.start()

    async def until(self, call: str) -> None:
        async def called() -> bool:
            return call in self.replica.calls

        await wait_for_async(called, call)


def run(body: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def bench() -> None:
        await body(Bench())

    asyncio.run(asyncio.wait_for(bench(), 20))


def test_proposals_linger_and_share_a_flush() -> None:
    async def body(bench: Bench) -> None:
        await bench.until("flush")
        bench.replica.calls.clear()
        tasks = [asyncio.create_task(bench.driver.submit(EntryKind.COMMAND, b"")) for _ in range(5)]
        await bench.until("flush")
        assert bench.replica.calls == ["submit"] * 5 + ["flush"]
        for index, done in enumerate(bench.replica.pending):
            done(Applied(index, "applied", {}))
        assert [cast(Applied, await task).index for task in tasks] == [0, 1, 2, 3, 4]
        assert len(bench.commits) == 5 and min(bench.commits) > 0

    run(body)


def test_a_message_does_not_wait_for_proposals_nor_drag_them_along() -> None:
    async def body(bench: Bench) -> None:
        await bench.until("flush")
        bench.replica.calls.clear()
        task = asyncio.create_task(bench.driver.submit(EntryKind.COMMAND, b""))
        await asyncio.sleep(0)
        bench.driver.on_message("a", VOTE)
        await asyncio.sleep(0)
        assert bench.replica.calls == ["message", "flush"]
        await bench.until("submit")
        task.cancel()

    run(body)


def test_messages_that_come_together_share_a_flush() -> None:
    async def body(bench: Bench) -> None:
        await bench.until("flush")
        bench.replica.calls.clear()
        bench.driver.on_message("a", VOTE)
        bench.driver.on_message("b", VOTE)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert bench.replica.calls == ["message", "message", "flush"]

    run(body)


def test_whoever_watches_sees_the_node_after_each_flush() -> None:
    async def body(bench: Bench) -> None:
        await bench.until("flush")
        began_ns = time.monotonic_ns()
        bench.driver.on_message("a", VOTE)
        await asyncio.sleep(0)
        assert [node for node, _ in bench.flushed] == [bench.replica.node] * 2
        assert began_ns <= bench.flushed[-1][1] <= time.monotonic_ns()

    run(body)


def test_a_caller_that_went_away_is_not_missed() -> None:
    async def body(bench: Bench) -> None:
        task = asyncio.create_task(bench.driver.submit(EntryKind.COMMAND, b""))
        await bench.until("submit")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        bench.replica.pending[0](Applied(1, "applied", {}))
        bench.replica.calls.clear()
        other = asyncio.create_task(bench.driver.submit(EntryKind.COMMAND, b""))
        await bench.until("submit")
        bench.replica.pending[1](NotLeader("b"))
        assert await other == NotLeader("b")
        assert (bench.deaths, len(bench.commits)) == ([], 1)

    run(body)


def test_the_timer_fires_when_due_also_after_it_moved() -> None:
    async def body(bench: Bench) -> None:
        bench.replica.next_deadline_ns = time.monotonic_ns() + 60_000_000_000
        await bench.until("flush")
        bench.replica.next_deadline_ns = time.monotonic_ns() + 20_000_000
        bench.driver.on_message("a", VOTE)
        await bench.until("time")
        assert bench.replica.calls.count("time") == 1

    run(body)


def test_durable_marks_come_from_another_thread() -> None:
    async def body(bench: Bench) -> None:
        await asyncio.to_thread(bench.driver.on_durable_threadsafe, 7)
        await bench.until("durable 7")

    run(body)


def test_a_refused_message_is_logged_and_harmless(caplog: pytest.LogCaptureFixture) -> None:
    async def body(bench: Bench) -> None:
        bench.driver.on_message("mallory", VOTE)
        assert "no such voter" in caplog.text
        assert bench.deaths == []

    run(body)


@pytest.mark.parametrize("moment", ["input", "flush"])
def test_a_broken_replica_ends_the_node(moment: str) -> None:
    async def body(bench: Bench) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await bench.until("flush")
        if moment == "flush":
            bench.driver.on_message("a", VOTE)
        bench.replica.broken = True
        if moment == "input":
            with pytest.raises(RuntimeError):
                bench.driver.on_message("a", VOTE)
        else:
            await asyncio.sleep(0)
        assert [str(error) for error in bench.deaths] == ["broken invariant"]

    run(body)
