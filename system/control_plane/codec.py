"""Raft's messages to and from the wire (proto/raft.proto).

What comes in is checked here, so that the core sees only what a sane peer could have said.
Raises BadMessageError for anything else.
"""

from __future__ import annotations

from system.pb import raft_pb2
from system.raft.log import EntryKind, LogEntry
from system.raft.messages import AppendEntries, AppendEntriesReply, RequestVote, RequestVoteReply

# Terms and indexes are 64-bit. What comes in stays well below, so that counting on from it never overflows.
MAX_NUMBER = 2**62

_KINDS = {
    EntryKind.NO_OP: raft_pb2.ENTRY_KIND_NO_OP,
    EntryKind.COMMAND: raft_pb2.ENTRY_KIND_COMMAND,
    EntryKind.SESSION: raft_pb2.ENTRY_KIND_SESSION,
    EntryKind.CONFIG: raft_pb2.ENTRY_KIND_CONFIG,
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}


class BadMessageError(ValueError):
    """A message that no correct peer sends; says why."""


def vote_to_wire(message: RequestVote, cluster_id: str) -> raft_pb2.RequestVoteRequest:
    return raft_pb2.RequestVoteRequest(
        cluster_id=cluster_id,
        term=message.term,
        candidate_id=message.candidate_id,
        last_log_index=message.last_log_index,
        last_log_term=message.last_log_term,
        pre_vote=message.pre_vote,
    )


def vote_from_wire(wire: raft_pb2.RequestVoteRequest) -> RequestVote:
    _check_numbers(wire.term, wire.last_log_index, wire.last_log_term)
    return RequestVote(
        wire.term, wire.candidate_id, wire.last_log_index, wire.last_log_term, pre_vote=wire.pre_vote
    )


def vote_reply_to_wire(message: RequestVoteReply) -> raft_pb2.RequestVoteResponse:
    return raft_pb2.RequestVoteResponse(term=message.term, vote_granted=message.vote_granted)


def vote_reply_from_wire(wire: raft_pb2.RequestVoteResponse, pre_vote: bool) -> RequestVoteReply:
    """pre_vote: of the request this answers."""
    _check_numbers(wire.term)
    return RequestVoteReply(wire.term, wire.vote_granted, pre_vote)


def append_to_wire(message: AppendEntries, cluster_id: str) -> raft_pb2.AppendEntriesRequest:
    return raft_pb2.AppendEntriesRequest(
        cluster_id=cluster_id,
        term=message.term,
        leader_id=message.leader_id,
        prev_log_index=message.prev_log_index,
        prev_log_term=message.prev_log_term,
        entries=[
            raft_pb2.LogEntry(
                index=entry.index, term=entry.term, kind=_KINDS[entry.kind], command=entry.command
            )
            for entry in message.entries
        ],
        leader_commit=message.leader_commit,
        round=message.round,
    )


def append_from_wire(wire: raft_pb2.AppendEntriesRequest) -> AppendEntries:
    _check_numbers(wire.term, wire.prev_log_index, wire.prev_log_term, wire.leader_commit, wire.round)
    entries = []
    for index, entry in enumerate(wire.entries, start=wire.prev_log_index + 1):
        kind = _KINDS_BACK.get(entry.kind)
        if kind is None:
            raise BadMessageError(f"entry {index} is of unknown kind {entry.kind}")
        if entry.index != index:
            raise BadMessageError(f"entry {entry.index} where entry {index} belongs")
        _check_numbers(index, entry.term)
        entries.append(LogEntry(index, entry.term, kind, entry.command))
    return AppendEntries(
        term=wire.term,
        leader_id=wire.leader_id,
        prev_log_index=wire.prev_log_index,
        prev_log_term=wire.prev_log_term,
        entries=tuple(entries),
        leader_commit=wire.leader_commit,
        round=wire.round,
    )


def append_reply_to_wire(message: AppendEntriesReply) -> raft_pb2.AppendEntriesResponse:
    return raft_pb2.AppendEntriesResponse(
        term=message.term,
        success=message.success,
        match_index=message.match_index,
        round=message.round,
        prev_log_index=message.prev_log_index,
        conflict_term=message.conflict_term,
        conflict_index=message.conflict_index,
    )


def append_reply_from_wire(wire: raft_pb2.AppendEntriesResponse) -> AppendEntriesReply:
    _check_numbers(
        wire.term,
        wire.match_index,
        wire.round,
        wire.prev_log_index,
        wire.conflict_term,
        wire.conflict_index,
    )
    return AppendEntriesReply(
        term=wire.term,
        success=wire.success,
        match_index=wire.match_index,
        round=wire.round,
        prev_log_index=wire.prev_log_index,
        conflict_term=wire.conflict_term,
        conflict_index=wire.conflict_index,
    )


def _check_numbers(*numbers: int) -> None:
    if max(numbers) > MAX_NUMBER:
        raise BadMessageError(f"{max(numbers)} is beyond the largest term or index, {MAX_NUMBER}")
