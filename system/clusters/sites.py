"""Who is in a local cluster, who dials whom, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence

from system.clusters.addresses import Pair
from system.clusters.errors import ClusterError

_NODES = ("cp-aws-1", "cp-gcp-1", "cp-azure-1", "cp-aws-2", "cp-gcp-2")
WORKERS = ("worker-aws-1", "worker-aws-2", "worker-gcp-1", "worker-azure-1")
CLIENT_SITES = ("client-aws", "client-gcp", "client-azure")
# Services, and the clouds that they stand in.
HOMES = {"minio": "aws"}


def control_plane(count: int) -> tuple[str, ...]:
    """The control-plane nodes of a cluster of that size. Raises ClusterError unless it is 1, 3 or 5."""
    if count not in (1, 3, 5):
        raise ClusterError(f"a cluster has 1, 3 or 5 control-plane nodes, not {count}")
    return _NODES[:count]


def cloud(site: str) -> str:
    return HOMES.get(site) or site.split("-")[1]


def dials(nodes: Sequence[str], workers: Sequence[str], services: Sequence[str] = ()) -> list[Pair]:
    """Every (source, destination): whoever opens connections, to whom."""
    return [
        *((a, b) for a in nodes for b in nodes if a != b),
        *((a, b) for a in (*workers, *CLIENT_SITES) for b in nodes),
        *((a, b) for a in (*nodes, *CLIENT_SITES) for b in workers),
        *((a, b) for a in workers for b in services),
    ]


def cross_cloud(pairs: Sequence[Pair]) -> list[Pair]:
    """Those that lead from one cloud to another, and their reverses."""
    return [p for a, b in pairs if cloud(a) != cloud(b) for p in ((a, b), (b, a))]
