"""The workers: registered through the log, watched by the leader (proto/worker.proto)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc

from system.control_plane.service import MAX_ID_BYTES, MAX_KEY_BYTES, Context, Gate
from system.pb import worker_pb2, worker_pb2_grpc
from system.raft.log import EntryKind
from system.raft.roles import State

# A worker is offline once it has missed this many heartbeats.
MISSED_HEARTBEATS = 3


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker as this leader sees it. last_seen_s: seconds since it was last heard, None if never."""

    id: str
    address: str
    cloud: str
    online: bool
    last_seen_s: float | None

    def to_json(self, now: datetime) -> dict[str, str | None]:
        """now: the wall clock. last_seen becomes an ISO time on it."""
        seen = None
        if self.last_seen_s is not None:
            seen = (now - timedelta(seconds=self.last_seen_s)).isoformat(timespec="milliseconds")
        status = "online" if self.online else "offline"
        return {
            "id": self.id,
            "address": self.address,
            "cloud": self.cloud,
            "status": status,
            "last_seen": seen,
        }


class Registry:
    """Who was heard when, in this node's current leadership: a new leader has heard of nobody, so to it every
    worker is offline until it calls."""

    def __init__(
        self, gate: Gate, offline_after_s: float, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.gate = gate
        self.offline_after_s = offline_after_s
        self._now_s = now_s
        self._term = 0
        self._heard_s: dict[str, float] = {}

    def hear(self, worker_id: str) -> None:
        self._forget_earlier_terms()
        self._heard_s[worker_id] = self._now_s()

    def views(self) -> Iterator[WorkerView]:
        """All registered workers, by id."""
        self._forget_earlier_terms()
        now_s = self._now_s()
        for worker_id, worker in sorted(self.gate.driver.replica.machine.workers.items()):
            heard_s = self._heard_s.get(worker_id)
            age_s = None if heard_s is None else now_s - heard_s
            online = age_s is not None and age_s < self.offline_after_s
            yield WorkerView(worker_id, worker["address"], worker["cloud"], online, age_s)

    def _forget_earlier_terms(self) -> None:
        term = self.gate.driver.replica.status().term
        if term != self._term:
            self._term = term
            self._heard_s.clear()


class WorkerRegistryService(worker_pb2_grpc.WorkerRegistryServiceServicer):
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._gate = registry.gate

    async def RegisterWorker(  # noqa: N802
        self, request: worker_pb2.RegisterWorkerRequest, context: Context
    ) -> worker_pb2.RegisterWorkerResponse:
        limits = {
            "worker_id": (request.worker_id, MAX_ID_BYTES),
            "address": (request.address, MAX_KEY_BYTES),
            "cloud": (request.cloud, MAX_ID_BYTES),
        }
        await self._gate.check(context, request.cluster_id, limits=limits)
        if not request.worker_id:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "worker_id is empty")
        command = {
            "op": "register_worker",
            "worker": request.worker_id,
            "address": request.address,
            "cloud": request.cloud,
        }
        applied = await self._gate.apply(context, EntryKind.COMMAND, command)
        self._registry.hear(request.worker_id)
        interval_s = self._registry.offline_after_s / MISSED_HEARTBEATS
        return worker_pb2.RegisterWorkerResponse(index=applied.index, heartbeat_interval_s=interval_s)

    async def Heartbeat(  # noqa: N802
        self, request: worker_pb2.HeartbeatRequest, context: Context
    ) -> worker_pb2.HeartbeatResponse:
        await self._gate.check(context, request.cluster_id)
        replica = self._gate.driver.replica
        status = replica.status()
        if status.role is not State.LEADER:
            await self._gate.redirect(context, status.leader_id)
        known = request.worker_id in replica.machine.workers
        if known:
            self._registry.hear(request.worker_id)
        return worker_pb2.HeartbeatResponse(known=known)


def wall_now() -> datetime:
    return datetime.now(UTC)
