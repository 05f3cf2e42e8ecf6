"""Looking at nodes directly, past the links: their health, their status, what they say of the workers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from system.pb import orchestrator_pb2, orchestrator_pb2_grpc
from system.rpc import CHANNEL_OPTIONS

STATUS_TIMEOUT_S = 0.3
HTTP_TIMEOUT_S = 1.0


class Look(Protocol):
    """Who can ask a node over HTTP: Observer, or one that does so elsewhere."""

    async def get(self, node: str, path: str) -> tuple[int, bytes] | None: ...


class Observer:
    """grpc, http: {node: "ip:port"}. Keeps its connections; close it."""

    def __init__(self, cluster_id: str, grpc_addresses: Mapping[str, str], http_addresses: Mapping[str, str]):
        self._cluster_id = cluster_id
        self._http = http_addresses
        self._channels = {
            node: grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
            for node, address in grpc_addresses.items()
        }
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S))

    async def close(self) -> None:
        await self._session.close()
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def serving(self, node: str, timeout_s: float) -> bool:
        """Whether its gRPC health service answers SERVING within that time."""
        health: Any = health_pb2_grpc.HealthStub(self._channels[node])
        try:
            answer = await health.Check(
                health_pb2.HealthCheckRequest(), timeout=timeout_s, wait_for_ready=True
            )
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def status(self, node: str) -> dict[str, Any] | None:
        """{node, boot, term, role, leader, commit_index, applied_index, last_log_index}; None without an
        answer in 0.3 s."""
        channel = self._channels[node]
        stub: Any = orchestrator_pb2_grpc.OrchestratorServiceStub(channel)  # type: ignore[no-untyped-call]
        request = orchestrator_pb2.StatusRequest(cluster_id=self._cluster_id)
        try:
            answer = await stub.Status(request, timeout=STATUS_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return None
        return {
            "node": answer.node_id,
            "boot": answer.boot,
            "term": answer.term,
            "role": answer.role,
            "leader": answer.leader_id or None,
            "commit_index": answer.commit_index,
            "applied_index": answer.applied_index,
            "last_log_index": answer.last_log_index,
        }

    async def get(self, node: str, path: str) -> tuple[int, bytes] | None:
        """(status, body) of an HTTP GET; None without an answer."""
        try:
            async with self._session.get(f"http://{self._http[node]}{path}") as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


async def statuses(
    status: Callable[[str], Awaitable[dict[str, Any] | None]], nodes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What each node says of itself, of those that answer. status: as Observer.status."""
    answers = await asyncio.gather(*map(status, nodes))
    return {node: answer for node, answer in zip(nodes, answers, strict=True) if answer is not None}


def leader(answers: Mapping[str, dict[str, Any]]) -> str | None:
    """Who says that it leads, of the highest term."""
    leaders = [answer for answer in answers.values() if answer["role"] == "leader"]
    best = max(leaders, key=lambda answer: int(answer["term"]), default=None)
    return str(best["node"]) if best else None


async def worker_states(look: Look, leader: str | None) -> dict[str, Any] | None:
    """{"node": the leader, "workers": {id: status}} as its /cluster-state has it; None without an answer."""
    answer = await look.get(leader, "/cluster-state") if leader is not None else None
    if answer is None or answer[0] != 200:
        return None
    return {"node": leader, "workers": {view["id"]: view["status"] for view in json.loads(answer[1])}}
