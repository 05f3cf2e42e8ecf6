"""How evidence is put into words, so that every checker speaks of it alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checkers.history import Call

NS_PER_S = 1_000_000_000


def count(how_many: int, noun: str) -> str:
    """1 fault, 2 faults, 1,200 operations."""
    return f"{how_many:,} {noun}{'' if how_many == 1 else 's'}"


def name_call(call: Call) -> str:
    """Such as "append 371 of 85 to k2": 371 is the index of its invocation in the history."""
    op = call.invoke
    label = f"{op.f} {op.index}"
    if not isinstance(op.value, list) or len(op.value) != 2:
        return label
    key, argument = op.value
    if op.f == "read":
        return f"{label} of {key}"
    if op.f == "cas" and isinstance(argument, list) and len(argument) == 2:
        return f"{label} of {key} from {shown(argument[0])} to {shown(argument[1])}"
    return f"{label} of {shown(argument)} to {key}"


def asker(call: Call) -> str:
    """Such as "process 7, at cp-aws-1"."""
    op = call.completion if call.completion is not None else call.invoke
    return f"process {op.process}" + (f", at {op.node}" if op.node is not None else "")


def name_event(event: dict[str, Any]) -> str:
    """Such as "cp-aws-1 (boot 2, event 41)"."""
    return f"{event['node']} (boot {event['boot']}, event {event['seq']})"


def name_entry(entry: dict[str, Any]) -> str:
    """An apply event's entry, such as "command {…} of term 3"."""
    command = f" {entry['command']}" if entry.get("command") else ""
    return f"{entry['kind']}{command} of term {entry['term']}"


def shown(value: Any) -> str:
    return "nil" if value is None else str(value)


def seconds(duration_ns: int) -> str:
    return f"{duration_ns / NS_PER_S:.1f} s"


def listed(names: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} and {last}" if most else last
