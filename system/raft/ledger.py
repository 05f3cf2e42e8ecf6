"""Layer 1 of the node: what it remembers, and how much of that is durable."""

from __future__ import annotations

from collections import deque

from system.raft.log import LogEntry
from system.raft.outputs import Event, Outputs
from system.raft.records import Append, HardState, Record, Recovered, Truncate

MAX_TERM = 2**63 - 1
# An event line stays readable, and a torn one loses little.
ENTRIES_PER_EVENT = 500


class RaftInvariantError(Exception):
    """The node is where a correct Raft never gets. It must stop, loudly, before it does harm."""


class Ledger:
    """Term, vote and log in memory, every change also a record for the disk.

    Records are counted; a record's number is its mark. `mark` is the newest, `state_mark` that of the
    newest term or vote, `durable_mark` the newest one known to be durable. `durable_index` is the last
    entry of the present log that is durable.
    """

    def __init__(self, recovered: Recovered) -> None:
        self.current_term = recovered.state.term
        self.voted_for = recovered.state.voted_for
        self.log = recovered.log
        self.mark = 0
        self.state_mark = 0
        self.durable_mark = 0
        self.durable_index = self.log.last_index
        self.outputs = Outputs()
        # (mark, durable_index once that mark is durable), for records still on their way to the disk.
        self._unsynced: deque[tuple[int, int]] = deque()

    def remember(self, term: int, voted_for: str | None) -> None:
        """Takes over a term, a vote, or both. Raises RaftInvariantError for one that falls or overflows."""
        if not self.current_term <= term <= MAX_TERM:
            raise RaftInvariantError(
                f"term {term} after term {self.current_term}; the last one is {MAX_TERM}"
            )
        new_term = term != self.current_term
        self.current_term, self.voted_for = term, voted_for
        self._record(HardState(term, voted_for))
        self.state_mark = self.mark
        if new_term:
            self.note("term", term=term)
        if voted_for is not None:
            self.note("vote", **{"term": term, "for": voted_for})

    def append(self, entry: LogEntry) -> None:
        self.log.append(entry)
        self._record(Append(entry))
        self._unsynced.append((self.mark, entry.index))
        self._note_append(entry)

    def truncate_from(self, index: int) -> None:
        """Removes the entry at `index` and all above it."""
        self.log.truncate_from(index)
        self._record(Truncate(index))
        self.durable_index = min(self.durable_index, index - 1)
        # What is still on its way to the disk below this record will be gone again once this one arrives.
        self._unsynced = deque((mark, min(last, index - 1)) for mark, last in self._unsynced)
        self.note("truncate", from_index=index)

    def note_durable(self, mark: int) -> None:
        """Everything up to `mark` is durable. An older mark than one already known changes nothing."""
        self.durable_mark = max(self.durable_mark, mark)
        while self._unsynced and self._unsynced[0][0] <= mark:
            self.durable_index = max(self.durable_index, self._unsynced.popleft()[1])

    def note(self, kind: str, /, **fields: object) -> None:
        """An event, to be written once everything recorded so far is durable."""
        self.outputs.events.append(Event(kind, fields, self.mark))

    def _record(self, record: Record) -> None:
        self.mark += 1
        self.outputs.records.append(record)

    def _note_append(self, entry: LogEntry) -> None:
        last = self.outputs.events[-1] if self.outputs.events else None
        if last is not None and last.kind == "append" and len(last.fields["entries"]) < ENTRIES_PER_EVENT:
            last.fields["entries"].append(entry.row)
            last.after = self.mark
        else:
            self.note("append", entries=[entry.row])
