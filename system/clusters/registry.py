"""The clusters there are. Each offers those verbs of nemesis/nemesis.py that it can carry out."""

from __future__ import annotations

from system.clusters.docker import DockerCluster
from system.clusters.local import LocalCluster

_ALL: tuple[type[LocalCluster] | type[DockerCluster], ...] = (LocalCluster, DockerCluster)

CLUSTERS: dict[str, type[LocalCluster] | type[DockerCluster]] = {cluster.name: cluster for cluster in _ALL}
