"""The replica's promises to its adapter: what is written, in which order, and who is answered when."""

from __future__ import annotations

import json
from typing import Any

from system.control_plane.replica import Applied, Lost, NotLeader, ReadDone, Status
from system.raft.log import EntryKind, Log, LogEntry
from system.raft.messages import AppendEntries, AppendEntriesReply, Message, RequestVoteReply
from system.raft.node import RaftConfig, State
from system.raft.records import HardState
from tests.raft.stage import MS, Actor


class Stage:
    """Node a of a, b, c; the test plays b and c."""

    def __init__(self, entries: int = 0) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.transitions: list[str] = []
        self.answers: list[Any] = []
        config = RaftConfig("a", ("a", "b", "c"))
        self.actor = Actor(config, self._send, lambda: 400 * MS, on_transition=self.transitions.append)
        self.actor.disk.state = HardState(1, "b") if entries else HardState(0, None)
        self.actor.disk.log = Log([LogEntry(n, 1, EntryKind.NO_OP) for n in range(1, entries + 1)])
        self.actor.start(0)
        self.replica = self.actor.replica

    def _send(self, src: str, to: str, message: Message) -> None:
        self.sent.append((to, message))

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return self.actor.boots[-1].lines

    def kinds(self) -> list[str]:
        return [event for event, _ in self.events()]

    def hear(self, src: str, message: Message) -> None:
        self.replica.on_message(0, src, message)
        self.replica.flush(0)

    def sync(self) -> None:
        mark = self.actor.disk.mark
        self.actor.disk.sync(mark)
        self.replica.on_durable(0, mark)
        self.replica.flush(0)

    def lead(self) -> None:
        self.replica.on_time(400 * MS)
        self.replica.flush(0)
        term = self.replica.node.current_term + 1
        self.hear("b", RequestVoteReply(term, vote_granted=True, pre_vote=True))
        self.sync()
        self.hear("b", RequestVoteReply(term, vote_granted=True))
        self.sync()
        assert self.replica.node.state is State.LEADER

    def submit(self, command: dict[str, Any], kind: EntryKind = EntryKind.COMMAND) -> None:
        self.replica.submit(0, kind, json.dumps(command).encode(), self.answers.append)

    def acknowledge(self, *, round_: int = 0) -> None:
        node = self.replica.node
        reply = AppendEntriesReply(node.current_term, True, node.log.last_index, round_, node.log.last_index)
        self.hear("b", reply)


def test_a_boot_tells_what_was_recovered() -> None:
    it = Stage(entries=1201)
    boot, *appends = it.events()
    assert boot == (
        "boot",
        {"term": 1, "voted_for": "b", "base_index": 0, "base_term": 0, "last_index": 1201, "last_term": 1},
    )
    assert [(event, fields["recovered"], len(fields["entries"])) for event, fields in appends] == [
        ("append", True, 500),
        ("append", True, 500),
        ("append", True, 201),
    ]
    assert appends[2][1]["entries"][-1][:3] == [1201, 1, "no-op"]


def test_events_wait_for_the_disk() -> None:
    it = Stage()
    it.replica.on_time(400 * MS)
    it.replica.flush(0)
    it.hear("b", RequestVoteReply(1, vote_granted=True, pre_vote=True))
    assert it.kinds() == ["boot"]
    assert it.transitions == []
    assert it.replica.status() == Status(0, State.FOLLOWER, None, 0, 0, 0)
    it.sync()
    assert it.events()[1:] == [
        ("term", {"term": 1}),
        ("vote", {"term": 1, "for": "a"}),
        ("role", {"role": "candidate", "from": "follower", "term": 1}),
    ]
    assert it.transitions == ["a transitioned from Follower to Candidate (term 1)"]
    it.hear("c", RequestVoteReply(1, vote_granted=True))
    assert it.kinds()[4:] == ["role"]
    it.sync()
    assert it.kinds()[4:] == ["role", "append"]
    assert it.replica.status() == Status(1, State.LEADER, "a", 0, 0, 1)


def test_entries_that_come_together_are_one_event_one_write_and_one_message_to_each() -> None:
    it = Stage()
    it.lead()
    it.acknowledge()
    it.sent.clear()
    it.submit({"client": "x"}, EntryKind.SESSION)
    for seq in range(3):
        it.submit({"client": "x", "seq": seq, "op": "append", "key": "k", "value": str(seq)})
    it.replica.read(0, lambda machine, index: list(machine.lists["k"]), it.answers.append)
    it.replica.read(0, lambda machine, index: index, it.answers.append)
    it.replica.flush(0)
    messages = [message for to, message in it.sent if to == "b" and isinstance(message, AppendEntries)]
    assert [(len(message.entries), message.round) for message in messages] == [(0, 1), (4, 1)]
    assert it.answers == []
    it.sync()
    assert [len(fields["entries"]) for event, fields in it.events() if event == "append"] == [1, 4]
    it.acknowledge(round_=1)
    assert it.answers == [
        Applied(2, "applied", {"index": 2}),
        Applied(3, "applied", {"index": 3}),
        Applied(4, "applied", {"index": 4}),
        Applied(5, "applied", {"index": 5}),
        ReadDone(["0", "1", "2"], 5),
        ReadDone(5, 5),
    ]
    assert it.kinds()[-5:] == ["commit", "apply", "apply", "apply", "apply"]


def test_answers_come_with_the_flush_and_after_the_events() -> None:
    it = Stage()
    seen: list[list[str]] = []
    it.replica.submit(0, EntryKind.COMMAND, b"{}", lambda outcome: seen.append(it.kinds()))
    assert seen == []
    it.replica.flush(0)
    assert len(seen) == 1
    it.lead()
    it.replica.submit(0, EntryKind.COMMAND, b"{}", lambda outcome: seen.append(it.kinds()))
    it.replica.flush(0)
    it.sync()
    it.acknowledge()
    assert seen[1][-1] == "apply"
    assert not it.actor.boots[-1].unflushed


