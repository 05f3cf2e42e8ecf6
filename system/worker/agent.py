"""Keeps this worker known to the control plane: registers with the leader, then sends it heartbeats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from random import Random

import grpc

from system.pb import worker_pb2
from system.pb.worker_pb2_grpc import WorkerRegistryServiceStub
from system.worker.config import Config
from system.worker.registry import NoLeader, Registry

log = logging.getLogger(__name__)

CALL_DEADLINE_S = 1.0


def retry_delays_s(random: Random) -> Iterator[float]:
    """How long to wait before each further try: from about 0.1 s, doubling, to at most 1 s, so that a worker
    is back soon after a leader is. Each is drawn from the upper half of its range, so that workers that lost
    the same leader do not come back in step. (grpc offers retries for one channel only, not across nodes.)"""
    limit_s = 0.1
    while True:
        yield random.uniform(limit_s / 2, limit_s)
        limit_s = min(2 * limit_s, 1.0)


class Agent:
    """Registers, heartbeats until the leader is lost or has forgotten this worker, and starts over."""

    def __init__(self, config: Config, registry: Registry, random: Random) -> None:
        self._config = config
        self._registry = registry
        self._random = random
        self._interval_s = config.heartbeat_interval_s
        self.registered = False

    async def run(self) -> None:
        """Never returns; cancel it."""
        ready = False
        while True:
            await self._register()
            self.registered = True
            if not ready:
                log.info("Worker ready")
                ready = True
            await self._heartbeat_until_lost()
            self.registered = False

    async def _register(self) -> None:
        """Tries until a leader has taken the registration."""
        said = ""
        for delay_s in retry_delays_s(self._random):
            try:
                response = await self._registry.find_leader(self._send_registration)
            except NoLeader as error:
                if str(error) != said:  # once for each new reason, not for each try
                    log.warning("No leader takes this worker's registration, trying on: %s", error)
                    said = str(error)
                await asyncio.sleep(delay_s)
            else:
                break
        self._interval_s = self._config.heartbeat_interval_s
        if response.heartbeat_interval_s > 0:
            self._interval_s = min(self._interval_s, response.heartbeat_interval_s)
        log.info(
            "Registered",
            extra={
                "leader": self._registry.leader,
                "index": response.index,
                "heartbeat_interval_s": self._interval_s,
            },
        )

    async def _heartbeat_until_lost(self) -> None:
        """Returns when the leader failed to answer, sent us elsewhere, or does not know this worker."""
        now_s = asyncio.get_running_loop().time
        next_s = now_s() + self._interval_s
        while True:
            await asyncio.sleep(next_s - now_s())
            next_s = now_s() + self._interval_s
            leader = self._registry.leader
            try:
                response = await self._registry.ask_leader(self._send_heartbeat)
            except grpc.aio.AioRpcError as error:
                log.warning(
                    "Lost the leader, looking for it",
                    extra={"leader": leader, "code": error.code().name, "details": error.details()},
                )
                return
            if not response.known:
                log.warning(
                    "The leader does not know this worker, registering again", extra={"leader": leader}
                )
                return

    async def _send_registration(self, stub: WorkerRegistryServiceStub) -> worker_pb2.RegisterWorkerResponse:
        request = worker_pb2.RegisterWorkerRequest(
            cluster_id=self._config.cluster_id,
            worker_id=self._config.worker_id,
            address=self._config.advertise_address,
            cloud=self._config.cloud,
        )
        response: worker_pb2.RegisterWorkerResponse = await stub.RegisterWorker(
            request, timeout=CALL_DEADLINE_S
        )
        return response

    async def _send_heartbeat(self, stub: WorkerRegistryServiceStub) -> worker_pb2.HeartbeatResponse:
        request = worker_pb2.HeartbeatRequest(
            cluster_id=self._config.cluster_id, worker_id=self._config.worker_id
        )
        response: worker_pb2.HeartbeatResponse = await stub.Heartbeat(request, timeout=CALL_DEADLINE_S)
        return response
