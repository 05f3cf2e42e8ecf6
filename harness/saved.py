"""A saved simulated run, to be carried out once more: as it was, or with less in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import PlanError
from harness.plan import Plan
from harness.simulation import Tuning
from nemesis.schedule import Schedule, ScheduleError, from_json, to_json
from reports.record import RecordError
from reports.record import load as load_run
from system.clusters.sim import SimCluster
from system.simulation import knobs

FORMAT = "crosswind-replay"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything that decides a simulated run. kinds: of what was found; trace_hash: "" where not known"""

    plan: Plan
    schedule: Schedule
    tuning: Tuning
    trace_hash: str
    kinds: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "plan": self.plan.to_json(),
            "schedule": to_json(self.schedule),
            "tuning": {"knobs": self.tuning.knobs.to_json(), "workers": self.tuning.workers},
            "trace_hash": self.trace_hash,
            "kinds": list(self.kinds),
        }


def of_run(path: Path) -> Saved:
    """Of a run directory. Raises RecordError, in one line, for what is no simulated run of this version."""
    run = load_run(path)
    facts = run.history.facts
    said = {
        "plan": run.meta.get("plan"),
        "schedule": run.meta.get("schedule"),
        "tuning": facts.get("tuning"),
        "trace_hash": facts.get("trace_hash"),
        "kinds": [anomaly.kind for verdict in run.verdicts or () for anomaly in verdict.anomalies],
    }
    return _checked(said, str(path / "run.json"))


def of_json(text: str, where: str) -> Saved:
    """Of what Saved.to_json wrote. Raises RecordError."""
    try:
        said = json.loads(text)
    except ValueError as error:
        raise RecordError(f"{where}: not JSON, or cut short ({error})") from None
    if not isinstance(said, dict) or (said.get("format"), said.get("version")) != (FORMAT, VERSION):
        raise RecordError(f"{where}: expected {FORMAT} of version {VERSION}, written by this release")
    return _checked(said, where)


def _checked(said: Mapping[str, Any], where: str) -> Saved:
    plan = said.get("plan")
    if not isinstance(plan, dict) or plan.get("cluster") != SimCluster.name:
        cluster = plan.get("cluster") if isinstance(plan, dict) else None
        raise RecordError(
            f"{where}: of cluster {cluster!r}; only the simulator's runs can be carried out again"
        )
    tuning, trace_hash, kinds = said.get("tuning"), said.get("trace_hash"), said.get("kinds")
    if not isinstance(tuning, dict) or not isinstance(trace_hash, str) or not isinstance(kinds, list):
        raise RecordError(f"{where}: no tuning or trace_hash; did the run end before its time?")
    try:
        made = Plan(**{**plan, "nemeses": tuple(plan.get("nemeses", ()))})
        schedule = from_json(said.get("schedule"))
        tuned = Tuning(knobs.from_json(tuning.get("knobs")), bool(tuning.get("workers")))
    except (PlanError, ScheduleError, knobs.KnobError) as error:
        raise RecordError(f"{where}: {error}") from None
    except TypeError:
        known = ", ".join(field.name for field in fields(Plan))
        raise RecordError(f"{where}: a plan of another version; this one's has {known}") from None
    return Saved(made, schedule, tuned, trace_hash, tuple(dict.fromkeys(map(str, kinds))))
