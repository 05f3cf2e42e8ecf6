"""What was measured, as rows of a table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("work", "ours, ms", "Porcupine, ms", "ratio", "asked for", "reached", "verdicts")


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing, in seconds."""

    seconds: Sequence[float]

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        return f"{ms(self.median_s)} ({ms(low)}–{ms(high)})"


@dataclass(frozen=True, slots=True)
class Row:
    """peer: what it took, or why there is no answer
    at_least: so many times the peer is asked for; under_s: or so long at most; asked: or else, in words
    note: what is shown in place of a ratio, with `reached`
    """

    work: str
    ours: Spread
    peer: Spread | str
    verdicts: str
    at_least: float | None = None
    under_s: float | None = None
    note: str | None = None
    asked: str | None = None
    reached: bool | None = None

    @property
    def ratio(self) -> float | None:
        return self.peer.median_s / self.ours.median_s if isinstance(self.peer, Spread) else None

    def holds(self) -> bool | None:
        """None where nothing is asked for, or there is nothing to compare with."""
        if "no answer" in self.verdicts:
            return False
        if self.under_s is not None:
            return self.ours.median_s < self.under_s
        if self.at_least is not None:
            return None if self.ratio is None else self.ratio >= self.at_least
        return self.reached

    def cells(self) -> tuple[str, ...]:
        ratio = f"{self.ratio:,.0f} ×" if self.ratio and self.ratio >= 10 else f"{self.ratio or 0:.1f} ×"
        asked = self.asked or ""
        if self.at_least is not None:
            asked = f"{self.at_least:,g} ×"
        elif self.under_s is not None:
            asked = f"under {ms(self.under_s)} ms"
        held = {True: "yes", False: "NO", None: ""}[self.holds()]
        shown = self.note or (ratio if self.ratio is not None else "")
        return self.work, str(self.ours), str(self.peer), shown, asked, held, self.verdicts


def ms(seconds: float) -> str:
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plain(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
