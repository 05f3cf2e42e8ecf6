"""What a node must keep across crashes, as records of one append-only log."""

from __future__ import annotations

from dataclasses import dataclass, field

from system.raft.log import Log, LogEntry


@dataclass(frozen=True, slots=True)
class HardState:
    """Term and vote, one record: a vote belongs to its term."""

    term: int
    voted_for: str | None


@dataclass(frozen=True, slots=True)
class Append:
    entry: LogEntry


@dataclass(frozen=True, slots=True)
class Truncate:
    """The entry at from_index and all above it are gone."""

    from_index: int


Record = HardState | Append | Truncate


@dataclass
class Recovered:
    """What a node had promised before it went down."""

    state: HardState = field(default_factory=lambda: HardState(0, None))
    log: Log = field(default_factory=Log)
