"""A replica: drives the Raft core. Persist, then send; commit, then apply, then answer.

Synchronous and without a clock, like the core; it is given its disk, transport and event log. So the same
replica runs in a process, behind asyncio, and in a simulator.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from system.control_plane.ports import Disk, EventLog, Transport
from system.control_plane.state_machine import Applied, StateMachine
from system.raft.ledger import ENTRIES_PER_EVENT
from system.raft.log import EntryKind
from system.raft.messages import Message
from system.raft.node import MessageRefusedError, NotLeaderError, RaftConfig, RaftNode, State
from system.raft.outputs import Event, Outgoing
from system.raft.records import Record, Recovered

__all__ = ["Applied", "Lost", "NotLeader", "Outcome", "ReadDone", "ReadOutcome", "Replica", "Status"]


@dataclass(frozen=True, slots=True)
class NotLeader:
    """Not done, and it never will be. leader_id: who leads, where known."""

    leader_id: str | None


@dataclass(frozen=True, slots=True)
class Lost:
    """Leadership was lost while the command was pending: it may or may not take effect."""


@dataclass(frozen=True, slots=True)
class ReadDone:
    """value: what the query returned, from the state after exactly the first `applied_index` entries."""

    value: Any
    applied_index: int


Outcome = Applied | NotLeader | Lost
ReadOutcome = ReadDone | NotLeader
Query = Callable[[StateMachine, int], Any]


@dataclass(slots=True)
class Status:
    """What a node may say of itself: only what its event log shows as well, so nothing that a crash
    could take back."""

    term: int
    role: State
    leader_id: str | None
    commit_index: int
    applied_index: int
    last_log_index: int


@dataclass(slots=True)
class _PendingCommand:
    term: int
    done: Callable[[Outcome], None]


@dataclass(slots=True)
class _PendingRead:
    term: int
    query: Query
    done: Callable[[ReadOutcome], None]


class Replica:
    """Inputs: on_message, on_time, on_durable, submit, read. They only take note; after a batch of them the
    adapter calls flush, which does everything that has become due. `done` callbacks are called by flush only,
    each exactly once, unless the process dies first; what they in turn submit needs another flush.

    Raises RaftInvariantError from any input or flush: then the node must stop, and nothing more may leave it.
    """

    # The core to drive; whoever wants another one overrides this.
    core: type[RaftNode] = RaftNode

    def __init__(
        self,
        config: RaftConfig,
        recovered: Recovered,
        disk: Disk,
        transport: Transport,
        events: EventLog,
        *,
        machine: StateMachine,
        draw_election_timeout_ns: Callable[[], int],
        now_ns: int,
        on_transition: Callable[[str], None] | None = None,
    ) -> None:
        self.machine = machine
        self.applied_index = recovered.log.base_index
        self._disk, self._transport, self._events = disk, transport, events
        self._on_transition = on_transition
        self._held_messages: list[Outgoing] = []
        self._held_events: list[Event] = []
        self._commands: dict[int, _PendingCommand] = {}
        self._reads: dict[int, _PendingRead] = {}
        # (read index, read id) of confirmed reads whose index is not applied yet, in order of index.
        self._confirmed_reads: deque[tuple[int, int]] = deque()
        self._answers: list[tuple[Callable[[Any], None], Outcome | ReadOutcome]] = []
        self._tenure: int | None = None
        self._shown_term, self._shown_role = recovered.state.term, State.FOLLOWER
        self._note_boot(recovered)
        self.node = self.core(config, recovered, draw_election_timeout_ns, now_ns)

    @property
    def next_deadline_ns(self) -> int:
        """When on_time is due."""
        return self.node.next_deadline_ns

    def on_time(self, now_ns: int) -> None:
        self.node.on_time(now_ns)

    def on_message(self, now_ns: int, src: str, message: Message) -> str | None:
        """Returns why the message was refused, as one that no correct voter sends; None where it was not."""
        try:
            self.node.on_message(now_ns, src, message)
        except MessageRefusedError as error:
            return str(error)
        return None

    def on_durable(self, now_ns: int, mark: int) -> None:
        """Every record up to `mark` has been synced."""
        self.node.on_durable(now_ns, mark)

    def submit(self, now_ns: int, kind: EntryKind, command: bytes, done: Callable[[Outcome], None]) -> None:
        """Has an entry committed and applied."""
        try:
            index = self.node.propose(now_ns, kind, command)
        except NotLeaderError as error:
            self._answer(done, NotLeader(error.leader_id))
        else:
            self._commands[index] = _PendingCommand(self.node.current_term, done)

    def read(self, now_ns: int, query: Query, done: Callable[[ReadOutcome], None]) -> None:
        """Has `query(machine, applied_index)` called on a state that holds everything acknowledged before."""
        try:
            read_id = self.node.request_read(now_ns)
        except NotLeaderError as error:
            self._answer(done, NotLeader(error.leader_id))
        else:
            self._reads[read_id] = _PendingRead(self.node.current_term, query, done)

    def status(self) -> Status:
        node = self.node
        return Status(
            term=self._shown_term,
            role=self._shown_role,
            leader_id=node.leader_id if node.current_term == self._shown_term else None,
            commit_index=self.applied_index,
            applied_index=self.applied_index,
            last_log_index=node.durable_index,
        )

    def flush(self, now_ns: int) -> None:
        """Persists, notes, applies, sends and answers what is due, in the order that keeps promises."""
        outputs = self.node.take(now_ns)
        if outputs.records:
            self.persist(now_ns, outputs.records, outputs.mark)
        self._held_messages += outputs.messages
        self._held_events += outputs.events
        if outputs.reads:
            self._confirmed_reads.extend((index, read_id) for read_id, index in outputs.reads)
        noted = self._held_events and self._note_events()
        if self._confirmed_reads:
            self._serve_reads()
        self._give_up_lost_tenure()
        if noted:
            # The evidence leaves before what it explains.
            self._events.flush()
        if self._held_messages:
            self._send()
        if self._answers:
            answers, self._answers = self._answers, []
            for done, outcome in answers:
                done(outcome)

    def persist(self, now_ns: int, records: list[Record], mark: int) -> None:
        """Hands records to the disk. They count as durable once it says so, through on_durable."""
        self._disk.write(records, mark)

    def _note_boot(self, recovered: Recovered) -> None:
        log, state = recovered.log, recovered.state
        self._events.write(
            "boot",
            term=state.term,
            voted_for=state.voted_for,
            base_index=log.base_index,
            base_term=log.base_term,
            last_index=log.last_index,
            last_term=log.last_term,
        )
        for first in range(log.base_index + 1, log.last_index + 1, ENTRIES_PER_EVENT):
            entries = [entry.row for entry in log.slice(first, ENTRIES_PER_EVENT)]
            self._events.write("append", entries=entries, recovered=True)
        self._events.flush()

    def _note_events(self) -> bool:
        """Writes the events that are due, in order, and applies what they declare committed. Returns whether
        there were any."""
        durable = self.node.durable_mark
        held, self._held_events = self._held_events, []
        for event in held:
            if event.after > durable:
                self._held_events.append(event)
                continue
            self._events.write(event.kind, **event.fields)
            if event.kind == "commit":
                self._apply_up_to(event.fields["index"])
            elif event.kind == "term":
                self._shown_term = event.fields["term"]
            elif event.kind == "role":
                self._show_role(
                    State(event.fields["from"]), State(event.fields["role"]), event.fields["term"]
                )
        return len(self._held_events) < len(held)

    def _show_role(self, before: State, after: State, term: int) -> None:
        self._shown_role = after
        if self._on_transition is not None:
            old, new = before.value.capitalize(), after.value.capitalize()
            self._on_transition(f"{self.node.config.node_id} transitioned from {old} to {new} (term {term})")

    def _apply_up_to(self, index: int) -> None:
        while self.applied_index < index:
            entry = self.node.log[self.applied_index + 1]
            applied = self.machine.apply(entry)
            self.applied_index = entry.index
            self._events.write(
                "apply",
                index=entry.index,
                term=entry.term,
                kind=entry.kind.value,
                digest=entry.digest,
                command=entry.command.decode("utf-8", "surrogateescape"),
                outcome=applied.outcome,
            )
            pending = self._commands.pop(entry.index, None)
            if pending is not None:
                # An entry of another term took the index of a command that this node had to give up.
                self._answer(pending.done, applied if pending.term == entry.term else Lost())

    def _serve_reads(self) -> None:
        while self._confirmed_reads and self._confirmed_reads[0][0] <= self.applied_index:
            _, read_id = self._confirmed_reads.popleft()
            pending = self._reads.pop(read_id, None)
            if pending is not None:
                value = pending.query(self.machine, self.applied_index)
                self._answer(pending.done, ReadDone(value, self.applied_index))

    def _give_up_lost_tenure(self) -> None:
        """Answers everything pending from a term this node no longer leads."""
        node = self.node
        tenure = node.current_term if node.state is State.LEADER else None
        # A tenure may have begun and ended since the last flush.
        if tenure == self._tenure and (tenure is not None or not (self._commands or self._reads)):
            return
        self._tenure = tenure
        for index in [index for index, command in self._commands.items() if command.term != tenure]:
            self._answer(self._commands.pop(index).done, Lost())
        for read_id in [read_id for read_id, read in self._reads.items() if read.term != tenure]:
            self._answer(self._reads.pop(read_id).done, NotLeader(node.leader_id))
        # The lost ones must not hold up those of a later tenure, whose read index may be lower.
        self._confirmed_reads = deque(read for read in self._confirmed_reads if read[1] in self._reads)

    def _send(self) -> None:
        durable = self.node.durable_mark
        held, self._held_messages = self._held_messages, []
        for outgoing in held:
            if outgoing.after <= durable:
                self._transport.send(outgoing.to, outgoing.message)
            else:
                self._held_messages.append(outgoing)

    def _answer(self, done: Callable[[Any], None], outcome: Outcome | ReadOutcome) -> None:
        self._answers.append((done, outcome))
