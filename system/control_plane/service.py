"""The orchestrator's gRPC interface (proto/orchestrator.proto): check, replicate, answer honestly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import grpc

from system.control_plane.driver import Driver
from system.control_plane.replica import Lost, NotLeader, Query
from system.control_plane.state_machine import Applied, StateMachine
from system.pb import orchestrator_pb2, orchestrator_pb2_grpc
from system.raft.log import EntryKind
from system.rpc import NOT_LEADER_KEY

MAX_ID_BYTES = 128
MAX_KEY_BYTES = 1024
MAX_VALUE_BYTES = 1024 * 1024

_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

Context = grpc.aio.ServicerContext[Any, Any]
Command = orchestrator_pb2.AppendRequest | orchestrator_pb2.PutRequest | orchestrator_pb2.CompareAndSetRequest

REFUSALS = {
    "stale": (
        grpc.StatusCode.OUT_OF_RANGE,
        "a later command of this session was applied already; this one never will be",
    ),
    "no-session": (grpc.StatusCode.NOT_FOUND, "no such session: call OpenSession first"),
    "malformed": (grpc.StatusCode.INVALID_ARGUMENT, "the state machine does not know this command"),
}


def encode(command: Mapping[str, Any]) -> bytes:
    """A command as it stands in the log."""
    return _encoder(command).encode()


def command_of(request: Command, op: str) -> dict[str, Any]:
    """What a request asks to be applied."""
    command: dict[str, Any] = {
        "client": request.command.client_id,
        "seq": request.command.sequence,
        "op": op,
        "key": request.key,
        "value": request.value,
    }
    if isinstance(request, orchestrator_pb2.CompareAndSetRequest):
        command["expected"] = request.expected if request.HasField("expected") else None
    return command


def reading(key: str) -> Query:
    """What a read of this key asks of the state machine; its answer is the response."""

    def query(machine: StateMachine, applied_index: int) -> orchestrator_pb2.ReadResponse:
        return orchestrator_pb2.ReadResponse(
            applied_index=applied_index,
            items=machine.lists.get(key, ()),
            value=machine.registers.get(key),
        )

    return query


def not_leader_hint(leader_id: str | None, peers: Mapping[str, str]) -> tuple[str, bytes]:
    """(details, trailing metadata's value) of a refusal by a node that does not lead."""
    hint = orchestrator_pb2.NotLeader(
        leader_id=leader_id or "", leader_address=peers.get(leader_id or "", "")
    )
    where = f"the leader is {leader_id} at {hint.leader_address}" if leader_id else "the leader is not known"
    return f"not the leader, nothing was done; {where}", hint.SerializeToString()


class Gate:
    """What all services share: whom they answer, and how they say no.

    peers: {node id: address} as dialled from here, for redirects.
    """

    def __init__(self, cluster_id: str, peers: Mapping[str, str], driver: Driver) -> None:
        self._cluster_id = cluster_id
        self._peers = peers
        self.driver = driver

    async def check(
        self, context: Context, cluster_id: str, *, limits: Mapping[str, tuple[str, int]] | None = None
    ) -> None:
        """Refuses another cluster's requests and texts beyond their limits. limits: {name: (text, bytes)}"""
        if cluster_id != self._cluster_id:
            reason = f"this is cluster {self._cluster_id!r}, the request is for {cluster_id!r}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        for name, (text, limit_bytes) in (limits or {}).items():
            size = len(text.encode())
            if size > limit_bytes:
                reason = f"{name} is {size} bytes long, at most {limit_bytes} are taken"
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)

    async def apply(self, context: Context, kind: EntryKind, command: Mapping[str, Any]) -> Applied:
        """Replicates a command and returns what came of it, or aborts the call with the reason."""
        outcome = await self.driver.submit(kind, encode(command))
        match outcome:
            case NotLeader(leader_id):
                await self.redirect(context, leader_id)
            case Lost():
                await context.abort(
                    grpc.StatusCode.ABORTED, "leadership was lost: it may or may not have happened"
                )
        if outcome.outcome in REFUSALS:
            await context.abort(*REFUSALS[outcome.outcome])
        return outcome

    async def redirect(self, context: Context, leader_id: str | None) -> NoReturn:
        """Only where nothing was appended."""
        details, hint = not_leader_hint(leader_id, self._peers)
        await context.abort(
            grpc.StatusCode.FAILED_PRECONDITION, details, trailing_metadata=((NOT_LEADER_KEY, hint),)
        )


