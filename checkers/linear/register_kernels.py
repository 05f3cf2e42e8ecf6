"""One register's columns searched in one call, for histories that are at hand as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit
from checkers.linear.prepare_kernels import prepare, register_classes, start, stores
from checkers.linear.search_kernels import run


@njit(cache=True)
def search_register(
    kind: Any, a: Any, b: Any, invoked: Any, returned: Any, values: int, limit: int, capacity: int
) -> int:
    """What came of it (search_layout.DONE, BLOCKED; FULL, BUDGET). Columns as in zones_kernels.Calls, with
    kind 3 for a compare-and-set that saw something else; value 0 is the initial one."""
    class_of, kinds, first, second = register_classes(kind, a, b, returned, values)
    data, width = prepare(class_of, kinds, first, second, invoked, returned, values, 0, limit)
    rows, heads = stores(capacity, width)
    start(data, rows, 0)
    nothing = np.full((3, 1), -1, np.int64)
    return int(run(data, rows, heads, nothing, nothing))
