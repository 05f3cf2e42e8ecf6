"""A control-plane node as a process: everything put together, run until told to stop.

Exit codes: 0 asked to stop; 2 bad configuration; 3 a log that must not be used; 4 the log cannot be written
any more, or something happened that must not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from random import Random, SystemRandom
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from system import logs
from system.control_plane.background import Background
from system.control_plane.config import Config, config_from_env
from system.control_plane.driver import Driver
from system.control_plane.election_clock import ElectionClock
from system.control_plane.events import EventFile
from system.control_plane.http import HttpServer
from system.control_plane.metrics import Metrics
from system.control_plane.registry import Registry, WorkerRegistryService
from system.control_plane.replica import Replica
from system.control_plane.service import Gate, OrchestratorService
from system.control_plane.state_machine import StateMachine
from system.control_plane.transport import GrpcTransport
from system.control_plane.wal import Wal, WalError
from system.pb import (
    orchestrator_pb2,
    orchestrator_pb2_grpc,
    raft_pb2,
    raft_pb2_grpc,
    worker_pb2,
    worker_pb2_grpc,
)
from system.raft.roles import RaftConfig
from system.rpc import SERVER_OPTIONS
from system.settings import SettingError

log = logging.getLogger(__name__)

EXIT_CONFIG, EXIT_WAL, EXIT_BROKEN = 2, 3, 4
LAG_TICK_S = 0.1
MS = 1_000_000
# With one value of at most 1 MiB on top, and JSON's escapes, still within the largest gRPC message.
MAX_BATCH_BYTES = 1024 * 1024


def main() -> int:
    """Runs the node that the environment describes. Returns the exit code."""
    process: NodeProcess | None = None
    try:
        config = config_from_env(os.environ)
        logs.configure(
            config.node_id, config.log_level, lambda: {"term": process.term() if process else None}
        )
        wal = Wal(config.data_dir, cluster=config.cluster_id, node=config.node_id)
        events = EventFile(config.data_dir, cluster=config.cluster_id, node=config.node_id)
    except SettingError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"DATA_DIR: {error}; expected a directory this node may write to")
    except WalError as error:
        log.error("%s", error)
        return EXIT_WAL
    if wal.torn:
        log.warning("cut a torn write off the end of the log: %s", wal.torn)
    process = NodeProcess(config, wal, events)
    try:
        return asyncio.run(process.run())
    except _AddressError as error:
        return _complain(str(error))


class NodeProcess:
    """Everything a node consists of, around one replica."""

    def __init__(self, config: Config, wal: Wal, events: EventFile) -> None:
        self._config, self._wal, self._events = config, wal, events
        self._metrics = Metrics()
        self._background = Background(_die)
        elections = ElectionClock(self._metrics.observe_election)
        self._driver = Driver(_die, self._metrics.observe_commit, elections.look)
        self._transport = GrpcTransport(
            config.cluster_id, config.peers, self._driver.on_message, self._background
        )
        self._replica = _replica(config, wal, self._transport, events)
        self._driver.attach(self._replica)
        self._metrics.watch(self._replica)
        gate = Gate(config.cluster_id, config.peers, self._driver)
        registry = Registry(gate, config.worker_offline_after_s)
        self._http = HttpServer(registry, self._metrics, config.peers)
        self._orchestrator = OrchestratorService(gate, config.node_id, events.boot)
        self._workers = WorkerRegistryService(registry)

    def term(self) -> int:
        return self._replica.status().term

    async def run(self) -> int:
        """Serves until SIGTERM or SIGINT. Raises _AddressError where an address is taken."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.set_exception_handler(_on_loop_error)
        server = await _grpc_server(self._transport, self._orchestrator, self._workers)
        # Both addresses are ours before anybody is told anything.
        await self._bind(server)
        self._wal.start(self._driver.on_durable_threadsafe, _disk_failed, self._metrics.observe_sync)
        self._transport.start()
        self._driver.start()
        await server.start()
        self._background.spawn(_measure_lag(self._metrics.observe_lag))
        last_index = self._replica.status().last_log_index
        log.info("node ready", extra={"boot": self._events.boot, "index": last_index})
        await stop.wait()
        log.info("stopping")
        await self._stop(server)
        return 0

    async def _bind(self, server: grpc.aio.Server) -> None:
        config = self._config
        try:
            server.add_insecure_port(config.listen_addr)
        except RuntimeError:
            problem = f"LISTEN_ADDR={config.listen_addr!r}: cannot listen there, is it taken?"
            raise _AddressError(problem) from None
        try:
            await self._http.start(config.http_addr)
        except OSError as error:
            raise _AddressError(f"HTTP_ADDR={config.http_addr!r}: cannot listen there: {error}") from None

    async def _stop(self, server: grpc.aio.Server) -> None:
        self._driver.stop()
        await server.stop(grace=None)
        await self._background.cancel()
        await self._transport.close()
        await self._http.close()
        self._wal.close()
        self._events.close()


