"""The core's edges, one by one. What whole clusters do is in the plays and the storms."""

from __future__ import annotations

import pytest

from system.raft.log import EntryKind, Log, LogEntry
from system.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Message,
    RequestVote,
    RequestVoteReply,
)
from system.raft.node import (
    MessageRefusedError,
    NotLeaderError,
    RaftConfig,
    RaftInvariantError,
    RaftNode,
    State,
)
from system.raft.records import HardState, Recovered
from tests.raft.stage import MS

VOTERS = ("a", "b", "c")


def node(term: int = 0, log: tuple[int, ...] = (), *, vote: str | None = None, batch: int = 64) -> RaftNode:
    """Node a with a log of these terms, all of it durable."""
    entries = [LogEntry(index, at, EntryKind.COMMAND, b"x" * 10) for index, at in enumerate(log, start=1)]
    config = RaftConfig("a", VOTERS, max_batch_entries=batch, max_batch_bytes=25)
    recovered = Recovered(HardState(term, vote), Log(entries))
    return RaftNode(config, recovered, lambda: 400 * MS, now_ns=0)


def leader(log: tuple[int, ...] = (), *, term: int = 1) -> RaftNode:
    """Node a, elected in `term` with b's vote; its no-op is durable on its own disk."""
    a = node(term - 1, log)
    a.on_time(400 * MS)
    a.on_message(400 * MS, "b", RequestVoteReply(term, vote_granted=True, pre_vote=True))
    a.on_durable(400 * MS, a.mark)
    a.on_message(400 * MS, "b", RequestVoteReply(term, vote_granted=True))
    assert a.state is State.LEADER
    a.take(400 * MS)
    a.on_durable(400 * MS, a.mark)
    return a


def heartbeat(
    term: int, prev: tuple[int, int] = (0, 0), *entries: LogEntry, commit: int = 0
) -> AppendEntries:
    return AppendEntries(term, "b", prev[0], prev[1], entries, leader_commit=commit)


def entry(index: int, term: int) -> LogEntry:
    return LogEntry(index, term, EntryKind.COMMAND, b"y")


def sent(a: RaftNode, kind: type[Message]) -> list[tuple[Message, int]]:
    return [(out.message, out.after) for out in a.take(0).messages if isinstance(out.message, kind)]


@pytest.mark.parametrize("term", [-1, 2**63])
def test_a_term_out_of_range_is_refused(term: int) -> None:
    a = node(term=3)
    for message in (
        RequestVote(term, "b", 9, 9),
        RequestVoteReply(term, vote_granted=True),
        heartbeat(term),
        AppendEntriesReply(term, True, 0, 0, 0),
    ):
        with pytest.raises(MessageRefusedError, match="expected 0 to 9223372036854775807"):
            a.on_message(0, "b", message)
    assert a.current_term == 3
    assert not a.take(0).records


def test_the_last_term_is_the_last() -> None:
    a = node(term=3)
    a.on_message(0, "b", heartbeat(2**63 - 1))
    assert a.current_term == 2**63 - 1
    a.start_pre_vote(0)
    with pytest.raises(RaftInvariantError, match="the last one is"):
        a.start_election(0)


def test_strangers_and_malformed_entries_are_refused() -> None:
    a = node(term=3, log=(1,))
    with pytest.raises(MessageRefusedError, match="expected one of b, c"):
        a.on_message(0, "x", heartbeat(3))
    for bad in (entry(3, 3), entry(2, 4)):
        with pytest.raises(MessageRefusedError, match="expected entry 2 of no later term"):
            a.on_message(0, "b", heartbeat(3, (1, 1), bad))
    assert a.log.last_index == 1


def test_a_leader_stops_where_another_leads_its_term() -> None:
    a = leader()
    with pytest.raises(RaftInvariantError, match="two leaders in term 1"):
        a.on_message(0, "b", heartbeat(1))


