"""Being woken on time, which decides how accurate the latency is on a busy host."""

from __future__ import annotations

import os

REALTIME_PRIORITY = 10
NICENESS = -20


def raise_priority() -> str:
    """Takes the best the host allows, and says which: "fifo" (SCHED_FIFO), "nice" or "normal"."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))
        return "fifo"
    except OSError:
        pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        return "nice"
    except OSError:
        return "normal"
