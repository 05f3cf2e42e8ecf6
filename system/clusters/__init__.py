"""Where the system runs. Each cluster offers the verbs of nemesis/nemesis.py that it can carry out."""

from __future__ import annotations

from system.clusters.local import LocalCluster

_ALL = (LocalCluster,)

CLUSTERS: dict[str, type[LocalCluster]] = {cluster.name: cluster for cluster in _ALL}
