"""Quantiles as Prometheus has them, from histograms as nodes show them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from benchmarks.histogram import Histogram, quantile
from system.control_plane.metrics import Metrics

NAME = "raft_replication_latency_seconds"


def shown(latencies_s: Sequence[float]) -> Histogram:
    metrics = Metrics()
    for latency_s in latencies_s:
        metrics.observe_commit(latency_s)
    return Histogram.read(metrics.render().decode(), NAME)


def test_what_a_node_shows_is_what_it_saw() -> None:
    latencies_s = [0.0005, 0.052, 0.053, 0.1, 7.0]
    seen = shown(latencies_s)
    assert seen == Histogram.of(latencies_s, seen.bounds)
    assert (seen.count, seen.bounds[-1]) == (5, math.inf)
    assert seen.mean == pytest.approx(sum(latencies_s) / 5)


def test_only_what_came_since_counts() -> None:
    before, after = shown([0.052] * 3), shown([0.052] * 3 + [0.2])
    grown = after.since(before)
    assert grown.count == 1 and grown.total == pytest.approx(0.2)
    assert grown.quantile(0.5) == pytest.approx(0.1975)


def test_quantiles_are_even_within_a_bucket() -> None:
    histogram = Histogram((1.0, 2.0, 4.0, math.inf), (2, 0, 4, 2), 0.0)
    assert [histogram.quantile(q) for q in (0.125, 0.25, 0.5, 0.75, 0.99)] == [0.5, 1.0, 3.0, 4.0, 4.0]


def test_a_node_tells_round_trips_apart_that_differ_by_5_ms() -> None:
    for latency_ms in range(30, 300, 5):
        seen_ms = 1e3 * shown([latency_ms / 1e3 + 0.002] * 100).quantile(0.5)
        assert latency_ms <= seen_ms <= latency_ms + 5


def test_no_observations_have_no_quantile_and_no_metric_is_named() -> None:
    with pytest.raises(ValueError, match="no observations"):
        shown([]).quantile(0.5)
    with pytest.raises(KeyError, match="raft_nothing"):
        Histogram.read("", "raft_nothing")


def test_quantiles_of_samples() -> None:
    assert [quantile([3.0, 1.0, 2.0], q) for q in (0.0, 0.5, 0.75, 1.0)] == [1.0, 2.0, 2.5, 3.0]
