"""The cluster on one time axis: what was done to it, who led, who was down, which workers were online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports import words
from reports.measure import Measured, phases
from reports.spans import (
    Span,
    fault_end_ns,
    fault_spans,
    leaderships,
    nodes_of,
    role_spans,
    worker_spans,
    workers_of,
)
from reports.svg import TimeScale, clipped, element, join, plot

AXIS_HEIGHT = 34
MARKS_HEIGHT = 60
GUTTER_WIDTH = 148
# Characters of a label that fit into one per cent of the plot on a page 1000 pixels wide; a bar cuts off what
# does not fit, so its label may count on a page of 1200.
CHARACTERS_A_PERCENT = 1.15
_CHARACTERS_A_PERCENT_OF_BAR = 1.4
_PIXELS_A_PERCENT = 9


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth seeing in every picture: an anomaly and its number."""

    time_ns: int
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A row: its label in the gutter, how high it is, and its bars drawn from y = 0."""

    label: str
    height: float
    bars: Markup
    kind: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A gutter of labels and the plot beside it, equally high."""

    gutter: Markup
    plot: Markup


def cluster_chart(measured: Measured, marks: Sequence[Mark]) -> Chart | None:
    """Fault lanes over a lane a node over the workers' lanes; None where there is nothing to show."""
    scale = TimeScale(measured.start_ns, measured.end_ns)
    groups = [_fault_lanes(measured, scale), _node_lanes(measured, scale), _worker_lanes(measured, scale)]
    y, placed, labels = float(MARKS_HEIGHT), [], []
    if not any(groups):
        return None
    for group in filter(None, groups):
        for lane in group:
            placed.append(element("svg", lane.bars, y=f"{y:g}", width="100%", height=lane.height))
            labels.append(_label(lane.label, y + lane.height / 2, f"lane {lane.kind}"))
            y += lane.height
        y += 12
    height = y + AXIS_HEIGHT - 6
    body = [
        grid(scale, MARKS_HEIGHT - 4, y - 4),
        *placed,
        _phases(measured, scale, y - 4),
        axis(scale, y - 4),
    ]
    picture = plot(
        height,
        *body,
        mark_lines(scale, marks, y - 4),
        label="Faults, roles of the nodes and workers over time",
    )
    gutter = element(
        "svg", *labels, width=GUTTER_WIDTH, height=f"{height:g}", class_="gutter", aria_hidden="true"
    )
    return Chart(gutter, picture)


def _label(text: str, y: float, class_: str) -> Markup:
    return element(
        "text", text, x=GUTTER_WIDTH - 12, y=f"{y:g}", dy="0.35em", text_anchor="end", class_=class_
    )


def grid(scale: TimeScale, top: float, bottom: float) -> Markup:
    """Faint lines at round seconds."""
    return join(
        element("line", x1=scale.x(ns), x2=scale.x(ns), y1=f"{top:g}", y2=f"{bottom:g}", class_="grid")
        for ns, _ in scale.ticks()
    )


def axis(scale: TimeScale, y: float) -> Markup:
    """Seconds since the run began."""
    ticks = scale.ticks()
    labels = [
        element(
            "text",
            f"{label} s" if i + 1 == len(ticks) else label,
            x=scale.x(ns),
            y=f"{y + 16:g}",
            text_anchor="start" if i == 0 else "middle" if scale.percent(ns) < 98 else "end",
            class_="tick",
        )
        for i, (ns, label) in enumerate(ticks)
    ]
    return element("line", x1=0, x2="100%", y1=f"{y:g}", y2=f"{y:g}", class_="axis") + join(labels)


def mark_lines(scale: TimeScale, marks: Sequence[Mark], bottom: float, top: float = 12) -> Markup:
    """A line and a numbered flag at each anomaly; flags that would cover each other stand side by side."""
    parts, free = [], 0.0
    for mark in sorted(marks, key=lambda mark: mark.time_ns):
        at = scale.percent(mark.time_ns) * _PIXELS_A_PERCENT
        place = max(at, free)
        free, x = place + 20, round(place - at)
        inside = [
            element("title", mark.title),
            element("line", x1=0, x2=0, y1=top, y2=bottom),
            element("circle", cx=x, cy=top, r=9),
            element("text", mark.label, x=x, y=top, dy="0.36em", text_anchor="middle"),
        ]
        parts.append(element("svg", *inside, x=scale.x(mark.time_ns), class_="mark"))
    return join(parts)


