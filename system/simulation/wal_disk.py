"""A simulated disk with the real log on it: its code, its files, and not its thread."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from system.clusters import disk as local_disk
from system.control_plane.wal import Wal, WalError
from system.raft.records import Record, Recovered
from system.simulation.disk import SimDisk
from system.simulation.knobs import Knobs
from system.simulation.loop import VirtualLoop

# Where there is one, the logs are in memory: syncs take simulated time, and none of ours.
MEMORY = Path("/dev/shm")


class WalDisk(SimDisk):
    """The real log, in a directory of its own. When a sync is over is drawn; a directory is always synced."""

    def __init__(self, loop: VirtualLoop, seed: int, cluster: str, node: str, knobs: Knobs) -> None:
        super().__init__(loop, seed, cluster, node, knobs)
        memory = MEMORY if MEMORY.is_dir() else None
        self._scratch = tempfile.TemporaryDirectory(prefix="crosswind-", dir=memory)
        self._directory = Path(self._scratch.name)
        self._path = self._directory / local_disk.WAL
        self._wal: Wal | None = None
        # Of the bit that was turned over: the line, as it was and as it is, and where it begins.
        self._changed: tuple[int, bytes, bytes] | None = None

    def recover(self) -> tuple[Recovered, str]:
        self._boot += 1
        try:
            self._wal = Wal(self._directory, cluster=self._cluster, node=self.node)
        except WalError as error:
            # The directory has another name in every run.
            error.args = (str(error).replace(str(self._directory), self.node),)
            raise
        self.exists = True
        return self._wal.recovered, self._wal.torn

    def write(self, records: Sequence[Record], mark: int) -> None:
        self._open.write(records, mark)
        super().write(records, mark)

    def crash(self, *, lose_unsynced: bool) -> int:
        self._let_go()
        if not lose_unsynced or not self.exists:
            return 0
        data = self.data()
        lost_bytes = local_disk.lose_unsynced(self._directory)
        if not lost_bytes:
            return 0
        # The frame that was being written is there in whole, or torn anywhere.
        kept_bytes = lost_bytes if self._draws.below(2) else self._draws.below(lost_bytes)
        with self._path.open("ab") as file:
            file.write(data[len(data) - lost_bytes :][:kept_bytes])
        return lost_bytes - kept_bytes

    def close(self) -> None:
        self._let_go()
        self._scratch.cleanup()

    def flip(self, pick: float) -> int | None:
        if not self.exists:
            return None
        header, *frames = self.data()[: self.promised_bytes()].splitlines(keepends=True)
        if not frames:
            return None
        at = int(pick * len(frames))
        line = bytearray(frames[at])
        line[self._draws.between(len(line) // 2, len(line) - 3)] ^= 1 << self._draws.below(3)
        offset = len(header) + sum(map(len, frames[:at]))
        self._changed = offset, frames[at], bytes(line)
        self._put_at(offset, bytes(line))
        return at + 1

    def mend(self, number: int) -> None:
        if self._changed is None:
            return
        (offset, line, flipped), self._changed = self._changed, None
        if self.data()[offset : offset + len(flipped)] == flipped:
            self._put_at(offset, line)

    def data(self) -> bytes:
        return self._path.read_bytes()

    def promised_bytes(self) -> int:
        return int.from_bytes((self._directory / local_disk.SYNCED).read_bytes(), "little")

    def _let_go(self) -> None:
        """As a process does that ends: the log's writer had not started, so what is queued is lost."""
        self._forget()
        if self._wal is not None:
            self._wal.close()
            self._wal = None

    def _put_at(self, offset: int, line: bytes) -> None:
        with self._path.open("r+b") as file:
            file.seek(offset)
            file.write(line)

    @property
    def _open(self) -> Wal:
        assert self._wal is not None
        return self._wal

    def _put(self, records: list[Record]) -> None:
        self._open.write_queued()

    def _note_synced(self) -> None:
        self._open.sync(self._open.length_bytes)
