"""Raft's messages cross the wire unchanged; whatever no peer would send stays outside."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from system.control_plane import codec
from system.control_plane.background import Background
from system.control_plane.outbox import Outbox
from system.control_plane.transport import GrpcTransport
from system.pb import raft_pb2 as pb
from system.pb import raft_pb2_grpc
from system.raft.log import EntryKind, LogEntry
from system.raft.messages import AppendEntries, AppendEntriesReply, Message, RequestVote, RequestVoteReply
from system.rpc import CHANNEL_OPTIONS, SERVER_OPTIONS
from tests.control_plane.nodes import free_ports, wait_for_async

BIG = codec.MAX_NUMBER
ENTRIES = tuple(LogEntry(8 + i, 3, kind, bytes([255, i])) for i, kind in enumerate(EntryKind))
APPEND = AppendEntries(3, "a", 7, 2, ENTRIES, 5, round=9)
REPLY = AppendEntriesReply(3, False, 0, 9, 7, conflict_term=2, conflict_index=4)


@pytest.mark.parametrize("pre_vote", [False, True])
def test_votes_survive_the_wire(pre_vote: bool) -> None:
    vote = RequestVote(BIG, "a", BIG, BIG, pre_vote=pre_vote)
    assert codec.vote_from_wire(codec.vote_to_wire(vote, "c")) == vote
    for granted in (False, True):
        reply = RequestVoteReply(4, granted, pre_vote)
        assert codec.vote_reply_from_wire(codec.vote_reply_to_wire(reply), pre_vote) == reply


def test_appends_survive_the_wire() -> None:
    assert codec.append_from_wire(codec.append_to_wire(APPEND, "c")) == APPEND
    assert codec.append_reply_from_wire(codec.append_reply_to_wire(REPLY)) == REPLY


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda wire: setattr(wire, "term", 2**64 - 1), "beyond the largest"),
        (lambda wire: setattr(wire, "leader_commit", 2**63), "beyond the largest"),
        (lambda wire: setattr(wire, "prev_log_index", BIG), "beyond the largest|where entry"),
        (lambda wire: setattr(wire.entries[1], "term", 2**63), "beyond the largest"),
        (lambda wire: setattr(wire.entries[1], "index", 11), "entry 11 where entry 9 belongs"),
        (lambda wire: setattr(wire.entries[0], "kind", 0), "unknown kind 0"),
        (lambda wire: setattr(wire.entries[0], "kind", 77), "unknown kind 77"),
    ],
)
def test_bad_appends_are_refused(change: Callable[[Any], None], complaint: str) -> None:
    wire = codec.append_to_wire(APPEND, "c")
    change(wire)
    with pytest.raises(codec.BadMessageError, match=complaint):
        codec.append_from_wire(wire)


def test_an_outbox_drops_the_oldest() -> None:
    async def body() -> None:
        outbox: Outbox[int] = Outbox(3)
        for item in range(5):
            outbox.put(item)
        assert [await outbox.get() for _ in range(3)] == [2, 3, 4]
        reader = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        outbox.put(7)
        assert await reader == 7
        outbox.put(8)
        outbox.put(9)
        outbox.keep_newest()
        assert await outbox.get() == 9

    run(body())


class Peer:
    """One end: a transport, its server, and what it was handed."""

    def __init__(self, name: str, addresses: dict[str, str]) -> None:
        self._address = addresses[name]
        self.got: list[tuple[str, Message]] = []
        self.crashes: list[BaseException] = []
        self._background = Background(self.crashes.append)
        others = {peer: address for peer, address in addresses.items() if peer != name}
        self.transport = GrpcTransport("c", others, self._take, self._background)

    def _take(self, src: str, message: Message) -> None:
        self.got.append((src, message))
        match message:
            case AppendEntries():
                self.transport.send(
                    src, AppendEntriesReply(message.term, True, 7, message.round, message.prev_log_index)
                )
            case RequestVote():
                self.transport.send(src, RequestVoteReply(message.term, True, message.pre_vote))

    async def start(self) -> Peer:
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        raft_pb2_grpc.add_RaftServiceServicer_to_server(self.transport, self._server)  # type: ignore[no-untyped-call]
        self._server.add_insecure_port(self._address)
        await self._server.start()
        self.transport.start()
        return self

    async def stop(self) -> None:
        await self._server.stop(None)
        await self._background.cancel()
        await self.transport.close()
        assert self.crashes == []

    async def hear(self, expected: tuple[str, Message]) -> None:
        async def heard() -> bool:
            return expected in self.got

        await wait_for_async(heard, f"{expected} among {self.got}")


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Peer, Peer, dict[str, str]]]:
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip("ab", free_ports(2), strict=True)}
    a, b = await Peer("a", addresses).start(), await Peer("b", addresses).start()
    try:
        yield a, b, addresses
    finally:
        await a.stop()
        await b.stop()


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(body, 30))


def test_both_ways_and_answers_come_back() -> None:
    async def body() -> None:
        async with pair() as (a, b, _):
            a.transport.send("b", APPEND)
            b.transport.send("a", RequestVote(4, "b", 1, 1))
            a.transport.send("b", RequestVote(5, "a", 1, 1, pre_vote=True))
            await b.hear(("a", APPEND))
            await a.hear(("b", AppendEntriesReply(3, True, 7, 9, 7)))
            await a.hear(("b", RequestVote(4, "b", 1, 1)))
            await b.hear(("a", RequestVoteReply(4, True)))
            await a.hear(("b", RequestVoteReply(5, True, pre_vote=True)))

    run(body())


def test_a_peer_that_comes_back_is_heard_again() -> None:
    async def body() -> None:
        async with pair() as (a, b, addresses):
            a.transport.send("b", APPEND)
            await b.hear(("a", APPEND))
            await b.stop()
            again = Peer("b", addresses)
            rounds = itertools.count()

            async def heard() -> bool:
                a.transport.send("b", AppendEntries(3, "a", 7, 2, (), 5, round=next(rounds)))
                return bool(again.got)

            for _ in range(300):  # nobody is there, and the queue holds less
                await heard()
            await again.start()
            await wait_for_async(heard, "a message after the restart")
            _, first = again.got[0]
            assert isinstance(first, AppendEntries) and first.round >= 299  # nothing out of date
            await again.stop()
            await b.start()  # so that the end of the test finds it running

    run(body())


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (pb.RequestVoteRequest(cluster_id="other", term=4, candidate_id="a"), "cluster 'other'"),
        (pb.RequestVoteRequest(term=4, candidate_id="a"), "cluster ''"),
        (pb.RequestVoteRequest(cluster_id="c", term=4, candidate_id="mallory"), "'mallory' is not one of"),
        (pb.RequestVoteRequest(cluster_id="c", term=4, candidate_id="b"), "'b' is not one of"),
        (pb.RequestVoteRequest(cluster_id="c", term=2**64 - 1, candidate_id="a"), "beyond the largest"),
        (pb.AppendEntriesRequest(cluster_id="other", term=4, leader_id="a"), "cluster 'other'"),
        (pb.AppendEntriesRequest(cluster_id="c", term=4, leader_id="mallory"), "'mallory' is not one of"),
        (
            pb.AppendEntriesRequest(cluster_id="c", term=4, leader_id="a", entries=[pb.LogEntry(index=1)]),
            "unknown kind 0",
        ),
    ],
)
def test_strangers_are_refused_and_not_heard(request_: Any, complaint: str) -> None:
    async def body() -> None:
        async with (
            pair() as (_, b, addresses),
            grpc.aio.insecure_channel(addresses["b"], options=CHANNEL_OPTIONS) as channel,
        ):
            stub: Any = raft_pb2_grpc.RaftServiceStub(channel)  # type: ignore[no-untyped-call]
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                if isinstance(request_, pb.RequestVoteRequest):
                    await stub.RequestVote(request_, timeout=10)
                else:
                    call = stub.AppendEntries(timeout=10)
                    await call.write(request_)
                    await call.read()
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert complaint in (caught.value.details() or "")
            assert b.got == []

    run(body())