def test_a_node_stops_rather_than_truncate_what_is_committed() -> None:
    a = node(term=2, log=(1, 1, 2))
    a.on_message(0, "b", heartbeat(2, (3, 2), commit=2))
    assert a.commit_index == 2
    with pytest.raises(RaftInvariantError, match="entries up to 2 are committed"):
        a.on_message(0, "b", heartbeat(3, (1, 1), entry(2, 3)))
    assert a.log.last_index == 3


def test_only_a_leader_of_this_term_puts_off_the_election() -> None:
    a = node(term=2)
    a.on_message(100 * MS, "b", heartbeat(1))
    assert a.next_deadline_ns == 400 * MS
    assert not a.hears_leader(100 * MS)
    a.on_message(100 * MS, "b", heartbeat(2))
    assert a.next_deadline_ns == 500 * MS
    # A granted vote puts it off, a refused one and a pre-vote do not.
    a.on_message(200 * MS, "c", RequestVote(3, "c", 0, 0))
    assert a.next_deadline_ns == 600 * MS
    a.on_message(300 * MS, "b", RequestVote(3, "b", 0, 0))
    a.on_message(300 * MS, "b", RequestVote(4, "b", 0, 0, pre_vote=True))
    assert a.next_deadline_ns == 600 * MS


@pytest.mark.parametrize(("silence_ms", "granted"), [(0, False), (299, False), (300, True)])
def test_pre_vote_is_refused_while_a_leader_is_heard(silence_ms: int, granted: bool) -> None:
    a = node(term=2)
    a.on_message(0, "b", heartbeat(2))
    a.take(0)
    a.on_message(silence_ms * MS, "c", RequestVote(3, "c", 0, 0, pre_vote=True))
    assert sent(a, RequestVoteReply) == [(RequestVoteReply(3 if granted else 2, granted, True), 0)]
    assert a.current_term == 2
    # A vote, however, is never refused for that reason.
    a.on_message(silence_ms * MS, "c", RequestVote(3, "c", 0, 0))
    assert sent(a, RequestVoteReply) == [(RequestVoteReply(3, vote_granted=True), 2)]


def test_a_pre_vote_for_the_present_term_counts_only_if_the_vote_could_be_had() -> None:
    a = node(term=2, vote="b")
    for candidate, granted in (("c", False), ("b", True)):
        a.on_message(0, candidate, RequestVote(2, candidate, 0, 0, pre_vote=True))
        assert sent(a, RequestVoteReply)[0][0] == RequestVoteReply(2, granted, True)


def test_acknowledgements_wait_for_their_entries_and_heartbeats_do_not() -> None:
    a = node(term=1)
    a.on_message(0, "b", heartbeat(1, (0, 0), entry(1, 1), entry(2, 1)))
    assert sent(a, AppendEntriesReply) == [(AppendEntriesReply(1, True, 2, 0, 0), 2)]
    a.on_message(0, "b", heartbeat(1, (2, 1)))
    assert sent(a, AppendEntriesReply) == [(AppendEntriesReply(1, True, 0, 0, 2), 0)]
    # Sent again while still on its way to the disk: waits as the first did.
    a.on_message(0, "b", heartbeat(1, (0, 0), entry(1, 1)))
    assert sent(a, AppendEntriesReply) == [(AppendEntriesReply(1, True, 1, 0, 0), 2)]
    a.on_durable(0, 1)
    a.on_message(0, "b", heartbeat(1, (2, 1)))
    assert sent(a, AppendEntriesReply) == [(AppendEntriesReply(1, True, 1, 0, 2), 0)]


def test_a_truncation_takes_durable_entries_away() -> None:
    a = node(term=1, log=(1,))
    a.on_message(0, "b", heartbeat(1, (1, 1), entry(2, 1), entry(3, 1)))
    a.on_message(0, "c", AppendEntries(2, "c", 1, 1, (entry(2, 2),), 0))
    # Marks: 1 and 2 the entries, 3 the term, 4 the truncation, 5 the new entry.
    for mark, durable_index in ((1, 1), (2, 1), (4, 1), (5, 2), (3, 2)):
        a.on_durable(0, mark)
        assert a.durable_index == durable_index