def _replica(config: Config, wal: Wal, transport: GrpcTransport, events: EventFile) -> Replica:
    low_ns, high_ns = (bound * MS for bound in config.election_timeout_ms)
    stream = f"{config.seed}/election-timeout/{config.node_id}/{events.boot}"
    random = SystemRandom() if config.seed is None else Random(stream)
    return Replica(
        RaftConfig(
            node_id=config.node_id,
            voters=config.voters,
            heartbeat_ns=config.heartbeat_ms * MS,
            election_min_ns=low_ns,
            election_max_ns=high_ns,
            max_batch_entries=config.max_batch,
            max_batch_bytes=MAX_BATCH_BYTES,
        ),
        wal.recovered,
        wal,
        transport,
        events,
        machine=StateMachine(),
        draw_election_timeout_ns=lambda: random.randint(low_ns, high_ns),
        now_ns=time.monotonic_ns(),
        on_transition=log.info,
    )


class _AddressError(Exception):
    """An address that cannot be listened on, in one line."""


async def _grpc_server(
    raft: GrpcTransport, orchestrator: OrchestratorService, workers: WorkerRegistryService
) -> grpc.aio.Server:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    raft_pb2_grpc.add_RaftServiceServicer_to_server(raft, server)  # type: ignore[no-untyped-call]
    orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server(orchestrator, server)  # type: ignore[no-untyped-call]
    worker_pb2_grpc.add_WorkerRegistryServiceServicer_to_server(workers, server)  # type: ignore[no-untyped-call]
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    for module, name in (
        (raft_pb2, "RaftService"),
        (orchestrator_pb2, "OrchestratorService"),
        (worker_pb2, "WorkerRegistryService"),
    ):
        full_name = module.DESCRIPTOR.services_by_name[name].full_name
        await checks.set(full_name, health_pb2.HealthCheckResponse.SERVING)
    return server


async def _measure_lag(observe: Callable[[float], None]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_TICK_S
        await asyncio.sleep(LAG_TICK_S)
        observe(max(loop.time() - due, 0.0))


def _disk_failed(error: BaseException) -> NoReturn:
    log.error("the log cannot be written any more: %s; mend the disk, then start this node again", error)
    _end()


def _die(error: BaseException) -> NoReturn:
    log.error("something happened that must not: %s: %s", type(error).__name__, error, exc_info=error)
    _end()


def _end() -> NoReturn:
    """Ends the process on the spot: nothing more may leave this node."""
    sys.stdout.flush()
    os._exit(EXIT_BROKEN)


def _on_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What libraries leave behind; the node's own tasks and callbacks end in _die."""
    log.error("event loop: %s", context.get("message"), exc_info=context.get("exception"))


def _complain(message: str) -> int:
    print(f"control plane: {message}", file=sys.stderr)
    return EXIT_CONFIG
