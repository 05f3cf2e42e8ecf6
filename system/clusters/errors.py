"""What goes wrong with a cluster as such, in words for people."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster cannot do what was asked: what went wrong, and where to look."""
