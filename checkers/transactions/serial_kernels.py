"""The independent check of a serial order: it knows nothing of graphs, versions or anomalies."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.transactions.codes import FAIL, OK, WRITE

Array = Any

PROVEN, NOT_ALL, READ_DIFFERS, TIME_RUNS_BACK, SESSION_RUNS_BACK = 0, 1, 2, 3, 4


@njit(cache=True)
def replay_lists(  # noqa: PLR0911, PLR0912 — a return for each way to be wrong
    order: Array,
    status: Array,
    invoked: Array,
    returned: Array,
    first: Array,
    f: Array,
    key: Array,
    version: Array,
    element_first: Array,
    elements: Array,
    keys: int,
    process: Array,
    real_time: bool,
    sessions: bool,
) -> tuple[int, int]:
    """Runs the transactions in order on empty lists. Whether every acknowledged one is there once, none that
    failed, and every read sees its list as it stands; and that none follows one that was invoked after it had
    returned, nor a later one of its process. The first that does not hold, and the transaction."""
    room = np.zeros(keys + 1, np.int64)
    for j in range(len(f)):
        if f[j] == WRITE:
            room[key[j] + 1] += 1
    room = np.cumsum(room)
    lists = np.empty(room[-1], np.int32)
    length = np.zeros(keys, np.int64)
    ran = np.zeros(len(status), np.bool_)
    latest = np.int64(-1)
    of_process = np.full(len(status), -1, np.int64)
    for t in order:
        if ran[t] or status[t] == FAIL:
            return NOT_ALL, t
        ran[t] = True
        if real_time:
            if returned[t] < latest:
                return TIME_RUNS_BACK, t
            latest = max(latest, invoked[t])
        if sessions and status[t] == OK:
            if returned[t] < of_process[process[t]]:
                return SESSION_RUNS_BACK, t
            of_process[process[t]] = returned[t]
        for j in range(first[t], first[t + 1]):
            k = key[j]
            if f[j] == WRITE:
                lists[room[k] + length[k]] = version[j]
                length[k] += 1
            elif status[t] == OK:
                start = element_first[j]
                if element_first[j + 1] - start != length[k]:
                    return READ_DIFFERS, t
                differ = np.int32(0)
                for i in range(length[k]):
                    differ |= elements[start + i] ^ lists[room[k] + i]
                if differ != 0:
                    return READ_DIFFERS, t
    for t in range(len(status)):
        if status[t] == OK and not ran[t]:
            return NOT_ALL, t
    return PROVEN, -1
