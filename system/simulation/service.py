"""What a simulated node answers: the orchestrator's and the worker registry's interfaces, without gRPC.

The checks that gRPC's services make of a request's size and cluster are left to the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from system.control_plane.registry import MISSED_HEARTBEATS, Registry
from system.control_plane.replica import Applied, Lost, NotLeader, Outcome, ReadDone, ReadOutcome, Replica
from system.control_plane.service import REFUSALS, command_of, encode, not_leader_hint, reading
from system.pb import orchestrator_pb2 as pb
from system.pb import worker_pb2
from system.raft.log import EntryKind
from system.raft.roles import State
from system.rpc import NOT_LEADER_KEY

Reply = Callable[[Any], None]
_NO_METADATA = grpc.aio.Metadata()
OPS = {"Append": "append", "Put": "put", "CompareAndSet": "cas"}


class Service:
    """One boot of one node. reply is called with the response, or with the error that a call raises."""

    def __init__(
        self, node: str, boot: int, replica: Replica, registry: Registry, peers: Mapping[str, str]
    ) -> None:
        self._node, self._boot = node, boot
        self._replica = replica
        self._registry = registry
        self._peers = peers
        self._offline_after_s = registry.offline_after_s
        # {who leads: the refusal's words and trailing metadata}, as most of what asks a follower is refused.
        self._redirects: dict[str | None, tuple[str, grpc.aio.Metadata]] = {}

    def serve(self, now_ns: int, method: str, request: Any, reply: Reply) -> None:
        """Takes a request up; what it leads to needs a flush of the replica."""
        if method in OPS:
            command = encode(command_of(request, OPS[method]))
            self._replica.submit(now_ns, EntryKind.COMMAND, command, self._answered(method, reply))
        elif method == "Read":
            self._replica.read(now_ns, reading(request.key), self._answered(method, reply))
        elif method == "OpenSession":
            command = encode({"client": request.client_id})
            self._replica.submit(now_ns, EntryKind.SESSION, command, self._answered(method, reply))
        elif method == "RegisterWorker":
            self._register(now_ns, request, reply)
        else:
            self._heartbeat(request, reply)

    def _answered(self, method: str, reply: Reply) -> Callable[[Outcome | ReadOutcome], None]:
        def done(outcome: Outcome | ReadOutcome) -> None:
            reply(self._answer(method, outcome))

        return done

    def _answer(self, method: str, outcome: Outcome | ReadOutcome) -> Any:
        match outcome:
            case NotLeader(leader_id):
                return self._redirect(leader_id)
            case Lost():
                said = "leadership was lost: it may or may not have happened"
                return call_error(grpc.StatusCode.ABORTED, said)
            case ReadDone(value):
                return value
        if outcome.outcome in REFUSALS:
            return call_error(*REFUSALS[outcome.outcome])
        return self._done(method, outcome)

    def _done(self, method: str, applied: Applied) -> Any:
        result = applied.result
        match method:
            case "Append":
                return pb.AppendResponse(index=result["index"])
            case "Put":
                return pb.PutResponse(index=result["index"])
            case "CompareAndSet":
                return pb.CompareAndSetResponse(index=result["index"], swapped=result["swapped"])
            case "RegisterWorker":
                interval_s = self._offline_after_s / MISSED_HEARTBEATS
                return worker_pb2.RegisterWorkerResponse(index=applied.index, heartbeat_interval_s=interval_s)
        return pb.OpenSessionResponse(index=applied.index)

    def _register(self, now_ns: int, request: worker_pb2.RegisterWorkerRequest, reply: Reply) -> None:
        command = {
            "op": "register_worker",
            "worker": request.worker_id,
            "address": request.address,
            "cloud": request.cloud,
        }

        def done(outcome: Outcome) -> None:
            if not isinstance(outcome, NotLeader | Lost):
                self._registry.hear(request.worker_id)
            reply(self._answer("RegisterWorker", outcome))

        self._replica.submit(now_ns, EntryKind.COMMAND, encode(command), done)

    def _heartbeat(self, request: worker_pb2.HeartbeatRequest, reply: Reply) -> None:
        status = self._replica.status()
        if status.role is not State.LEADER:
            reply(self._redirect(status.leader_id))
            return
        known = request.worker_id in self._replica.machine.workers
        if known:
            self._registry.hear(request.worker_id)
        reply(worker_pb2.HeartbeatResponse(known=known))

    def _redirect(self, leader_id: str | None) -> grpc.aio.AioRpcError:
        if leader_id not in self._redirects:
            details, hint = not_leader_hint(leader_id, self._peers)
            self._redirects[leader_id] = details, grpc.aio.Metadata((NOT_LEADER_KEY, hint))
        return call_error(grpc.StatusCode.FAILED_PRECONDITION, *self._redirects[leader_id])


def call_error(
    code: grpc.StatusCode, details: str, trailing: grpc.aio.Metadata = _NO_METADATA
) -> grpc.aio.AioRpcError:
    """As gRPC raises it in whoever called."""
    return grpc.aio.AioRpcError(code, _NO_METADATA, trailing, details)
