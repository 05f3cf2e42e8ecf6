"""The failover benchmark: its simulated side, and its statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks import failover
from benchmarks.baseline_page import Conditions
from benchmarks.failover import Comparison, first_led_ns, on_simulator, report
from benchmarks.failover_probes import Inputs
from benchmarks.histogram import quantile
from system.simulation.knobs import Knobs

QUICK = Knobs(sync_samples_ms=(1.0, 2.0), lag_samples_ms=(1.0,), link_samples_ms=(2.0, 3.0))
CONDITIONS = Conditions("2026-11-22", 2, "Linux", "3.11", 0.5)


def test_a_simulated_failover_takes_what_the_timeouts_and_four_messages_take() -> None:
    took_ms = on_simulator(20, 1, QUICK)
    assert took_ms == on_simulator(20, 1, QUICK)
    assert len(took_ms) == 20
    # Timeouts begin with the last heartbeat; it may have left 150 ms before the kill.
    assert min(took_ms) > 300 - 150 + 4 * 25
    assert sorted(took_ms)[10] < 600 + 4 * 30


@pytest.mark.parametrize(
    ("slower", "by_ms"),
    [
        (replace(QUICK, sync_samples_ms=(61.0,)), 2 * 60.0),
        (replace(QUICK, link_samples_ms=(62.0,)), 4 * 60.0),
        # Late heartbeats are nearer to the kill, which makes up for a part of it.
        (replace(QUICK, lag_samples_ms=(81.0,)), 40.0),
    ],
)
def test_what_was_measured_is_what_the_simulator_is_slowed_by(slower: Knobs, by_ms: float) -> None:
    usual_ms, slower_ms = (quantile(on_simulator(25, 2, knobs), 0.5) for knobs in (QUICK, slower))
    assert slower_ms - usual_ms > by_ms / 2


def role(time_ns: int, role: str) -> dict[str, Any]:
    return {"event": "role", "role": role, "time_ns": time_ns}


def test_the_first_leader_after_the_kill_counts() -> None:
    late = [role(10, "leader"), role(20, "follower"), {"event": "vote", "time_ns": 31}, role(60, "leader")]
    early = [role(32, "candidate"), role(40, "leader")]
    assert first_led_ns([late, early], 30) == 40
    assert first_led_ns([late], 30) == 60
    assert first_led_ns([early], 40) is None


@pytest.mark.parametrize(
    ("simulated_ms", "agree"),
    [
        ([100.0] * 100, True),
        ([124.0] * 100, True),
        ([126.0] * 100, False),
        ([76.0] * 100, True),
        ([74.0] * 100, False),
        ([100.0] * 85 + [130.0] * 15, False),
        ([100.0] * 95 + [900.0] * 5, True),
    ],
)
def test_median_and_p90_both_have_to_agree(simulated_ms: list[float], agree: bool) -> None:
    assert Comparison([100.0] * 100, simulated_ms).agree is agree


def test_the_interval_says_how_far_to_trust_a_ratio() -> None:
    few, many = (Comparison([*range(100, 200, step)] * 3, [*range(100, 200)] * 3) for step in (20, 1))
    for compared in (few, many):
        low, high = compared.interval(0.5)
        assert low < compared.ratio(0.5) < high
    assert many.interval(0.5)[1] - many.interval(0.5)[0] < few.interval(0.5)[1] - few.interval(0.5)[0]


def test_the_report_shows_both_and_what_was_measured() -> None:
    measured = Inputs([1.0], [0.5], [2.0], [3.0], [1.5])
    text = report(measured, Comparison([100.0] * 4, [110.0] * 8), CONDITIONS, 1.25)
    lines = {line[:42].strip(): line[42:].split() for line in text.splitlines()}
    assert lines["local cluster"] == ["4", "100.0", "100.0", "100.0", "100.0"]
    assert lines["simulator"] == ["8", "110.0", "110.0", "110.0", "110.0"]
    assert lines["link, more than the 25 ms"][:2] == ["1", "3.0"]
    assert text.splitlines()[-1] == (
        "simulator / local: median 1.10 (1.10 to 1.10), p90 1.10 (1.10 to 1.10); within 25%"
    )
    assert failover.page(text).endswith(f"```\n{text}\n```\n")
