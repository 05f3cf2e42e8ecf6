"""The replicated log, in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from operator import attrgetter

_TERM = attrgetter("term")


class EntryKind(Enum):
    NO_OP = "no-op"
    COMMAND = "command"
    SESSION = "session"
    CONFIG = "config"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry. The command is opaque to Raft."""

    index: int
    term: int
    kind: EntryKind
    command: bytes = b""
    _digest: str = field(default="", init=False, repr=False, compare=False)

    @property
    def digest(self) -> str:
        """16 hex digits that stand for kind and command (BLAKE2b-64), in event logs and comparisons."""
        if not self._digest:  # asked for at least twice: as the entry is appended, and as it is applied
            text = self.kind.value.encode() + b"\0" + self.command
            object.__setattr__(self, "_digest", blake2b(text, digest_size=8).hexdigest())
        return self._digest

    @property
    def row(self) -> list[int | str]:
        """The entry in an `append` event: [index, term, kind, digest]."""
        return [self.index, self.term, self.kind.value, self.digest]


class Log:
    """Entries base_index+1 … last_index; what lies at or below the base has been compacted away.

    last_index: base_index where there are none

    Raises IndexError for an index outside of the log, ValueError for an append that leaves a hole.
    """

    def __init__(
        self, entries: list[LogEntry] | None = None, base_index: int = 0, base_term: int = 0
    ) -> None:
        self.base_index = base_index
        self.base_term = base_term
        self.last_index = base_index
        self._entries: list[LogEntry] = []
        for entry in entries or []:
            self.append(entry)

    @property
    def last_term(self) -> int:
        return self._entries[-1].term if self._entries else self.base_term

    def term_at(self, index: int) -> int | None:
        """The term of the entry at `index`; None where this log has no such entry."""
        if self.base_index < index <= self.last_index:
            return self._entries[index - self.base_index - 1].term
        return self.base_term if index == self.base_index else None

    def __getitem__(self, index: int) -> LogEntry:
        if not self.base_index < index <= self.last_index:
            raise IndexError(f"no entry {index} in a log of {self.base_index + 1}..{self.last_index}")
        return self._entries[index - self.base_index - 1]

    def slice(self, first: int, limit: int) -> tuple[LogEntry, ...]:
        """At most `limit` entries from `first` on."""
        start = first - self.base_index - 1
        if start < 0:
            raise IndexError(f"entry {first} has been compacted away (base {self.base_index})")
        return tuple(self._entries[start : start + limit])

    def batch(self, first: int, max_entries: int, max_bytes: int) -> tuple[LogEntry, ...]:
        """Entries from `first` on within both limits, but at least one where there is one."""
        entries = self.slice(first, max_entries)
        size_bytes = 0
        for count, entry in enumerate(entries):
            size_bytes += len(entry.command)
            if size_bytes > max_bytes and count > 0:
                return entries[:count]
        return entries

    # Terms never decrease along a log, so an index can be found by its term in logarithmic time.

    def first_index_of(self, term: int) -> int | None:
        """The first entry of `term`; None where there is none."""
        at = bisect_left(self._entries, term, key=_TERM)
        return self._index_if(at, term)

    def last_index_of(self, term: int) -> int | None:
        """The last entry of `term`; None where there is none."""
        at = bisect_right(self._entries, term, key=_TERM) - 1
        return self._index_if(at, term)

    def _index_if(self, at: int, term: int) -> int | None:
        found = 0 <= at < len(self._entries) and self._entries[at].term == term
        return self.base_index + at + 1 if found else None

    def append(self, entry: LogEntry) -> None:
        if entry.index != self.last_index + 1:
            raise ValueError(f"entry {entry.index} does not follow {self.last_index}")
        self._entries.append(entry)
        self.last_index = entry.index

    def truncate_from(self, index: int) -> None:
        """Removes the entry at `index` and all above it."""
        if index <= self.base_index:
            raise IndexError(f"cannot truncate at {index}: compacted up to {self.base_index}")
        del self._entries[index - self.base_index - 1 :]
        self.last_index = self.base_index + len(self._entries)
