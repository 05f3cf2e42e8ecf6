"""Nodes' event logs (docs/event-log.md): reading them from disk, and finding what is missing from them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checkers.answers import answers
from checkers.history import History, HistoryError

Event = dict[str, Any]

VERSION = 1
_FILE = re.compile(r"events-(\d{4,})\.jsonl")
# What each kind of event must carry besides the fields of every event.
_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "boot": {
        "term": int,
        "voted_for": (str, type(None)),
        "base_index": int,
        "base_term": int,
        "last_index": int,
        "last_term": int,
    },
    "term": {"term": int},
    "vote": {"term": int, "for": str},
    "role": {"role": str, "term": int},
    "append": {"entries": list},
    "truncate": {"from_index": int},
    "commit": {"index": int, "term": int, "role": str},
    "apply": {"index": int, "term": int, "kind": str, "digest": str, "command": str, "outcome": str},
}


def load_events(folder: Path) -> dict[str, list[list[Event]]]:
    """Every node's event logs from `folder`/<node>/events-0001.jsonl …, one list a boot, in order of boots.

    Raises HistoryError with path:line for a line that is no event. A last line that was cut short is left
    out: what it would have said never left the node.
    """
    events: dict[str, list[list[Event]]] = {}
    for node in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = [(int(m[1]), path) for path in node.iterdir() if (m := _FILE.fullmatch(path.name))]
        if files:
            events[node.name] = [_load_boot(path, node.name, boot) for boot, path in sorted(files)]
    return events


def _load_boot(path: Path, node: str, boot: int) -> list[Event]:
    *lines, tail = path.read_bytes().split(b"\n")
    events = []
    for number, line in enumerate(lines, 1):
        try:
            events.append(_event(json.loads(line), node, boot))
        except ValueError as error:
            raise HistoryError(f"{path}:{number}: {error}") from None
    try:
        return [*events, _event(json.loads(tail), node, boot)] if tail else events
    except ValueError:
        return events


def _event(event: Any, node: str, boot: int) -> Event:
    if not isinstance(event, dict):
        raise ValueError("not an event: expected a JSON object")
    if event.get("v") != VERSION:
        raise ValueError(f"an event of schema {event.get('v')!r}; expected {VERSION}")
    if event.get("node") != node or event.get("boot") != boot:
        raise ValueError(
            f"an event of {event.get('node')!r}, boot {event.get('boot')!r}, in the log of {node}, boot"
            f" {boot}"
        )
    for name in ("seq", "time_ns"):
        if not isinstance(event.get(name), int):
            raise ValueError(f"an event without a whole number as its {name}")
    fields = _FIELDS.get(event.get("event", ""))
    if fields is None:
        raise ValueError(f"an event of unknown kind {event.get('event')!r}; expected {', '.join(_FIELDS)}")
    for name, kind in fields.items():
        if name not in event or not isinstance(event[name], kind):
            raise ValueError(f"a {event['event']} event whose {name} is missing or of another type")
    return event


def nodes(history: History) -> list[str]:
    """The control-plane nodes: those the run names, or else those that left an event log."""
    return list(history.facts.get("nodes") or history.events)


def stream(history: History, node: str) -> Iterator[Event]:
    """One node's events over all of its boots, in order."""
    for boot in history.events.get(node, ()):
        yield from boot


def timeline(history: History) -> list[Event]:
    """All nodes' events in order of time; each node's own order is kept."""
    return sorted((e for node in nodes(history) for e in stream(history, node)), key=lambda e: e["time_ns"])


def gaps(history: History) -> list[str]:
    """What is missing from the event logs, a sentence each. No checker says yes over a gap, and none says no
    for what may only be missing."""
    starts, counted = history.facts.get("starts"), history.facts.get("events")
    if starts is None:
        return [
            "the run did not record how often each node was started, so a missing event log cannot be noticed"
        ]
    if counted is None:
        return [
            "the run did not record how many events each node left, so the loss of the last cannot be noticed"
        ]
    found = []
    for node in nodes(history):
        boots, lengths = history.events.get(node, []), counted.get(node, [])
        if len(boots) != starts.get(node, 0):
            found.append(f"{node} was started {starts.get(node, 0)} times and left {len(boots)} event logs")
        if len(boots) != len(lengths):
            found.append(f"{node} has {len(boots)} event logs, but the run collected {len(lengths)}")
        for number, boot in enumerate(boots, 1):
            length = lengths[number - 1] if number <= len(lengths) else 0
            found += _gaps_in_boot(_name(node, number), number, boot, length)
    return [*found, *_unwritten(history)]


def _name(node: str, boot: int) -> str:
    return f"{node}'s event log of boot {boot}"


def _gaps_in_boot(name: str, number: int, boot: list[Event], length: int) -> Iterator[str]:
    """length: how many events there were when the log was collected."""
    if not boot:
        yield f"{name} is empty"
        return
    if boot[0]["event"] != "boot":
        yield f"{name} does not begin with its boot"
    if boot[0]["boot"] != number:
        yield f"{name} is missing: there is one of boot {boot[0]['boot']} in its place"
    for expected, event in enumerate(boot):
        if event["seq"] != expected:
            yield f"{name} lacks event {expected}: event {event['seq']} stands in its place"
            return
    if len(boot) < length:
        yield f"{name} ends after {len(boot)} of {length} events"


def _unwritten(history: History) -> Iterator[str]:
    """Boots that answered Status with more than their event logs show. A node answers only what it has
    written down, so what is not there has been lost since."""
    written = {
        (node, number): _last_applied(boot)
        for node in nodes(history)
        for number, boot in enumerate(history.events.get(node, ()), 1)
    }
    said: dict[tuple[str, int], int] = {}
    for answer in answers(history):
        key = answer["node"], answer["boot"]
        said[key] = max(said.get(key, 0), answer["applied_index"])
    for (node, boot), index in said.items():
        if index > (known := written.get((node, boot), 0)):
            yield (
                f"{_name(node, boot)} ends with index {known} applied, but the node had answered Status with"
                f" {index}"
            )


def _last_applied(boot: list[Event]) -> int:
    base = boot[0].get("base_index", 0) if boot else 0
    return next((event["index"] for event in reversed(boot) if event["event"] == "apply"), base)
