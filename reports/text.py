"""A run on the terminal: verdicts, anomalies, the line that runs it again, and the table of several runs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from checkers.verdict import Validity, Verdict
from checkers.words import count
from reports import words
from reports.anomalies import Told, tell
from reports.measure import measure
from reports.record import load

WIDTH = 110
MOST_ANOMALIES = 3
_COLOURS = {Validity.YES: "32", Validity.NO: "31;1", Validity.UNKNOWN: "33", Validity.VACUOUS: "35"}
_HEADINGS = ("run", "verdict", "ok", "fail", "info", "leader changes", "time", "report")
_RIGHT = frozenset({"ok", "fail", "info", "leader changes", "time"})


def paint(text: str, validity: Validity, *, colour: bool) -> str:
    """The text in a verdict's colour, where colour is wanted."""
    return f"\x1b[{_COLOURS[validity]}m{text}\x1b[0m" if colour else text


def verdict_lines(verdicts: Sequence[Verdict], *, colour: bool = False) -> str:
    """A line a checker: its mark, its verdict, its name, what it found; then the first anomaly of each kind,
    indented."""
    lines = []
    for line, verdict in zip(_checker_lines(verdicts, colour=colour), verdicts, strict=True):
        lines.append(line)
        kinds = Counter(anomaly.kind for anomaly in verdict.anomalies)
        for kind, how_many in kinds.items():
            first = next(anomaly for anomaly in verdict.anomalies if anomaly.kind == kind)
            more = f" (and {how_many - 1:,} more of this kind)" if how_many > 1 else ""
            lines.append(f"    {printable(kind)}: {printable(first.message)}{more}")
    return "\n".join(lines)


def _checker_lines(verdicts: Sequence[Verdict], *, colour: bool, widest: int | None = None) -> list[str]:
    """A line a checker; what it found cut to `widest` characters."""
    wide = max((len(verdict.checker) for verdict in verdicts), default=0)
    lines = []
    for verdict in verdicts:
        mark = paint(f"{words.MARK[verdict.valid]} {verdict.valid.value:<7}", verdict.valid, colour=colour)
        found = printable(verdict.summary)
        if widest is not None and len(found) > widest:
            found = f"{found[: widest - 1]}…"
        lines.append(f"{mark}  {printable(verdict.checker):<{wide}}  {found}")
    return lines


def failure(path: Path, *, colour: bool = False) -> str:
    """Why the run in `path` does not pass: verdicts, the first anomalies with what they name, the report, and
    as the last line the command that runs it again. Raises RecordError."""
    run = load(path)
    verdicts = run.verdicts or ()
    outcome = paint(words.OUTCOME[run.validity], run.validity, colour=colour)
    checkers = _checker_lines(verdicts, colour=colour, widest=WIDTH - 30) or ["not judged"]
    lines = [f"{outcome}  {printable(str(run.meta.get('id', path.name)))}", "", *checkers]
    told = tell(measure(run.history, (run.meta.get("time_zero") or {}).get("monotonic_ns")), verdicts)
    for it in told[:MOST_ANOMALIES]:
        lines += ["", *_anomaly_lines(it, len(told))]
    if more := len(told[MOST_ANOMALIES:]):
        lines += ["", f"and anomalies of {count(more, 'other kind')}"]
    command, expectation = words.reproduction(run.meta)
    lines += [
        "",
        f"report: {path / 'report.html'}",
        f"reproduce ({printable(expectation)}):",
        printable(command),
    ]
    return "\n".join(lines)


def _anomaly_lines(it: Told, of: int) -> list[str]:
    at = f", at {it.when}" if it.when else ""
    lines = [f"{it.number} of {of}: {printable(it.anomaly.kind)} (found by {printable(it.checker)}{at})"]
    lines += textwrap.wrap(printable(it.anomaly.message), WIDTH, initial_indent="  ", subsequent_indent="  ")
    cells = [[row.name, row.at, row.who, row.what, row.outcome, row.took] for row in it.rows]
    lines += [f"    {line}" for line in _aligned(cells, right=(0, 1))]
    lines += [f"    and {it.more:,} more"] if it.more else []
    return [*lines, f"  and {len(it.alike):,} more of this kind"] if it.alike else lines


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """Rows of as many cells each, the headings first, in columns."""
    return "\n".join(_aligned(rows, right=()))


def run_table(rows: Sequence[Mapping[str, Any]], *, colour: bool = False) -> str:
    """The table of several runs. Each row: run, verdict (a validity's value), ok, fail, info, leader_changes,
    duration_s, report (a path)."""
    cells = [list(_HEADINGS)]
    for row in rows:
        figures = [f"{row[name]:,}" for name in ("ok", "fail", "info", "leader_changes")]
        outcome = words.OUTCOME[Validity(row["verdict"])]
        cells.append([row["run"], outcome, *figures, f"{row['duration_s']:.1f} s", str(row["report"])])
    lines = _aligned(cells, right=[i for i, heading in enumerate(_HEADINGS) if heading in _RIGHT])
    if colour:
        painted = zip(lines[1:], rows, strict=True)
        lines[1:] = [_paint_outcome(line, Validity(row["verdict"])) for line, row in painted]
    return "\n".join(lines)


def _paint_outcome(line: str, validity: Validity) -> str:
    outcome = words.OUTCOME[validity]
    return line.replace(f" {outcome} ", f" {paint(outcome, validity, colour=True)} ", 1)


def _aligned(rows: Sequence[Sequence[str]], right: Sequence[int]) -> list[str]:
    """Columns as wide as their widest cell, two spaces apart."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """The text on one line, with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(text.split()))
