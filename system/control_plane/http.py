"""HTTP for people, load balancers and Prometheus: /health, /cluster-state, /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from system.control_plane.metrics import Metrics
from system.control_plane.registry import Registry, wall_now
from system.raft.roles import State


class HttpServer:
    """peers: {node id: gRPC address}, to tell where the leader is."""

    def __init__(self, registry: Registry, metrics: Metrics, peers: Mapping[str, str]) -> None:
        self._registry = registry
        self._metrics = metrics
        self._peers = peers
        application = web.Application()
        application.router.add_get("/health", self._health)
        application.router.add_get("/cluster-state", self._cluster_state)
        application.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self, address: str) -> None:
        """Raises OSError where the address cannot be listened on."""
        host, _, port = address.rpartition(":")
        await self._runner.setup()
        await web.TCPSite(self._runner, host, int(port), reuse_address=True).start()

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _health(self, _request: web.Request) -> web.Response:
        status = self._registry.gate.driver.replica.status()
        return web.json_response(
            {"status": "ok", "role": status.role.value, "term": status.term, "leader": status.leader_id}
        )

    async def _cluster_state(self, _request: web.Request) -> web.Response:
        """From the leader, the workers; from anybody else, 421 with the leader's id and gRPC address, or 503
        where it is not known."""
        status = self._registry.gate.driver.replica.status()
        if status.role is State.LEADER:
            now = wall_now()
            return web.json_response([view.to_json(now) for view in self._registry.views()])
        where = {"leader": status.leader_id, "address": self._peers.get(status.leader_id or "")}
        return web.json_response(where, status=421 if status.leader_id else 503)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})
