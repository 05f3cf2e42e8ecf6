"""What Prometheus sees of a node."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from system.control_plane.replica import Replica
from system.raft.roles import State

# Fine where round trips between clouds are: quantiles are read off these, to within a bucket.
_LATENCY_BUCKETS_MS = (
    *range(1, 10),
    *range(10, 30, 2),
    *range(30, 300, 5),
    *range(300, 1000, 50),
    1000,
    2500,
    5000,
)
_ELECTION_BUCKETS_S = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    *(1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0),
)
_FINE_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """One registry a node. The observe methods may be called on any thread."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        latency = "From the append on this leader to its commit"
        self._latency_ms = self._histogram(
            "raft_replication_latency_ms",
            f"{latency}, in milliseconds.",
            _LATENCY_BUCKETS_MS,
        )
        self._latency_s = self._histogram(
            "raft_replication_latency_seconds",
            f"{latency}, in seconds.",
            tuple(bucket / 1000 for bucket in _LATENCY_BUCKETS_MS),
        )
        self._election_s = self._histogram(
            "raft_election_duration_seconds",
            "From this node's first pre-vote since it last followed a leader to its becoming leader.",
            _ELECTION_BUCKETS_S,
        )
        self._silence_s = self._histogram(
            "raft_leader_silence_seconds",
            "From the last that this node heard from a leader, or was one, to its becoming leader.",
            _ELECTION_BUCKETS_S,
        )
        self._sync_s = self._histogram(
            "wal_sync_duration_seconds", "How long fdatasync of the write-ahead log took.", _FINE_BUCKETS_S
        )
        self._lag_s = self._histogram(
            "raft_event_loop_lag_seconds", "How late the event loop ran a timer.", _FINE_BUCKETS_S
        )

    def watch(self, replica: Replica) -> None:
        """Adds what is read off the replica whenever somebody scrapes."""
        self._registry.register(_ReplicaCollector(replica))

    def observe_commit(self, latency_s: float) -> None:
        self._latency_s.observe(latency_s)
        self._latency_ms.observe(latency_s * 1000)

    def observe_election(self, duration_s: float, silence_s: float | None) -> None:
        self._election_s.observe(duration_s)
        if silence_s is not None:
            self._silence_s.observe(silence_s)

    def observe_sync(self, duration_s: float) -> None:
        self._sync_s.observe(duration_s)

    def observe_lag(self, lag_s: float) -> None:
        self._lag_s.observe(lag_s)

    def render(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, buckets=buckets, registry=self._registry)


class _ReplicaCollector(Collector):
    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def collect(self) -> Iterator[Metric]:
        status = self._replica.status()
        elections = self._replica.node.elections
        yield CounterMetricFamily(
            "raft_elections", "Elections this node stood in since its start.", value=elections
        )
        yield GaugeMetricFamily("raft_term", "The node's current term.", value=status.term)
        yield GaugeMetricFamily(
            "raft_commit_index", "The highest index known to be committed.", value=status.commit_index
        )
        yield GaugeMetricFamily(
            "raft_applied_index", "The highest index applied.", value=status.applied_index
        )
        role = GaugeMetricFamily("raft_role", "1 for the role the node is in.", labels=["role"])
        for state in State:
            role.add_metric([state.value], float(status.role is state))
        yield role
