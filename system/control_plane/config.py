"""A node's configuration, read from the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_ADDRESS_SHAPE = "host:port, such as 127.0.0.1:15051"

T = TypeVar("T")


class ConfigError(ValueError):
    """One line for a person: which variable, what it was, what was expected."""


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
    """Raises ConfigError for a missing or bad value."""
    config = Config(
        node_id=_get(env, "NODE_ID", _node_id),
        cluster_id=_get(env, "CLUSTER_ID", _node_id),
        peers=_get(env, "PEERS", parse_address_book, ""),
        listen_addr=_get(env, "LISTEN_ADDR", parse_address),
        http_addr=_get(env, "HTTP_ADDR", parse_address),
        data_dir=_get(env, "DATA_DIR", _path),
        heartbeat_ms=_get(env, "RAFT_HEARTBEAT_MS", _whole(1, 60_000), "150"),
        election_timeout_ms=_get(env, "RAFT_ELECTION_TIMEOUT_MS", _range_ms, "300-600"),
        max_batch=_get(env, "RAFT_MAX_BATCH", _whole(1, 10_000), "64"),
        seed=env.get("RAFT_SEED") or None,
        worker_offline_after_s=_get(env, "WORKER_OFFLINE_AFTER_S", _seconds, "15"),
        log_level=_get(env, "LOG_LEVEL", _log_level, "INFO"),
    )
    if config.node_id in config.peers:
        raise ConfigError(f"PEERS names this node itself ({config.node_id}): list the other voters only")
    if config.heartbeat_ms >= config.election_timeout_ms[0]:
        raise ConfigError(
            f"RAFT_HEARTBEAT_MS={config.heartbeat_ms} has to be less than the shortest election timeout "
            f"({config.election_timeout_ms[0]} ms), or followers would stand for election in calm"
        )
    return config


def parse_address(text: str) -> str:
    """ "host:port" unchanged. Raises ValueError, which says what was expected."""
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"expected {_ADDRESS_SHAPE}")
    return text


def parse_address_book(text: str) -> dict[str, str]:
    """ "a=host:port,b=host:port" → {id: address}; "" → {}. Raises ValueError like parse_address."""
    book: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, address = item.partition("=")
        try:
            if not equals or _node_id(name) in book:
                raise ValueError
            book[name] = parse_address(address)
        except ValueError:
            raise ValueError(
                f"expected id=host:port,id=host:port with each id once; {item!r} does not fit"
            ) from None
    return book


def _get(env: Mapping[str, str], name: str, parse: Callable[[str], T], default: str | None = None) -> T:
    text = env.get(name, default)
    if text is None:
        raise ConfigError(f"{name} is not set: {_HELP[name]}")
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{name}={text!r}: {error}") from None


_HELP = {
    "NODE_ID": "set it to this node's name, such as cp-aws-1",
    "CLUSTER_ID": "set it to the cluster's name, the same on every node",
    "LISTEN_ADDR": f"set it to where gRPC listens, {_ADDRESS_SHAPE}",
    "HTTP_ADDR": "set it to where HTTP listens, host:port, such as 127.0.0.1:18080",
    "DATA_DIR": "set it to the directory that keeps this node's log",
}


def _node_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("expected 1 to 64 letters, digits, dots, dashes or underscores")
    return text


def _path(text: str) -> Path:
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


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ValueError("expected a positive number of seconds")
    return value


def _log_level(text: str) -> str:
    if text not in _LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(_LOG_LEVELS)}")
    return text
