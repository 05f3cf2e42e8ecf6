"""Raft's messages over gRPC: the replica's Transport port, and the service its peers call.

For each ordered pair of nodes one stream stays open from the start, warm: with cold channels the median
failover doubles. Requests flow from its opener, their answers back on the same stream. Votes are unary.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import grpc

from system.control_plane import codec
from system.control_plane.background import Background
from system.control_plane.outbox import Outbox
from system.pb import raft_pb2, raft_pb2_grpc
from system.raft.messages import AppendEntries, AppendEntriesReply, Message, RequestVote, RequestVoteReply
from system.rpc import CHANNEL_OPTIONS

log = logging.getLogger(__name__)

VOTE_DEADLINE_S = 2.5
RECONNECT_PAUSE_S = 0.1
OUTBOX_LIMIT = 128

Deliver = Callable[[str, Message], None]
AppendCall = grpc.aio.StreamStreamCall[raft_pb2.AppendEntriesRequest, raft_pb2.AppendEntriesResponse]


class GrpcTransport(raft_pb2_grpc.RaftServiceServicer):
    """peers: {node id: "host:port"}. deliver(src, message) is called for every good message, on the event
    loop; a bad one is refused and logged. Messages to peers leave once `start` was called."""

    def __init__(
        self, cluster_id: str, peers: Mapping[str, str], deliver: Deliver, background: Background
    ) -> None:
        self.cluster_id = cluster_id
        self._deliver = deliver
        self.background = background
        self._links = {peer: _Link(peer, address, self) for peer, address in peers.items()}
        # Who waits for an answer: open streams by the peer that opened them, votes by (candidate, pre_vote).
        self._streams: dict[str, Outbox[AppendEntriesReply]] = {}
        self._votes: dict[tuple[str, bool], list[asyncio.Future[RequestVoteReply]]] = defaultdict(list)

    def start(self) -> None:
        for link in self._links.values():
            link.open()

    async def close(self) -> None:
        for link in self._links.values():
            await link.close()

    def send(self, to: str, message: Message) -> None:
        match message:
            case AppendEntries():
                self._links[to].outbox.put(message)
            case RequestVote():
                self.background.spawn(self._links[to].ask_vote(message))
            case AppendEntriesReply():
                if stream := self._streams.get(to):
                    stream.put(message)
            case RequestVoteReply():
                # Asked in order and answered in order. An answer nobody waits for any more is a lost message.
                waiting = (f for f in self._votes[to, message.pre_vote] if not f.done())
                if answer := next(waiting, None):
                    answer.set_result(message)

    async def RequestVote(  # noqa: N802 - the name in the proto
        self, request: raft_pb2.RequestVoteRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> raft_pb2.RequestVoteResponse:
        await self._check_sender(request.cluster_id, request.candidate_id, context)
        try:
            message = codec.vote_from_wire(request)
        except codec.BadMessageError as error:
            await self._refuse(context, str(error))
        answer: asyncio.Future[RequestVoteReply] = asyncio.get_running_loop().create_future()
        waiting = self._votes[message.candidate_id, message.pre_vote]
        waiting.append(answer)
        try:
            self._deliver(message.candidate_id, message)
            async with asyncio.timeout(VOTE_DEADLINE_S):
                return codec.vote_reply_to_wire(await answer)
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time")
        finally:
            waiting.remove(answer)

    async def AppendEntries(  # noqa: N802 - the name in the proto
        self, _requests: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        answers: Outbox[AppendEntriesReply] = Outbox(OUTBOX_LIMIT)
        writer = self.background.spawn(_write_answers(context, answers))
        try:
            while (request := await context.read()) is not grpc.aio.EOF:
                await self._check_sender(request.cluster_id, request.leader_id, context)
                try:
                    message = codec.append_from_wire(request)
                except codec.BadMessageError as error:
                    await self._refuse(context, str(error))
                self._streams[message.leader_id] = answers
                self._deliver(message.leader_id, message)
        finally:
            writer.cancel()
            for peer in [peer for peer, stream in self._streams.items() if stream is answers]:
                del self._streams[peer]

    def deliver_reply(self, peer: str, decode: Callable[[], Message]) -> None:
        """Hands on an answer of a peer's; a bad one is logged and dropped."""
        try:
            message = decode()
        except codec.BadMessageError as error:
            log.warning("dropped a bad answer from %s: %s", peer, error)
        else:
            self._deliver(peer, message)

    async def _check_sender(
        self, cluster_id: str, sender: str, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        if cluster_id != self.cluster_id:
            await self._refuse(context, f"cluster {cluster_id!r}: this is {self.cluster_id!r}")
        if sender not in self._links:
            others = ", ".join(self._links) or "none"
            await self._refuse(context, f"{sender!r} is not one of the other voters ({others})")

    async def _refuse(self, context: grpc.aio.ServicerContext[Any, Any], reason: str) -> NoReturn:
        log.warning("refused a message from %s: %s", context.peer(), reason)
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)


