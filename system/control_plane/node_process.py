"""A control-plane node as a process: everything put together, run until told to stop.

Exit codes: 0 asked to stop; 2 bad configuration; 3 a log that must not be used; 4 the log cannot be written
any more, or something happened that must not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from system.control_plane import logs
from system.control_plane.background import Background
from system.control_plane.config import Config, ConfigError, config_from_env
from system.control_plane.driver import Driver
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

log = logging.getLogger(__name__)

EXIT_CONFIG, EXIT_WAL, EXIT_BROKEN = 2, 3, 4
LAG_TICK_S = 0.1
MS = 1_000_000
# With one value of at most 1 MiB on top, and JSON's escapes, still within the largest gRPC message.
MAX_BATCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Parts:
    """The classes a node is made of, so that one can be exchanged for a planted bug."""

    wal: type[Wal] = Wal
    replica: type[Replica] = Replica


def main(parts: Parts | None = None) -> int:
    """Runs the node that the environment describes. Returns the exit code."""
    try:
        config = config_from_env(os.environ)
        config.data_dir.mkdir(parents=True, exist_ok=True)
    except ConfigError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"DATA_DIR: {error}; expected a directory this node may write to")
    process = NodeProcess(config, parts or Parts())
    try:
        return asyncio.run(process.run())
    except WalError as error:
        log.error("%s", error)
        return EXIT_WAL
    except _AddressError as error:
        return _complain(str(error))


class NodeProcess:
    def __init__(self, config: Config, parts: Parts) -> None:
        self._config = config
        self._parts = parts
        self._metrics = Metrics()
        self._driver: Driver | None = None
        logs.configure(config.node_id, config.log_level, self._term)

    async def run(self) -> int:
        """Serves until SIGTERM or SIGINT. Raises WalError, and _AddressError where an address is taken."""
        config = self._config
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        background = Background(_die)
        loop.set_exception_handler(_on_loop_error)
        wal = self._parts.wal(config.data_dir, cluster=config.cluster_id, node=config.node_id)
        if wal.torn:
            log.warning("cut a torn write off the end of the log: %s", wal.torn)
        events = EventFile(config.data_dir, cluster=config.cluster_id, node=config.node_id)
        driver = self._driver = Driver(loop, _die, self._metrics.observe_commit)
        transport = GrpcTransport(config.cluster_id, config.peers, driver.on_message, background)
        replica = self._replica(wal, transport, events)
        wal.start(driver.on_durable_threadsafe, _die, self._metrics.observe_sync)
        self._metrics.watch(replica)
        driver.start(replica)

        gate = Gate(config.cluster_id, config.peers, driver)
        registry = Registry(gate, config.worker_offline_after_s)
        http = HttpServer(registry, self._metrics, config.peers)
        orchestrator = OrchestratorService(gate, config.node_id, events.boot)
        server = await _grpc_server(transport, orchestrator, WorkerRegistryService(registry))
        await self._listen(server, http)
        transport.start()
        background.spawn(_measure_lag(self._metrics.observe_lag))
        log.info("node ready", extra={"boot": events.boot, "index": replica.status().last_log_index})
        await stop.wait()

        log.info("stopping")
        driver.stop()
        await server.stop(grace=None)
        await background.cancel()
        await transport.close()
        await http.close()
        wal.close()
        events.close()
        return 0

    def _replica(self, wal: Wal, transport: GrpcTransport, events: EventFile) -> Replica:
        config = self._config
        low_ns, high_ns = (bound * MS for bound in config.election_timeout_ms)
        name = f"{config.seed}/election-timeout/{config.node_id}/{events.boot}"
        random = SystemRandom() if config.seed is None else Random(name)
        return self._parts.replica(
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

    async def _listen(self, server: grpc.aio.Server, http: HttpServer) -> None:
        config = self._config
        try:
            server.add_insecure_port(config.listen_addr)
        except RuntimeError:
            raise _AddressError(
                f"LISTEN_ADDR={config.listen_addr!r}: cannot listen there, is it taken?"
            ) from None
        try:
            await http.start(config.http_addr)
        except OSError as error:
            raise _AddressError(f"HTTP_ADDR={config.http_addr!r}: cannot listen there: {error}") from None
        await server.start()

    def _term(self) -> int | None:
        with contextlib.suppress(AttributeError):  # before the replica is there
            return self._driver.replica.status().term if self._driver else None
        return None


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


def _die(error: BaseException) -> NoReturn:
    """Ends the process on the spot: whatever happened, nothing more may leave this node."""
    log.error("stopping for good: %s: %s", type(error).__name__, error, exc_info=error)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(EXIT_BROKEN)


def _on_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What libraries leave behind; the node's own tasks and callbacks end in _die."""
    log.error("event loop: %s", context.get("message"), exc_info=context.get("exception"))


def _complain(message: str) -> int:
    print(f"control plane: {message}", file=sys.stderr)
    return EXIT_CONFIG
