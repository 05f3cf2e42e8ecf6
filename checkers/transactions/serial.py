"""Serial orders, as proof that lists are serializable."""

from __future__ import annotations

import numpy as np

from checkers.transactions.codes import INFO, OK, WRITE
from checkers.transactions.columns import Ints, TransactionColumns
from checkers.transactions.words import named


def effective(order: Ints, c: TransactionColumns, place: Ints) -> Ints:
    """The order without the crashed transactions of which no read saw anything: those need not have
    happened."""
    happened = c.status == OK
    seen = np.flatnonzero((c.f == WRITE) & (place >= 0))
    of_op = np.searchsorted(c.first, seen, "right") - 1
    happened[of_op[c.status[of_op] == INFO]] = True
    kept: Ints = order[happened[order]]
    return kept


def verify_serial(
    c: TransactionColumns, order: Ints, *, real_time: bool, sessions: bool = False
) -> str | None:
    """Runs the transactions one after another on empty lists: every acknowledged one has to be there once,
    and each of its reads to see just what it saw; with `real_time`, none may come after one that was invoked
    when it had returned, and with `sessions`, none after a later one of its process. None: the order proves
    the history serializable, and that strictly, or session by session; else what is wrong."""
    from checkers.transactions.serial_kernels import (
        NOT_ALL,
        PROVEN,
        READ_DIFFERS,
        TIME_RUNS_BACK,
        replay_lists,
    )

    _, process = np.unique(c.process, return_inverse=True)
    finding, t = replay_lists(
        order,
        c.status,
        c.invoked,
        c.returned,
        c.first,
        c.f,
        c.key,
        c.version,
        c.element_first,
        c.elements,
        c.keys,
        process,
        real_time,
        sessions,
    )
    if finding == PROVEN:
        return None
    who = named(c, int(t))
    if finding == NOT_ALL:
        return f"{who} is missing, failed, or is there twice"
    if finding == READ_DIFFERS:
        return f"{who} read what was not there at its turn"
    if finding == TIME_RUNS_BACK:
        return f"{who} comes after one that was invoked when it had returned"
    return f"{who} comes after a later one of its process"
