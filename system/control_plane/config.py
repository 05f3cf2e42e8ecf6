"""A node's settings, from its environment.

| variable | meaning | default |
|---|---|---|
| NODE_ID | this node's name, such as cp-aws-1 | required |
| CLUSTER_ID | the cluster's name, the same on every node; requests for another are refused | required |
| PEERS | the other voters as dialled from here: "id=host:port,id=host:port" | none: a cluster of one |
| LISTEN_ADDR | host:port of its gRPC services | required |
| HTTP_ADDR | host:port of /health, /cluster-state and /metrics | required |
| DATA_DIR | the directory that keeps its log | required |
| RAFT_HEARTBEAT_MS | milliseconds between heartbeats | 150 |
| RAFT_ELECTION_TIMEOUT_MS | range of election timeouts, "300-600", or N for N-2N | 300-600 |
| RAFT_MAX_BATCH | entries in one AppendEntries, at most | 64 |
| RAFT_SEED | seed of the election timeouts | the system's randomness |
| WORKER_OFFLINE_AFTER_S | seconds without a heartbeat after which a worker counts as offline | 15 |
| LOG_LEVEL | DEBUG, INFO, WARNING or ERROR | INFO |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from system import settings
from system.settings import SettingError


@dataclass(frozen=True, slots=True)
class Config:
    """peers: {node id: "host:port"} of the other voters, as dialled from here."""

    node_id: str
    cluster_id: str
    peers: Mapping[str, str]
    listen_addr: str
    http_addr: str
    data_dir: Path
    heartbeat_ms: int = 150
    election_timeout_ms: tuple[int, int] = (300, 600)
    max_batch: int = 64
    seed: str | None = None
    worker_offline_after_s: float = 15.0
    log_level: str = "INFO"

    @property
    def voters(self) -> tuple[str, ...]:
        return tuple(sorted((self.node_id, *self.peers)))


def config_from_env(env: Mapping[str, str]) -> Config:
    """Raises SettingError for the first setting that is missing or wrong."""
    read = settings.read
    config = Config(
        node_id=read(env, "NODE_ID", settings.name),
        cluster_id=read(env, "CLUSTER_ID", settings.name),
        peers=read(env, "PEERS", _peers),
        listen_addr=read(env, "LISTEN_ADDR", settings.address),
        http_addr=read(env, "HTTP_ADDR", settings.address),
        data_dir=read(env, "DATA_DIR", _directory),
        heartbeat_ms=read(env, "RAFT_HEARTBEAT_MS", _whole(1, 60_000), "150"),
        election_timeout_ms=read(env, "RAFT_ELECTION_TIMEOUT_MS", _range_ms, "300-600"),
        max_batch=read(env, "RAFT_MAX_BATCH", _whole(1, 10_000), "64"),
        seed=env.get("RAFT_SEED") or None,
        worker_offline_after_s=read(env, "WORKER_OFFLINE_AFTER_S", settings.seconds, "15"),
        log_level=read(env, "LOG_LEVEL", settings.log_level, "INFO"),
    )
    if config.node_id in config.peers:
        raise SettingError(f"PEERS names this node itself ({config.node_id}): list the other voters only")
    if config.heartbeat_ms >= config.election_timeout_ms[0]:
        raise SettingError(
            f"RAFT_HEARTBEAT_MS={config.heartbeat_ms} has to be less than the shortest election timeout "
            f"({config.election_timeout_ms[0]} ms), or followers would stand for election in calm"
        )
    return config


def _peers(text: str) -> dict[str, str]:
    book: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        peer, equals, address = item.partition("=")
        try:
            if not equals or settings.name(peer) in book:
                raise ValueError
            book[peer] = settings.address(address)
        except ValueError:
            raise ValueError(
                f"expected id=host:port,id=host:port with each id once; {item!r} does not fit"
            ) from None
    return book


def _directory(text: str) -> Path:
    if not text:
        raise ValueError("expected a directory")
    return Path(text)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(text)

    return parse


def _range_ms(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    try:
        first = _whole(2, 600_000)(low)
        last = _whole(2, 600_000)(high) if dash else 2 * first
    except ValueError:
        first, last = 1, 0
    if last <= first:
        raise ValueError('expected a range of milliseconds such as "300-600", or one number N for N-2N')
    return first, last
