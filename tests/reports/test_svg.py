"""The pieces of a picture."""

from __future__ import annotations

import pytest

from reports.svg import TimeScale, element, join, polyline


def test_texts_and_attributes_are_escaped_and_elements_are_not() -> None:
    inner = element("text", "</text><script>", class_='"><script>')
    assert inner == '<text class="&#34;&gt;&lt;script&gt;">&lt;/text&gt;&lt;script&gt;</text>'
    assert element("g", inner, "<b>") == f"<g>{inner}&lt;b&gt;</g>"
    assert join([element("g"), element("g", x=1, view_box="0 0 1 1", text_anchor=None)]) == (
        '<g/><g x="1" viewBox="0 0 1 1"/>'
    )


def test_moments_have_places_and_those_outside_the_nearer_end() -> None:
    scale = TimeScale(1_000, 3_000)
    assert [scale.x(ns) for ns in (1_000, 2_000, 3_000, 0, 9_000)] == [
        "0.000%", "50.000%", "100.000%", "0.000%", "100.000%"
    ]  # fmt: skip
    assert scale.width(1_500, 2_000) == "25.000%"
    assert scale.width(2_000, 1_500) == "0.000%"


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.001, ["0", "0.001"]),
        (9, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
        (36, ["0", "5", "10", "15", "20", "25", "30", "35"]),
        (3600, ["0", "500", "1000", "1500", "2000", "2500", "3000", "3500"]),
    ],
)
def test_ticks_are_round_and_few(seconds: float, labels: list[str]) -> None:
    ticks = [label for _, label in TimeScale(0, round(seconds * 1e9)).ticks()]
    assert ticks[0] == labels[0]
    assert len(ticks) <= 11
    if seconds >= 1:
        assert ticks == labels


def test_a_line_is_interrupted_where_there_is_nothing() -> None:
    assert (
        polyline([(0, 1), (10, 2), None, (20, 3), None], "a")
        == '<path d="M0 1.0L10 2.0M20 3.0h0" class="a"/>'
    )
    assert polyline([None, None], "a") == ""
