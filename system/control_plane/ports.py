"""What a replica needs of the world: a disk, someone to carry messages, someone to note events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from system.raft.messages import Message
from system.raft.records import Record


class Disk(Protocol):
    """Where a replica's records go. Marks count records, from 1 in each boot; once everything up to a
    mark is synced, the adapter calls Replica.on_durable(now_ns, mark), never from within write."""

    def write(self, records: Sequence[Record], mark: int) -> None:
        """Queues records, the last of which has this mark. Returns at once."""


class Transport(Protocol):
    def send(self, to: str, message: Message) -> None:
        """Queues a message; it may be lost, delayed, duplicated or reordered. Returns at once."""


class EventLog(Protocol):
    def write(self, event: str, **fields: Any) -> None:
        """Notes an event (docs/event-log.md). Adds `v node boot seq time_ns` itself, and `pid cluster` to
        the `boot` event: a replica knows neither."""

    def flush(self) -> None:
        """Hands what was noted to the kernel; called before any message or answer leaves."""
