"""What benchmarks/failover.py measures beside the failovers: syncs, timers and links."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import grpc

from system.clusters.local import LocalCluster
from system.clusters.sites import cloud
from system.control_plane.wal import Wal
from system.pb import orchestrator_pb2, orchestrator_pb2_grpc
from system.raft.log import EntryKind, LogEntry
from system.raft.records import Append
from system.rpc import CHANNEL_OPTIONS
from system.simulation.knobs import Knobs

CROSS_CLOUD_MS = 25.0
# How long measuring takes; the node that was started again has its connections back by then.
CALM_S = 0.8
TIMEOUT_S = 5.0
# Measurements in each calm.
TIMERS, SYNCS, TRIPS = 10, 4, 4
# Makes a frame of about 300 bytes.
RECORD = Append(LogEntry(1, 1, EntryKind.COMMAND, b"x" * 180))


@dataclass(slots=True)
class Inputs:
    """What was measured beside the failovers, ms, as benchmarks/failover.py has it.

    sync_ms, timer_ms, link_ms: what the simulator draws from. fdatasync_ms, process_ms: the part of a sync
    and of a link that is due to the disk and to the processes
    """

    sync_ms: list[float] = field(default_factory=list)
    fdatasync_ms: list[float] = field(default_factory=list)
    timer_ms: list[float] = field(default_factory=list)
    link_ms: list[float] = field(default_factory=list)
    process_ms: list[float] = field(default_factory=list)

    def knobs(self) -> Knobs:
        return Knobs(
            sync_samples_ms=tuple(self.sync_ms),
            lag_samples_ms=tuple(self.timer_ms),
            link_samples_ms=tuple(self.link_ms),
        )


class Probes:
    """Measures the inputs, with processes, links and directories like the nodes' own. Close it."""

    def __init__(self, cluster: LocalCluster, directory: Path, rng: Random) -> None:
        self.inputs = Inputs()
        self._rng = rng
        self._cluster_id = cluster.cluster_id
        self._opened = AsyncExitStack()
        far = {
            f"{site}/{node}": address
            for site in cluster.client_sites
            for node, address in cluster.addresses(site).items()
            if cloud(site) != cloud(node)
        }
        near = {node: cluster.grpc_address(node) for node in cluster.nodes}
        self._far, self._near = ([*map(self._dial, book.values())] for book in (far, near))
        self._wal = Wal(directory, cluster="probe", node="probe")
        self._heard: asyncio.Future[None]
        self._syncs = 0
        self._loop = asyncio.get_running_loop()
        self._wal.start(
            lambda _: self._loop.call_soon_threadsafe(self._on_durable),
            lambda error: self._loop.call_soon_threadsafe(self._heard.set_exception, error),
            lambda took_s: self.inputs.fdatasync_ms.append(rounded(1e3 * took_s)),
        )

    async def close(self) -> None:
        await self._opened.aclose()
        self._wal.close()

    async def measure(self) -> None:
        """A calm's worth of everything; takes about CALM_S."""
        await asyncio.gather(
            self._spread(TIMERS, self._timer),
            self._spread(SYNCS, self._sync),
            self._spread(TRIPS, partial(self._trip, self._far, self.inputs.link_ms, CROSS_CLOUD_MS)),
            self._spread(TRIPS, partial(self._trip, self._near, self.inputs.process_ms, 0.0)),
        )

    async def _spread(self, times: int, measure: Callable[[], Awaitable[None]]) -> None:
        for _ in range(times):
            await asyncio.sleep(self._rng.uniform(0.0, 2 * CALM_S / times) * 0.75)
            await measure()

    async def _timer(self) -> None:
        due_s = self._loop.time() + self._rng.uniform(0.005, 0.05)
        fired: asyncio.Future[None] = self._loop.create_future()
        self._loop.call_at(due_s, fired.set_result, None)
        fired.add_done_callback(
            lambda _: self.inputs.timer_ms.append(rounded(1e3 * (self._loop.time() - due_s)))
        )
        await fired

    async def _sync(self) -> None:
        self._heard = self._loop.create_future()
        self._syncs += 1
        began_ns = time.monotonic_ns()
        self._wal.write([RECORD], self._syncs)
        await self._heard
        self.inputs.sync_ms.append(rounded((time.monotonic_ns() - began_ns) / 1e6))

    def _on_durable(self) -> None:
        self._heard.set_result(None)

    async def _trip(self, stubs: Sequence[Any], into: list[float], distance_ms: float) -> None:
        """Another stub each time; a connection that a kill broke does not count."""
        stub = self._rng.choice(stubs)
        request = orchestrator_pb2.StatusRequest(cluster_id=self._cluster_id)
        # The first call finds the connection broken, or mends it.
        for _ in range(2):
            began_ns = time.monotonic_ns()
            await stub.Status(request, timeout=TIMEOUT_S, wait_for_ready=True)
        took_ms = (time.monotonic_ns() - began_ns) / 1e6
        into.append(rounded(max(0.0, took_ms / 2 - distance_ms)))

    def _dial(self, address: str) -> Any:
        channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._opened.push_async_callback(channel.close)
        return orchestrator_pb2_grpc.OrchestratorServiceStub(channel)  # type: ignore[no-untyped-call]


def rounded(ms: float) -> float:
    return round(ms, 3)
