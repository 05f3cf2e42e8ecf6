"""The clusters there are. Each offers those verbs of nemesis/nemesis.py that it can carry out."""

from __future__ import annotations

from system.clusters.docker import DockerCluster
from system.clusters.local import LocalCluster
from system.clusters.sim import SimCluster

AnyCluster = type[LocalCluster] | type[DockerCluster] | type[SimCluster]
_ALL: tuple[AnyCluster, ...] = (LocalCluster, DockerCluster, SimCluster)

CLUSTERS: dict[str, AnyCluster] = {cluster.name: cluster for cluster in _ALL}
