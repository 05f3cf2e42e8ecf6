"""Layer 5 of the node: linearizable reads without a log entry (ReadIndex; Ongaro's thesis, 6.4)."""

from __future__ import annotations

from collections import deque

from system.raft.leader import Leading, NotLeaderError
from system.raft.roles import State


class Reads(Leading):
    """A read may be answered once a majority has shown, after it arrived, that it still follows this
    leader, from a state that holds everything committed by then."""

    _last_read_id: int = 0
    # Read ids that no round has been sent for; then (round, read index, read ids), oldest round first.
    _new_reads: list[int]
    _read_rounds: deque[tuple[int, int, list[int]]]

    def become_leader(self, now_ns: int) -> None:
        super().become_leader(now_ns)
        self._new_reads = []
        self._read_rounds = deque()

    def request_read(self, now_ns: int) -> int:
        """Returns the read's id, which comes back in Outputs.reads, unless leadership is lost before.
        Raises NotLeaderError."""
        if self.state is not State.LEADER:
            raise NotLeaderError(self.leader_id)
        self._last_read_id += 1
        self._new_reads.append(self._last_read_id)
        return self._last_read_id

    def start_read_round(self, now_ns: int) -> None:
        """One round of heartbeats for all reads that arrived since the last."""
        if not self._new_reads:
            return
        self.round += 1
        self._read_rounds.append((self.round, self.read_index(), self._new_reads))
        self._new_reads = []
        self.broadcast_heartbeat(now_ns)
        self.release_reads()

    def read_index(self) -> int:
        """What a read has to see: everything committed so far. A new leader knows that only from its
        own first entry on."""
        return max(self.commit_index, self.first_own_index)

    def confirmed_round(self) -> int:
        """The newest round that a majority answered. The round comes back with the answer, so none counts
        that was given to a message from before the read."""
        return self.reached_by_quorum(self.round, [p.round for p in self.progress.values()])

    def release_reads(self) -> None:
        if not self._read_rounds:
            return
        confirmed = self.confirmed_round()
        while self._read_rounds and self._read_rounds[0][0] <= confirmed:
            _, index, ids = self._read_rounds.popleft()
            self.outputs.reads.extend((read_id, index) for read_id in ids)
