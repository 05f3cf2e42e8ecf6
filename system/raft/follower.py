"""Layer 3 of the node: a follower's side of replication."""

from __future__ import annotations

from system.raft.ledger import RaftInvariantError
from system.raft.messages import AppendEntries, AppendEntriesReply
from system.raft.roles import Roles, State


class Following(Roles):
    """AppendEntries as received (Ongaro and Ousterhout 2014, figure 2 and 5.3)."""

    # When a leader of the current term was last heard; None: not since this node started.
    heard_leader_ns: int | None = None

    def on_append_entries(self, now_ns: int, src: str, message: AppendEntries) -> None:
        if message.term < self.current_term:
            self.send(src, self._refusal(message))
            return
        if self.state is State.LEADER:
            raise RaftInvariantError(
                f"two leaders in term {self.current_term}: this node and {message.leader_id}"
            )
        self.become_follower(now_ns, message.term, message.leader_id)
        self.heard_leader_ns = now_ns
        self.reset_election_timer(now_ns)
        if not self.log_matches_at(message.prev_log_index, message.prev_log_term):
            self.send(src, self._refusal(message))
            return
        self.take_entries(message)
        self.commit_to(self.follower_commit(message))
        self.send(src, self._acknowledgement(message))

    def log_matches_at(self, index: int, term: int) -> bool:
        """Whether this log holds an entry of that index and term. By induction all below are equal then."""
        return self.log.term_at(index) == term

    def take_entries(self, message: AppendEntries) -> None:
        """Raises RaftInvariantError where a committed entry would have to go."""
        conflict = self.conflict_at(message)
        if conflict is not None:
            if conflict <= self.commit_index:
                raise RaftInvariantError(
                    f"{message.leader_id} (term {message.term}) asks to replace entry {conflict},"
                    f" but entries up to {self.commit_index} are committed"
                )
            self.truncate_from(conflict)
        for entry in message.entries:
            if entry.index > self.log.last_index:
                self.append(entry)

    def conflict_at(self, message: AppendEntries) -> int | None:
        """The first of the message's entries of which this log holds one of another term. Entries
        after the message's last stay: the message may be an old one."""
        for entry in message.entries:
            term = self.log.term_at(entry.index)
            if term is None:
                return None
            if term != entry.term:
                return entry.index
        return None

    def follower_commit(self, message: AppendEntries) -> int:
        """Nothing after the message's last entry is known to be the leader's."""
        return min(message.leader_commit, _last_index(message))

    def acknowledged(self, message: AppendEntries) -> int:
        """The index to acknowledge. An acknowledgement of entries waits until they are durable
        (hold_until); a heartbeat's answer does not wait, and so promises only what is durable now."""
        last = _last_index(message)
        return last if message.entries else min(last, self.durable_index)

    def _acknowledgement(self, message: AppendEntries) -> AppendEntriesReply:
        return AppendEntriesReply(
            term=self.current_term,
            success=True,
            match_index=self.acknowledged(message),
            round=message.round,
            prev_log_index=message.prev_log_index,
        )

    def _refusal(self, message: AppendEntries) -> AppendEntriesReply:
        """With the hint that lets the leader skip a whole term a round trip (at the end of 5.3).

        A message of an older term gets no round back: its sender may lead again by the time this arrives,
        and would take it for a confirmation of reads that began later."""
        conflict_term = self.log.term_at(message.prev_log_index) or 0
        first = self.log.first_index_of(conflict_term) if conflict_term else None
        return AppendEntriesReply(
            term=self.current_term,
            success=False,
            match_index=0,
            round=message.round if message.term == self.current_term else 0,
            prev_log_index=message.prev_log_index,
            conflict_term=conflict_term,
            conflict_index=self.log.last_index + 1 if first is None else first,
        )


def _last_index(message: AppendEntries) -> int:
    return message.prev_log_index + len(message.entries)
