"""SVG in small pieces. Every attribute and every text passes markupsafe's escape: this is the one place
where evidence becomes a picture.

Horizontal places are per cents of the plot's width, so that a picture fills any width and its text keeps its
size; what has to be a path lies in a nested picture that is stretched, with strokes that are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

PATH_WIDTH = 10_000


def element(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """<name attributes>children</name>. class_ is class, view_box viewBox, other _ become -;"""
    said = "".join(
        f' {_ATTRIBUTES.get(key) or key.replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>")


_ATTRIBUTES = {"class_": "class", "view_box": "viewBox", "preserve_aspect_ratio": "preserveAspectRatio"}


def join(parts: Iterable[Markup]) -> Markup:
    """The parts one after the other."""
    return Markup("").join(parts)


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Nanoseconds of the run's clock to places on the time axis."""

    start_ns: int
    end_ns: int

    def percent(self, ns: int) -> float:
        """0 to 100; moments outside are moved to the nearer end."""
        place = 100 * (ns - self.start_ns) / (self.end_ns - self.start_ns)
        return min(100.0, max(0.0, place))

    def x(self, ns: int) -> str:
        """As an attribute: "12.345%"."""
        return f"{self.percent(ns):.3f}%"

    def width(self, from_ns: int, to_ns: int) -> str:
        """The distance between two moments as an attribute."""
        return f"{max(0.0, self.percent(to_ns) - self.percent(from_ns)):.3f}%"

    def path_x(self, ns: int) -> int:
        """In a stretched picture's units."""
        return round(self.percent(ns) * PATH_WIDTH / 100)

    def ticks(self, most: int = 10) -> list[tuple[int, str]]:
        """(moment, label) at round seconds since the start, at most about `most`."""
        span_s = (self.end_ns - self.start_ns) / 1e9
        step_s = next(s for s in _STEPS_S if span_s / s <= most or s == _STEPS_S[-1])
        return [
            (self.start_ns + round(i * step_s * 1e9), f"{i * step_s:g}")
            for i in range(int(span_s / step_s) + 1)
        ]


_STEPS_S = [factor * 10**power for power in range(-3, 6) for factor in (1, 2, 5)]


def stretched(height: float, *children: Markup, y: float = 0) -> Markup:
    """A nested picture for paths, PATH_WIDTH units wide and stretched to the plot's width."""
    return element(
        "svg",
        *children,
        x=0,
        y=y,
        width="100%",
        height=height,
        view_box=f"0 0 {PATH_WIDTH} {height:g}",
        preserve_aspect_ratio="none",
        class_="stretched",
    )


def clipped(
    x: str, y: float, width: str, height: float, *children: Markup, class_: str | None = None
) -> Markup:
    """A nested picture that cuts off what does not fit, such as the text on a bar."""
    return element("svg", *children, x=x, y=y, width=width, height=height, class_=class_)


def plot(height: float, *children: Markup, label: str, class_: str = "plot") -> Markup:
    """A whole picture, as wide as its place. `label` is what a screen reader says."""
    return element(
        "svg", *children, class_=class_, width="100%", height=f"{height:g}", role="img", aria_label=label
    )


def polyline(points: Sequence[tuple[float, float] | None], class_: str) -> Markup:
    """A path through points in a stretched picture's units; None interrupts it, and a lone point is a dot."""
    data, pen_down = [], False
    for i, point in enumerate(points):
        if point is None:
            pen_down = False
            continue
        alone = not pen_down and (i + 1 == len(points) or points[i + 1] is None)
        data.append(f"{'L' if pen_down else 'M'}{point[0]:.0f} {point[1]:.1f}{'h0' if alone else ''}")
        pen_down = True
    return element("path", d="".join(data), class_=class_) if data else Markup("")
