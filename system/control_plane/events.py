"""The event log: what this node did, for those who judge it (docs/event-log.md)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make a new one every time


class EventFile:
    """The EventLog port onto one file a boot, `events-0001.jsonl` in `directory`, numbered after those there.

    Not synced: it has to outlive the process, not the machine. Raises OSError where it cannot be written.
    """

    def __init__(
        self, directory: Path, *, cluster: str, node: str, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.boot = 1 + max((_boot_of(path) for path in directory.glob("events-*.jsonl")), default=0)
        self._head = f'{{"v":{SCHEMA_VERSION},"node":{json.dumps(node)},"boot":{self.boot},"seq":'
        self._fd = os.open(
            directory / f"events-{self.boot:04d}.jsonl",
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC,
            0o644,
        )
        # What the replica cannot know of its own process.
        self._boot_fields = {"pid": os.getpid(), "cluster": cluster}
        self._now_ns = now_ns
        self._seq = 0
        self._lines: list[str] = []

    def write(self, event: str, **fields: Any) -> None:
        if event == "boot":
            fields = self._boot_fields | fields
        body = _encode({"time_ns": self._now_ns(), "event": event, **fields})
        self._lines.append(f"{self._head}{self._seq},{body[1:]}\n")
        self._seq += 1

    def flush(self) -> None:
        if not self._lines:
            return
        rest = memoryview("".join(self._lines).encode("ascii"))
        self._lines.clear()
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def close(self) -> None:
        self.flush()
        os.close(self._fd)


def _boot_of(path: Path) -> int:
    number = path.stem.removeprefix("events-")
    return int(number) if number.isascii() and number.isdigit() else 0
