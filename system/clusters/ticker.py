"""How late this host runs what is due: `python -m system.clusters.ticker FILE`.

A process of its own, so that it measures the host and not its caller: it sleeps 5 ms at a time and writes a
JSON line [time_ns, lag_ns] (CLOCK_MONOTONIC) to FILE whenever it woke more than 5 ms late.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

PERIOD_NS = 5_000_000
REPORTED_LAG_NS = 5_000_000


def main(path: Path) -> None:
    with path.open("a", buffering=1) as file:
        while True:
            due_ns = time.monotonic_ns() + PERIOD_NS
            time.sleep(PERIOD_NS / 1e9)
            now_ns = time.monotonic_ns()
            if now_ns - due_ns > REPORTED_LAG_NS:
                file.write(f"[{now_ns}, {now_ns - due_ns}]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
