"""What Raft nodes say to each other (Ongaro and Ousterhout 2014, figure 2).

A message is never changed once it is made: within one process its sender and its receiver have the same one.
Not frozen, as that makes it five times as slow to make.
"""

from __future__ import annotations

from dataclasses import dataclass

from system.raft.log import LogEntry


@dataclass(slots=True)
class RequestVote:
    """A candidate asks for a vote in `term`; with `pre_vote` it only asks whether it would get one
    (Ongaro's thesis, 9.6), and `term` is the one it would stand in."""

    term: int
    candidate_id: str
    last_log_index: int
    last_log_term: int
    pre_vote: bool = False


@dataclass(slots=True)
class RequestVoteReply:
    """`term`: of a granted pre-vote, the term asked for; otherwise the voter's current term."""

    term: int
    vote_granted: bool
    pre_vote: bool = False


@dataclass(slots=True)
class AppendEntries:
    """Replicates `entries`, which follow the entry (prev_log_index, prev_log_term); empty: a heartbeat.

    round: counts the leader's read rounds; echoed, so that a ReadIndex counts no older acknowledgement.
    """

    term: int
    leader_id: str
    prev_log_index: int
    prev_log_term: int
    entries: tuple[LogEntry, ...]
    leader_commit: int
    round: int = 0


@dataclass(slots=True)
class AppendEntriesReply:
    """success: match_index is the last index known to match the leader's log *and durable here*.
    Otherwise conflict_term is the term of our entry at prev_log_index (0: none) and conflict_index the
    first index of that term, or the one after our last."""

    term: int
    success: bool
    match_index: int
    round: int
    prev_log_index: int
    conflict_term: int = 0
    conflict_index: int = 0


Message = RequestVote | RequestVoteReply | AppendEntries | AppendEntriesReply
