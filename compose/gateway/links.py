"""The links: every ordered pair of sites in different clouds, and what lies between two clouds otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations

from compose.gateway.config import Config
from compose.gateway.counts import Counts, Dwell
from compose.gateway.shape import NS_PER_MS, Shape

Pair = tuple[str, str]


@dataclass(slots=True)
class Link:
    shape: Shape
    counts: Counts = field(default_factory=Counts)
    dwell: Dwell = field(default_factory=Dwell)


def site_links(config: Config, base_ns: Mapping[Pair, int]) -> dict[Pair, Link]:
    """base_ns: what this process adds one way, by pair of clouds (see one_way_ns)."""
    return {
        (source, target): new_link(
            config, f"{source}->{target}", base_ns[cloud_pair(base_ns, a.cloud, b.cloud)]
        )
        for (source, a), (target, b) in permutations(config.sites.items(), 2)
        if a.cloud != b.cloud
    }


def new_link(config: Config, name: str, base_ns: int) -> Link:
    return Link(Shape(name, config.seed, base_ns, round(config.jitter_ms / 2 * NS_PER_MS)))


def by_addresses(config: Config, links: Mapping[Pair, Link]) -> dict[bytes, Link]:
    """Keyed by what a packet carries: source and destination address, 8 bytes."""
    return {
        config.sites[source].address.packed + config.sites[target].address.packed: link
        for (source, target), link in links.items()
    }


def one_way_ns(config: Config) -> dict[Pair, int]:
    return {pair: round(ms / 2 * NS_PER_MS) for pair, ms in config.round_trip_ms.items()}


def cloud_pair(pairs: Mapping[Pair, object], a: str, b: str) -> Pair:
    """The pair as it is spelled among `pairs`, whichever comes first."""
    return (a, b) if (a, b) in pairs else (b, a)
