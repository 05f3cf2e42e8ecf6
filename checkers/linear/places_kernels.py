"""Real-time order against known places, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from checkers.compiled import njit


def out_of_order(places: Any, invoked: Any, returned: Any) -> tuple[int, int]:
    if len(places) == 0:
        return -1, -1
    least = int(places.min())
    span = int(places.max()) - least + 1
    if span > 4 * len(places) + 1024:
        places = np.unique(places, return_inverse=True)[1]
        least, span = 0, int(places.max()) + 1
    earlier, later = _violation(places, invoked, returned, least, span)
    return int(earlier), int(later)


@njit(cache=True)
def _violation(places: Any, invoked: Any, returned: Any, least: int, span: int) -> tuple[int, int]:
    """For each place the last to be invoked and the first to return; then a running maximum over places."""
    last_invoked = np.full(span, -1, np.int64)
    first_returned = np.full(span, -1, np.int64)
    for at in range(len(places)):
        place = places[at] - least
        if last_invoked[place] < 0 or invoked[at] > invoked[last_invoked[place]]:
            last_invoked[place] = at
        if first_returned[place] < 0 or returned[at] < returned[first_returned[place]]:
            first_returned[place] = at
    latest = -1
    for place in range(span):
        first = first_returned[place]
        if first < 0:
            continue
        if latest >= 0 and returned[first] < invoked[latest]:
            return first, latest
        if latest < 0 or invoked[last_invoked[place]] > invoked[latest]:
            latest = last_invoked[place]
    return -1, -1