def test_a_leader_counts_its_own_disk_like_any_other() -> None:
    a = leader()
    index = a.propose(0, EntryKind.COMMAND, b"x")
    a.on_message(0, "b", AppendEntriesReply(1, True, index, 0, 0))
    assert a.commit_index == 1
    a.on_durable(0, a.mark)
    assert a.commit_index == index


def test_a_follower_that_claims_too_much_is_believed_up_to_the_end_of_the_log() -> None:
    a = leader()
    a.on_message(0, "b", AppendEntriesReply(1, True, 99, 0, 0))
    assert a.commit_index == 1
    a.broadcast_heartbeat(0)
    assert a.take(0).messages


def test_batches_are_bounded_in_bytes_and_in_flight() -> None:
    a = leader()
    for _ in range(200):
        a.propose(0, EntryKind.COMMAND, b"0123456789")
    batches = [m for m, _ in sent(a, AppendEntries) if isinstance(m, AppendEntries)]
    assert {sum(len(e.command) for e in m.entries) for m in batches} == {20}
    assert len(batches) == 2 * a.config.max_inflight - 2  # the no-op is in flight as well
    a.propose(0, EntryKind.COMMAND, b"z" * 1000)
    a.on_message(0, "b", AppendEntriesReply(1, True, a.log.last_index - 1, 0, 0))
    assert [len(e.command) for m, _ in sent(a, AppendEntries) for e in m.entries] == [1000]  # type: ignore[union-attr]


def test_what_only_a_leader_does() -> None:
    a = node(term=1)
    a.on_message(0, "b", heartbeat(1))
    with pytest.raises(NotLeaderError) as refused:
        a.propose(0, EntryKind.COMMAND, b"")
    assert refused.value.leader_id == "b"
    with pytest.raises(NotLeaderError) as refused:
        a.request_read(0)
    assert refused.value.leader_id == "b"


def test_answers_of_an_earlier_term_change_nothing() -> None:
    a = leader(log=(1,), term=2)
    a.on_message(0, "b", AppendEntriesReply(1, True, 2, 9, 2))
    assert a.progress["b"].match_index == 0
    assert not a.progress["b"].answered
    assert a.progress["b"].round == 0


