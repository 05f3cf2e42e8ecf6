"""Judges a saved run: the checkers every run has, and those of its workload and its nemeses."""

from __future__ import annotations

from typing import Any

from checkers import CHECKERS, OF_THE_SIMULATOR, RUN_CHECKERS
from checkers.history import HistoryError
from checkers.verdict import Validity, Verdict
from nemesis import NEMESES
from reports.record import RecordError, Run
from workloads import WORKLOADS
from workloads.workload import Workload


def judge(run: Run, crash: str | None = None) -> list[Verdict]:
    """One verdict a checker, in the registry's order. A run that crashed is never green, whatever its history
    shows; a history that cannot be read is unknown; a checker that raises is unknown, with its reason.

    Raises RecordError for a run whose workload or nemeses are not known here."""
    crash = crash or _crash_of(run.meta)
    names = dict.fromkeys([*RUN_CHECKERS, *_workload(run).checkers, *_checkers_of_nemeses(run)])
    if run.is_simulated:
        names |= dict.fromkeys(OF_THE_SIMULATOR)
        if run.history.facts.get("workers") == []:  # a swarm's cluster need not have any
            names.pop("workers", None)
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


def _workload(run: Run) -> type[Workload]:
    plan = run.meta.get("plan")
    name = plan.get("workload") if isinstance(plan, dict) else None
    if not isinstance(name, str) or name not in WORKLOADS:
        known = ", ".join(WORKLOADS)
        raise RecordError(f"{run.path / 'run.json'}: plan.workload is {name!r}; expected one of: {known}")
    return WORKLOADS[name]


def _checkers_of_nemeses(run: Run) -> list[str]:
    names = run.meta["plan"].get("nemeses", ())
    if not isinstance(names, (list, tuple)) or any(str(name) not in NEMESES for name in names):
        known = ", ".join(NEMESES)
        raise RecordError(f"{run.path / 'run.json'}: plan.nemeses is {names!r}; expected some of: {known}")
    return [checker for name in names for checker in NEMESES[name].checkers]


def _crash_of(meta: dict[str, Any]) -> str | None:
    status = str(meta.get("status", ""))
    return None if status == "done" else status.removeprefix("crashed: ") or "unknown"
