"""A node's disk: what was written, what of it is synced, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from mypy_extensions import mypyc_attr

from system.control_plane import wal
from system.control_plane.wal_format import encode_frame, encode_header, restore
from system.raft.records import Record, Recovered
from system.simulation.draws import Draws
from system.simulation.knobs import MS, Knobs
from system.simulation.loop import VirtualLoop

Synced = Callable[[int], None]
SLOW_EVERY = 50
# A log to which nothing happened is read back from its bytes one time in so many: it says what was written.
READ_EVERY = 4
SLOW_TIMES = 10
# A disk that a fault makes slow is given up waiting for after so long, and has written what it had to.
SLOWEST_NS = 1_500 * MS


@dataclass(slots=True)
class Frame:
    """One write: its records, and their bytes once somebody had to know them."""

    records: list[Record]
    data: bytes | None = None


@dataclass(slots=True)
class _Batch:
    records: list[Record] = field(default_factory=list)
    mark: int = 0


@mypyc_attr(allow_interpreted_subclasses=True)
class SimDisk:
    """The Disk port, and the log's file across crashes.

    Writes queue up while one is on its way, and share the next sync, as behind the real WAL. Bytes are made
    of a log only when it is read back, by the real code that reads real logs.

    slow: by how much syncs take longer; slow_syncs: how many did. fails: the next sync fails.
    """

    def __init__(self, loop: VirtualLoop, seed: int, cluster: str, node: str, knobs: Knobs) -> None:
        self.node = node
        self.slow = 1.0
        self.slow_syncs = 0
        self.fails = False
        self.frames: list[Frame] = []
        self.synced = 0
        self.directory_is_synced = False
        self.exists = False
        self._loop = loop
        self._cluster = cluster
        self._draws = Draws(seed, "disk", node)
        self._sync_ns = int(knobs.sync_ms * MS)
        self._samples_ns = [int(ms * MS) for ms in knobs.sync_samples_ms]
        self._tail = b""
        self._flipped = False
        self._boot = 0
        self._queue = _Batch()
        self._busy = False
        self._on_synced: Synced | None = None
        self._on_records: Callable[[Sequence[Record]], None] | None = None
        self._on_failure: Callable[[], None] | None = None

    def start(
        self,
        on_synced: Synced,
        on_records: Callable[[Sequence[Record]], None],
        on_failure: Callable[[], None],
    ) -> None:
        """on_synced: with the mark up to which everything is. on_records: with what has just become durable.
        on_failure: where a sync failed; nothing is written after it."""
        self._on_synced, self._on_records, self._on_failure = on_synced, on_records, on_failure

    def write(self, records: Sequence[Record], mark: int) -> None:
        self._queue.records.extend(records)
        self._queue.mark = mark
        if not self._busy:
            self._begin()

    def recover(self) -> tuple[Recovered, str]:
        """What the log holds, and what was cut off its end. Raises WalError for a log that must not be used.
        A log that is not there is made."""
        self._boot += 1
        if self._is_whole and self._draws.below(READ_EVERY):
            return self._remembered(), ""
        data = self.data() if self.exists else None
        found = wal.recover(
            PurePath(self.node, "wal.jsonl"), data, self.promised_bytes(), self._cluster, self.node
        )
        if found is None:
            self.create()
            return Recovered(), ""
        self._tail = b""
        self.synced = len(self.frames)  # the real one syncs what it found before it goes on
        return found.recovered, found.torn

    @property
    def _is_whole(self) -> bool:
        """Whether what the file holds is what was written, with nothing lost or changed."""
        return self.exists and not self._tail and not self._flipped

    def _remembered(self) -> Recovered:
        """What reading a whole log back gives."""
        recovered = Recovered()
        for frame in self.frames:
            for record in frame.records:
                restore(recovered, record)
        self.synced = len(self.frames)
        return recovered

    def create(self) -> None:
        self.exists = True
        self.frames, self.synced = [], 0
        self.sync_directory()

    def sync_directory(self) -> None:
        """Until then the log's very name would not survive the machine."""
        self.directory_is_synced = True

    def crash(self, *, lose_unsynced: bool) -> int:
        """The process is gone; with lose_unsynced the machine was. Returns how many bytes are lost."""
        self._forget()
        if not lose_unsynced:
            return 0
        if not self.directory_is_synced:
            lost_bytes = len(self.data())
            self.exists, self.frames, self.synced, self._tail = False, [], 0, b""
            return lost_bytes
        lost = self.frames[self.synced :]
        kept = self._draws.below(len(lost) + 1) if lost else 0
        del self.frames[self.synced + kept :]
        lost_bytes = sum(len(self._bytes_of(frame, self.synced + n)) for n, frame in enumerate(lost[kept:]))
        if lost[kept:]:
            torn = self._bytes_of(lost[kept], self.synced + kept)
            self._tail = torn[: self._draws.below(len(torn))]
        return lost_bytes

    def _forget(self) -> None:
        """What the process had not written yet, and what it waited for."""
        self._queue, self._busy, self._boot = _Batch(), False, self._boot + 1
        self.fails = False

    def close(self) -> None:
        """Nobody needs it any more. Idempotent."""

    def flip(self, pick: float) -> int | None:
        """Turns one bit of a synced record over; returns the frame's number, None where there is none."""
        if not self.synced:
            return None
        at = int(pick * self.synced)
        data = bytearray(self._bytes_of(self.frames[at], at))
        data[self._place(data)] ^= 1
        self.frames[at].data = bytes(data)
        self._flipped = True
        return at + 1

    def _place(self, data: bytearray) -> int:
        """Of the byte whose lowest bit turns: mostly a digit of the records, which leaves them readable."""
        start = data.index(b'"records"')
        digits = [place for place in range(start, len(data)) if chr(data[place]).isdigit()]
        if digits and self._draws.below(READ_EVERY):
            return digits[self._draws.below(len(digits))]
        return self._draws.between(start, len(data) - 3)

    def mend(self, number: int) -> None:
        """As if restored from a copy."""
        if number <= len(self.frames):
            self.frames[number - 1].data = None
        self._flipped = False

    def data(self) -> bytes:
        """The file's bytes."""
        frames = [self._bytes_of(frame, number) for number, frame in enumerate(self.frames)]
        return b"".join([encode_header(self._cluster, self.node), *frames, self._tail])

    def promised_bytes(self) -> int:
        """How many bytes of it have been synced."""
        if not self.exists or not self.directory_is_synced:
            return 0
        frames = self.frames[: self.synced]
        header = len(encode_header(self._cluster, self.node))
        return header + sum(len(self._bytes_of(frame, number)) for number, frame in enumerate(frames))

    def _begin(self) -> None:
        """Writes what is queued, and syncs it."""
        batch, self._queue, self._busy = self._queue, _Batch(), True
        self._put(batch.records)
        self._loop.at(self._loop.now_ns + self._sync_takes_ns(), self._end, self._boot, batch)

    def _end(self, boot: int, batch: _Batch) -> None:
        if boot != self._boot:
            return
        assert self._on_synced and self._on_records and self._on_failure
        if self.fails:
            self._on_failure()
            return
        self._note_synced()
        self._busy = False
        self._on_records(batch.records)
        if self._queue.records:
            self._begin()
        self._on_synced(batch.mark)

    def _put(self, records: list[Record]) -> None:
        """They are in the file, and not synced."""
        self.frames.append(Frame(records))

    def _note_synced(self) -> None:
        """Whatever is in the file is synced."""
        self.synced = len(self.frames)

    def _sync_takes_ns(self) -> int:
        """Half as long as usual to twice as long, and now and then ten times."""
        drawn = self._draws.bits()
        if self._samples_ns:
            takes_ns = self._samples_ns[drawn % len(self._samples_ns)]
        else:
            times = SLOW_TIMES if drawn % SLOW_EVERY == 0 else 1.0
            takes_ns = int(self._sync_ns * times * (0.5 + 1.5 * ((drawn >> 32) / (1 << 32))))
        if self.slow <= 1:
            return takes_ns
        self.slow_syncs += 1
        return max(takes_ns, min(int(takes_ns * self.slow), SLOWEST_NS))

    def _bytes_of(self, frame: Frame, number: int) -> bytes:
        if frame.data is None:
            frame.data = encode_frame(number + 1, frame.records)
        return frame.data
