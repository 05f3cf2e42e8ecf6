"""Layer 4 of the node: a leader's side of replication, and commitment."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from system.raft.follower import Following
from system.raft.ledger import RaftInvariantError
from system.raft.log import EntryKind, LogEntry
from system.raft.messages import AppendEntries, AppendEntriesReply
from system.raft.roles import State


class NotLeaderError(Exception):
    """Only the leader can do this; nothing was done. `leader_id`: who leads, where known."""

    def __init__(self, leader_id: str | None) -> None:
        super().__init__(f"not the leader; that is {leader_id or 'unknown'}")
        self.leader_id = leader_id


@dataclass(slots=True)
class Progress:
    """What a leader knows of one follower.

    next_index:  the next entry to send, optimistic: everything below is sent, not necessarily received
    match_index: the last entry known to be durable there and equal to the leader's
    probing:     next_index was wrong; only empty messages go out until a match is found
    inflight:    the last index of every batch sent and not yet acknowledged
    answered:    whether it answered since the last check of the quorum
    round:       the newest read round it answered
    """

    next_index: int
    match_index: int = 0
    probing: bool = False
    inflight: deque[int] = field(default_factory=deque)
    answered: bool = False
    round: int = 0


class Leading(Following):
    """AppendEntries as sent, and their answers. Answers may be lost, late, reordered, doubled."""

    progress: dict[str, Progress]
    # The leader's read rounds (reads.py); every AppendEntries carries the newest.
    round: int = 0
    # The no-op this leader began its term with.
    first_own_index: int = 0
    heartbeat_due_ns: int = 0
    quorum_check_due_ns: int = 0

    def become_leader(self, now_ns: int) -> None:
        self.change_state(State.LEADER)
        self.leader_id = self.config.node_id
        self.ballot = None
        self.round = 0
        self.progress = {peer: Progress(next_index=self.log.last_index + 1) for peer in self.peers}
        self.heartbeat_due_ns = now_ns + self.config.heartbeat_ns
        self.quorum_check_due_ns = now_ns + self.config.election_max_ns
        # Commits what earlier terms left behind, which counting cannot (5.4.2), and opens the term for reads.
        self.first_own_index = self.propose(now_ns, EntryKind.NO_OP, b"")

    def propose(self, now_ns: int, kind: EntryKind, command: bytes) -> int:
        """Appends an entry and returns its index; `take` sends it. Raises NotLeaderError."""
        if self.state is not State.LEADER:
            raise NotLeaderError(self.leader_id)
        entry = LogEntry(self.log.last_index + 1, self.current_term, kind, command)
        self.append(entry)
        return entry.index

    def replicate(self) -> None:
        """Sends every follower what it has not been sent, as far as the in-flight limit allows."""
        config, last_index = self.config, self.log.last_index
        for peer, progress in self.progress.items():
            while (
                progress.next_index <= last_index
                and not progress.probing
                and len(progress.inflight) < config.max_inflight
            ):
                entries = self.log.batch(
                    progress.next_index, config.max_batch_entries, config.max_batch_bytes
                )
                self._send_append(peer, progress, entries)
                progress.next_index += len(entries)
                progress.inflight.append(progress.next_index - 1)

    def broadcast_heartbeat(self, now_ns: int) -> None:
        """An empty AppendEntries to everyone. As it follows the last entry sent, it also shows losses."""
        for peer, progress in self.progress.items():
            self._send_append(peer, progress, ())
        self.heartbeat_due_ns = now_ns + self.config.heartbeat_ns

    def check_quorum(self, now_ns: int) -> None:
        """Steps down where no majority has answered since the last check (Ongaro's thesis, 6.2)."""
        answered = sum(progress.answered for progress in self.progress.values())
        if answered + 1 < self.quorum:
            self.become_follower(now_ns, self.current_term)
            return
        for progress in self.progress.values():
            progress.answered = False
        self.quorum_check_due_ns = now_ns + self.config.election_max_ns

    def on_append_entries_reply(self, now_ns: int, src: str, message: AppendEntriesReply) -> None:
        if self.state is not State.LEADER or message.term < self.current_term:
            return
        progress = self.progress[src]
        progress.answered = True
        progress.round = max(progress.round, message.round)
        if message.success:
            self._on_acknowledged(progress, message)
            self.advance_commit()
        else:
            self._on_refused(src, progress, message)

    def advance_commit(self) -> None:
        if self.commit_index == self.log.last_index:
            return
        candidate = self.commit_candidate()
        if candidate > self.commit_index and self.may_commit(candidate):
            self.commit_to(candidate)

    def commit_candidate(self) -> int:
        """The last index that is durable on a majority, this node's own disk counted like any other."""
        return self.reached_by_quorum(self.durable_index, [p.match_index for p in self.progress.values()])

    def may_commit(self, index: int) -> bool:
        """Only an entry of the current term commits by counting; earlier ones with it (5.4.2, figure 8)."""
        return self.log.term_at(index) == self.current_term

    def _on_acknowledged(self, progress: Progress, message: AppendEntriesReply) -> None:
        match_index = min(message.match_index, self.log.last_index)
        if match_index > progress.match_index:
            progress.match_index = match_index
            progress.next_index = max(progress.next_index, match_index + 1)
            while progress.inflight and progress.inflight[0] <= match_index:
                progress.inflight.popleft()
        if max(message.prev_log_index, progress.match_index) >= progress.next_index - 1:
            progress.probing = False

    def _on_refused(self, src: str, progress: Progress, message: AppendEntriesReply) -> None:
        prev = message.prev_log_index
        # Old news: it has since acknowledged more, or this is not the answer to the latest probe.
        if prev <= progress.match_index or (progress.probing and prev != progress.next_index - 1):
            return
        progress.probing = True
        progress.inflight.clear()
        progress.next_index = max(progress.match_index + 1, min(prev, self.next_index_after_refusal(message)))
        self._send_append(src, progress, ())

    def next_index_after_refusal(self, message: AppendEntriesReply) -> int:
        """Logs that share a term share its first entries: where this log has the conflicting term too,
        its last entry of that term is a match, otherwise that whole term has to go."""
        if message.conflict_term:
            last = self.log.last_index_of(message.conflict_term)
            if last is not None and last < message.prev_log_index:
                return last + 1
        return message.conflict_index

    def _send_append(self, peer: str, progress: Progress, entries: tuple[LogEntry, ...]) -> None:
        prev_log_index = progress.next_index - 1
        prev_log_term = self.log.term_at(prev_log_index)
        if prev_log_term is None:
            raise RaftInvariantError(f"no entry {prev_log_index} to send {peer} what follows it")
        message = AppendEntries(
            term=self.current_term,
            leader_id=self.config.node_id,
            prev_log_index=prev_log_index,
            prev_log_term=prev_log_term,
            entries=entries,
            leader_commit=self.commit_index,
            round=self.round,
        )
        self.send(peer, message)
