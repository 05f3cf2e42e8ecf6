"""Real-time order: what had completed before another operation was invoked stands before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checkers.history import Call, order


@dataclass(frozen=True, slots=True)
class Placed:
    """A call and its place in a claimed total order. Commands take a place each; a read shares the place of
    the last command that it saw."""

    call: Call
    place: float
    is_command: bool


def out_of_order(placed: Iterable[Placed]) -> Iterator[tuple[Placed, Placed]]:
    """(earlier, later) for each operation `later` that was invoked after `earlier` had completed, yet stands
    before it, or stands in its place. Of several such `earlier`, the one placed last. In n log n."""
    by_invocation = sorted(placed, key=lambda one: order(one.call.invoke))
    # An info is where the client stopped waiting, not where the operation ended.
    ended = [one for one in by_invocation if one.call.type in ("ok", "fail")]
    by_completion = sorted(ended, key=lambda one: order(one.call.completion or one.call.invoke))
    done, highest = 0, None
    for later in by_invocation:
        began = order(later.call.invoke)
        while done < len(by_completion):
            candidate = by_completion[done]
            if order(candidate.call.completion or candidate.call.invoke) >= began:
                break
            if highest is None or candidate.place > highest.place:
                highest = candidate
            done += 1
        if highest is None or highest.place < later.place:
            continue
        if highest.place > later.place or later.is_command:
            yield highest, later
