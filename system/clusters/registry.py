"""The clusters there are. Each offers those verbs of nemesis/nemesis.py that it can carry out."""

from __future__ import annotations

from system.clusters.local import LocalCluster

CLUSTERS: dict[str, type[LocalCluster]] = {cluster.name: cluster for cluster in (LocalCluster,)}
