"""Bugs of linearizable reads."""

from __future__ import annotations

from dataclasses import replace

from system.mutants.mutant import Mutant, Place, before
from system.raft.messages import AppendEntriesReply
from system.raft.node import RaftNode

NODE = "system.raft.node:RaftNode"
_on_append_entries_reply = before(NODE, "on_append_entries_reply")
_start_read_round = before(NODE, "start_read_round")


def _whatever_is_committed(self: RaftNode) -> int:
    """Also before the first entry of the own term, when that may be less than clients have seen."""
    return self.commit_index


def _confirmed_without_asking(self: RaftNode) -> int:
    """Every read round counts as confirmed the moment it begins."""
    return self.round


def _any_answer_counts(self: RaftNode, now_ns: int, src: str, message: AppendEntriesReply) -> None:
    """An answer counts for the newest read round, though it may be one to a message from before."""
    _on_append_entries_reply(self, now_ns, src, replace(message, round=self.round))


def _read_on_lease(self: RaftNode, now_ns: int) -> None:
    """Until the next check of the quorum the leader trusts that it still leads; but the others may have
    elected another by then."""
    if self._new_reads and now_ns < self.quorum_check_due_ns:
        self.outputs.reads.extend((read_id, self.read_index()) for read_id in self._new_reads)
        self._new_reads = []
        return
    _start_read_round(self, now_ns)


READS = (
    Mutant(
        "C11",
        "early-read",
        "a new leader serves reads before an entry of its own term commits",
        ("RedisRaft#18", "etcd#7331", "tikv#6340"),
        Place(NODE, "read_index", _whatever_is_committed),
    ),
    Mutant(
        "R01",
        "local-reads",
        "the leader reads locally, with no quorum check",
        ("consul#54", "jgroups-raft#208"),
        Place(NODE, "confirmed_round", _confirmed_without_asking),
        nemeses=("partition",),
        caught_by=("committed-log", "list-append"),
    ),
    Mutant(
        "R02",
        "old-answers",
        "ReadIndex counts acknowledgements of messages from before the read",
        ("etcd#20418",),
        Place(NODE, "on_append_entries_reply", _any_answer_counts),
        unseen="a read must reach the old leader within a late answer's round trip, after another's write",
    ),
    Mutant(
        "R03",
        "long-lease",
        "a lease for reads that outlives the followers' patience",
        ("jraft#34", "tikv#964"),
        Place(NODE, "start_read_round", _read_on_lease),
    ),
)
