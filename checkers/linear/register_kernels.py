"""One register's columns searched in one call, for histories that are at hand as arrays."""

from __future__ import annotations

from typing import Any

from checkers.compiled import njit
from checkers.linear.depth_first_kernels import run
from checkers.linear.depth_first_layout import COUNT, CROWDED, FULL, LIMIT
from checkers.linear.depth_first_tables_kernels import more_room, room, tables
from checkers.linear.prepare_kernels import register_classes


@njit(cache=True)
def search_register(kind: Any, a: Any, b: Any, invoked: Any, returned: Any, values: int, limit: int) -> int:
    """What came of it (depth_first_layout.DONE, BLOCKED; BUDGET after so many configurations; CROWDED with
    too many operations at once). Columns as in zones_kernels.Calls, with kind 3 for a compare-and-set that
    saw something else; value 0 is the initial one."""
    class_of, kinds, first, second = register_classes(kind, a, b, returned, values)
    events, operations, classes, table, now, spare, here, enough = tables(
        class_of, kinds, first, second, invoked, returned, values
    )
    if not enough:
        return CROWDED
    now[LIMIT] = limit
    rows, heads = room(64 + kind.size, spare.size)
    status = FULL
    while status == FULL:
        status = run(events, operations, classes, table, now, spare, here, rows, heads)
        if status == FULL:
            rows, heads = more_room(rows, now[COUNT])
    return int(status)
