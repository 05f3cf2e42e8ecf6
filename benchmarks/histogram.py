"""Prometheus histograms as read from a node's /metrics, and samples counted like them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Histogram:
    """bounds: the buckets' upper bounds, the last infinite. counts: the observations in each, those of lower
    buckets not included. total: the sum of all that was observed."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @classmethod
    def read(cls, metrics: str, name: str) -> Histogram:
        """Raises KeyError where there is no such histogram."""
        upto: dict[float, int] = {}
        total = 0.0
        for family in text_string_to_metric_families(metrics):
            for sample in family.samples:
                if sample.name == f"{name}_bucket":
                    upto[float(sample.labels["le"])] = int(sample.value)
                elif sample.name == f"{name}_sum":
                    total = sample.value
        if not upto:
            raise KeyError(name)
        bounds, cumulative = zip(*sorted(upto.items()), strict=True)
        counts = (b - a for a, b in zip((0, *cumulative), cumulative, strict=False))
        return cls(bounds, tuple(counts), total)

    @classmethod
    def of(cls, samples: Sequence[float], bounds: tuple[float, ...]) -> Histogram:
        counts = [0] * len(bounds)
        for sample in samples:
            counts[bisect_left(bounds, sample)] += 1
        return cls(bounds, tuple(counts), math.fsum(samples))

    def since(self, before: Histogram) -> Histogram:
        counts = (a - b for a, b in zip(self.counts, before.counts, strict=True))
        return Histogram(self.bounds, tuple(counts), self.total - before.total)

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def mean(self) -> float:
        return self.total / self.count

    def quantile(self, q: float) -> float:
        """As Prometheus' histogram_quantile: even within a bucket, the lowest of which begins at 0; the last
        finite bound where it lies above. Raises ValueError where nothing was observed."""
        if not self.count:
            raise ValueError("no observations, no quantiles")
        wanted, below = q * self.count, 0
        for i, count in enumerate(self.counts[:-1]):
            if count and below + count >= wanted:
                low = self.bounds[i - 1] if i else 0.0
                return low + (self.bounds[i] - low) * (wanted - below) / count
            below += count
        return self.bounds[-2]


def quantile(samples: Sequence[float], q: float) -> float:
    """Of samples themselves: between the two nearest, where it falls between."""
    ordered = sorted(samples)
    at = q * (len(ordered) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))
