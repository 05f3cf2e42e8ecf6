"""What the worker's tests stand on: ports, waiting, a worker process, and a control plane of one's own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from system import rpc
from system.pb import orchestrator_pb2, worker_pb2, worker_pb2_grpc

REPOSITORY = Path(__file__).parents[2]
CLUSTER_ID = "worker-tests"
# Below the ephemeral range, so that no outgoing connection takes one in between; parallel test processes
# start looking in different places.
_PORTS = range(20_000, 32_000)
_next_port = os.getpid() * 40 % len(_PORTS)


def free_port() -> int:
    global _next_port  # noqa: PLW0603 - a counter for this process
    while True:
        port = _PORTS[_next_port % len(_PORTS)]
        _next_port += 1
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


async def until(condition: Callable[[], bool], what: str, deadline_s: float = 10.0) -> None:
    """Waits for a condition that something outside of this event loop brings about."""
    deadline_ns = time.monotonic_ns() + int(deadline_s * 1e9)
    while not condition():
        assert time.monotonic_ns() < deadline_ns, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(0.01)


class ControlPlaneNode(worker_pb2_grpc.WorkerRegistryServiceServicer):
    """The registry of one control-plane node. Leads, unless `redirect` names another, or `hangs`.

    calls: what it was asked, in order, as (method, worker id); registered: {worker id: request}, forgotten
    when it restarts.
    """

    def __init__(self, *, heartbeat_interval_s: float = 0.0) -> None:
        self.address = free_address()
        self.redirect: orchestrator_pb2.NotLeader | None = None
        self.hangs = False
        self.calls: list[tuple[str, str]] = []
        self.registered: dict[str, worker_pb2.RegisterWorkerRequest] = {}
        self._heartbeat_interval_s = heartbeat_interval_s
        self._server: grpc.aio.Server | None = None

    def count(self, method: str) -> int:
        return sum(called == method for called, _ in self.calls)

    def hears_from(self, worker_id: str, heartbeats: int) -> bool:
        """The worker is registered, and sent this many heartbeats since the node exists."""
        return worker_id in self.registered and self.count("Heartbeat") >= heartbeats

    async def start(self) -> None:
        self._server = grpc.aio.server(options=rpc.SERVER_OPTIONS)
        worker_pb2_grpc.add_WorkerRegistryServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        self.registered.clear()
        if self._server is not None:
            await self._server.stop(grace=None)

    async def RegisterWorker(  # noqa: N802
        self,
        request: worker_pb2.RegisterWorkerRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> worker_pb2.RegisterWorkerResponse:
        self.calls.append(("RegisterWorker", request.worker_id))
        await self._lead_or_refuse(context)
        self.registered[request.worker_id] = request
        return worker_pb2.RegisterWorkerResponse(index=7, heartbeat_interval_s=self._heartbeat_interval_s)

    async def Heartbeat(  # noqa: N802
        self, request: worker_pb2.HeartbeatRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> worker_pb2.HeartbeatResponse:
        self.calls.append(("Heartbeat", request.worker_id))
        await self._lead_or_refuse(context)
        assert request.cluster_id == CLUSTER_ID
        return worker_pb2.HeartbeatResponse(known=request.worker_id in self.registered)

    async def _lead_or_refuse(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.redirect is not None:
            metadata = ((rpc.NOT_LEADER_KEY, self.redirect.SerializeToString()),)
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not the leader", metadata)


@asynccontextmanager
async def control_plane(
    size: int, *, heartbeat_interval_s: float = 0.0
) -> AsyncIterator[list[ControlPlaneNode]]:
    """Nodes that all believe to lead, until a test tells them otherwise."""
    nodes = [ControlPlaneNode(heartbeat_interval_s=heartbeat_interval_s) for _ in range(size)]
    try:
        for node in nodes:
            await node.start()
        yield nodes
    finally:
        for node in nodes:
            await node.stop()


class Process:
    """A process of the system. logs: its log lines so far; errors: its stderr, once it ended."""

    def __init__(self, process: asyncio.subprocess.Process, environment: Mapping[str, str]) -> None:
        self.address = environment["LISTEN_ADDR"]
        self.http_address = environment["HTTP_ADDR"]
        self.logs: list[dict[str, Any]] = []
        self.errors = ""
        self._process = process
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        async for line in self._process.stdout:
            self.logs.append(json.loads(line))
        self.errors = (await self._process.stderr.read()).decode()

    async def logged(self, message: str) -> dict[str, Any]:
        """The first line whose msg begins so."""
        await until(
            lambda: any(line["msg"].startswith(message) for line in self.logs), f"log line {message!r}"
        )
        return next(line for line in self.logs if line["msg"].startswith(message))

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def stop(self, signal_number: int) -> int:
        """Its exit code. Negative: the signal that killed it."""
        self.signal(signal_number)
        return await self.exit()

    async def exit(self) -> int:
        """Waits until it ends by itself."""
        async with asyncio.timeout(10):
            await self._reading
            return await self._process.wait()


def environment(orchestrator: str, **changes: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "WORKER_ID": "worker-aws-1",
        "CLUSTER_ID": CLUSTER_ID,
        "CLOUD": "aws",
        "LISTEN_ADDR": free_address(),
        "HTTP_ADDR": free_address(),
        "ORCHESTRATOR_ADDR": orchestrator,
        "HEARTBEAT_INTERVAL_S": "0.2",
        "WORKER_SEED": "7",
    } | changes


@asynccontextmanager
async def process(module: str, env: Mapping[str, str]) -> AsyncIterator[Process]:
    """`python -m module`, started; killed at the end, where it still runs."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        env=dict(env),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    started = Process(child, env)
    try:
        yield started
    finally:
        if child.returncode is None:
            child.kill()
        await started.exit()


def worker(env: Mapping[str, str]) -> AbstractAsyncContextManager[Process]:
    """Started, not yet registered."""
    return process("system.worker", env)
