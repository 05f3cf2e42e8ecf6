"""How late this host runs what is due: `python -m system.clusters.ticker FILE`.

A process of its own, so that it measures the host and not its caller. It sleeps 5 ms at a time, and on
another thread syncs a small file 10 times a second, which may take 20 ms on a healthy disk. Whatever took
more than 5 ms too long is a JSON line [time_ns, lag_ns] (CLOCK_MONOTONIC, when it was over, and by how much
it was late) in FILE; lines of the two may cover the same time.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

PERIOD_NS = 5_000_000
REPORTED_LAG_NS = 5_000_000
SYNC_PERIOD_S = 0.1
NORMAL_SYNC_NS = 20_000_000


def main(path: Path) -> None:
    # From before the file is there, and from one reading of the clock to the next: no moment goes unmeasured.
    now_ns = time.monotonic_ns()
    with path.open("a", buffering=1) as file, path.with_suffix(".probe").open("wb", buffering=0) as probe:
        threading.Thread(target=_time_syncs, args=(probe.fileno(), file), daemon=True).start()
        while True:
            time.sleep(PERIOD_NS / 1e9)
            now_ns = _report(file, now_ns + PERIOD_NS)


def _time_syncs(probe_fd: int, file: TextIO) -> None:
    """A follower answers when its disk has: a disk that stands still is the host's lag, too. Only what a sync
    takes beyond a normal one is lag, or a healthy disk would stretch every bound."""
    while True:
        began_ns = time.monotonic_ns()
        os.pwrite(probe_fd, began_ns.to_bytes(8, "little"), 0)
        os.fsync(probe_fd)
        _report(file, began_ns + NORMAL_SYNC_NS)
        time.sleep(SYNC_PERIOD_S)


def _report(file: TextIO, due_ns: int) -> int:
    """The time it is, ns."""
    now_ns = time.monotonic_ns()
    if now_ns - due_ns > REPORTED_LAG_NS:
        file.write(f"[{now_ns}, {now_ns - due_ns}]\n")
    return now_ns


if __name__ == "__main__":
    main(Path(sys.argv[1]))