@pytest.mark.parametrize(("voters", "majority"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majorities(voters: int, majority: int) -> None:
    config = RaftConfig("a", tuple("abcde"[:voters]))
    assert RaftNode(config, Recovered(), lambda: MS, 0).quorum == majority


@pytest.mark.parametrize(
    "change",
    [
        {"voters": ("b", "c")},
        {"voters": ("a", "a", "b")},
        {"heartbeat_ns": 300 * MS},
        {"election_max_ns": 299 * MS},
        {"max_batch_entries": 0},
    ],
)
def test_no_node_starts_with_a_configuration_that_cannot_work(change: dict[str, object]) -> None:
    fields: dict[str, object] = {"node_id": "a", "voters": VOTERS, **change}
    with pytest.raises(ValueError, match="expected"):
        RaftConfig(**fields)  # type: ignore[arg-type]


def test_a_refused_message_of_an_earlier_term_confirms_no_read_of_a_later_one() -> None:
    # b led term 1 up to read round 9, is about to lead term 2, and gets the answer only then.
    a = node(term=2, vote="b")
    a.on_message(0, "b", AppendEntries(1, "b", 0, 0, (), leader_commit=0, round=9))
    refusal, _ = sent(a, AppendEntriesReply)[0]
    assert refusal == AppendEntriesReply(2, False, 0, round=0, prev_log_index=0, conflict_index=1)
    b = leader(term=2)
    b.request_read(0)
    b.take(0)
    b.on_message(0, "b", refusal)
    assert b.take(0).reads == []
    b.on_message(0, "b", AppendEntriesReply(2, True, 0, 1, 0))
    assert b.take(0).reads == [(1, 1)]


def refusal(prev: int, conflict_term: int, conflict_index: int) -> AppendEntriesReply:
    return AppendEntriesReply(
        4, False, 0, 0, prev, conflict_term=conflict_term, conflict_index=conflict_index
    )


@pytest.mark.parametrize(
    ("conflict_term", "conflict_index", "matched", "probe"),
    [
        (1, 1, 0, 3),  # we have term 1 too: its last entry here is a match
        (3, 2, 0, 1),  # we do not: all of it has to go
        (0, 4, 0, 3),  # there is nothing at all: right after the follower's last
        (3, 1, 2, 2),  # never below what is known to match
    ],
)
def test_a_refusal_takes_the_leader_back_by_a_whole_term(
    conflict_term: int, conflict_index: int, matched: int, probe: int
) -> None:
    a = leader(log=(1, 1, 1, 2, 2), term=4)
    a.progress["b"].match_index = matched
    a.on_message(0, "b", refusal(5, conflict_term, conflict_index))
    (message, _), *_ = [out for out in sent(a, AppendEntries) if not out[0].entries]  # type: ignore[union-attr]
    assert isinstance(message, AppendEntries)
    assert message.prev_log_index == probe


def test_what_already_matches_is_never_replaced() -> None:
    a = node(term=2, log=(1, 1, 2))
    a.on_message(0, "b", heartbeat(2, (2, 1), commit=2))
    a.take(0)
    a.on_message(0, "b", heartbeat(3, (1, 1), LogEntry(2, 1, EntryKind.COMMAND, b"x" * 10), entry(3, 3)))
    assert [type(record).__name__ for record in a.take(0).records] == ["HardState", "Truncate", "Append"]
    assert (a.log.term_at(2), a.log.term_at(3)) == (1, 3)


def test_one_follower_that_answers_is_enough_for_a_leader_of_three() -> None:
    a = leader()
    for now in range(1, 5):
        a.on_message(now * 600 * MS, "b", AppendEntriesReply(1, True, 0, 0, 0))
        a.on_time(400 * MS + now * 600 * MS)
        assert a.state is State.LEADER
    a.on_time(400 * MS + 5 * 600 * MS)
    assert a.state is State.FOLLOWER
    # A new follower waits for others before it stands again.
    assert a.next_deadline_ns == 400 * MS + 5 * 600 * MS + 400 * MS


def test_an_append_event_waits_for_the_last_of_its_entries() -> None:
    a = node(term=1)
    a.on_message(0, "b", heartbeat(1, (0, 0), entry(1, 1), entry(2, 1)))
    assert [(event.kind, event.after) for event in a.take(0).events] == [("append", 2)]


def test_reads_of_five_voters_take_three_of_them() -> None:
    a = RaftNode(RaftConfig("a", tuple("abcde")), Recovered(HardState(0, None), Log()), lambda: 400 * MS, 0)
    a.start_election(0)
    for peer in "bc":
        a.on_durable(0, a.mark)
        a.on_message(0, peer, RequestVoteReply(1, vote_granted=True))
    assert a.state is State.LEADER
    a.request_read(0)
    a.take(0)
    a.on_message(0, "b", AppendEntriesReply(1, True, 0, 1, 0))
    assert a.take(0).reads == []
    # An older answer that arrives late takes nothing back.
    a.on_message(0, "b", AppendEntriesReply(1, True, 0, 0, 0))
    a.on_message(0, "c", AppendEntriesReply(1, True, 0, 1, 0))
    assert a.take(0).reads == [(1, 1)]


def test_read_rounds_of_a_lost_tenure_do_not_hold_up_later_ones() -> None:
    a = leader()
    for _ in range(3):  # three rounds that nobody answers
        a.request_read(0)
        a.take(0)
    a.on_message(0, "c", AppendEntries(2, "c", 0, 0, (), 0))
    a.start_election(0)
    a.on_durable(0, a.mark)
    a.on_message(0, "b", RequestVoteReply(3, vote_granted=True))
    a.take(0)
    read = a.request_read(0)
    a.take(0)
    a.on_message(0, "b", AppendEntriesReply(3, True, 0, 1, 0))
    assert [read_id for read_id, _ in a.take(0).reads] == [read]
