"""The report: one HTML file that opens anywhere, offline, asks for nothing and needs no JavaScript.

Jinja escapes every text (autoescape), the pictures escape theirs (reports.svg), and a Content-Security-Policy
that allows nothing but the page's own style and script, by their hashes, stands behind both.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from checkers.verdict import Validity, Verdict
from checkers.words import count
from reports import environment, words
from reports.anomalies import Row, tell
from reports.charts import charts
from reports.lanes import Mark, between, cluster_chart
from reports.measure import LEAST_NS, Measured, measure
from reports.record import Run, RunDirectory, load
from reports.spans import fault_end_ns, leader_changes
from reports.svg import TimeScale, element, plot

MOST_ALIKE = 50


def write_report(path: Path) -> Path:
    """Renders the run in `path` to its report.html. Raises reports.record.RecordError."""
    return RunDirectory(path).write_report(render(load(path)))


def render(run: Run) -> str:
    """The page, whole. Renders any run that could be loaded, however little of it there is."""
    time_zero = run.meta.get("time_zero") or {}
    measured = measure(run.history, time_zero.get("monotonic_ns"))
    told = tell(measured, run.verdicts or ())
    marks = [
        Mark(
            it.anomaly.time_ns,
            str(it.number),
            f"{it.anomaly.kind}: {words.first_sentence(it.anomaly.message)}",
        )
        for it in told
        if it.anomaly.time_ns is not None
    ]
    style, script = _asset("style.css"), _asset("script.js")
    return _template().render(
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),  # our own files, not evidence
        script=Markup(script),
        run=run,
        validity=run.validity,
        outcome=words.OUTCOME[run.validity],
        mark=words.MARK,
        headline=_headline(run, measured),
        not_simulated=environment.NOT_SIMULATED,
        figures=list(_figures(run, measured)),
        reproduction=words.reproduction(run.meta),
        problem=measured.problem,
        anomalies=told,
        most_alike=MOST_ALIKE,
        pictured=_pictured,
        doubts=[v for v in run.verdicts or () if v.valid in (Validity.UNKNOWN, Validity.VACUOUS)],
        evidence=_evidence,
        cluster=cluster_chart(measured, marks),
        faults=list(_faults(measured)),
        charts=charts(measured, marks),
        environment=environment.rows(run),
        files=environment.files(run.path),
    )


@cache
def _template() -> Template:
    loader = PackageLoader("reports", "page")
    settings = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return settings.get_template("report.html")


@cache
def _asset(name: str) -> str:
    return (resources.files("reports") / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _headline(run: Run, measured: Measured) -> str:
    proven = sum(window.took_effect for window in measured.faults)
    covered = (
        f"{count(len(measured.calls), 'operation')}, {count(proven, 'fault')} that took effect "
        f"and {count(leader_changes(run.history), 'leader change')}"
    )
    return words.headline(run.validity, run.verdicts or (), covered, str(run.meta.get("status", "")))


def _figures(run: Run, measured: Measured) -> Iterator[tuple[str, str, str]]:
    """(name, figure, detail) of the strip under the banner."""
    counts = measured.counts
    yield (
        "operations",
        f"{len(measured.calls):,}",
        " · ".join(f"{n:,} {outcome}" for outcome, n in counts.items()),
    )
    proven = sum(window.took_effect for window in measured.faults)
    names = ", ".join(dict.fromkeys(window.nemesis for window in measured.faults))
    yield (
        "faults",
        f"{len(measured.faults):,}",
        f"{names}; {proven:,} took effect" if measured.faults else "none was injected",
    )
    yield "leader changes", f"{leader_changes(run.history):,}", "after the first leader"
    yield (
        "duration",
        words.duration(measured.duration_ns) if measured.duration_ns > LEAST_NS else "unknown",
        environment.began(run.meta),
    )
    plan = words.plan_of(run.meta)
    shape = f"{words.compact(plan.get('workload', '?'))} on {words.compact(plan.get('cluster', '?'))}"
    yield "seed", words.compact(run.meta.get("seed")), shape
    commit, detail = environment.commit(run.meta)
    yield "commit", commit, detail


def _pictured(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows' fields, each with a bar on one small time axis that they share."""
    ends = [row.start_ns if row.end_ns is None else row.end_ns for row in rows]
    start_ns, end_ns = min((row.start_ns for row in rows), default=0), max(ends, default=0)
    margin_ns = max(1_000_000, (end_ns - start_ns) // 20)
    scale = TimeScale(start_ns - margin_ns, end_ns + margin_ns)
    return [asdict(row) | {"picture": _picture(row, scale)} for row in rows]


def _picture(row: Row, scale: TimeScale) -> Markup:
    end_ns = scale.end_ns if row.end_ns is None else row.end_ns
    x = scale.x(row.start_ns)
    if row.kind == "event":
        shape = element("circle", cx=x, cy=9, r=4.5, class_="moment")
    else:
        bar = element("rect", x=x, width=scale.width(row.start_ns, end_ns), y=4, height=10, rx=2)
        shape = element("g", bar, element("line", x1=x, x2=x, y1=4, y2=14), class_=f"interval {row.kind}")
    axis = element("line", x1=0, x2="100%", y1=9, y2=9, class_="grid")
    return plot(18, axis, shape, label=f"at {row.at}", class_="when")


def _evidence(verdict: Verdict) -> list[tuple[str, str]]:
    """A verdict's figures for people: ("bound", "15 s") of {"bound_s": 15}."""
    return [words.figure(name, value) for name, value in verdict.evidence.items()]


def _faults(measured: Measured) -> Iterator[dict[str, Any]]:
    """The faults in a table: what the lanes show, with the proof in words."""
    for window in measured.faults:
        yield {
            "name": window.nemesis,
            "target": window.target,
            "nodes": ", ".join(window.nodes) or "none",
            "when": between(measured, window.inject_ns, fault_end_ns(measured, window)),
            "took_effect": window.took_effect,
            "healed": window.healed_ns is not None,
            "proof": window.summary or words.compact(window.evidence),
        }
