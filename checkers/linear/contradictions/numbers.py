"""Counters: a number that no choice of the additions that were under way adds up to.

Every condition is checked against all operations of the object, not only those of the core.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from checkers.linear.contradictions.telling import Scene, Told, by, did, said
from checkers.linear.operations import Operation


def numbers(scene: Scene) -> Iterator[Told]:
    adds = [op for op in scene.operations if op.f in ("add", "fetch-add")]
    yield from _out_of_bounds(scene, adds)
    if all(op.argument > 0 for op in adds):
        yield from _same_number(scene)
    if all(op.argument >= 0 for op in adds):
        yield from _going_back(scene)


def _seen(op: Operation) -> Any:
    """The number that an operation found."""
    return op.result[1] if op.f == "fetch-add" else op.result


class _Sums:
    """The sum of the amounts whose ranks are below one."""

    def __init__(self, amounts: Sequence[tuple[int, int]]) -> None:
        ordered = sorted(amounts)
        self._ranks = [rank for rank, _ in ordered]
        self._sums = [0, *accumulate(amount for _, amount in ordered)]

    def below(self, rank: int) -> int:
        return self._sums[bisect_left(self._ranks, rank)]


def _out_of_bounds(scene: Scene, adds: Sequence[Operation]) -> Iterator[Told]:
    up = [op for op in adds if op.argument > 0]
    down = [op for op in adds if op.argument < 0]
    begun_up, begun_down = (_Sums([(op.invoked, op.argument) for op in ops]) for ops in (up, down))
    ended_up, ended_down = (_Sums([(op.returned, op.argument) for op in ops]) for ops in (up, down))
    for op in scene.returned("read", "fetch-add"):
        # A fetch-add finds the number without its own amount.
        own = op.argument if op.f == "fetch-add" else 0
        most = begun_up.below(op.returned) - max(own, 0) + ended_down.below(op.invoked)
        least = ended_up.below(op.invoked) + begun_down.below(op.returned) - min(own, 0)
        if not least <= _seen(op) <= most:
            few = _seen(op) < least
            yield Told(
                "out-of-bounds",
                f"{did(op)}, but it was {'at least' if few else 'at most'} {least if few else most}, which"
                " is the"
                f" sum of all additions that {'had been acknowledged before it began' if few else _BEGUN}"
                f"{_SUBTRACTED[few] if down else ''}",
            )


_BEGUN = "had begun before it ended"
# By whether too little was found, or too much.
_SUBTRACTED = {
    True: ", less all subtractions that had begun before it ended",
    False: ", less all subtractions that had been acknowledged before it began",
}


def _same_number(scene: Scene) -> Iterator[Told]:
    first: dict[Any, Operation] = {}
    for op in scene.returned("fetch-add"):
        other = first.setdefault(_seen(op), op)
        if other is not op:
            yield Told(
                "same-number-twice",
                f"{by(other)} and {by(op)} both found {said(_seen(op))}, though each addition makes the"
                " number"
                " greater",
            )


def _going_back(scene: Scene) -> Iterator[Told]:
    looks = sorted(scene.returned("read", "fetch-add"), key=lambda op: op.returned)
    ends = [op.returned for op in looks]
    greatest = list(accumulate(looks, _greater))
    for late in looks:
        earlier = bisect_left(ends, late.invoked)
        if earlier and _seen(late) < _left(early := greatest[earlier - 1]):
            yield Told(
                "reads-go-back",
                f"{did(late)}, but {by(early)}, which had ended before it began, had left the number at"
                f" {said(_left(early))}, and nothing was ever subtracted",
            )


def _left(op: Operation) -> Any:
    return _seen(op) + (op.argument if op.f == "fetch-add" else 0)


def _greater(one: Operation, two: Operation) -> Operation:
    return max(one, two, key=_left)
