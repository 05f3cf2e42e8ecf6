"""Processes that ended although nobody asked them to: a node that stops itself has found itself broken."""

from __future__ import annotations

from checkers.history import History
from checkers.verdict import Anomaly, Verdict, conclude

NAME = "exits"


def exits(history: History) -> Verdict:
    ended = history.facts.get("exits")
    anomalies = [
        Anomaly(
            "unexpected-exit",
            f"{end['node']} ended with exit code {end['code']} although nobody asked it to; see the end"
            " of its log",
            time_ns=end["time_ns"],
        )
        for end in ended or ()
    ]
    starts = history.facts.get("starts") or {}
    return conclude(
        NAME,
        f"{sum(starts.values())} processes were started; none ended unasked",
        anomalies=anomalies,
        unknown=["the run did not record which processes ended"] if ended is None else [],
        vacuous=[] if starts else ["no process was started"],
        evidence={"starts": dict(starts)},
    )