class _Link:
    """Our side of the way to one peer."""

    def __init__(self, peer: str, address: str, transport: GrpcTransport) -> None:
        self.peer = peer
        self.outbox: Outbox[AppendEntries] = Outbox(OUTBOX_LIMIT)
        self._address = address
        self._transport = transport
        self._last_trouble = ""

    def open(self) -> None:
        self._channel = grpc.aio.insecure_channel(self._address, options=CHANNEL_OPTIONS)
        self._stub = raft_pb2_grpc.RaftServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._transport.background.spawn(self._keep_streaming())

    async def close(self) -> None:
        await self._channel.close()

    async def ask_vote(self, message: RequestVote) -> None:
        wire = codec.vote_to_wire(message, self._transport.cluster_id)
        try:
            answer = await self._stub.RequestVote(wire, timeout=VOTE_DEADLINE_S, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            self._note(error)
            return
        self._transport.deliver_reply(self.peer, lambda: codec.vote_reply_from_wire(answer, message.pre_vote))

    async def _keep_streaming(self) -> None:
        while True:
            call: AppendCall = self._stub.AppendEntries(wait_for_ready=True)
            writer = self._transport.background.spawn(self._write(call))
            try:
                # The call is over, for the writer too, when reading ends.
                await self._read(call)
            except grpc.aio.AioRpcError as error:
                self._note(error)
            finally:
                writer.cancel()
                call.cancel()
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _read(self, call: AppendCall) -> None:
        while isinstance(answer := await call.read(), raft_pb2.AppendEntriesResponse):
            self._transport.deliver_reply(self.peer, partial(codec.append_reply_from_wire, answer))

    async def _write(self, call: AppendCall) -> None:
        # Not an iterator passed into the call: its consumer leaks when the call fails, and eats messages.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # Not the call's initial metadata: where only the way back is cut, that never comes.
            await self._channel.channel_ready()
            self._last_trouble = ""
            # What piled up while there was no stream is out of date, but for the last.
            self.outbox.keep_newest()
            while True:
                message = await self.outbox.get()
                await call.write(codec.append_to_wire(message, self._transport.cluster_id))

    def _note(self, error: BaseException) -> None:
        """Logs what went wrong on the way to the peer, once for as long as it stays the same."""
        trouble = str(error)
        if isinstance(error, grpc.aio.AioRpcError):
            trouble = f"{error.code().name}: {error.details()}"
        if trouble != self._last_trouble:
            log.warning("talking to %s: %s", self.peer, trouble)
        self._last_trouble = trouble


async def _write_answers(
    context: grpc.aio.ServicerContext[Any, Any], answers: Outbox[AppendEntriesReply]
) -> None:
    while True:
        answer = codec.append_reply_to_wire(await answers.get())
        try:
            await context.write(answer)
        except Exception as error:  # grpc.aio names no class for a stream that broke under a write
            log.debug("an answer was lost with its stream: %s", error)
            return
