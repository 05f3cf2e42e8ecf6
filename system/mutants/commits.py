"""Bugs of replication and commitment."""

from __future__ import annotations

from system.mutants.mutant import Mutant, Place, before
from system.raft.log import Log, LogEntry
from system.raft.messages import AppendEntries
from system.raft.node import RaftNode

NODE = "system.raft.node:RaftNode"
LOG = "system.raft.log:Log"
_batch = before(LOG, "batch")


def _any_term_commits(self: RaftNode, index: int) -> bool:
    return True


def _trust_the_leader(self: RaftNode, message: AppendEntries) -> int:
    """Everything the leader has committed, whether or not it is known to be what this log holds."""
    return min(message.leader_commit, self.log.last_index)


def _truncate_always(self: RaftNode, message: AppendEntries) -> None:
    """Cuts the log off where the message's entries begin, though it may be an old message."""
    if self.log.last_index > message.prev_log_index:
        self.truncate_from(message.prev_log_index + 1)
    for entry in message.entries:
        self.append(entry)


def _index_is_enough(self: RaftNode, index: int, term: int) -> bool:
    return self.log.term_at(index) is not None


def _all_i_have(self: RaftNode, message: AppendEntries) -> int:
    """Acknowledges its own last entry, of which the message may have said nothing."""
    return self.log.last_index


def _from_the_cache(self: Log, first: int, max_entries: int, max_bytes: int) -> tuple[LogEntry, ...]:
    """What was once sent is kept for the next time, whatever became of it in the log."""
    cache: dict[int, LogEntry] = self.__dict__.setdefault("_cached", {})
    return tuple(
        cache.setdefault(entry.index, entry) for entry in _batch(self, first, max_entries, max_bytes)
    )


COMMITS = (
    Mutant(
        "C01",
        "figure-eight",
        "an entry of an earlier term is committed by counting (figure 8)",
        ("logcabin#44", "PySyncObj#169"),
        Place(NODE, "may_commit", _any_term_commits),
        unseen="three leaders must fall in a row, each before its no-op is on a majority",
    ),
    Mutant(
        "C02",
        "trusting-follower",
        "a follower commits what the leader has, not only what it has verified",
        ("scylladb#9965", "copycat#265", "CCF#8172"),
        Place(NODE, "follower_commit", _trust_the_leader),
    ),
    Mutant(
        "C04",
        "eager-truncate",
        "a follower truncates on every AppendEntries, old ones too",
        ("hashicorp/raft#113",),
        Place(NODE, "take_entries", _truncate_always),
    ),
    Mutant(
        "C06",
        "index-only",
        "prevLogIndex is checked, prevLogTerm is not",
        ("Raft paper, 5.3",),
        Place(NODE, "log_matches_at", _index_is_enough),
    ),
    Mutant(
        "C07",
        "own-last-index",
        "a follower acknowledges its own last index, not this message's last entry",
        ("CCF#6016", "ravendb#9330"),
        Place(NODE, "acknowledged", _all_i_have),
    ),
    Mutant(
        "C09",
        "stale-cache",
        "the cache of entries to send is not truncated with the log",
        ("cockroach#63302",),
        Place(LOG, "batch", _from_the_cache),
    ),
)
