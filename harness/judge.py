"""Judges a saved run: the checkers every run has, and those of its workload."""

from __future__ import annotations

from typing import Any

from checkers import CHECKERS, RUN_CHECKERS
from checkers.history import HistoryError
from checkers.verdict import Validity, Verdict
from workloads import WORKLOADS


def judge(run: Any, crash: str | None = None) -> list[Verdict]:
    """One verdict a checker, in the registry's order. A run that crashed is never green, whatever its history
    shows; a history that cannot be read is unknown; a checker that raises is unknown, with its reason."""
    meta = run.meta
    crash = crash or _crash_of(meta)
    names = dict.fromkeys([*RUN_CHECKERS, *WORKLOADS[meta["plan"]["workload"]].checkers])
    verdicts = [_check(name, run.history) for name in CHECKERS if name in names]
    if crash is not None:
        verdicts.insert(0, Verdict("run", Validity.UNKNOWN, f"the run did not finish: {crash}"))
    return verdicts


def _check(name: str, history: Any) -> Verdict:
    try:
        return CHECKERS[name](history)
    except HistoryError as error:
        return Verdict(name, Validity.UNKNOWN, f"the evidence cannot be read: {error}")
    except Exception as error:  # a judge that fails has not judged, but the others still can
        return Verdict(name, Validity.UNKNOWN, f"the checker itself failed: {type(error).__name__}: {error}")


def _crash_of(meta: dict[str, Any]) -> str | None:
    status = str(meta.get("status", ""))
    return None if status == "done" else status.removeprefix("crashed: ") or "unknown"
