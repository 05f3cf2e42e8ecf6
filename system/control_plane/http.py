"""HTTP for people, load balancers and Prometheus: /health, /cluster-state, /metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from system.control_plane.metrics import Metrics
from system.control_plane.registry import Registry, wall_now
from system.control_plane.replica import ReadDone

READ_TIMEOUT_S = 0.8


class HttpServer:
    """peers: {node id: gRPC address}, to tell where the leader is."""

    def __init__(self, registry: Registry, metrics: Metrics, peers: Mapping[str, str]) -> None:
        self._registry = registry
        self._driver = registry.gate.driver
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
        status = self._driver.replica.status()
        return web.json_response(
            {"status": "ok", "role": status.role.value, "term": status.term, "leader": status.leader_id}
        )

    async def _cluster_state(self, _request: web.Request) -> web.Response:
        """From the leader, the workers; from anybody else, 421 with the leader's id and gRPC address, or 503
        where none is known or the leader cannot show in time that it still leads."""
        leader: str | None = None
        # A linearizable read: a new leader's state may still lack what its predecessor acknowledged.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ_TIMEOUT_S):
                outcome = await self._driver.read(lambda _machine, _index: list(self._registry.views()))
            if isinstance(outcome, ReadDone):
                now = wall_now()
                return web.json_response([view.to_json(now) for view in outcome.value])
            leader = outcome.leader_id
        where = {"leader": leader, "address": self._peers.get(leader or "")}
        return web.json_response(where, status=421 if leader else 503)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})
