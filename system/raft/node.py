"""A Raft node: messages, times and completed writes in; messages, records, events and reads out.

Pure: no I/O, no clock, no randomness of its own. Bottom up, each layer in a file of its own:

    ledger.py    what the node remembers, and how much of it is durable
    roles.py     follower, candidate, leader; timers; when a message may leave
    follower.py  AppendEntries received
    leader.py    AppendEntries sent; commitment
    reads.py     linearizable reads
    election.py  pre-votes and votes
    node.py      the inputs and outputs
"""

from __future__ import annotations

from system.raft.election import Election
from system.raft.leader import NotLeaderError
from system.raft.ledger import MAX_TERM, RaftInvariantError
from system.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    Message,
    RequestVote,
    RequestVoteReply,
)
from system.raft.outputs import Outputs
from system.raft.roles import RaftConfig, State

__all__ = ["MessageRefusedError", "NotLeaderError", "RaftConfig", "RaftInvariantError", "RaftNode", "State"]


class MessageRefusedError(ValueError):
    """A message no correct node sends; it changed nothing."""


class RaftNode(Election):
    """Inputs: on_message, on_time, on_durable, propose, request_read. After a batch of them, `take`
    hands out what is to be done. All times are of one monotonic clock, and never fall.

    Any input may raise RaftInvariantError: then the node must stop, and nothing more may leave it.
    """

    @property
    def next_deadline_ns(self) -> int:
        """When on_time is due."""
        if self.state is State.LEADER:
            return min(self.heartbeat_due_ns, self.quorum_check_due_ns)
        return self.election_due_ns

    def on_time(self, now_ns: int) -> None:
        if self.state is not State.LEADER:
            if now_ns >= self.election_due_ns:
                self.start_pre_vote(now_ns)
            return
        if now_ns >= self.quorum_check_due_ns:
            self.check_quorum(now_ns)
        if self.state is State.LEADER and now_ns >= self.heartbeat_due_ns:
            self.broadcast_heartbeat(now_ns)

    def on_durable(self, now_ns: int, mark: int) -> None:
        """Every record up to `mark` has been synced."""
        self.note_durable(mark)
        if self.state is State.LEADER:
            self.advance_commit()
        else:
            self.count_own_vote(now_ns)

    def on_message(self, now_ns: int, src: str, message: Message) -> None:
        """Raises MessageRefusedError for what is no message between voters of this cluster."""
        self._check(src, message)
        if message.term > self.current_term and not _is_hypothetical(message):
            self.become_follower(now_ns, message.term)
        if isinstance(message, AppendEntries):
            self.on_append_entries(now_ns, src, message)
        elif isinstance(message, AppendEntriesReply):
            self.on_append_entries_reply(now_ns, src, message)
            if self.state is State.LEADER:
                self.release_reads()
        elif isinstance(message, RequestVote):
            self.on_request_vote(now_ns, src, message)
        else:
            self.on_request_vote_reply(now_ns, src, message)

    def take(self, now_ns: int) -> Outputs:
        """What the inputs since the last call ask for. What came in together leaves together."""
        if self.state is State.LEADER:
            self.start_read_round(now_ns)
            self.replicate()
        outputs, self.outputs = self.outputs, Outputs()
        outputs.mark = self.mark
        return outputs

    def _check(self, src: str, message: Message) -> None:
        if src not in self.peers:
            raise MessageRefusedError(
                f"message from {src!r}; expected one of {', '.join(self.peers) or 'nobody'}"
            )
        if not 0 <= message.term <= MAX_TERM:
            raise MessageRefusedError(f"term {message.term} from {src}; expected 0 to {MAX_TERM}")
        if isinstance(message, AppendEntries):
            for position, entry in enumerate(message.entries, start=message.prev_log_index + 1):
                if entry.index != position or entry.term > message.term:
                    raise MessageRefusedError(
                        f"entry {entry.index} of term {entry.term} from {src} in term {message.term};"
                        f" expected entry {position} of no later term"
                    )


def _is_hypothetical(message: Message) -> bool:
    """A pre-vote and its grant speak of a term that nobody has entered yet."""
    if isinstance(message, RequestVote):
        return message.pre_vote
    return isinstance(message, RequestVoteReply) and message.pre_vote and message.vote_granted
