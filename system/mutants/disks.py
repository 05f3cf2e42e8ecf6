"""Bugs of the log on disk."""

from __future__ import annotations

import contextlib
import time
from pathlib import PurePath
from typing import Any

from system.control_plane.replica import Replica
from system.control_plane.wal import Wal
from system.control_plane.wal_format import Replay, WalError
from system.mutants.mutant import Mutant, Place, before
from system.raft.records import Record

SYNC_INTERVAL_S = 2.0
WAL = "system.control_plane.wal:Wal"
REPLICA = "system.control_plane.replica:Replica"
_sync = before(WAL, "sync")
_persist = before(REPLICA, "persist")
_recover = before("system.control_plane.wal", "recover")


def _sync_now_and_then(self: Wal, length_bytes: int) -> None:
    """Says that it has synced; really does so only when the last time is long past."""
    now_s = time.monotonic()
    if now_s - getattr(self, "_synced_at_s", 0.0) >= SYNC_INTERVAL_S:
        self._synced_at_s = now_s  # type: ignore[attr-defined]
        _sync(self, length_bytes)


def _durable_once_written(self: Replica, now_ns: int, records: list[Record], mark: int) -> None:
    """What the disk was asked to write counts as written."""
    _persist(self, now_ns, records, mark)
    self.on_durable(now_ns, mark)


def _no_directory_sync(self: Any) -> None:
    """The file's content is synced, its name is not."""


def _no_check(frame: dict[str, Any], number: int) -> None:
    """Whatever its records are, the frame is taken for what was written."""


def _start_empty(
    path: PurePath, data: bytes | None, promised_bytes: int, cluster: str, node: str
) -> Replay | None:
    """A log that cannot be used counts as none, and the node goes on under its old name."""
    with contextlib.suppress(WalError):
        found: Replay | None = _recover(path, data, promised_bytes, cluster, node)
        return found
    return None


DISKS = (
    Mutant(
        "P01",
        "ack-before-fsync",
        "acknowledges before fsync; the unsynced tail is lost at kill -9",
        ("yugabyte#32875", "nats#7564"),
        Place(WAL, "sync", _sync_now_and_then),
        simulated=Place(REPLICA, "persist", _durable_once_written),
        unseen="the machines of a majority must die in the milliseconds between write and sync",
        nemeses=("kill",),
        caught_by=("committed-log", "monotone", "log-matching"),
    ),
    Mutant(
        "P02",
        "nameless-log",
        "the log's file is synced, its directory is not",
        ("etcd's WAL",),
        Place("system.simulation.disk:SimDisk", "sync_directory", _no_directory_sync),
        only_simulated=True,
    ),
    Mutant(
        "P06",
        "no-checksum",
        "a log is read back without a look at its checksums",
        ("nats#7549",),
        Place("system.control_plane.wal_format", "check_sum", _no_check),
    ),
    Mutant(
        "P07",
        "empty-start",
        "a node with a corrupt log starts empty under its old id, and votes",
        ("nats#7556", "rethinkdb#5289"),
        Place("system.control_plane.wal", "recover", _start_empty),
    ),
)
