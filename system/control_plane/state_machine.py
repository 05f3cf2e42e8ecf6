"""What the cluster agrees on: lists, registers, workers, and the sessions that make commands apply once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from system.raft.log import EntryKind, LogEntry


@dataclass(frozen=True, slots=True)
class Applied:
    """index: the entry's. outcome: as in docs/event-log.md. result: for the client; a duplicate has the
    first one's, whose "index" is where the command took effect."""

    index: int
    outcome: str
    result: dict[str, Any]


@dataclass(slots=True)
class Session:
    """One client's newest command and its answer; one command of a session is outstanding at a time."""

    opened_index: int
    sequence: int = -1
    result: dict[str, Any] | None = None


class _MalformedError(Exception):
    pass


class StateMachine:
    """Deterministic: the same entries give the same state and answers on every node.

    Commands are JSON objects in UTF-8 with string values:
      {"op": "append", "client", "seq", "key", "value"}            result {"index"}
      {"op": "put", "client", "seq", "key", "value"}               result {"index"}
      {"op": "cas", "client", "seq", "key", "value", "expected"}   result {"index", "swapped"}
      {"op": "register_worker", "worker", "address", "cloud"}      result {"index"}
    and the command of a session entry is {"client"}, result {"index"}. `seq` is an integer from 0 on;
    `expected` is null where the register should be unset; a worker's last registration counts.
    Sessions are part of the replicated state (Ongaro's thesis, 6.3), so they survive restarts and elections.

    decode: as json.loads; several nodes in one process may share one that remembers. What it returns is not
    changed.
    """

    def __init__(self, decode: Callable[[bytes], Any] = json.loads) -> None:
        self._decode = decode
        self.lists: dict[str, list[str]] = {}
        self.registers: dict[str, str] = {}
        self.workers: dict[str, dict[str, str]] = {}
        self.sessions: dict[str, Session] = {}

    def apply(self, entry: LogEntry) -> Applied:
        """Applies the next committed entry. Never raises for what a command holds."""
        if entry.kind not in (EntryKind.COMMAND, EntryKind.SESSION):
            return Applied(entry.index, "none", {})
        try:
            command = self._read(entry.command)
            if entry.kind is EntryKind.SESSION:
                return self._open_session(entry.index, command)
            if command.get("op") == "register_worker":
                return self._register_worker(entry.index, command)
            return self._apply_once(entry.index, command)
        except _MalformedError:
            return Applied(entry.index, "malformed", {})

    def _read(self, command: bytes) -> dict[str, Any]:
        try:
            decoded = self._decode(command)
        except (ValueError, RecursionError):
            raise _MalformedError from None
        if not isinstance(decoded, dict):
            raise _MalformedError
        return decoded

    def _open_session(self, index: int, command: dict[str, Any]) -> Applied:
        client = _text(command, "client")
        if client in self.sessions:
            # A retry: the session may have gone on in the meantime.
            return Applied(index, "duplicate", {"index": self.sessions[client].opened_index})
        self.sessions[client] = Session(opened_index=index)
        return Applied(index, "applied", {"index": index})

    def _register_worker(self, index: int, command: dict[str, Any]) -> Applied:
        worker = _text(command, "worker")
        self.workers[worker] = {"address": _text(command, "address"), "cloud": _text(command, "cloud")}
        return Applied(index, "applied", {"index": index})

    def _apply_once(self, index: int, command: dict[str, Any]) -> Applied:
        session = self.sessions.get(_text(command, "client"))
        sequence = _sequence(command)
        if session is None:
            return Applied(index, "no-session", {})
        if sequence < session.sequence:
            return Applied(index, "stale", {})
        if sequence == session.sequence and session.result is not None:
            return Applied(index, "duplicate", session.result)
        result = self._execute(index, command)
        session.sequence, session.result = sequence, result
        return Applied(index, "applied", result)

    def _execute(self, index: int, command: dict[str, Any]) -> dict[str, Any]:
        op, key, value = command.get("op"), _text(command, "key"), _text(command, "value")
        if op == "append":
            self.lists.setdefault(key, []).append(value)
            return {"index": index}
        if op == "put":
            self.registers[key] = value
            return {"index": index}
        if op == "cas":
            expected = None if command.get("expected") is None else _text(command, "expected")
            swapped = self.registers.get(key) == expected
            if swapped:
                self.registers[key] = value
            return {"index": index, "swapped": swapped}
        raise _MalformedError


def _text(command: dict[str, Any], name: str) -> str:
    value = command.get(name)
    if not isinstance(value, str):
        raise _MalformedError
    return value


def _sequence(command: dict[str, Any]) -> int:
    value = command.get("seq")
    if type(value) is not int or value < 0:  # a bool is an int, too
        raise _MalformedError
    return value
