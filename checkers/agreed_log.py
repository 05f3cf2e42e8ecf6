"""The log that the nodes agreed on, from what they applied, and what becomes of it when it is replayed.

The replay is the specification of the system's state machine, written once more and independently of it
(docs/event-log.md: outcomes; Ongaro's thesis, §6.3: sessions).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from checkers import events
from checkers.history import History

Event = dict[str, Any]
# What an operation wants, whoever asks and however often: (op, key, value) as texts. Written values are
# unique.
Want = tuple[str, str, str]


@dataclass
class AgreedLog:
    """entries: index -> the event that applied it last (where nodes disagree, the last word is the log's)
    disagreements: pairs of events that applied different entries at one index
    outcomes: index -> outcome -> the first event with it
    end: everything from index 1 to here is known
    """

    entries: dict[int, Event] = field(default_factory=dict)
    disagreements: list[tuple[Event, Event]] = field(default_factory=list)
    outcomes: dict[int, dict[str, Event]] = field(default_factory=dict)
    end: int = 0


def agreed_log(history: History) -> AgreedLog:
    log = AgreedLog()
    applies = (
        event
        for node in events.nodes(history)
        for event in events.stream(history, node)
        if event["event"] == "apply"
    )
    disputed: set[int] = set()
    for event in sorted(applies, key=lambda event: event["time_ns"]):
        index = event["index"]
        before = log.entries.get(index)
        if before is None:
            log.entries[index] = event
        elif (before["term"], before["digest"]) != (event["term"], event["digest"]):
            log.entries[index] = event
            log.outcomes.pop(index, None)
            if index not in disputed:
                disputed.add(index)
                log.disagreements.append((before, event))
        log.outcomes.setdefault(index, {}).setdefault(event["outcome"], event)
    while log.end + 1 in log.entries:
        log.end += 1
    return log


@dataclass(frozen=True, slots=True)
class Command:
    """A client's command as the log holds it. Of a cas, seen: the register just before; swapped: whether
    that was what it expected."""

    index: int
    client: str
    seq: int
    want: Want
    expected: str | None
    outcome: str
    seen: str | None = None
    swapped: bool = True

    @property
    def took_effect(self) -> bool:
        return self.outcome == "applied" and self.swapped


class Replay:
    """The agreed log from index 1 to its end, applied to an empty state machine.

    commands: index -> Command, for every entry that is a list's or a register's command
    effects:  want -> the indices at which it took effect; more than one only where a session failed
    copies:   (client, seq) -> the indices of all its commands in the log
    """

    def __init__(self, log: AgreedLog) -> None:
        self.commands: dict[int, Command] = {}
        self.effects: dict[Want, list[int]] = {}
        self.copies: dict[tuple[str, int], list[int]] = {}
        self._sessions: dict[str, int] = {}
        # key -> the indices at which it changed, and what was appended there, or what the register held then.
        self._lists: dict[str, tuple[list[int], list[Any]]] = {}
        self._registers: dict[str, tuple[list[int], list[str]]] = {}
        for index in range(1, log.end + 1):
            self._apply(index, log.entries[index])

    def items(self, key: Any, index: int) -> list[Any]:
        """The list under the key in the state after index."""
        indices, items = self._lists.get(str(key), ([], []))
        return items[: bisect_right(indices, index)]

    def register(self, key: Any, index: int) -> str | None:
        """The register under the key, as a text, in the state after index."""
        indices, values = self._registers.get(str(key), ([], []))
        position = bisect_right(indices, index)
        return values[position - 1] if position else None

    def _apply(self, index: int, entry: Event) -> None:
        text = entry["command"]
        if entry["kind"] == "session":
            for client in _clients(text):
                self._sessions.setdefault(client, -1)
        if entry["kind"] != "command" or (parsed := _parse(text)) is None:
            return
        client, seq, want, expected = parsed
        last = self._sessions.get(client)
        if last is None:
            outcome = "no-session"
        elif seq <= last:
            outcome = "duplicate" if seq == last else "stale"
        else:
            outcome = "applied"
            self._sessions[client] = seq
        self.copies.setdefault((client, seq), []).append(index)
        command = Command(index, client, seq, want, expected, outcome)
        if outcome == "applied" and want[0] == "cas":
            seen = self.register(want[1], index)
            command = Command(index, client, seq, want, expected, outcome, seen, seen == expected)
        self.commands[index] = command
        if command.took_effect:
            self._change(index, want)

    def _change(self, index: int, want: Want) -> None:
        op, key, value = want
        self.effects.setdefault(want, []).append(index)
        if op == "append":
            indices, items = self._lists.setdefault(key, ([], []))
            items.append(_number(value))
        else:
            indices, values = self._registers.setdefault(key, ([], []))
            values.append(value)
        indices.append(index)


def _clients(text: str) -> Iterator[str]:
    try:
        yield str(json.loads(text)["client"])
    except (ValueError, TypeError, KeyError):
        return


def _parse(text: str) -> tuple[str, int, Want, str | None] | None:
    """None for a command of another kind, or none at all."""
    try:
        command = json.loads(text)
        op, key, value = command["op"], command["key"], command["value"]
        client, seq, expected = command["client"], command["seq"], command.get("expected")
    except (ValueError, TypeError, KeyError):
        return None
    if op not in ("append", "put", "cas") or not isinstance(seq, int):
        return None
    return str(client), seq, (op, str(key), str(value)), expected


def _number(text: str) -> Any:
    """Elements are whole numbers carried as decimal texts; anything else stays what it is."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and str(int(text)) == text else text
