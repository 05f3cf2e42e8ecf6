"""The compose project of a Docker cluster: its containers' names and addresses, and how they are made."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from system.clusters import sites, slots
from system.clusters.errors import ClusterError

FILE = Path(__file__).parents[2] / "compose" / "docker-compose.yml"
# A share of real-time scheduling for the gateway, in µs of each second, as that file has it.
REALTIME_US = 400_000
GATEWAY_IMAGE = "crosswind/gateway"
REALTIME = FILE.with_name("docker-compose.realtime.yml")
GATEWAY, STORE = "gateway", "minio"
SERVICES = (GATEWAY, STORE)
CLIENTS = "clients"
# In the container of the clients, who routes as a client of that cloud does; and who looks on from nearby.
CLIENT_UIDS = {"aws": 2001, "gcp": 2002, "azure": 2003}
OBSERVER_UID = 2000
# To make containers of images that are there takes some seconds.
ANSWERS_WITHIN_S = 120.0
GRPC_PORT = 50051
WORKER_PORT = 50052
HTTP_PORT = 8080
STORE_PORT = 9000
_LAST_OCTETS = {
    "worker-aws-2": 22,
    **dict.fromkeys(sites.control_plane(3), 11),
    **{worker: 21 for worker in sites.WORKERS if worker.endswith("-1")},
    **dict.fromkeys(sites.CLIENT_SITES, 41),
    "minio": 31,
}


def home(site: str, slot: int) -> str:
    """The address that a site's packets carry."""
    return f"10.{slots.CLOUD_OCTETS[sites.cloud(site)]}.{slot}.{_LAST_OCTETS[site]}"


def homes(slot: int) -> dict[str, str]:
    return {site: home(site, slot) for site in _LAST_OCTETS}


def container(slot: int, site: str) -> str:
    return f"crosswind-{slot}-{site}" if slot else site


def environment(slot: int) -> dict[str, str]:
    """What tells a slot's containers from others': their names, subnets and published ports. All else is as
    the compose file has it, whatever is set where we run: a run's plan alone decides it."""
    ports = ("MINIO_PORT", "MINIO_CONSOLE_PORT", "CP_AWS_PORT", "CP_GCP_PORT", "CP_AZURE_PORT")
    tunables = re.findall(r"^([A-Z][A-Z0-9_]*)=", FILE.with_name(".env.example").read_text(), re.MULTILINE)
    return {
        **dict.fromkeys(tunables, ""),
        "SUBNET": str(slot),
        "NAME_PREFIX": f"crosswind-{slot}-",
        **dict.fromkeys(ports, "0"),  # any that is free
    }


def exec_command(container: str, argv: Sequence[str], *, user: str = "") -> list[str]:
    """A command that runs in a container with our stdin and stdout."""
    return ["docker", "exec", "-i", *(["-u", user] if user else []), container, *argv]


def check_images() -> None:
    """Raises ClusterError unless the images are there, made from the sources that are here now: a run that
    tested yesterday's system would be worse than none."""
    if not FILE.exists():
        raise ClusterError(f"{FILE} is missing: the Docker cluster runs from a checkout of the project")
    asked = subprocess.run(
        [sys.executable, "-m", "compose.sim", "current"],
        cwd=FILE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        raise ClusterError(asked.stderr.strip() or "whether the images are current could not be told")


async def create(project: str, env: Mapping[str, str], *, realtime: bool) -> None:
    """Makes the project's containers, networks and volumes, and starts none. Raises ClusterError.

    realtime: the engine lets the gateway schedule in real time. A user's .env is not for this cluster.
    """
    files = [FILE, *([REALTIME] if realtime else [])]
    options = ["--env-file", os.devnull, "--profile", "harness"]
    await _run(files, [*options, "-p", project, "create"], env)


async def add_clients(project: str) -> None:
    """Puts the clients' container into a project that is there, as its own .env has it, unstarted."""
    await _run([FILE], ["--profile", "harness", "-p", project, "create", "--no-recreate", CLIENTS], {})


async def _run(files: Sequence[Path], arguments: Sequence[str], env: Mapping[str, str]) -> None:
    if shutil.which("docker") is None:
        raise ClusterError("there is no `docker` command: install Docker with Compose v2")
    process = await asyncio.create_subprocess_exec(
        *("docker", "compose", *(word for file in files for word in ("-f", str(file))), *arguments),
        env={**os.environ, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            _, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ClusterError(
            f"`docker compose {' '.join(arguments)}` came to no end within {ANSWERS_WITHIN_S:g} s; where"
            " `docker info` gives no answer, restart the engine"
        ) from None
    if process.returncode != 0:
        said = errors.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"]
        raise ClusterError(f"`docker compose {' '.join(arguments)}` failed: {said[-1]}")
