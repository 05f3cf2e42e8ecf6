"""What a node left on disk: lost as in a power failure, or kept for the record."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_KEPT = ("stdout.log", "stderr.log", "wal.jsonl", "wal.synced", "events-*.jsonl")


def lose_unsynced(directory: Path) -> int:
    """Cuts a node's WAL where the last sync left it, since a killed process leaves its page cache behind.

    wal.synced holds that length, 8 bytes little-endian; a node that has not written it has synced nothing
    that it could miss. Returns the number of bytes lost.
    """
    wal, synced = directory / "wal.jsonl", directory / "wal.synced"
    if not wal.exists() or not synced.exists():
        return 0
    size_bytes = wal.stat().st_size
    synced_bytes = int.from_bytes(synced.read_bytes()[:8], "little")
    if synced_bytes >= size_bytes:
        return 0
    os.truncate(wal, synced_bytes)
    return size_bytes - synced_bytes


def save_node(directory: Path, into: Path, metrics: bytes | None) -> None:
    """Copies a node's logs, WAL and event logs, and writes its metrics where it gave any."""
    into.mkdir(parents=True, exist_ok=True)
    for pattern in _KEPT:
        for path in sorted(directory.glob(pattern)):
            shutil.copy2(path, into / path.name)
    if metrics is not None:
        (into / "metrics.prom").write_bytes(metrics)
