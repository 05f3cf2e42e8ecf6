"""Bugs of elections: terms, votes, timers, and who steps down."""

from __future__ import annotations

from system.mutants.mutant import Mutant, Place, before
from system.raft.messages import AppendEntries, Message, RequestVote
from system.raft.node import RaftNode, State

NODE = "system.raft.node:RaftNode"
_become_follower = before(NODE, "become_follower")
_on_append_entries = before(NODE, "on_append_entries")


def _remember_in_memory(self: RaftNode, term: int, voted_for: str | None) -> None:
    """Term and vote as ever, but never a record of them."""
    new_term = term != self.current_term
    self.current_term, self.voted_for = term, voted_for
    if new_term:
        self.note("term", term=term)
    if voted_for is not None:
        self.note("vote", **{"term": term, "for": voted_for})


def _forget_vote(self: RaftNode, now_ns: int, term: int, leader_id: str | None = None) -> None:
    """Follows, and is free to vote again, in the same term too."""
    _become_follower(self, now_ns, term, leader_id)
    if self.voted_for is not None:
        self.remember(self.current_term, None)


def _any_log_will_do(self: RaftNode, message: RequestVote) -> bool:
    return True


def _both_or_nothing(self: RaftNode, message: RequestVote) -> bool:
    """Refuses where the term or the index is lower, although a later term alone is enough."""
    return message.last_log_term >= self.log.last_term and message.last_log_index >= self.log.last_index


def _half(self: RaftNode) -> int:
    return max(1, len(self.config.voters) // 2)


def _candidate_is_deaf(self: RaftNode, now_ns: int, src: str, message: AppendEntries) -> None:
    if self.state is State.CANDIDATE and message.term == self.current_term:
        return
    _on_append_entries(self, now_ns, src, message)


def _never_wait(self: RaftNode, message: Message) -> int:
    """Whatever a message promises, it leaves at once."""
    return 0


def _bow_to_another_leader(self: RaftNode, now_ns: int, src: str, message: AppendEntries) -> None:
    """A leader that hears another leader of its own term follows it, and says nothing."""
    if self.state is State.LEADER and message.term == self.current_term:
        self.change_state(State.FOLLOWER)
    _on_append_entries(self, now_ns, src, message)


def _always_the_same(self: RaftNode, now_ns: int) -> None:
    self.election_due_ns = now_ns + self.config.election_min_ns


def _lead_for_ever(self: RaftNode, now_ns: int) -> None:
    self.quorum_check_due_ns = now_ns + self.config.election_max_ns


def _may_vote_again(self: RaftNode, message: RequestVote) -> bool:
    """Whoever asks in this term gets the vote, whoever had it before."""
    return message.term >= self.current_term


ELECTIONS = (
    Mutant(
        "E01",
        "vote-in-memory",
        "term and vote are not persisted before a vote is answered",
        ("PySyncObj#202", "raft-java#57"),
        Place(NODE, "remember", _remember_in_memory),
    ),
    Mutant(
        "E02",
        "vote-forgotten",
        "the vote is cleared on AppendEntries and on a step-down within the term",
        ("akka-raft#56", "hazelcast#16643", "CCF#8094"),
        Place(NODE, "become_follower", _forget_vote),
    ),
    Mutant(
        "E03",
        "any-log",
        "a vote is granted without the check that the candidate's log is up to date",
        ("jgroups-raft#14",),
        Place(NODE, "log_is_up_to_date", _any_log_will_do),
    ),
    Mutant(
        "E05",
        "strict-vote",
        "a vote is refused where the term or the index is lower, which is too strict",
        ("hashicorp/raft#94",),
        Place(NODE, "log_is_up_to_date", _both_or_nothing),
        unseen="it costs availability while a node is away, which to clients is as if two were away",
    ),
    Mutant(
        "E08",
        "half-quorum",
        "a majority is n//2",
        ("a classic",),
        Place("system.raft.roles:Roles", "quorum", property(_half)),
    ),
    Mutant(
        "E09",
        "deaf-candidate",
        "a candidate ignores AppendEntries of its own term",
        ("adjoint-io/raft#121", "noraft#24"),
        Place(NODE, "on_append_entries", _candidate_is_deaf),
    ),
    Mutant(
        "E11",
        "answer-before-durable",
        "votes and acknowledgements leave before what they promise is durable",
        ("cubefs#4070", "tikv#994"),
        Place(NODE, "hold_until", _never_wait),
        unseen="the machine must die in the milliseconds between the answer and the sync, on a majority",
    ),
    Mutant(
        "E14",
        "silent-step-down",
        "a leader silently accepts AppendEntries of its own term; with E01, which gives a term two leaders",
        ("canonical/raft#386",),
        Place(NODE, "on_append_entries", _bow_to_another_leader),
        besides=("vote-in-memory",),
    ),
    Mutant(
        "E15",
        "fixed-timeout",
        "the election timeout is fixed, not random",
        ("Raft paper, 5.2",),
        Place(NODE, "reset_election_timer", _always_the_same),
    ),
    Mutant(
        "E16",
        "leads-alone",
        "an isolated leader never steps down",
        ("c5#269",),
        Place(NODE, "check_quorum", _lead_for_ever),
        unseen="reads and writes need a majority all the same; whoever asks it only waits",
    ),
    Mutant(
        "E17",
        "double-vote",
        "votes twice in a term",
        ("PySyncObj#202", "akka-raft#56"),
        Place(NODE, "may_vote", _may_vote_again),
        nemeses=("partition",),
        caught_by=("one-vote", "single-leader"),
    ),
)
