"""The write-ahead log: whatever a node promised is on disk before anybody hears of it.

A thread of its own writes and syncs, because fdatasync now and then takes more than 100 ms and heartbeats
must go on meanwhile. Everything queued while one sync ran goes to disk as one frame (wal_format.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from system.control_plane.wal_format import Replay, WalError, encode_frame, encode_header, replay
from system.raft.records import Record, Recovered

__all__ = ["Wal", "WalError"]


class Wal:
    """One node's log, opened: locked, read back, and cut to its last complete frame.

    directory/wal.jsonl   the log
    directory/wal.synced  8 bytes, little-endian: how many bytes of wal.jsonl have been synced. It survives
                          kill -9, so that whoever wants to can discard what a machine crash would have lost.

    Raises WalError for a log that must not be used, OSError where the directory cannot be.
    """

    def __init__(self, directory: Path, *, cluster: str, node: str) -> None:
        self._cluster, self._node = cluster, node
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            self._directory_fd = _lock(directory)
            opened.callback(os.close, self._directory_fd)
            path = directory / "wal.jsonl"
            promised_bytes = _read_synced(directory)
            data = path.read_bytes() if path.exists() else None
            found = recover(path, data, promised_bytes, cluster, node)
            if found is None:
                self._create(path)
                found = replay(path, path.read_bytes(), cluster, node)
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            opened.callback(os.close, self._fd)
            self._build_on(found)
            self._synced = opened.enter_context(_map_synced(directory))
            self._opened = opened.pop_all()
        self.recovered: Recovered = found.recovered
        # What was cut off, in words; "" for a log that ended well.
        self.torn: str = found.torn
        self._frames, self.length_bytes = found.frames, found.good_bytes
        self._store_synced(self.length_bytes)
        self._queue: list[tuple[Sequence[Record], int]] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._on_sync: Callable[[float], None] | None = None

    def start(
        self,
        on_durable: Callable[[int], None],
        on_failure: Callable[[BaseException], None],
        on_sync: Callable[[float], None] | None = None,
    ) -> None:
        """Starts the writer. All three are called on its thread: on_durable with a mark once everything up to
        it is synced; on_failure once, after which nothing is written any more; on_sync with the duration of
        each sync in seconds."""
        self._on_sync = on_sync
        self._thread = threading.Thread(
            target=self._run, args=(on_durable, on_failure), name="wal", daemon=True
        )
        self._thread.start()

    def write(self, records: Sequence[Record], mark: int) -> None:
        """Queues records, the last of which has this mark. Returns at once."""
        with self._changed:
            self._queue.append((records, mark))
            self._changed.notify()

    def write_queued(self) -> int:
        """The first half of a group commit, of which sync is the second: everything queued becomes one frame
        of the file. Returns its mark. For the writer alone, and only where something is queued."""
        with self._changed:
            batch, self._queue = self._queue, []
        self._write_frame([record for records, _ in batch for record in records])
        return batch[-1][1]

    def sync(self, length_bytes: int) -> None:
        """Returns once the first length_bytes of the log would survive the machine, and has noted so in
        wal.synced."""
        os.fdatasync(self._fd)
        self._store_synced(length_bytes)

    def close(self, timeout_s: float = 5.0) -> None:
        """Writes and syncs what is queued, then lets go of the directory."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return  # a disk that hangs: leave it the file, the process ends anyway
        self._opened.close()

    def _run(self, on_durable: Callable[[int], None], on_failure: Callable[[BaseException], None]) -> None:
        try:
            while self._wait():
                mark = self.write_queued()
                started = time.perf_counter()
                self.sync(self.length_bytes)
                if self._on_sync:
                    self._on_sync(time.perf_counter() - started)
                on_durable(mark)
        except Exception as error:
            # Never retried: after a failed fsync the kernel may have dropped the pages and call them clean.
            on_failure(error)

    def _wait(self) -> bool:
        """Until something is queued. False: nothing is any more, and the log is closing."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return bool(self._queue)

    def _write_frame(self, records: Sequence[Record]) -> None:
        frame = encode_frame(self._frames + 1, records)
        rest = memoryview(frame)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._frames += 1
        self.length_bytes += len(frame)

    def _create(self, path: Path) -> None:
        """Header first, under another name: a log without a whole header never exists."""
        draft = path.with_suffix(".new")
        with draft.open("wb") as file:
            file.write(encode_header(self._cluster, self._node))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        os.fsync(self._directory_fd)

    def _build_on(self, found: Replay) -> None:
        if found.torn:
            os.ftruncate(self._fd, found.good_bytes)
        # What a killed process wrote may still be in the page cache only; from here on we build on it.
        os.fsync(self._fd)

    def _store_synced(self, length_bytes: int) -> None:
        self._synced[:] = length_bytes.to_bytes(8, "little")  # one copy of 8 bytes, never seen half done


def recover(
    path: PurePath, data: bytes | None, promised_bytes: int, cluster: str, node: str
) -> Replay | None:
    """What a log holds, read back after whatever happened.

    data: the log's bytes, None where there is no log. promised_bytes: how many of them were synced
    Returns None where there is none and none was promised. Raises WalError for a log that must not be used.
    """
    if data is None:
        if promised_bytes:
            raise WalError(path, 1, 0, f"the log is missing, {promised_bytes} bytes of it were synced")
        return None
    found = replay(path, data, cluster, node)
    if found.good_bytes < promised_bytes:
        problem = f"the log ends here, but {promised_bytes} bytes of it were synced"
        raise WalError(path, found.frames + 2, found.good_bytes, problem)
    return found


def _lock(directory: Path) -> int:
    """Keeps a second process out, for as long as this one lives."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        remedy = "stop it first, or give this node another DATA_DIR"
        raise WalError(directory / "wal.jsonl", 1, 0, "another process is using this log", remedy) from None
    return fd


def _read_synced(directory: Path) -> int:
    """0 where nothing is promised: no such file, or one that a machine crash left short."""
    try:
        content = (directory / "wal.synced").read_bytes()
    except FileNotFoundError:
        return 0
    return int.from_bytes(content, "little") if len(content) == 8 else 0


def _map_synced(directory: Path) -> mmap.mmap:
    fd = os.open(directory / "wal.synced", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(fd, 8)
        return mmap.mmap(fd, 8)
    finally:
        os.close(fd)
