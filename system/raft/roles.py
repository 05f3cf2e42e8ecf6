"""Layer 2 of the node: its role, its timers, and when its messages may leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from system.raft.ledger import Ledger
from system.raft.messages import AppendEntriesReply, Message
from system.raft.outputs import Event, Outgoing
from system.raft.records import Recovered


class State(Enum):
    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class RaftConfig:
    """voters: every voter's id, this node's included. The election timeout is drawn from
    [election_min_ns, election_max_ns]. max_inflight: batches sent to one follower and not yet acknowledged.

    Raises ValueError for a configuration that no cluster can run with.
    """

    node_id: str
    voters: tuple[str, ...]
    heartbeat_ns: int = 150_000_000
    election_min_ns: int = 300_000_000
    election_max_ns: int = 600_000_000
    max_batch_entries: int = 64
    max_batch_bytes: int = 1 << 20
    max_inflight: int = 64

    def __post_init__(self) -> None:
        if self.node_id not in self.voters or len(set(self.voters)) != len(self.voters):
            raise ValueError(f"voters {self.voters}: expected each once, {self.node_id} among them")
        if not 0 < self.heartbeat_ns < self.election_min_ns <= self.election_max_ns:
            raise ValueError(
                f"heartbeat {self.heartbeat_ns} ns, election timeout {self.election_min_ns} to"
                f" {self.election_max_ns} ns: expected 0 < heartbeat < minimum <= maximum"
            )
        if min(self.max_batch_entries, self.max_batch_bytes, self.max_inflight) < 1:
            raise ValueError("max_batch_entries, max_batch_bytes, max_inflight: expected at least 1 each")


@dataclass(slots=True)
class Ballot:
    """A poll under way: for the term's votes, or a pre-vote on whether to stand in that term."""

    term: int
    pre_vote: bool
    granted: set[str]


class Roles(Ledger):
    """Follower, candidate or leader of the current term. Nodes start as followers."""

    def __init__(
        self,
        config: RaftConfig,
        recovered: Recovered,
        draw_election_timeout_ns: Callable[[], int],
        now_ns: int,
    ) -> None:
        super().__init__(recovered)
        self.config = config
        self.peers = tuple(voter for voter in config.voters if voter != config.node_id)
        self.state = State.FOLLOWER
        self.leader_id: str | None = None
        self.commit_index = self.log.base_index
        self.ballot: Ballot | None = None
        self._draw_election_timeout_ns = draw_election_timeout_ns
        self.reset_election_timer(now_ns)

    @property
    def quorum(self) -> int:
        """How many voters are a majority."""
        return len(self.config.voters) // 2 + 1

    def reached_by_quorum(self, own: int, others: list[int]) -> int:
        """The highest number that a majority has reached, given every voter's."""
        return sorted([own, *others], reverse=True)[self.quorum - 1]

    def reset_election_timer(self, now_ns: int) -> None:
        self.election_due_ns = now_ns + self._draw_election_timeout_ns()

    def become_follower(self, now_ns: int, term: int, leader_id: str | None = None) -> None:
        """Follows `term`, the current or a later one; the vote of the current term is kept."""
        if term > self.current_term:
            self.remember(term, voted_for=None)
        if self.state is State.LEADER:
            self.reset_election_timer(now_ns)
        self.change_state(State.FOLLOWER)
        self.leader_id = leader_id
        self.ballot = None

    def change_state(self, state: State) -> None:
        if state is self.state:
            return
        before, self.state = self.state, state
        # Waits for the term only: a leader's first entry need not be durable for it to be leader.
        fields = {"role": state.value, "from": before.value, "term": self.current_term}
        self.outputs.events.append(Event("role", fields, self.state_mark))

    def commit_to(self, index: int) -> None:
        """Entries up to `index` are committed; a lower index than before changes nothing."""
        if index <= self.commit_index:
            return
        self.commit_index = index
        # A leader need not wait for its own disk where others' suffice. A follower may: nobody waits for
        # it, and its event log then tells of a truncation before it tells of what took that place.
        after = self.state_mark if self.state is State.LEADER else self.mark
        fields = {"index": index, "term": self.current_term, "role": self.state.value}
        self.outputs.events.append(Event("commit", fields, after))

    def send(self, to: str, message: Message) -> None:
        self.outputs.messages.append(Outgoing(to, message, self.hold_until(message)))

    def hold_until(self, message: Message) -> int:
        """The mark that must be durable before the message leaves.

        Every message waits for term and vote. An acknowledgement of entries that are not durable yet also
        waits for them; a heartbeat's answer never promises such entries, and so never waits for them.
        """
        if (
            isinstance(message, AppendEntriesReply)
            and message.success
            and message.match_index > self.durable_index
        ):
            return self.mark
        return self.state_mark
