"""What counts as an election's length, on a real core and with times made up."""

from __future__ import annotations

from system.control_plane.election_clock import ElectionClock
from system.raft.log import Log
from system.raft.messages import AppendEntries, Message, RequestVoteReply
from system.raft.node import RaftConfig, RaftNode, State
from system.raft.records import HardState, Recovered

MS = 1_000_000


class Bench:
    """Node a of a, b and c, whose election timeout is always 400 ms."""

    def __init__(self) -> None:
        self.won: list[tuple[float, float | None]] = []
        self.clock = ElectionClock(lambda duration_s, silence_s: self.won.append((duration_s, silence_s)))
        config = RaftConfig("a", ("a", "b", "c"))
        self.node = RaftNode(config, Recovered(HardState(0, None), Log()), lambda: 400 * MS, 0)

    def look(self, at_ms: int) -> None:
        mark = self.node.take(at_ms * MS).mark
        self.clock.look(self.node, at_ms * MS)
        self.node.on_durable(at_ms * MS, mark)
        self.clock.look(self.node, at_ms * MS)

    def time(self, at_ms: int) -> None:
        self.node.on_time(at_ms * MS)
        self.look(at_ms)

    def hear(self, at_ms: int, message: Message) -> None:
        self.node.on_message(at_ms * MS, "b", message)
        self.look(at_ms)

    def heartbeat(self, at_ms: int, term: int) -> None:
        self.hear(at_ms, AppendEntries(term, "b", 0, 0, (), leader_commit=0))

    def win(self, at_ms: int) -> None:
        """With b's votes, of which the pre-vote comes 30 ms before the vote."""
        term = self.node.current_term + 1
        self.hear(at_ms - 30, RequestVoteReply(term, vote_granted=True, pre_vote=True))
        self.hear(at_ms, RequestVoteReply(term, vote_granted=True))
        assert self.node.state is State.LEADER


def test_from_the_first_pre_vote_and_from_the_last_heartbeat() -> None:
    bench = Bench()
    bench.heartbeat(100, term=1)
    bench.time(500)
    bench.win(550)
    assert bench.won == [(0.05, 0.45)]


def test_a_ballot_that_came_to_nothing_counts_too() -> None:
    bench = Bench()
    bench.time(400)
    bench.time(800)
    bench.win(850)
    assert bench.won == [(0.45, None)]


def test_who_followed_somebody_in_between_stands_anew() -> None:
    bench = Bench()
    bench.time(400)
    bench.heartbeat(450, term=1)
    bench.time(850)
    bench.win(900)
    assert bench.won == [(0.05, 0.45)]


def test_who_follows_only_wins_nothing() -> None:
    bench = Bench()
    for at_ms in range(0, 1000, 150):
        bench.heartbeat(at_ms, term=1)
    assert bench.won == []


def test_a_leader_that_stepped_down_last_knew_itself() -> None:
    bench = Bench()
    bench.heartbeat(100, term=1)
    bench.time(500)
    bench.win(550)
    bench.look(700)
    bench.time(1150)  # nobody has answered for the longest election timeout
    assert bench.node.state is State.FOLLOWER
    bench.time(1550)
    bench.win(1600)
    assert bench.won[1:] == [(0.05, 0.9)]
