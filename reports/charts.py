"""Latency and throughput over time, with the faults as bands through both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports import words
from reports.lanes import (
    AXIS_HEIGHT,
    CHARACTERS_A_PERCENT,
    GUTTER_WIDTH,
    Chart,
    Mark,
    axis,
    between,
    grid,
    mark_lines,
)
from reports.measure import OUTCOMES, Bin, Measured, Point, bins, nice_width_ns, points, sample
from reports.spans import fault_end_ns
from reports.svg import TimeScale, element, join, plot, polyline, stretched

TOP = 40
LATENCY_HEIGHT = 250
THROUGHPUT_HEIGHT = 140
MOST_POINTS = 6000
MOST_BINS = 150
# Fewer operations than this say little of their 95th per cent.
LEAST_PER_BIN = 20


@dataclass(frozen=True)
class _Frame:
    """What the two pictures share: the run, its time axis, what is marked on it."""

    measured: Measured
    scale: TimeScale
    marks: Sequence[Mark]

    def draw(self, height: float, inside: Sequence[Markup], labels: Sequence[Markup], label: str) -> Chart:
        """Bands and grid below what is inside, axis and marks above it."""
        bottom, total = TOP + height, TOP + height + AXIS_HEIGHT - 10
        below = [_bands(self, height), grid(self.scale, TOP, bottom), _band_names(self)]
        above = [axis(self.scale, bottom), mark_lines(self.scale, self.marks, bottom)]
        gutter = element(
            "svg", *labels, width=GUTTER_WIDTH, height=total, class_="gutter", aria_hidden="true"
        )
        # Targets that the pointer finds come last of all, so that nothing covers them.
        *drawn, targets = inside
        return Chart(gutter, plot(total, *below, *drawn, *above, targets, label=label))


def charts(measured: Measured, marks: Sequence[Mark]) -> tuple[Chart, Chart] | None:
    """Latency, throughput; None where nothing completed."""
    completed = points(measured)
    if not completed:
        return None
    frame = _Frame(measured, TimeScale(measured.start_ns, measured.end_ns), marks)
    busy_ns = max(point.time_ns for point in completed) - min(point.time_ns for point in completed)
    most = min(MOST_BINS, max(10, measured.counts["ok"] // LEAST_PER_BIN))
    fine = bins(measured, completed, nice_width_ns(busy_ns, most))
    seconds = bins(
        measured, completed, max(1_000_000_000, nice_width_ns(measured.duration_ns, 2 * MOST_BINS))
    )
    return _latency_chart(frame, completed, fine), _throughput_chart(frame, seconds)


def _bands(frame: _Frame, height: float) -> Markup:
    """Every fault as a band."""
    spans = [(window, fault_end_ns(frame.measured, window)) for window in frame.measured.faults]
    return join(
        element(
            "rect",
            x=frame.scale.x(window.inject_ns),
            width=frame.scale.width(window.inject_ns, end_ns),
            y=TOP,
            height=height,
            class_="band" if window.took_effect else "band unproven",
        )
        for window, end_ns in spans
    )


def _band_names(frame: _Frame) -> Markup:
    """The faults' names over their bands, where they do not run into each other."""
    parts, free_from = [], -1.0
    for window in frame.measured.faults:
        begins, wide = frame.scale.percent(window.inject_ns), len(window.nemesis) / CHARACTERS_A_PERCENT + 0.6
        if begins >= free_from and begins + wide <= 100:
            x = frame.scale.x(window.inject_ns)
            parts.append(element("text", window.nemesis, x=x, dx=2, y=TOP - 6, class_="band-name"))
            free_from = begins + wide
    return join(parts)


class LogScale:
    """Durations to heights, by decades; whole decades that hold every value."""

    def __init__(self, values: Sequence[int], height: float) -> None:
        least, most = max(1, min(values)), max(2, *values)
        self.low = math.floor(math.log10(least))
        self.high = max(self.low + 1, math.ceil(math.log10(most)))
        self._height = height

    def y(self, value: float) -> float:
        """From the top of the plot's inside."""
        place = (math.log10(max(1.0, value)) - self.low) / (self.high - self.low)
        return self._height * (1 - min(1.0, max(0.0, place)))

    def ticks(self) -> list[tuple[int, bool]]:
        """(value, whether it is a whole decade): 1, 2 and 5 of each decade."""
        values = [(f * 10**p, f == 1) for p in range(self.low, self.high) for f in (1, 2, 5)]
        return [*values, (10**self.high, True)]


def _latency_chart(frame: _Frame, completed: Sequence[Point], stretches: Sequence[Bin]) -> Chart:
    height, scale = LATENCY_HEIGHT, frame.scale
    log = LogScale([point.latency_ns for point in completed], height)
    lines, labels = [], [_title("latency")]
    for value, decade in log.ticks():
        y = TOP + log.y(value)
        lines.append(_level(y, "grid" if decade else "grid minor"))
        if decade or log.high - log.low <= 3:
            labels.append(_tick(words.tick_duration(value), y, "tick" if decade else "tick minor"))
    picture = stretched(height, *_dots(scale, log, completed), *_percentiles(scale, log, stretches), y=TOP)
    names, targets = (
        _percentile_names(scale, log, stretches),
        _targets(frame, stretches, height, _say_latency),
    )
    label = "Latency of operations over time, on a logarithmic scale"
    return frame.draw(height, [*lines, picture, names, targets], labels, label)


