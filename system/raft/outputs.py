"""What a Raft node wants done: collected while inputs are handled, drained by RaftNode.take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from system.raft.messages import Message
from system.raft.records import Record


@dataclass(slots=True)
class Outgoing:
    """A message that may leave once every record up to the mark `after` is durable."""

    to: str
    message: Message
    after: int


@dataclass(slots=True)
class Event:
    """A line for the event log (docs/event-log.md), to be written once `after` is durable."""

    kind: str
    fields: dict[str, Any]
    after: int


class Outputs:
    """records: to be persisted, in this order; the mark of the last is `mark`
    reads:   (read id, read index) of reads that a majority has confirmed: each may be answered from a
             state that has applied its index
    """

    __slots__ = ("events", "mark", "messages", "reads", "records")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.messages: list[Outgoing] = []
        self.events: list[Event] = []
        self.reads: list[tuple[int, int]] = []
        self.mark = 0
