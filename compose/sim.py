"""The commands behind `make build` and `make sim-…`: python -m compose.sim COMMAND."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from compose import images
from compose.engine import ONE_BY_ONE, ROOT, WITHOUT_DOCKER, Trouble, docker, realtime_allowed, require_engine
from compose.round_trip import measure
from compose.settings import settings

PROJECT = "crosswind"
HEALTHY_WITHIN_S = 90
FILES = ("docker-compose.yml", "docker-compose.realtime.yml")
# What is published on this machine, and the variable that moves it somewhere else.
PORTS = {
    "MINIO_PORT": (9000, "object store (S3)"),
    "MINIO_CONSOLE_PORT": (9001, "object store's console"),
    "CP_AWS_PORT": (8081, "cp-aws-1"),
    "CP_GCP_PORT": (8082, "cp-gcp-1"),
    "CP_AZURE_PORT": (8083, "cp-azure-1"),
}


def up() -> None:
    require_engine()
    _require_tun()
    if images.stale():
        images.build()
    ports = chosen_ports(settings())
    if not _is_up():
        require_free(ports)
    began = time.monotonic()
    _compose(
        "up", "--detach", "--wait", f"--wait-timeout={HEALTHY_WITHIN_S}", "--no-build", "--remove-orphans"
    )
    print(f"nine containers healthy after {time.monotonic() - began:.1f} s")
    for variable, (_, what) in PORTS.items():
        path = "/cluster-state" if variable.startswith("CP_") else ""
        print(f"  {what:<24}http://127.0.0.1:{ports[variable]}{path}")


def down(*options: str) -> None:
    require_engine()
    _compose("--profile=harness", "down", "--timeout=5", "--remove-orphans", *options, realtime=False)
    label = f"--filter=label=com.docker.compose.project={PROJECT}"
    left = docker("ps", "--all", "--quiet", label) + docker("network", "ls", "--quiet", label)
    if left:
        raise Trouble("containers or networks are left: docker ps -a, docker network ls")
    print(
        "nothing is left" if options else "nothing is left but the volumes; make sim-reset removes them too"
    )


def reset() -> None:
    down("--volumes")


def build() -> None:
    require_engine()
    images.build()


def current() -> None:
    """Raises Trouble unless a cluster would run these very sources."""
    require_engine()
    if old := images.stale():
        raise Trouble(f"{', '.join(old)}: not there, or made from other sources than these; make build")


def sizes() -> None:
    require_engine()
    images.print_sizes()


def ping() -> None:
    require_engine()
    prefix = settings().get("NAME_PREFIX", "")
    for to in ("worker-gcp-1", "worker-aws-2"):
        print(f"worker-aws-1 -> {to}: {measure(f'{prefix}worker-aws-1', to)}")


def ps() -> None:
    require_engine()
    _show("ps", "--all")


def logs() -> None:
    require_engine()
    _show("logs", "--follow", "--tail=100")


def _command(realtime: bool) -> list[str]:
    files = FILES if realtime else FILES[:1]
    return ["compose", f"--project-name={PROJECT}", *(f"--file={ROOT / 'compose' / name}" for name in files)]


def _compose(*words: str, realtime: bool | None = None) -> None:
    """Raises Trouble, with what is not healthy where something is not."""
    allowed = realtime_allowed(images.NAMES["gateway"]) if realtime is None else realtime
    try:
        docker(*_command(allowed), *words, env=ONE_BY_ONE if "down" in words else None)
    except Trouble as trouble:
        raise Trouble(f"{trouble}{_sick()}") from None


def _show(*words: str) -> None:
    subprocess.run(["docker", *_command(realtime=False), *words], check=False)


def _sick() -> str:
    """Which containers are not healthy, and what they logged last."""
    listed = docker(
        "ps",
        "--all",
        f"--filter=label=com.docker.compose.project={PROJECT}",
        "--format={{.Names}}\t{{.Status}}",
    )
    bad = [
        line.split("\t") for line in listed.splitlines() if "(healthy)" not in line and "Created" not in line
    ]
    return "".join(f"; {name}: {status}, see docker logs {name}" for name, status in bad)


def _is_up() -> bool:
    running = f"--filter=label=com.docker.compose.project={PROJECT}"
    return docker("ps", "--quiet", running, "--filter=label=com.docker.compose.service=gateway") != ""


def chosen_ports(chosen: Mapping[str, str]) -> dict[str, int]:
    """Raises Trouble for one that is no port."""
    ports: dict[str, int] = {}
    for variable, (default, _) in PORTS.items():
        text = chosen.get(variable, str(default))
        if not (text.isdecimal() and 0 < int(text) < 65536):
            raise Trouble(f"{variable}={text}: expected a port, such as {default}")
        ports[variable] = int(text)
    return ports


def require_free(ports: Mapping[str, int]) -> None:
    for variable, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise Trouble(
                    f"port {port} of 127.0.0.1 is taken ({PORTS[variable][1]}): end what listens there, "
                    f"or choose another, such as make sim-up {variable}={port + 10_000}"
                ) from None


def _require_tun() -> None:
    """Asked of this machine, so only where the engine is on it."""
    if sys.platform == "linux" and "DOCKER_HOST" not in os.environ and not Path("/dev/net/tun").exists():
        raise Trouble(
            "there is no /dev/net/tun, which the gateway delays packets with: modprobe tun, as root; "
            + WITHOUT_DOCKER
        )


COMMANDS: dict[str, Callable[[], None]] = {
    command.__name__: command for command in (build, current, up, down, reset, ps, logs, sizes, ping)
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"expected one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        COMMANDS[arguments[0]]()
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
