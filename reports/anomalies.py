"""An anomaly told: what the checker says of it, and the operations and events it names, in order of time."""

from __future__ import annotations

from collections.abc import Sequence
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
    """The first anomaly of its checker and kind, numbered through the run.

    rows: the first of what it names; more: how many of those are left out
    alike: the others of the same checker and kind, as (when, message)
    """

    number: int
    checker: str
    anomaly: Anomaly
    when: str
    rows: Sequence[Row]
    more: int
    alike: Sequence[tuple[str, str]]


def tell(measured: Measured, verdicts: Sequence[Verdict]) -> list[Told]:
    """The anomalies of all verdicts, those of a kind together, in the order in which they were found."""
    kinds: dict[tuple[str, str], list[Anomaly]] = {}
    for verdict in verdicts:
        for anomaly in verdict.anomalies:
            kinds.setdefault((verdict.checker, anomaly.kind), []).append(anomaly)
    told = []
    for number, ((checker, _), (first, *others)) in enumerate(kinds.items(), 1):
        rows = concerned(measured, first)
        alike = [(_when(measured, anomaly), anomaly.message) for anomaly in others]
        shown, more = rows[:MOST_ROWS], len(rows[MOST_ROWS:])
        told.append(Told(number, checker, first, _when(measured, first), shown, more, alike))
    return told


def _when(measured: Measured, anomaly: Anomaly) -> str:
    return "" if anomaly.time_ns is None else _at(measured, anomaly.time_ns)


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