class OrchestratorService(orchestrator_pb2_grpc.OrchestratorServiceServicer):
    def __init__(self, gate: Gate, node_id: str, boot: int) -> None:
        self._gate = gate
        self._node_id = node_id
        self._boot = boot

    async def OpenSession(  # noqa: N802
        self, request: orchestrator_pb2.OpenSessionRequest, context: Context
    ) -> orchestrator_pb2.OpenSessionResponse:
        limits = {"client_id": (request.client_id, MAX_ID_BYTES)}
        await self._gate.check(context, request.cluster_id, limits=limits)
        if not request.client_id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "client_id is empty")
        applied = await self._gate.apply(context, EntryKind.SESSION, {"client": request.client_id})
        return orchestrator_pb2.OpenSessionResponse(index=applied.index)

    async def Append(  # noqa: N802
        self, request: orchestrator_pb2.AppendRequest, context: Context
    ) -> orchestrator_pb2.AppendResponse:
        result = await self._command(request, context, "append")
        return orchestrator_pb2.AppendResponse(index=result["index"])

    async def Put(  # noqa: N802
        self, request: orchestrator_pb2.PutRequest, context: Context
    ) -> orchestrator_pb2.PutResponse:
        result = await self._command(request, context, "put")
        return orchestrator_pb2.PutResponse(index=result["index"])

    async def CompareAndSet(  # noqa: N802
        self, request: orchestrator_pb2.CompareAndSetRequest, context: Context
    ) -> orchestrator_pb2.CompareAndSetResponse:
        result = await self._command(request, context, "cas")
        return orchestrator_pb2.CompareAndSetResponse(index=result["index"], swapped=result["swapped"])

    async def Read(  # noqa: N802
        self, request: orchestrator_pb2.ReadRequest, context: Context
    ) -> orchestrator_pb2.ReadResponse:
        limits = {"key": (request.key, MAX_KEY_BYTES)}
        await self._gate.check(context, request.cluster_id, limits=limits)
        outcome = await self._gate.driver.read(reading(request.key))
        if isinstance(outcome, NotLeader):
            await self._gate.redirect(context, outcome.leader_id)
        response: orchestrator_pb2.ReadResponse = outcome.value
        return response

    async def Status(  # noqa: N802
        self, request: orchestrator_pb2.StatusRequest, context: Context
    ) -> orchestrator_pb2.StatusResponse:
        await self._gate.check(context, request.cluster_id)
        status = self._gate.driver.replica.status()
        return orchestrator_pb2.StatusResponse(
            node_id=self._node_id,
            boot=self._boot,
            term=status.term,
            role=status.role.value,
            leader_id=status.leader_id or "",
            commit_index=status.commit_index,
            applied_index=status.applied_index,
            last_log_index=status.last_log_index,
        )

    async def _command(self, request: Command, context: Context, op: str) -> Mapping[str, Any]:
        """Replicates one command of a session. Returns the state machine's result."""
        limits = {
            "client_id": (request.command.client_id, MAX_ID_BYTES),
            "key": (request.key, MAX_KEY_BYTES),
            "value": (request.value, MAX_VALUE_BYTES),
        }
        command = command_of(request, op)
        if command.get("expected"):
            limits["expected"] = (command["expected"], MAX_VALUE_BYTES)
        await self._gate.check(context, request.cluster_id, limits=limits)
        return (await self._gate.apply(context, EntryKind.COMMAND, command)).result
