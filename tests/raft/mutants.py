"""Bugs that real Raft implementations have had, each planted by overriding one method of the core or the
replica. They prove that plays and storms can fail. The class' first line says what is wrong."""

from __future__ import annotations

from dataclasses import replace

from system.control_plane.replica import Replica
from system.raft.messages import AppendEntries, AppendEntriesReply, Message, RequestVote
from system.raft.node import RaftNode, State
from system.raft.records import Record


class VotesTwice(RaftNode):
    """Votes for whoever asks, as often as asked."""

    def may_vote(self, message: RequestVote) -> bool:
        return message.term >= self.current_term


class ForgetsVote(RaftNode):
    """Forgets the term's vote when it hears the term's leader."""

    def become_follower(self, now_ns: int, term: int, leader_id: str | None = None) -> None:
        super().become_follower(now_ns, term, leader_id)
        self.voted_for = None


class VotesForStaleLogs(RaftNode):
    """Votes without looking at the candidate's log."""

    def log_is_up_to_date(self, message: RequestVote) -> bool:
        return True


class ComparesLengthOnly(RaftNode):
    """Thinks the longer log the more up to date one, whatever its last term."""

    def log_is_up_to_date(self, message: RequestVote) -> bool:
        return message.last_log_index >= self.log.last_index


class HalfIsMajority(RaftNode):
    """Thinks that half of the voters, rounded down, are a majority."""

    @property
    def quorum(self) -> int:
        return max(len(self.config.voters) // 2, 1)


class NeverStepsDown(RaftNode):
    """Leads on although nobody answers."""

    def check_quorum(self, now_ns: int) -> None:
        self.quorum_check_due_ns = now_ns + self.config.election_max_ns


class IgnoresRival(RaftNode):
    """As a candidate, ignores the leader of its own term."""

    def on_append_entries(self, now_ns: int, src: str, message: AppendEntries) -> None:
        if self.state is not State.CANDIDATE or message.term > self.current_term:
            super().on_append_entries(now_ns, src, message)


class SendsAtOnce(RaftNode):
    """Sends votes and acknowledgements before what they promise is durable."""

    def hold_until(self, message: Message) -> int:
        return 0


class CountsOwnUnsynced(RaftNode):
    """As a leader, counts its own entries before they are durable."""

    def commit_candidate(self) -> int:
        return self.reached_by_quorum(self.log.last_index, [p.match_index for p in self.progress.values()])


class CommitsAnyTerm(RaftNode):
    """Commits by counting whatever the entry's term (figure 8)."""

    def may_commit(self, index: int) -> bool:
        return True


class CommitsUnverified(RaftNode):
    """As a follower, takes over the leader's commit index for entries it has not compared."""

    def follower_commit(self, message: AppendEntries) -> int:
        return min(message.leader_commit, self.log.last_index)


class TruncatesAlways(RaftNode):
    """Cuts the log off behind every message, old ones too."""

    def conflict_at(self, message: AppendEntries) -> int | None:
        after = message.prev_log_index + 1
        return after if self.commit_index < after <= self.log.last_index else None


class ChecksIndexOnly(RaftNode):
    """Accepts entries after one of the right index, whatever its term."""

    def log_matches_at(self, index: int, term: int) -> bool:
        return index <= self.log.last_index


class AcknowledgesTail(RaftNode):
    """Acknowledges its own last entry instead of the message's."""

    def acknowledged(self, message: AppendEntries) -> int:
        return self.durable_index


class ReadsBeforeNoOp(RaftNode):
    """As a new leader, takes what it knows to be committed for all that is."""

    def read_index(self) -> int:
        return self.commit_index


class ReadsLocally(RaftNode):
    """Reads without asking a majority whether it still leads."""

    def confirmed_round(self) -> int:
        return self.round


class CountsOldAnswers(RaftNode):
    """Confirms reads by answers to messages from before the read."""

    def on_append_entries_reply(self, now_ns: int, src: str, message: AppendEntriesReply) -> None:
        super().on_append_entries_reply(now_ns, src, replace(message, round=getattr(self, "round", 0)))


class HeedsStaleLeader(RaftNode):
    """Lets a heartbeat of an earlier term put off its election."""

    def on_append_entries(self, now_ns: int, src: str, message: AppendEntries) -> None:
        super().on_append_entries(now_ns, src, message)
        self.reset_election_timer(now_ns)
        self.heard_leader_ns = now_ns


class KeepsDurableIndex(RaftNode):
    """Forgets that a truncation takes durable entries away."""

    def truncate_from(self, index: int) -> None:
        durable_index, unsynced = self.durable_index, self._unsynced.copy()
        super().truncate_from(index)
        self.durable_index, self._unsynced = durable_index, unsynced


class AcknowledgesBeforeSync(Replica):
    """Takes records for durable as soon as they are written."""

    def persist(self, now_ns: int, records: list[Record], mark: int) -> None:
        super().persist(now_ns, records, mark)
        self.node.on_durable(now_ns, mark)


CORES: tuple[type[RaftNode], ...] = (
    VotesTwice,
    ForgetsVote,
    VotesForStaleLogs,
    ComparesLengthOnly,
    HalfIsMajority,
    NeverStepsDown,
    IgnoresRival,
    SendsAtOnce,
    CountsOwnUnsynced,
    CommitsAnyTerm,
    CommitsUnverified,
    TruncatesAlways,
    ChecksIndexOnly,
    AcknowledgesTail,
    ReadsBeforeNoOp,
    ReadsLocally,
    CountsOldAnswers,
    HeedsStaleLeader,
    KeepsDurableIndex,
)


def replica_with(core: type[RaftNode]) -> type[Replica]:
    return type(core.__name__, (Replica,), {"core": core})


MUTANTS: dict[str, type[Replica]] = {core.__name__: replica_with(core) for core in CORES} | {
    AcknowledgesBeforeSync.__name__: AcknowledgesBeforeSync
}
