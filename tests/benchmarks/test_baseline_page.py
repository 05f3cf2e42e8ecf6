"""The page says what was measured, and replaces the old one whole or not at all."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.baseline_page import Conditions, Kill, Measured, Method, Setting, bars, page, write
from benchmarks.histogram import Histogram

BOUNDS = (0.05, 0.06, 0.07, 0.1, math.inf)
METHOD = Method(clients=8, rate=20.0, kills=2, ask_again_s=0.005, linger_s=0.002)


def setting(round_trip_ms: float) -> Setting:
    kills = [Kill(0.01, 0.7, 0.6, 0.1), Kill(0.03, 0.5, 0.4, 0.1)]
    return Setting(round_trip_ms, kills, [0.058, 0.06], Histogram.of([0.052, 0.054], BOUNDS))


def test_both_views_of_every_setting_are_on_it() -> None:
    measured = [Measured("local", [setting(0), setting(50)])]
    text = page(Conditions.now(), METHOD, measured, took_s=300)
    lines = text.splitlines()
    assert "| 50 ms | nodes | 2 | 53.0 | 55.0 | 59.0 | 59.9 |" in lines
    assert "|  | clients | 2 | 59.0 | 59.0 | 59.8 | 60.0 |" in lines
    assert "| 50 ms | clients: until a command is acknowledged | 2 | 600 | 680 | 698 |" in lines
    assert "|  | of that: until the winner noticed | 2 | 400 | 480 | 498 |" in lines
    assert "Docker cluster" not in text and "{" not in text


def test_histograms_stand_side_by_side_and_leave_nobody_out() -> None:
    slow = Histogram.of([0.052] * 40 + [3.0], BOUNDS)
    fast = Histogram.of([0.052] * 10 + [0.065] * 20, BOUNDS)
    assert bars({"a": slow, "b": fast}) == [
        "               a                             b",
        "      50 – 60    40 ████████████████████████   10 ████████████",
        "      60 – 70     0                            20 ████████████████████████",
        "         > 70     1 █                           0",
    ]


def test_many_buckets_are_taken_together() -> None:
    bounds = (*(i / 100 for i in range(1, 101)), math.inf)
    even = Histogram.of([i / 100 for i in range(1, 101)], bounds)
    (_, *rows) = bars({"even": even})
    assert len(rows) == 11 and sum(int(row.split()[3 if "–" in row else 2]) for row in rows) == 100


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    old = tmp_path / "baseline.md"
    write(old, "old")
    with pytest.raises(UnicodeEncodeError):
        write(old, "new \ud800")
    assert old.read_text(encoding="utf-8") == "old"
    write(old, "new")
    assert old.read_text(encoding="utf-8") == "new"