def test_a_follower_refuses_and_names_the_leader() -> None:
    it = Stage()
    it.hear("b", AppendEntries(1, "b", 0, 0, (), 0))
    it.submit({})
    it.replica.read(0, lambda machine, index: index, it.answers.append)
    it.replica.flush(0)
    assert it.answers == [NotLeader("b"), NotLeader("b")]
    assert it.replica.node.log.last_index == 0


def test_whoever_waits_is_told_when_leadership_is_lost() -> None:
    it = Stage()
    it.lead()
    it.acknowledge()
    it.submit({"client": "x"}, EntryKind.SESSION)
    it.submit({"client": "y"}, EntryKind.SESSION)
    it.replica.read(0, lambda machine, index: index, it.answers.append)
    it.replica.flush(0)
    ours = it.replica.node.log[2]
    # The new leader has the first command, and something else in the second's place.
    other = LogEntry(3, 2, EntryKind.NO_OP)
    it.hear("c", AppendEntries(2, "c", 1, 1, (ours, other), leader_commit=3))
    assert it.answers == [Lost(), Lost(), NotLeader("c")]
    it.sync()
    assert it.replica.applied_index == 3
    assert list(it.replica.machine.sessions) == ["x"]
    assert len(it.answers) == 3


def asked_in_the_batch_that_won() -> Stage:
    """The vote that makes it the leader, and a command, without a flush between or after them."""
    it = Stage()
    it.replica.on_time(400 * MS)
    it.replica.flush(0)
    it.hear("b", RequestVoteReply(1, vote_granted=True, pre_vote=True))
    it.sync()
    it.replica.on_message(0, "b", RequestVoteReply(1, vote_granted=True))
    it.submit({"client": "x"}, EntryKind.SESSION)
    return it


def test_a_command_of_a_tenure_that_came_and_went_within_one_batch_is_lost() -> None:
    """Another command takes its place: its success must not be taken for that of the first."""
    it = asked_in_the_batch_that_won()
    assert it.replica.node.log.last_index == 2
    theirs = (LogEntry(1, 2, EntryKind.NO_OP), LogEntry(2, 2, EntryKind.SESSION, b'{"client": "y"}'))
    it.hear("c", AppendEntries(2, "c", 0, 0, theirs, leader_commit=2))
    it.sync()
    assert list(it.replica.machine.sessions) == ["y"]
    assert it.answers == [Lost()]


def test_whoever_waits_for_a_tenure_that_came_and_went_within_one_batch_is_told_at_once() -> None:
    it = asked_in_the_batch_that_won()
    it.replica.read(0, lambda machine, index: index, it.answers.append)
    it.hear("c", AppendEntries(2, "c", 0, 0, (), leader_commit=0))
    assert it.answers == [Lost(), NotLeader("c")]


def test_reads_of_a_lost_tenure_do_not_hold_up_later_ones() -> None:
    it = Stage()
    it.lead()
    it.acknowledge()
    for number in range(5):
        it.submit({"client": str(number)}, EntryKind.SESSION)
    it.replica.flush(0)
    it.hear("c", AppendEntries(2, "c", 1, 1, (), leader_commit=1))
    it.sync()
    it.answers.clear()
    it.lead()
    # Its no-op is not committed yet: a read is confirmed, but cannot be answered.
    it.replica.read(0, lambda machine, index: "old", it.answers.append)
    it.replica.flush(0)
    node = it.replica.node
    it.hear("b", AppendEntriesReply(node.current_term, True, 1, 1, 1))
    assert it.answers == []
    # c, which never had that no-op, leads and cuts it off; then a leads again with a shorter log.
    it.hear("c", AppendEntries(9, "c", 1, 1, (LogEntry(2, 9, EntryKind.NO_OP),), leader_commit=1))
    assert it.answers == [NotLeader("c")]
    it.sync()
    it.lead()
    it.replica.read(0, lambda machine, index: "new", it.answers.append)
    it.replica.flush(0)
    it.acknowledge(round_=1)
    assert it.answers[1:] == [ReadDone("new", 3)]


def test_a_follower_applies_once_its_own_disk_holds_what_came_before() -> None:
    it = Stage()
    it.hear("b", AppendEntries(1, "b", 0, 0, (LogEntry(1, 1, EntryKind.NO_OP),), leader_commit=1))
    assert it.replica.node.commit_index == 1
    assert it.replica.applied_index == 0
    it.sync()
    assert it.kinds() == ["boot", "term", "append", "commit", "apply"]
    assert it.replica.status() == Status(1, State.FOLLOWER, "b", 1, 1, 1)


def test_a_bad_message_is_refused_and_said_so() -> None:
    it = Stage()
    refused = it.replica.on_message(0, "b", AppendEntries(2**63, "b", 0, 0, (), 0))
    assert refused == "term 9223372036854775808 from b; expected 0 to 9223372036854775807"
    assert it.replica.on_message(0, "b", AppendEntries(1, "b", 0, 0, (), 0)) is None


def test_status_says_nothing_that_the_event_log_does_not_show_yet() -> None:
    it = Stage()
    it.hear("b", AppendEntries(1, "b", 0, 0, (LogEntry(1, 1, EntryKind.NO_OP),), leader_commit=1))
    assert it.replica.node.commit_index == 1
    assert it.replica.status() == Status(0, State.FOLLOWER, None, 0, 0, 0)
