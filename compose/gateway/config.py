"""What the gateway is told by its environment. Round trips in, as in the cluster's own settings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from itertools import combinations
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Each cloud's second octet; the third is the cluster's own number.
CLOUDS = {"aws": 10, "gcp": 20, "azure": 30}
EDGE = 40
CLOUD_PAIRS = tuple(combinations(CLOUDS, 2))
BACKENDS = ("auto", "tun", "netem")
SOCKET = "/run/gateway.sock"
LONGEST_MS = 60_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PUBLISHED = re.compile(r"([0-9]{1,5})=([^:]+):([0-9]{1,5})")


class SettingError(Exception):
    """One line for a person: which variable, what it was, what was expected."""


@dataclass(frozen=True, slots=True)
class Site:
    address: IPv4Address
    cloud: str


@dataclass(frozen=True, slots=True)
class Published:
    """A TCP port of the edge leg that leads to a site's port."""

    port: int
    to: IPv4Address
    to_port: int


@dataclass(frozen=True, slots=True)
class Config:
    subnet: int
    sites: Mapping[str, Site]
    round_trip_ms: Mapping[tuple[str, str], float]  # by CLOUD_PAIRS
    jitter_ms: float  # of a round trip, either way of its mean
    seed: str
    backend: str
    published: tuple[Published, ...]
    socket: Path


def from_env(env: Mapping[str, str]) -> Config:
    """Raises SettingError."""
    subnet = _read(env, "SUBNET", _octet, "0")
    sites = _read(env, "SITES", lambda text: _sites(text, subnet))
    cross_ms = _read(env, "CROSS_CLOUD_LATENCY_MS", _milliseconds, "50")
    azure_ms = _read(env, "AZURE_LATENCY_MS", _milliseconds, str(cross_ms))
    return Config(
        subnet=subnet,
        sites=sites,
        round_trip_ms={pair: azure_ms if "azure" in pair else cross_ms for pair in CLOUD_PAIRS},
        jitter_ms=_read(env, "JITTER_MS", _milliseconds, "0"),
        seed=env.get("GATEWAY_SEED") or "0",
        backend=_read(env, "GATEWAY_BACKEND", _backend, "auto"),
        published=_read(env, "PORTS", lambda text: _ports(text, sites)),
        socket=socket_path(env),
    )


def socket_path(env: Mapping[str, str]) -> Path:
    return Path(env.get("GATEWAY_SOCKET") or SOCKET)


def network(second_octet: int, subnet: int) -> IPv4Network:
    return IPv4Network(f"10.{second_octet}.{subnet}.0/24")


def _read(env: Mapping[str, str], name: str, parse: Callable[[str], T], default: str = "") -> T:
    """An unset variable and an empty one are the same: the default."""
    text = env.get(name) or default
    try:
        return parse(text)
    except ValueError as error:
        raise SettingError(f"{name}={text!r}: {error}" if text else f"{name} is not set: {error}") from None


def _octet(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise ValueError("expected the third octet of the cluster's subnets, 0 to 255")
    return int(text)


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LONGEST_MS:
        raise ValueError(f"expected milliseconds, 0 to {LONGEST_MS}, such as 50")
    return value


def _backend(text: str) -> str:
    if text not in BACKENDS:
        raise ValueError(f"expected one of {', '.join(BACKENDS)}")
    return text


def _sites(text: str, subnet: int) -> dict[str, Site]:
    sites: dict[str, Site] = {}
    for entry in _entries(text):
        name, _, address = entry.partition("=")
        site = Site(_address(address, entry), _cloud(address, subnet))
        if not _NAME.fullmatch(name) or name in sites or site in sites.values():
            raise ValueError(f"{entry}: expected name=address, each name and each address once")
        sites[name] = site
    if not sites:
        raise ValueError(
            "expected the sites' home addresses, such as cp-aws-1=10.10.0.11,cp-gcp-1=10.20.0.11"
        )
    return sites


def _address(text: str, entry: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise ValueError(f"{entry}: expected name=address, such as cp-aws-1=10.10.0.11") from None


def _cloud(address: str, subnet: int) -> str:
    for cloud, octet in CLOUDS.items():
        if IPv4Address(address) in network(octet, subnet):
            return cloud
    expected = ", ".join(str(network(octet, subnet)) for octet in CLOUDS.values())
    raise ValueError(f"{address} is in none of the clouds' networks {expected}; does SUBNET fit?")


def _ports(text: str, sites: Mapping[str, Site]) -> tuple[Published, ...]:
    return tuple(_published(entry, sites) for entry in _entries(text))


def _published(entry: str, sites: Mapping[str, Site]) -> Published:
    match = _PUBLISHED.fullmatch(entry)
    if match is None or not all(0 < int(port) < 65536 for port in (match[1], match[3])):
        raise ValueError(f"{entry}: expected port=site:port, such as 9001=minio:9001")
    if match[2] not in sites:
        raise ValueError(f"{entry}: {match[2]} is not in SITES")
    return Published(int(match[1]), sites[match[2]].address, int(match[3]))


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]