def _dots(scale: TimeScale, log: LogScale, completed: Sequence[Point]) -> list[Markup]:
    """One path a type. Dots, for a dot a stroke of no length with round ends; what is not ok is larger."""
    chosen = sample(completed, MOST_POINTS)
    return [
        element(
            "path",
            d="".join(
                f"M{scale.path_x(point.time_ns)} {log.y(point.latency_ns):.1f}h0"
                for point in chosen
                if point.type == outcome
            ),
            class_=f"dots {outcome}",
        )
        for outcome in OUTCOMES
    ]


def _percentiles(scale: TimeScale, log: LogScale, stretches: Sequence[Bin]) -> list[Markup]:
    return [
        polyline(
            [
                (scale.path_x((b.start_ns + b.end_ns) // 2), log.y(b.percentiles[per_cent]))
                if b.percentiles
                else None
                for b in stretches
            ],
            f"percentile p{per_cent}",
        )
        for per_cent in (99, 95, 50)
    ]


def _percentile_names(scale: TimeScale, log: LogScale, stretches: Sequence[Bin]) -> Markup:
    """Where the lines end; pushed apart where they would overlap."""
    last = next((b for b in reversed(stretches) if b.percentiles), None)
    if last is None:
        return Markup("")
    x = scale.x((last.start_ns + last.end_ns) // 2)
    parts, free_until = [], math.inf
    for per_cent in (50, 95, 99):
        y = min(TOP + log.y(last.percentiles[per_cent]), free_until)
        free_until = y - 13
        parts.append(
            element("text", f"p{per_cent}", x=x, dx=7, y=f"{y:.1f}", dy="0.35em", class_="line-name")
        )
    return join(parts)


def _throughput_chart(frame: _Frame, stretches: Sequence[Bin]) -> Chart:
    height = THROUGHPUT_HEIGHT
    rates = [{o: n * 1e9 / (b.end_ns - b.start_ns) for o, n in b.counts.items()} for b in stretches]
    most = max(sum(rate.values()) for rate in rates)
    step = next(f * 10**p for p in range(8) for f in (1, 2, 5) if f * 10**p * 4 >= most)
    top = step * max(1, math.ceil(most / step))
    lines, labels = [], [_title("ops a second")]
    for value in range(0, top + 1, step):
        y = TOP + height * (1 - value / top)
        lines.append(_level(y, "grid"))
        labels.append(_tick(f"{value:,}", y, "tick"))
    areas, below = [], [float(height)] * len(rates)
    for outcome in OUTCOMES:
        above = [y - rate[outcome] * height / top for y, rate in zip(below, rates, strict=True)]
        areas.append(_steps(frame.scale, stretches, below, above, f"area {outcome}"))
        below = above
    targets = _targets(frame, stretches, height, _say_throughput)
    inside = [*lines, stretched(height, *areas, y=TOP), targets]
    return frame.draw(height, inside, labels, "Operations completed a second over time")


def _steps(
    scale: TimeScale, stretches: Sequence[Bin], below: Sequence[float], above: Sequence[float], class_: str
) -> Markup:
    """A bar a stretch, in one path, from one height to another."""
    bars = [
        f"M{scale.path_x(b.start_ns)} {low:.1f}V{high:.1f}H{scale.path_x(b.end_ns)}V{low:.1f}z"
        for b, low, high in zip(stretches, below, above, strict=True)
        if high < low
    ]
    return element("path", d="".join(bars), class_=class_) if bars else Markup("")


def _targets(frame: _Frame, stretches: Sequence[Bin], height: float, say: Callable[[Bin], str]) -> Markup:
    """An unseen target over each stretch, which says its figures."""
    return join(
        element(
            "rect",
            element("title", f"{between(frame.measured, b.start_ns, b.end_ns)}: {say(b)}"),
            x=frame.scale.x(b.start_ns),
            width=frame.scale.width(b.start_ns, b.end_ns),
            y=TOP,
            height=height,
            class_="target",
        )
        for b in stretches
        if any(b.counts.values())
    )


def _say_latency(stretch: Bin) -> str:
    figures = ", ".join(f"p{p} {words.duration(ns)}" for p, ns in stretch.percentiles.items())
    return f"{figures or 'no operation succeeded'}; {_say_throughput(stretch)}"


def _say_throughput(stretch: Bin) -> str:
    return ", ".join(f"{stretch.counts[outcome]:,} {outcome}" for outcome in OUTCOMES)


def _level(y: float, class_: str) -> Markup:
    return element("line", x1=0, x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}", class_=class_)


def _tick(text: str, y: float, class_: str) -> Markup:
    return element(
        "text", text, x=GUTTER_WIDTH - 12, y=f"{y:.1f}", dy="0.35em", text_anchor="end", class_=class_
    )


def _title(text: str) -> Markup:
    return element("text", text, x=0, y=TOP + 4, class_="chart-title")
