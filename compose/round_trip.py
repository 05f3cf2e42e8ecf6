"""How long packets take from one container to another, asked of `ping`."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import dataclass

from compose.engine import Trouble, docker

INTERVAL_S = 0.05


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """sent, and those that were answered: how many, and how long that took."""

    sent: int
    received: int
    mean_ms: float
    median_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return (
            f"{self.received} of {self.sent} answered, "
            f"mean {self.mean_ms:.2f} ms, median {self.median_ms:.2f} ms, p99 {self.p99_ms:.2f} ms"
        )


def measure(container: str, to: str, count: int = 200) -> RoundTrip:
    """Raises Trouble where not one is answered."""
    said = docker("exec", container, "ping", "-n", f"-c{count}", f"-i{INTERVAL_S}", "-W2", to)
    times_ms = sorted(float(found) for found in re.findall(r"time=([0-9.]+) ms", said))
    if not times_ms:
        raise Trouble(f"{to} does not answer {container}")
    p99_ms = times_ms[math.ceil(0.99 * len(times_ms)) - 1]
    return RoundTrip(count, len(times_ms), statistics.mean(times_ms), statistics.median(times_ms), p99_ms)
