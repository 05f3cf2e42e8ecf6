"""The write-ahead log gives back what it promised, or stops the node."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from system.control_plane.wal import Wal, WalError
from system.control_plane.wal_format import encode_frame, encode_header, replay
from system.raft.log import EntryKind, LogEntry
from system.raft.records import Append, HardState, Record, Recovered, Truncate

DEADLINE_S = 10.0
PATH = Path("wal.jsonl")


def entry(index: int, term: int = 1, command: bytes = b"") -> LogEntry:
    return LogEntry(index, term, EntryKind.COMMAND, command or b"command %d" % index)


FRAMES: list[list[Record]] = [
    [HardState(1, None)],
    [HardState(1, "cp-gcp-1"), Append(entry(1)), Append(entry(2))],
    [Append(entry(3)), Append(entry(4))],
    [Truncate(4), HardState(2, None)],
    [Append(entry(4, term=2)), Append(LogEntry(5, 2, EntryKind.NO_OP))],
]


def image(frames: list[list[Record]] = FRAMES) -> bytes:
    parts = [encode_header("c", "n"), *(encode_frame(i, frame) for i, frame in enumerate(frames, start=1))]
    return b"".join(parts)


def state_after(frames: list[list[Record]]) -> tuple[HardState, list[LogEntry]]:
    """What the records say, worked out in the most obvious way."""
    state, entries = HardState(0, None), list[LogEntry]()
    for record in (record for frame in frames for record in frame):
        match record:
            case HardState():
                state = record
            case Append(added):
                entries.append(added)
            case Truncate(from_index):
                entries = [kept for kept in entries if kept.index < from_index]
    return state, entries


def held(recovered: Recovered) -> tuple[HardState, list[LogEntry]]:
    log = recovered.log
    return recovered.state, list(log.slice(1, log.last_index))


def open_wal(directory: Path, kind: type[Wal] = Wal) -> Wal:
    return kind(directory, cluster="c", node="n")


def put(directory: Path, content: bytes, synced: int | None = None) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "wal.jsonl").write_bytes(content)
    (directory / "wal.synced").unlink(missing_ok=True)
    if synced is not None:
        (directory / "wal.synced").write_bytes(synced.to_bytes(8, "little"))


class Durable:
    """Collects what the writer thread reports, and lets a test wait for it."""

    def __init__(self) -> None:
        self.marks: list[int] = []
        self.errors: list[BaseException] = []
        self._news = threading.Condition()

    def on_durable(self, mark: int) -> None:
        with self._news:
            self.marks.append(mark)
            self._news.notify_all()

    def on_failure(self, error: BaseException) -> None:
        with self._news:
            self.errors.append(error)
            self._news.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, DEADLINE_S), (self.marks, self.errors)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    wal, durable = open_wal(tmp_path), Durable()
    assert held(wal.recovered) == (HardState(0, None), [])
    wal.start(durable.on_durable, durable.on_failure)
    mark = 0
    for frame in FRAMES:
        mark += len(frame)
        wal.write(frame, mark)
    durable.wait(lambda: durable.marks[-1:] == [mark])
    wal.close()
    again = open_wal(tmp_path)
    assert held(again.recovered) == state_after(FRAMES)
    assert not again.torn
    again.close()


def test_any_command_bytes_survive(tmp_path: Path) -> None:
    commands = [bytes(range(256)), "é€😀\n\0".encode(), b"\xff\xfe{\n", b'"\\']
    frames: list[list[Record]] = [[Append(entry(i, command=c)) for i, c in enumerate(commands, start=1)]]
    assert held(replay(PATH, image(frames), "c", "n").recovered)[1] == [r.entry for r in frames[0]]  # type: ignore[union-attr]


CHILD = """
import sys, threading
from pathlib import Path
from system.control_plane.wal import Wal
from system.raft.log import EntryKind, LogEntry
from system.raft.records import Append
wal = Wal(Path(sys.argv[1]), cluster="c", node="n")
wal.start(lambda mark: print(mark, flush=True), lambda error: print(error, flush=True))
for i in range(1, 101):
    wal.write([Append(LogEntry(i, 1, EntryKind.COMMAND, b"command %d" % i))], i)
