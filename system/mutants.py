"""Planted bugs: what the harness is measured with.

Each overrides one method of the core, the replica or the WAL from outside; production code carries no flag
for them. `python -m system.mutants NAME` is a control-plane node that has the bug.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from system.control_plane.wal import Wal
from system.raft.messages import RequestVote
from system.raft.node import RaftNode

SYNC_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted bug.

    name:     as on the command line
    summary:  the change, in one line
    seen_in:  real implementations that had it
    owner, method, override: the one method that is replaced, and what by
    workload, nemeses: the run that is meant to show it
    caught_by: the checkers that are right to object
    """

    name: str
    summary: str
    seen_in: tuple[str, ...]
    owner: type
    method: str
    override: Callable[..., Any]
    workload: str
    nemeses: tuple[str, ...]
    caught_by: tuple[str, ...]

    def plant(self) -> None:
        if not hasattr(self.owner, self.method):
            raise AttributeError(
                f"{self.name}: {self.owner.__name__} has no method {self.method} to override"
            )
        setattr(self.owner, self.method, self.override)


def _confirmed_without_asking(self: RaftNode) -> int:
    """Every read round counts as confirmed the moment it begins."""
    return self.round


def _may_vote_again(self: RaftNode, message: RequestVote) -> bool:
    """Whoever asks in this term gets the vote, whoever had it before."""
    return message.term >= self.current_term


def _sync_now_and_then(self: Wal, length_bytes: int) -> None:
    """Says that it has synced; really does so only when the last time is long past."""
    now_s = time.monotonic()
    if now_s - getattr(self, "_synced_at_s", 0.0) >= SYNC_INTERVAL_S:
        self._synced_at_s = now_s  # type: ignore[attr-defined]
        _sync(self, length_bytes)


_sync = Wal.sync

_ALL = (
    Mutant(
        "local-reads",
        "the leader reads locally, with no quorum check",
        ("consul#54", "jgroups-raft#208"),
        RaftNode,
        "confirmed_round",
        _confirmed_without_asking,
        "append",
        ("partition",),
        ("committed-log", "list-append"),
    ),
    Mutant(
        "ack-before-fsync",
        "acknowledges before fsync; the unsynced tail is lost at kill -9",
        ("yugabyte#32875", "nats#7564"),
        Wal,
        "sync",
        _sync_now_and_then,
        "append",
        ("kill",),
        ("committed-log", "monotone", "log-matching"),
    ),
    Mutant(
        "double-vote",
        "votes twice in a term",
        ("PySyncObj#202", "akka-raft#56"),
        RaftNode,
        "may_vote",
        _may_vote_again,
        "append",
        ("partition",),
        ("one-vote", "single-leader"),
    ),
)
MUTANTS: dict[str, Mutant] = {mutant.name: mutant for mutant in _ALL}


@contextlib.contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Has the bug in this process for a while; None: no bug."""
    if name is None:
        yield
        return
    mutant = MUTANTS[name]
    original = getattr(mutant.owner, mutant.method)
    mutant.plant()
    try:
        yield
    finally:
        setattr(mutant.owner, mutant.method, original)


def main() -> int:
    """A control-plane node with the bug that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in MUTANTS:
        print(f"system.mutants: no mutant {name!r}; there are: {', '.join(MUTANTS)}", file=sys.stderr)
        return 2
    MUTANTS[name].plant()
    from system.control_plane.node_process import (
        main as control_plane,
    )  # after planting: it builds on what it finds

    return control_plane()


if __name__ == "__main__":
    sys.exit(main())
