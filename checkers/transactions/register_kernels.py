"""What the columns of register transactions say, compiled. Arrays are those of TransactionColumns."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.transactions.codes import ABORTED, FAIL, FUTURE, INTERMEDIATE, INTERNAL, OK, WRITE

Array = Any


@njit(cache=True)
def find_register_faults(  # noqa: PLR0912 — one pass over the columns
    status: Array,
    first: Array,
    f: Array,
    key: Array,
    version: Array,
    writer: Array,
    failed: Array,
    overwritten: Array,
    keys: int,
) -> tuple[Array, Array]:
    """Of each micro-operation what is wrong with it, bits; and whether others can see it or it saw others: a
    transaction's first touch of a key if that is a read, and its last write."""
    faults = np.zeros(len(f), np.uint8)
    external = np.zeros(len(f), np.bool_)
    touched = np.full(keys, -1, np.int32)
    written = np.full(keys, -1, np.int32)
    state = np.full(keys, -1, np.int32)
    for t in range(len(status)):
        if status[t] == FAIL:
            continue
        for j in range(first[t], first[t + 1]):
            k, v = key[j], version[j]
            if f[j] != WRITE and status[t] != OK:
                continue
            known = touched[k] == t
            touched[k] = t
            if f[j] != WRITE:
                if known and state[k] != v:
                    faults[j] |= INTERNAL
                if not known:
                    external[j] = True
                if v >= 0:
                    if writer[v] < 0 and failed[v] >= 0:
                        faults[j] |= ABORTED
                    if overwritten[v] and writer[v] != t:
                        faults[j] |= INTERMEDIATE
                    if writer[v] == t and not known:
                        faults[j] |= FUTURE
            state[k] = v
        for j in range(first[t + 1] - 1, first[t] - 1, -1):
            if f[j] == WRITE and written[key[j]] != t:
                written[key[j]] = t
                external[j] = True
    return faults, external
