"""What replicas stand on in these tests: disks, event logs and wires in memory, all in the test's hands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from system.control_plane.replica import Replica
from system.control_plane.state_machine import StateMachine
from system.raft.log import Log
from system.raft.messages import Message
from system.raft.node import RaftConfig
from system.raft.records import Append, HardState, Record, Recovered, Truncate

MS = 1_000_000
Sink = Callable[[str, str, Message], None]


class MemoryDisk:
    """What was only written is lost in a crash; what was synced, `state` and `log`, is not."""

    def __init__(self) -> None:
        self.state = HardState(0, None)
        self.log = Log()
        self.written: list[tuple[int, Record]] = []
        self.mark = 0
        self.on_write: Callable[[Sequence[Record]], None] = lambda records: None

    def write(self, records: Sequence[Record], mark: int) -> None:
        first = mark - len(records) + 1
        assert first == self.mark + 1, "marks count records"
        self.written += enumerate(records, start=first)
        self.mark = mark
        self.on_write(records)

    def sync(self, mark: int) -> None:
        while self.written and self.written[0][0] <= mark:
            record = self.written.pop(0)[1]
            match record:
                case HardState():
                    self.state = record
                case Append(entry):
                    self.log.append(entry)
                case Truncate(index):
                    self.log.truncate_from(index)

    def crash(self) -> None:
        self.written.clear()
        self.mark = 0

    def recover(self) -> Recovered:
        return Recovered(self.state, Log(list(self.log.slice(1, self.log.last_index))))


class MemoryEvents:
    """One boot's event log. A crash takes what was not flushed."""

    def __init__(self, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.unflushed: list[tuple[str, dict[str, Any]]] = []
        self._on_event = on_event

    def write(self, event: str, **fields: Any) -> None:
        self.unflushed.append((event, fields))

    def flush(self) -> None:
        lines, self.unflushed = self.unflushed, []
        self.lines += lines
        for event, fields in lines:
            self._on_event(event, fields)


class Wire:
    """One node's transport. Nothing may leave before the events that explain it."""

    def __init__(self, src: str, events: MemoryEvents, sink: Sink) -> None:
        self._src, self._events, self._sink = src, events, sink

    def send(self, to: str, message: Message) -> None:
        assert not self._events.unflushed, "a message left before the events that explain it"
        self._sink(self._src, to, message)


class Actor:
    """A node: a disk that survives, and a replica for as long as it is up."""

    def __init__(
        self,
        config: RaftConfig,
        send: Sink,
        draw_election_timeout_ns: Callable[[], int],
        *,
        replica_class: type[Replica] = Replica,
        on_event: Callable[[str, dict[str, Any]], None] = lambda event, fields: None,
        on_transition: Callable[[str], None] | None = None,
    ) -> None:
        self.name = config.node_id
        self.disk = MemoryDisk()
        self.boots: list[MemoryEvents] = []
        self._config, self._send, self._draw = config, send, draw_election_timeout_ns
        self._replica_class = replica_class
        self._on_event, self._on_transition = on_event, on_transition
        self._replica: Replica | None = None

    @property
    def up(self) -> bool:
        return self._replica is not None

    @property
    def replica(self) -> Replica:
        assert self._replica is not None, f"{self.name} is down"
        return self._replica

    def start(self, now_ns: int) -> None:
        assert not self.up
        events = MemoryEvents(self._on_event)
        self.boots.append(events)
        self._replica = self._replica_class(
            self._config,
            self.disk.recover(),
            self.disk,
            Wire(self.name, events, self._send),
            events,
            machine=StateMachine(),
            draw_election_timeout_ns=self._draw,
            now_ns=now_ns,
            on_transition=self._on_transition,
        )
        self._replica.flush(now_ns)

    def crash(self) -> None:
        """Unsynced records, unflushed events and everybody waiting for an answer are gone."""
        self.disk.crash()
        self._replica = None
