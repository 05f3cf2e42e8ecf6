"""Three clouds and an edge as network namespaces, and a real gateway between them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
SUBNET = 77
SITES = {
    "cp-aws-1": f"10.10.{SUBNET}.11",
    "cp-gcp-1": f"10.20.{SUBNET}.11",
    "cp-azure-1": f"10.30.{SUBNET}.11",
}
EDGE_ADDRESS = f"10.40.{SUBNET}.2"
HOST_ADDRESS = f"10.40.{SUBNET}.1"
DEADLINE_S = 20.0

PING = Path(__file__).with_name("gateway_ping.py")


def missing() -> str | None:
    """Why there can be no lab here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    try:
        for command in (["ip", "netns", "list"], ["iptables", "--version"]):
            subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)
    return None


def until(good: Callable[[], Any], what: str, timeout_s: float = DEADLINE_S) -> Any:
    deadline_s = time.monotonic() + timeout_s
    while not (answer := good()):
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)
    return answer


class Lab:
    """A namespace for each of SITES, `edge` (where the host would be) and `gateway`; its interfaces are not
    named by their networks, and not in their order. Removed on exit, with every process in it."""

    def __init__(self, directory: Path, **env: str) -> None:
        self.control_socket = directory / "gateway.sock"
        self._env = {
            "SITES": ",".join(f"{name}={address}" for name, address in SITES.items()),
            "SUBNET": str(SUBNET),
            "GATEWAY_SOCKET": str(self.control_socket),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            **env,
        }
        self._prefix = f"cw{os.getpid()}"
        self._processes: list[subprocess.Popen[str]] = []
        self.gateway: subprocess.Popen[str] | None = None
        self.started: dict[str, Any] = {}

    def __enter__(self) -> Self:
        try:
            self._build()
            self.start_gateway()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()
        for name in self._namespaces():
            subprocess.run(["ip", "netns", "delete", self._namespace(name)], capture_output=True, check=False)

    def _namespaces(self) -> list[str]:
        return ["gateway", "edge", *SITES]

    def _namespace(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _build(self) -> None:
        for name in self._namespaces():
            _ip("netns", "add", self._namespace(name))
            self.run(name, ["ip", "link", "set", "lo", "up"])
        self._connect("cp-azure-1", SITES["cp-azure-1"], "eth0")
        self._connect("edge", HOST_ADDRESS, "eth1")
        self._connect("cp-gcp-1", SITES["cp-gcp-1"], "eth2")
        self._connect("cp-aws-1", SITES["cp-aws-1"], "eth3")
        for name, address in SITES.items():
            self.run(name, ["ip", "route", "add", "default", "via", f"{address.rpartition('.')[0]}.1"])

    def _connect(self, name: str, address: str, leg: str) -> None:
        here, there = self._namespace(name), self._namespace("gateway")
        _ip("-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", leg, "netns", there)
        for namespace, device, own in (
            (here, "eth0", address),
            (there, leg, f"{address.rpartition('.')[0]}.2"),
        ):
            _ip("-n", namespace, "address", "add", f"{own}/24", "dev", device)
            _ip("-n", namespace, "link", "set", device, "up")

    def start_gateway(self) -> None:
        """Starts it, again if there was one, and waits until it is ready."""
        self.gateway = self.spawn("gateway", [sys.executable, "-m", "compose.gateway"])
        assert self.gateway.stdout is not None
        line = self.gateway.stdout.readline()
        if not line:
            assert self.gateway.stderr is not None
            raise AssertionError(f"the gateway did not start: {self.gateway.stderr.read()}")
        self.started = json.loads(line)

    def signal_gateway(self, number: signal.Signals) -> None:
        assert self.gateway is not None
        self.gateway.send_signal(number)

    def spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[str]:
        """A process in a namespace; the pid is its own, since `ip netns exec` becomes the command."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._namespace(name), *command],
            env=self._env,
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._processes.append(process)
        return process

    def run(self, name: str, command: Sequence[str], check: bool = True) -> str:
        """What a command in a namespace printed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self._namespace(name), *command],
            env=self._env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S * 3,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stderr}"
        return done.stdout

    def ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        answer = self.tell(json.dumps({"id": 1, "verb": verb, **arguments}).encode() + b"\n")
        assert "ok" in answer, answer
        ok: dict[str, Any] = answer["ok"]
        return ok

    def tell(self, line: bytes) -> dict[str, Any]:
        """The answer to a raw line."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(DEADLINE_S)
            connection.connect(str(self.control_socket))
            connection.sendall(line)
            answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer

    def counts(self, source: str, target: str) -> Mapping[str, Any]:
        counts: Mapping[str, Any] = self.ask("counts", links=[[source, target]])[f"{source}->{target}"]
        return counts

    def ping(
        self, source: str, target: str, count: int = 20, interval_s: float = 0.01, timeout_s: float = 1.0
    ) -> list[tuple[int, float]]:
        """The answers in the order they came: (number of the request, round trip in ms)."""
        command = [sys.executable, str(PING), SITES[target], str(count), str(interval_s), str(timeout_s)]
        return [(sequence, ms) for sequence, ms in json.loads(self.run(source, command))]


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