threading.Event().wait()
"""


def test_hundred_entries_survive_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        while child.stdout.readline() != "100\n":
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    # Stored after the sync and before the answer, so it outlives the process with the rest.
    synced = int.from_bytes((tmp_path / "wal.synced").read_bytes(), "little")
    assert synced == (tmp_path / "wal.jsonl").stat().st_size
    wal = open_wal(tmp_path)
    assert held(wal.recovered)[1] == [entry(i) for i in range(1, 101)]
    wal.close()


def test_a_log_cut_anywhere_in_its_last_frames_keeps_the_complete_ones(tmp_path: Path) -> None:
    whole = image()
    for cut in range(len(image(FRAMES[:3])), len(whole) + 1):
        complete = whole[:cut].count(b"\n") - 1
        put(tmp_path, whole[:cut])
        wal = open_wal(tmp_path)
        assert held(wal.recovered) == state_after(FRAMES[:complete]), cut
        assert bool(wal.torn) == (whole[:cut] != image(FRAMES[:complete])), cut
        wal.close()
        assert (tmp_path / "wal.jsonl").read_bytes() == image(FRAMES[:complete]), cut


def test_writing_goes_on_after_a_torn_frame(tmp_path: Path) -> None:
    put(tmp_path, image()[:-5])
    wal, durable = open_wal(tmp_path), Durable()
    wal.start(durable.on_durable, durable.on_failure)
    wal.write(FRAMES[4], 1)
    durable.wait(lambda: durable.marks == [1])
    wal.close()
    assert (tmp_path / "wal.jsonl").read_bytes() == image()


def test_a_log_shorter_than_what_was_synced_is_refused(tmp_path: Path) -> None:
    whole = image()
    for cut in range(len(image(FRAMES[:4])), len(whole)):
        put(tmp_path, whole[:cut], synced=len(whole))
        with pytest.raises(WalError, match=f"{len(whole)} bytes of it were synced"):
            open_wal(tmp_path)
        assert (tmp_path / "wal.jsonl").read_bytes() == whole[:cut]  # evidence is left alone
    (tmp_path / "wal.jsonl").unlink()
    with pytest.raises(WalError, match="the log is missing"):
        open_wal(tmp_path)


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_flipped_byte_anywhere_is_refused(flip: int) -> None:
    whole = image()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= flip
        with pytest.raises(WalError, match=r"wal\.jsonl, line \d+ \(byte \d+\): .*; "):
            replay(PATH, bytes(damaged), "c", "n")


def test_zero_fill_at_the_end_is_torn(tmp_path: Path) -> None:
    for content in (image() + bytes(4096), image() + image()[-40:-20] + bytes(10)):
        put(tmp_path, content)
        wal = open_wal(tmp_path)
        assert wal.torn
        assert held(wal.recovered) == state_after(FRAMES)
        wal.close()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "header is missing"),
        (encode_header("c", "n")[:-1], "header is missing"),
        (encode_header("c", "n")[:20], "header is missing"),
        (b"{}\n", "no crosswind-wal header"),
        (encode_header("c", "other") + b"", "belongs to node 'other', expected 'n'"),
        (encode_header("other", "n") + b"", "belongs to cluster 'other', expected 'c'"),
        (encode_header("c", "n").replace(b":1,", b":2,"), "belongs to version 2, expected 1"),
        (image()[:-1] + b"\0\0", "followed by other bytes"),
        (image()[:-1] + encode_frame(6, FRAMES[0]), "no frame"),
        (image() + encode_frame(7, FRAMES[0]), "expected frame 6, found frame 7"),
        (image() + encode_frame(5, FRAMES[0]), "expected frame 6, found frame 5"),
        (image() + encode_frame(6, FRAMES[0]).replace(b'count":1', b'count":2'), "2 records"),
        (image() + encode_frame(6, [Append(entry(9))]), "does not follow 5"),
        (image() + b"\0" * 30 + b"\n", "no frame"),
        (image() + b"\n", "no frame"),
    ],
)
def test_what_no_crash_explains_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    put(tmp_path, content)
    with pytest.raises(WalError, match=complaint):
        open_wal(tmp_path)
    assert (tmp_path / "wal.jsonl").read_bytes() == content


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    wal = open_wal(tmp_path)
    with pytest.raises(WalError, match="another process is using this log"):
        open_wal(tmp_path)
    wal.close()
    open_wal(tmp_path).close()


def test_nothing_counts_as_durable_before_its_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also: whatever is queued while one sync runs goes to disk as one frame."""
    entered, leave = threading.Semaphore(0), threading.Semaphore(0)

    def slow_sync(_fd: int) -> None:
        entered.release()
        assert leave.acquire(timeout=DEADLINE_S)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    wal, durable = open_wal(tmp_path), Durable()
    header_bytes = int.from_bytes((tmp_path / "wal.synced").read_bytes(), "little")
    wal.start(durable.on_durable, durable.on_failure)
    wal.write(FRAMES[0], 1)
    assert entered.acquire(timeout=DEADLINE_S)
    wal.write([Append(entry(1))], 2)
    wal.write([Append(entry(2))], 3)
    assert durable.marks == []
    assert int.from_bytes((tmp_path / "wal.synced").read_bytes(), "little") == header_bytes
    leave.release()
    leave.release()
    durable.wait(lambda: durable.marks == [1, 3])
    wal.close()
    assert (tmp_path / "wal.jsonl").read_bytes() == image([FRAMES[0], [Append(entry(1)), Append(entry(2))]])


def test_a_failed_sync_is_reported_once_and_never_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def broken_sync(fd: int) -> None:
        calls.append(fd)
        raise OSError(errno.EIO, "Input/output error")

    wal, durable = open_wal(tmp_path), Durable()
    monkeypatch.setattr(os, "fdatasync", broken_sync)
    wal.start(durable.on_durable, durable.on_failure)
    wal.write(FRAMES[0], 1)
    durable.wait(lambda: len(durable.errors) == 1)
    wal.write(FRAMES[1], 4)
    wal.close()
    assert (len(calls), durable.marks) == (1, [])
    assert (tmp_path / "wal.jsonl").read_bytes() == image(FRAMES[:1])


def test_sync_is_the_one_method_that_makes_it_true(tmp_path: Path) -> None:
    """A subclass that skips it acknowledges too early, and wal.synced goes on telling the truth."""

    class Hasty(Wal):
        def sync(self, length_bytes: int) -> None:
            pass

    wal, durable = open_wal(tmp_path, Hasty), Durable()
    before = (tmp_path / "wal.synced").read_bytes()
    wal.start(durable.on_durable, durable.on_failure)
    wal.write(FRAMES[0], 1)
    durable.wait(lambda: durable.marks == [1])
    wal.close()
    assert (tmp_path / "wal.synced").read_bytes() == before
    assert int.from_bytes(before, "little") == len(encode_header("c", "n"))


def test_a_new_log_is_synced_itself_and_then_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is read back is synced before anything is built on it."""
    synced: list[str] = []

    def noted(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)

    monkeypatch.setattr(os, "fsync", noted)
    open_wal(tmp_path / "data").close()
    assert synced == ["wal.new", "data", "wal.jsonl"]
    synced.clear()
    open_wal(tmp_path / "data").close()
    assert synced == ["wal.jsonl"]
