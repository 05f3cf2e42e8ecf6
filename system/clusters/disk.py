"""What a node left on disk: lost as in a power failure, or kept for the record."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

WAL = "wal.jsonl"
SYNCED = "wal.synced"
_KEPT = ("stdout.log", "stderr.log", WAL, SYNCED, "events-*.jsonl")


def lose_unsynced(directory: Path) -> int:
    """Cuts a node's WAL where the last sync left it, since a killed process leaves its page cache behind.

    wal.synced holds that length, 8 bytes little-endian; a node that has not written it has synced nothing
    that it could miss. Returns the number of bytes lost.
    """
    wal, synced = directory / WAL, directory / SYNCED
    if not wal.exists() or not synced.exists():
        return 0
    size_bytes, synced_bytes = wal.stat().st_size, _synced_bytes(synced.read_bytes())
    if synced_bytes >= size_bytes:
        return 0
    os.truncate(wal, synced_bytes)
    return size_bytes - synced_bytes


def synced_part(files: Mapping[str, bytes]) -> bytes | None:
    """Of a directory's files the WAL as the last sync left it; None where nothing would be lost."""
    if WAL not in files or SYNCED not in files or _synced_bytes(files[SYNCED]) >= len(files[WAL]):
        return None
    return files[WAL][: _synced_bytes(files[SYNCED])]


def _synced_bytes(synced: bytes) -> int:
    return int.from_bytes(synced[:8], "little")


def save_node(directory: Path, into: Path, metrics: bytes | None) -> None:
    """Copies a node's logs, WAL and event logs, and writes its metrics where it gave any."""
    into.mkdir(parents=True, exist_ok=True)
    for pattern in _KEPT:
        for path in sorted(directory.glob(pattern)):
            shutil.copy2(path, into / path.name)
    if metrics is not None:
        (into / "metrics.prom").write_bytes(metrics)


def save_files(files: Mapping[str, bytes], into: Path, metrics: bytes | None) -> None:
    """The same, from {name: content}."""
    into.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if any(fnmatch(name, pattern) for pattern in _KEPT):
            (into / name).write_bytes(content)
    if metrics is not None:
        (into / "metrics.prom").write_bytes(metrics)
