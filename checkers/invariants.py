"""What the watchdog inside a simulated cluster saw (checkers/inside.py), as a run recorded it."""

from __future__ import annotations

from checkers.history import History
from checkers.verdict import Anomaly, Verdict, conclude

NAME = "invariants"


def invariants(history: History) -> Verdict:
    """Vacuous for a run that nobody watched from inside, and for one in which nothing was committed."""
    seen = history.facts.get("invariants")
    if not isinstance(seen, dict):
        return conclude(NAME, "", vacuous=["nobody watched this cluster from inside"])
    anomalies = [
        Anomaly(said["kind"], said["message"], time_ns=said["time_ns"]) for said in seen.get("violations", ())
    ]
    commits, steps = seen.get("commits", 0), seen.get("steps", 0)
    return conclude(
        NAME,
        f"{steps} steps and {commits} commits kept what Raft promises, on every disk",
        anomalies=anomalies,
        vacuous=[] if commits else ["nothing was committed"],
        evidence={"steps": steps, "commits": commits},
    )
