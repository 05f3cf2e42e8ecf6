"""An anomaly told: what the checker says of it, and the operations and events it names, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.history import NEMESIS, Call, Op
from checkers.verdict import Anomaly, Verdict
from reports import words
from reports.measure import Measured

MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Row:
    """An operation or event. end_ns: None for an operation that never completed.

    kind: an operation's ok, fail or info; "event" otherwise. name: how the checkers name it: an operation's
    indices, of invocation and completion, or a line of an event log
    """

    start_ns: int
    end_ns: int | None
    kind: str
    name: str
    at: str
    who: str
    what: str
    outcome: str = ""
    took: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An anomaly, numbered through the run. rows: the first of what it names; more: how many are left out."""

    number: int
    checker: str
    anomaly: Anomaly
    when: str
    rows: Sequence[Row]
    more: int


def tell(measured: Measured, verdicts: Sequence[Verdict]) -> Iterator[Told]:
    """Every anomaly of every verdict, in order of the verdicts."""
    found = [(verdict.checker, anomaly) for verdict in verdicts for anomaly in verdict.anomalies]
    for number, (checker, anomaly) in enumerate(found, 1):
        when = "" if anomaly.time_ns is None else _at(measured, anomaly.time_ns)
        rows = concerned(measured, anomaly)
        yield Told(number, checker, anomaly, when, rows[:MOST_ROWS], len(rows[MOST_ROWS:]))


def concerned(measured: Measured, anomaly: Anomaly) -> list[Row]:
    """The operations and events an anomaly names, in order of time; each operation once."""
    named = frozenset(anomaly.ops)
    rows = [
        _call_row(measured, call) for call in measured.calls if named and not named.isdisjoint(_indices(call))
    ]
    rows += [
        _nemesis_row(measured, op)
        for op in measured.history.ops
        if op.process == NEMESIS and op.index in named
    ]
    rows += [_event_row(measured, event) for event in anomaly.events]
    return sorted(rows, key=lambda row: row.start_ns)


def _indices(call: Call) -> tuple[int, ...]:
    return (call.invoke.index,) if call.completion is None else (call.invoke.index, call.completion.index)


def _at(measured: Measured, ns: int) -> str:
    return words.moment(ns - measured.start_ns)


def _call_row(measured: Measured, call: Call) -> Row:
    op, done = call.invoke, call.completion
    node = (done.node if done is not None else None) or op.node
    return Row(
        op.time_ns,
        None if done is None else done.time_ns,
        call.type,
        "–".join(map(str, _indices(call))),
        _at(measured, op.time_ns),
        f"process {op.process}" + (f" · {node}" if node else ""),
        words.describe_call(call),
        words.describe_outcome(call),
        "" if done is None else words.duration(done.time_ns - op.time_ns),
    )


def _nemesis_row(measured: Measured, op: Op) -> Row:
    at = _at(measured, op.time_ns)
    return Row(
        op.time_ns, op.time_ns, "event", str(op.index), at, NEMESIS, words.describe_nemesis(op), op.type
    )


def _event_row(measured: Measured, event: dict[str, Any]) -> Row:
    ns = event.get("time_ns")
    ns = ns if isinstance(ns, int) else measured.start_ns
    where = f"boot {words.compact(event.get('boot'))}, event {words.compact(event.get('seq'))}"
    who = words.compact(event.get("node", "?"))
    return Row(ns, ns, "event", "", _at(measured, ns), who, words.describe_event(event), where)
