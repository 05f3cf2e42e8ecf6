"""How a node's process is started: its command and its environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from system.clusters import sites
from system.clusters.supervision import python_env

# Neither a proxy for web traffic nor an account in a real cloud has any business between processes of one
# machine.
_NOT_OURS = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "aws_")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process is. book: "id=ip:port,…", the control plane as dialled from there."""

    grpc: str
    http: str
    book: str
    directory: Path


def ticker_command(path: Path) -> list[str]:
    return [sys.executable, "-m", "system.clusters.ticker", str(path)]


def worker_command() -> list[str]:
    return [sys.executable, "-m", "system.worker"]


def node_command(mutant: str | None) -> list[str]:
    if mutant is not None:
        return [sys.executable, "-m", "system.mutants", mutant]
    return [sys.executable, "-m", "system.control_plane"]


def worker_environment(name: str, cluster_id: str, seed: int, place: Place) -> dict[str, str]:
    return {
        "WORKER_ID": name,
        "CLUSTER_ID": cluster_id,
        "CLOUD": sites.cloud(name),
        "LISTEN_ADDR": place.grpc,
        "HTTP_ADDR": place.http,
        "ADVERTISE_ADDR": place.grpc,
        "ORCHESTRATOR_ADDR": place.book,
        "WORKER_SEED": str(seed),
    }


def node_environment(name: str, cluster_id: str, seed: int, place: Place) -> dict[str, str]:
    return {
        "NODE_ID": name,
        "CLUSTER_ID": cluster_id,
        "PEERS": place.book,
        "LISTEN_ADDR": place.grpc,
        "HTTP_ADDR": place.http,
        "DATA_DIR": str(place.directory),
        "RAFT_SEED": str(seed),
    }


def inherited_environment() -> Mapping[str, str]:
    """Ours, so that `python -m system…` works in it from any directory, logs at once, and dials directly."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().startswith(_NOT_OURS)}
    return python_env({**kept, "PYTHONUNBUFFERED": "1"})
