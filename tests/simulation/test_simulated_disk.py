"""A simulated disk: what a crash leaves of a log, and what is never taken for one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from system.control_plane.wal_format import WalError
from system.raft.log import EntryKind, LogEntry
from system.raft.records import Append, HardState, Record, Recovered
from system.simulation.disk import SLOWEST_NS, SimDisk
from system.simulation.knobs import MS, Knobs
from system.simulation.loop import VirtualLoop

SEEDS = range(40)


class Machine:
    """A disk with somebody who writes to it. synced: the marks that came back; failed: how many syncs did."""

    def __init__(self, seed: int = 1, *, sync_ms: float = 2.0, **knobs: Any) -> None:
        self.loop = VirtualLoop()
        self.disk = SimDisk(self.loop, seed, "c", "n", Knobs(sync_ms=sync_ms, **knobs))
        self.synced: list[int] = []
        self.durable: list[Record] = []
        self.failed = 0
        self.recovered = self.boot()

    def boot(self) -> Recovered:
        recovered, _ = self.disk.recover()
        self.disk.start(self.synced.append, self.durable.extend, self._fail)
        return recovered

    def _fail(self) -> None:
        self.failed += 1

    def write(self, first: int, last: int | None = None, *, size_bytes: int = 0) -> None:
        """Each entry a write of its own."""
        for index in range(first, (last or first) + 1):
            entry = LogEntry(index, 1, EntryKind.COMMAND, b"x" * size_bytes)
            self.disk.write([Append(entry)], index)

    def later(self, length_ms: float = 1_000) -> Sequence[int]:
        self.loop.run_until_complete(asyncio.sleep(length_ms / 1e3))
        return self.synced


def last_index(recovered: Recovered) -> int:
    return recovered.log.last_index


def test_what_is_synced_is_there_after_the_machine_is_gone() -> None:
    for seed in SEEDS:
        of = Machine(seed)
        of.disk.write([HardState(3, "b")], 1)
        of.write(1, 5)
        of.later()
        assert of.disk.crash(lose_unsynced=True) == 0
        recovered = of.boot()
        assert (recovered.state, last_index(recovered)) == (HardState(3, "b"), 5)


def test_writes_meanwhile_share_the_next_sync() -> None:
    of = Machine()
    of.write(1, 4)
    assert of.synced == [], "nothing is durable at once"
    assert of.later() == [1, 4]
    assert [record.entry.index for record in of.durable if isinstance(record, Append)] == [1, 2, 3, 4]


def test_unsynced_writes_are_lost_kept_or_torn_when_the_machine_goes() -> None:
    """Whatever is left of them, the log is read back, and what was synced is there."""
    ends = dict[str, int]()
    for seed in range(200):
        of = Machine(seed)
        of.write(1)
        of.later()
        of.write(2, size_bytes=100)
        lost_bytes = of.disk.crash(lose_unsynced=True)
        recovered, torn = of.disk.recover()
        end = "kept" if last_index(recovered) == 2 else "torn" if torn else "lost whole"
        ends[end] = ends.get(end, 0) + 1
        assert last_index(recovered) in (1, 2)
        assert (lost_bytes > 0) == (end != "kept")
        assert of.later() == [1], "a sync that the crash came before says nothing"
    assert ends["kept"] > 50 and ends["torn"] > 50, ends


def test_what_is_queued_behind_a_sync_is_gone_with_the_process() -> None:
    of = Machine()
    of.write(1, 3)
    assert of.disk.crash(lose_unsynced=False) == 0
    assert last_index(of.boot()) == 1, "the first write was under way, and the page cache outlives a process"
    of.write(2)
    assert of.later() == [2]


def test_a_process_that_is_killed_loses_nothing_it_wrote() -> None:
    for seed in SEEDS:
        of = Machine(seed)
        of.write(1)
        of.disk.crash(lose_unsynced=False)
        assert last_index(of.boot()) == 1
        assert of.disk.crash(lose_unsynced=True) == 0, "what a boot found, it syncs"


@pytest.mark.parametrize("pick", [0.0, 0.4, 0.99])
def test_a_flipped_bit_is_refused(pick: float) -> None:
    """Wherever it is, the last record included: it was synced, and so is no torn end."""
    for seed in SEEDS:
        of = Machine(seed)
        for index in range(1, 6):
            of.write(index)
            of.later()
        of.disk.crash(lose_unsynced=False)
        frame = of.disk.flip(pick)
        assert frame == int(pick * 5) + 1
        with pytest.raises(WalError):
            of.disk.recover()
        of.disk.mend(frame)
        assert last_index(of.boot()) == 5


def test_an_empty_disk_has_no_bit_to_flip() -> None:
    assert Machine().disk.flip(0.5) is None


def test_a_sync_that_fails() -> None:
    of = Machine()
    of.write(1)
    of.later()
    of.disk.fails = True
    of.write(2)
    of.write(3)
    assert of.later() == [1]
    assert of.failed == 1, "nothing is written after it"
    of.disk.crash(lose_unsynced=True)
    assert last_index(of.boot()) >= 1
    of.write(4)
    assert of.later() == [1, 4], "the next process has a disk that works"


def test_a_log_whose_directory_is_not_synced_goes_with_the_machine() -> None:
    of = Machine()
    assert of.disk.directory_is_synced, "whoever makes the log syncs it"
    of.disk.directory_is_synced = False
    of.write(1)
    of.later()
    assert of.disk.promised_bytes() == 0
    assert of.disk.crash(lose_unsynced=True) > 0
    assert last_index(of.boot()) == 0
    of.write(1)
    of.later()
    assert of.disk.crash(lose_unsynced=True) == 0
    assert last_index(of.boot()) == 1


def test_bytes_are_promised_once_they_are_synced() -> None:
    of = Machine()
    header_bytes = of.disk.promised_bytes()
    assert header_bytes == len(of.disk.data()) > 0
    of.write(1)
    assert of.disk.promised_bytes() == header_bytes < len(of.disk.data())
    of.later()
    assert of.disk.promised_bytes() == len(of.disk.data())


def sync_times_ms(**knobs: Any) -> list[float]:
    """Of 300 syncs, the shortest first."""
    of, took_ms = Machine(**knobs), list[float]()
    for index in range(1, 301):
        began_ns = of.loop.now_ns
        of.write(index)
        while len(of.synced) < index:
            of.later(0.1)
        took_ms.append((of.loop.now_ns - began_ns) / MS)
    return sorted(took_ms)


def test_syncs_take_their_time() -> None:
    usual_ms = sync_times_ms()
    assert 1.0 <= usual_ms[0] <= 1.1, "half of 2 ms at least"
    assert 3.8 <= usual_ms[280] <= 4.1, "twice as long at most"
    assert 10 <= usual_ms[-1] <= 40.1, "and now and then ten times"


def test_measured_syncs_are_drawn_from_instead() -> None:
    assert list(dict.fromkeys(round(ms) for ms in sync_times_ms(sync_samples_ms=(3.0, 9.0)))) == [3, 9]


def test_a_slow_disk() -> None:
    of = Machine()
    of.disk.slow = 50.0
    of.write(1)
    assert of.later(49) == []
    assert of.later(SLOWEST_NS / MS) == [1]
    assert of.disk.slow_syncs == 1
    of.disk.slow = 1e6
    of.write(2)
    assert of.later(SLOWEST_NS / MS + 1) == [1, 2], "given up waiting for, at the latest"