def _phases(measured: Measured, scale: TimeScale, bottom: float) -> Markup:
    """A dashed line where each phase begins, its name in the lowest of three rows that has room; a name for
    which none has is left to its tooltip."""
    parts, free_from = [], [-1.0, -1.0, -1.0]
    for name, ns in phases(measured.history).items():
        at, wide = scale.percent(ns), (len(name) + 1) / CHARACTERS_A_PERCENT
        begins = at - wide if at + wide > 100 else at
        row = next((row for row, free in enumerate(free_from) if begins > free), None)
        y = MARKS_HEIGHT - 10 - 15 * (row or 0)
        inside = [
            element("title", f"{name}: {words.moment(ns - measured.start_ns)}"),
            element("line", x1=scale.x(ns), x2=scale.x(ns), y1=y - 9, y2=f"{bottom:g}"),
        ]
        if row is not None:
            free_from[row] = begins + wide
            anchor, dx = ("start", 4) if begins == at else ("end", -4)
            inside.append(element("text", name, x=scale.x(ns), dx=dx, y=y, text_anchor=anchor))
        parts.append(element("g", *inside, class_="phase"))
    return join(parts)


def _bar(
    scale: TimeScale, span: Span, rows: tuple[float, float], class_: str, title: str, *, label: str = ""
) -> Markup:
    """A bar from the first row to the second, with a tooltip, and its label where that fits."""
    top, bottom = rows
    inside = [element("title", title), element("rect", width="100%", height="100%", rx=2)]
    if _fits(scale, span, label):
        inside.append(element("text", label, x=6, y="50%", dy="0.35em"))
    x = scale.x(span.start_ns)
    # A span of milliseconds still has to be seen: a line marks its beginning.
    line = element("line", x1=x, x2=x, y1=top, y2=bottom)
    width = scale.width(span.start_ns, span.end_ns)
    return element("g", clipped(x, top, width, bottom - top, *inside), line, class_=class_)


def _fits(scale: TimeScale, span: Span, label: str) -> bool:
    percent = scale.percent(span.end_ns) - scale.percent(span.start_ns)
    return bool(label) and len(label) + 2 < percent * _CHARACTERS_A_PERCENT_OF_BAR


def between(measured: Measured, start_ns: int, end_ns: int) -> str:
    """6.000 s to 12.000 s, on the run's axis."""
    return f"{words.moment(start_ns - measured.start_ns)} to {words.moment(end_ns - measured.start_ns)}"


def _fault_lanes(measured: Measured, scale: TimeScale) -> list[Lane]:
    lanes = []
    for name in dict.fromkeys(window.nemesis for window in measured.faults):
        bars = []
        for window in (w for w in measured.faults if w.nemesis == name):
            span = Span(window.inject_ns, fault_end_ns(measured, window), "fault")
            proof = "" if window.took_effect else "; no proof that it took effect"
            nodes = ", ".join(window.nodes) or "no node"
            title = (
                f"{name} {window.target} on {nodes}, {between(measured, span.start_ns, span.end_ns)}{proof}"
            )
            class_ = "fault" if window.took_effect else "fault unproven"
            bars.append(_bar(scale, span, (3, 21), class_, title, label=window.target))
        lanes.append(Lane(name, 24, join(bars), "fault"))
    return lanes


def _node_lanes(measured: Measured, scale: TimeScale) -> list[Lane]:
    won = leaderships(measured.history)
    rivals = {
        leader.term for leader in won if len({other.node for other in won if other.term == leader.term}) > 1
    }
    lanes = []
    for node in nodes_of(measured.history):
        bars = [_role_bar(measured, scale, span, rivals) for span in role_spans(measured, node)]
        # The roles say already when it was down.
        spans = [span for span in fault_spans(measured, node) if span.state != "down"]
        for span, title in _said(measured, node, spans, " by a fault"):
            bars.append(_bar(scale, span, (4, 28) if span.state == "paused" else (29, 32), span.state, title))
        lanes.append(Lane(node, 36, join(bars), "node"))
    return lanes


def _role_bar(measured: Measured, scale: TimeScale, span: Span, rivals: set[int]) -> Markup:
    term = "" if span.term is None else f" of term {span.term}"
    rival = span.state == "leader" and span.term in rivals
    title = f"{span.state}{term}, {between(measured, span.start_ns, span.end_ns)}"
    title += "; another node was leader of the same term" if rival else ""
    term_label = "" if span.term is None else f"term {span.term}"
    label = "down" if span.state == "down" else term_label
    if span.term is not None and not _fits(scale, span, label):
        label = str(span.term)
    return _bar(scale, span, (4, 28), f"{span.state}{' rival' if rival else ''}", title, label=label)


def _worker_lanes(measured: Measured, scale: TimeScale) -> list[Lane]:
    lanes = []
    for worker in workers_of(measured.history):
        bars = [
            _bar(scale, span, (3, 15), f"worker {'online' if span.state == 'online' else 'offline'}", said)
            for span, said in _said(measured, worker, worker_spans(measured, worker), "")
        ]
        bars += [
            _bar(scale, span, (15, 17), "touched", said)
            for span, said in _said(measured, worker, fault_spans(measured, worker), " by a fault")
        ]
        lanes.append(Lane(worker, 18, join(bars), "worker"))
    return lanes


def _said(measured: Measured, name: str, spans: Sequence[Span], why: str) -> list[tuple[Span, str]]:
    """Each span with its tooltip."""
    return [
        (span, f"{name} {span.state}{why}, {between(measured, span.start_ns, span.end_ns)}") for span in spans
    ]
