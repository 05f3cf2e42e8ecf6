"""Real control-plane nodes on 127.0.0.1, for tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Any, TypeVar

import grpc

from system.client import Client
from system.pb import orchestrator_pb2 as pb
from system.pb import orchestrator_pb2_grpc
from system.rpc import CHANNEL_OPTIONS

NAMES = ("cp-aws-1", "cp-gcp-1", "cp-azure-1")
CLUSTER = "test-cluster"
DEADLINE_S = 15.0

T = TypeVar("T")


def free_ports(count: int) -> list[int]:
    """Below the ephemeral range, so that no outgoing connection takes one before the node does."""
    ports: list[int] = []
    while len(ports) < count:
        port = SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def wait_for(condition: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Polls until the condition is true and returns it."""
    until = time.monotonic() + deadline_s
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {deadline_s} s: {what}")


async def wait_for_async(condition: Callable[[], Awaitable[T]], what: str) -> T:
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if found := await condition():
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {DEADLINE_S} s: {what}")


class Nodes:
    """A cluster of `count` node processes. Leaves none behind.

    command: what to run instead of `python -m system.control_plane`
    """

    def __init__(
        self,
        directory: Path,
        count: int,
        *,
        env: Mapping[str, str] | None = None,
        command: list[str] | None = None,
    ) -> None:
        self.directory = directory
        self.names = NAMES[:count]
        ports = free_ports(2 * count)
        self.grpc = {name: f"127.0.0.1:{port}" for name, port in zip(self.names, ports[:count], strict=True)}
        self.http = {name: f"127.0.0.1:{port}" for name, port in zip(self.names, ports[count:], strict=True)}
        self._extra = dict(env or {})
        self._command = command or [sys.executable, "-m", "system.control_plane"]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Nodes:
        for name in self.names:
            self.start(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def env(self, name: str) -> dict[str, str]:
        peers = [f"{peer}={address}" for peer, address in self.grpc.items() if peer != name]
        return {
            **os.environ,
            "NODE_ID": name,
            "CLUSTER_ID": CLUSTER,
            "PEERS": ",".join(peers),
            "LISTEN_ADDR": self.grpc[name],
            "HTTP_ADDR": self.http[name],
            "DATA_DIR": str(self.data(name)),
            **self._extra,
        }

    def data(self, name: str) -> Path:
        return self.directory / name

    def start(self, name: str) -> None:
        with (self.directory / f"{name}.stdout").open("ab") as out, self.stderr(name).open("ab") as err:
            self.processes[name] = subprocess.Popen(self._command, env=self.env(name), stdout=out, stderr=err)

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def wait(self, name: str) -> int:
        return self.processes[name].wait(DEADLINE_S)

    def stderr(self, name: str) -> Path:
        return self.directory / f"{name}.stderr"

    def log(self, name: str) -> list[dict[str, Any]]:
        text = (self.directory / f"{name}.stdout").read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def get(self, name: str, path: str) -> tuple[int, str]:
        """(status, body); (0, "") where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.http[name]}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()
        except OSError:
            return 0, ""

    def leader(self) -> str:
        """Waits for one."""

        def look() -> str | None:
            for name in self.names:
                status, body = self.get(name, "/health")
                if status == 200 and json.loads(body)["role"] == "leader":
                    return name
            return None

        return wait_for(look, "a leader") or ""

    def client(self, client_id: str, **options: Any) -> Client:
        return Client(self.grpc, cluster_id=CLUSTER, client_id=client_id, **options)

    async def status(self, name: str) -> pb.StatusResponse | None:
        async with grpc.aio.insecure_channel(self.grpc[name], options=CHANNEL_OPTIONS) as channel:
            stub: Any = orchestrator_pb2_grpc.OrchestratorServiceStub(channel)  # type: ignore[no-untyped-call]
            try:
                answer: pb.StatusResponse = await stub.Status(pb.StatusRequest(cluster_id=CLUSTER), timeout=2)
            except grpc.aio.AioRpcError:
                return None
            return answer
