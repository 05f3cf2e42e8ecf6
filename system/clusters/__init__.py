"""Where the system runs. A cluster offers those verbs of nemesis/nemesis.py that it can carry out.

CLUSTERS: {name: cluster}. Built when it is first asked for: the supervisor and the ticker live in this
package too, start with every cluster, and must not load gRPC for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from system.clusters.local import LocalCluster

    CLUSTERS: dict[str, type[LocalCluster]]


def __getattr__(name: str) -> Any:
    if name != "CLUSTERS":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from system.clusters.local import LocalCluster

    return {cluster.name: cluster for cluster in (LocalCluster,)}
