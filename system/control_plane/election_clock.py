"""How long elections take, as seen by the node that wins them."""

from __future__ import annotations

from collections.abc import Callable

from system.raft.node import RaftNode, State


class ElectionClock:
    """Looks at a node after each of its flushes.

    on_won: called when the node has become leader, with the seconds since it first stood (its first pre-vote
        after it had last followed somebody), and the seconds since it last heard from a leader or was the
        leader itself; None where it never did in this boot
    """

    def __init__(self, on_won: Callable[[float, float | None], None]) -> None:
        self._on_won = on_won
        self._stood_ns: int | None = None
        self._led_ns: int | None = None

    def look(self, node: RaftNode, now_ns: int) -> None:
        if node.state is State.LEADER:
            if self._stood_ns is not None:
                self._on_won((now_ns - self._stood_ns) / 1e9, self._silence_s(node, now_ns))
            self._stood_ns, self._led_ns = None, now_ns
        elif node.leader_id is not None:
            self._stood_ns = None
        elif node.ballot is not None and self._stood_ns is None:
            self._stood_ns = now_ns

    def _silence_s(self, node: RaftNode, now_ns: int) -> float | None:
        known_ns = [at_ns for at_ns in (node.heard_leader_ns, self._led_ns) if at_ns is not None]
        return (now_ns - max(known_ns)) / 1e9 if known_ns else None
