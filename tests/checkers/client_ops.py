"""What clients did, in milliseconds, for the judges that look at nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from checkers.history import History
from checkers.verdict import Validity, Verdict
from tests.checkers.build import Did, ops

YES, NO, UNKNOWN, VACUOUS = Validity.YES, Validity.NO, Validity.UNKNOWN, Validity.VACUOUS
# For property tests against an oracle.
exhaustive = settings(max_examples=400, deadline=None, derandomize=True, database=None)


def did(f: str, value: Any, start_ms: float, end_ms: float | None, **more: Any) -> Did:
    """One process each, so that times alone say what is concurrent."""
    return Did(0, f, value, start_ms, end_ms, **more)


def seen(f: str, result: Any, start_ms: float, end_ms: float | None = None, **more: Any) -> Did:
    """Invoked with nothing and returned with this, at once unless told otherwise."""
    return did(f, None, start_ms, start_ms + 0.5 if end_ms is None else end_ms, result=result, **more)


def add(value: Any, start_ms: float, end_ms: float | None = None, **more: Any) -> Did:
    return did("add", value, start_ms, start_ms + 0.5 if end_ms is None else end_ms, **more)


def crashed(f: str, value: Any, start_ms: float) -> Did:
    return did(f, value, start_ms, None)


def refused(f: str, value: Any, start_ms: float) -> Did:
    return did(f, value, start_ms, start_ms + 0.5, type="fail")


def happened(*all_did: Did, **facts: Any) -> History:
    separate = [
        Did(process, d.f, d.value, d.start_ms, d.end_ms, d.type, d.result)
        for process, d in enumerate(all_did)
    ]
    return History(ops=ops(*separate), facts=facts)


def kinds(verdict: Verdict) -> list[str]:
    return [anomaly.kind for anomaly in verdict.anomalies]
