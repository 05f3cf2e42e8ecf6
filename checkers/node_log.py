"""A node's log as its events tell it."""

from __future__ import annotations

from typing import Any


class NodeLog:
    """Entries as (term, digest) by index, over one boot. Index `base_index` and all below it are compacted.

    Fed a node's events in order. What an event is silent about (a kill between a sync and its event) shows as
    a missing index, never as a wrong one.
    """

    def __init__(self) -> None:
        self.base_index = 0
        self.base_term = 0
        self.entries: dict[int, tuple[int, str]] = {}
        self.last_index = 0

    def take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "append":
            for index, term, _, digest in event["entries"]:
                if index <= self.last_index:
                    self._cut(index)
                self.entries[index] = (term, digest)
                self.last_index = index
        elif kind == "truncate":
            self._cut(event["from_index"])
        elif kind == "boot":
            self.base_index, self.base_term = event["base_index"], event["base_term"]
            self.entries = {}
            self.last_index = self.base_index

    def term(self, index: int) -> int | None:
        """None where the events do not tell."""
        if index == self.base_index:
            return self.base_term
        entry = self.entries.get(index)
        return entry[0] if entry is not None else None

    def _cut(self, from_index: int) -> None:
        for index in range(from_index, self.last_index + 1):
            self.entries.pop(index, None)
        self.last_index = min(self.last_index, from_index - 1)
