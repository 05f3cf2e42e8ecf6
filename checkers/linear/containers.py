"""Queues and stacks whose values are all different: how long each value was held, and when nothing was.

What both have in common: leaving a value out of a legal order, with what put it in and what took it out,
leaves a legal order; and a take that found nothing splits the order in two halves that have no value in
common.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from checkers.linear.operations import NEVER, Decision, Operation
from checkers.linear.places import no
from checkers.verdict import Validity

# A value that nobody took is as good as one that was taken after everything else.
AFTER_ALL = NEVER + 1


class Held(NamedTuple):
    """A value's stay. put and take are positions of operations, take None where nobody took it; the others
    are ranks. It was held for certain from put_returned to take_invoked, where that is a span at all."""

    put: int
    take: int | None
    put_invoked: int
    put_returned: int
    take_invoked: int
    take_returned: int

    @property
    def positions(self) -> tuple[int, ...]:
        return (self.put,) if self.take is None else (self.put, self.take)


class Contents(NamedTuple):
    """taken: the values that were taken;  left: those put for certain and never taken;
    empties: positions of the takes that found nothing;  spares: of the takes that crashed."""

    taken: list[Held]
    left: list[Held]
    empties: list[int]
    spares: list[int]


# judge(operations, held, empties): exact where every take is known.
Judge = Callable[[Sequence[Operation], Sequence[Held], Sequence[int]], Decision]
# deadlines(operations, taken, left, empties): of each value left, a rank by which it must be gone, or NEVER.
Deadlines = Callable[[Sequence[Operation], Sequence[Held], Sequence[Held], Sequence[int]], list[int]]


def contents(
    operations: Sequence[Operation], put: str, take: str, algorithm: str
) -> Contents | Decision | None:
    """What was held when; a no where that alone contradicts itself; None where a value was put in twice."""
    puts: dict[Any, int] = {}
    for at, operation in enumerate(operations):
        if operation.f == put:
            if operation.argument is None or puts.setdefault(operation.argument, at) != at:
                return None
        elif operation.f != take:
            return None
    takes: dict[Any, int] = {}
    empties: list[int] = []
    spares: list[int] = []
    for at, operation in enumerate(operations):
        value = operation.result
        if operation.f == put:
            continue
        if operation.crashed:
            spares.append(at)
        elif value is None:
            empties.append(at)
        elif value not in puts:
            return no(algorithm, "never-put", [at])
        elif takes.setdefault(value, at) != at:
            return no(algorithm, "taken-twice", [puts[value], takes[value], at])
        elif operation.returned < operations[puts[value]].invoked:
            return no(algorithm, "taken-before-put", [puts[value], at])
    taken = [stay(operations, puts[value], at) for value, at in takes.items()]
    left = [
        stay(operations, at, None)
        for value, at in puts.items()
        if value not in takes and not operations[at].crashed
    ]
    return Contents(taken, left, empties, spares)


def stay(operations: Sequence[Operation], put: int, take: int | None) -> Held:
    inside = operations[put].invoked, operations[put].returned
    if take is None:
        return Held(put, None, *inside, AFTER_ALL, AFTER_ALL + 1)
    return Held(put, take, *inside, operations[take].invoked, operations[take].returned)


def empty_moments(
    operations: Sequence[Operation], held: Sequence[Held], empties: Sequence[int], algorithm: str
) -> list[tuple[int, int]] | Decision:
    """(moment, position) for each take that found nothing, in order: the first moment within it at which
    nothing need have been held, as the rank that it comes right after; a no where there is none."""
    spans = sorted((one.put_returned, one.take_invoked, i) for i, one in enumerate(held) if lasts(one))
    starts: list[int] = []
    ends: list[int] = []
    for start, end, _ in spans:
        if starts and start < ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    moments = []
    for at in empties:
        operation = operations[at]
        nearest = bisect_right(starts, operation.invoked) - 1
        moment = max(operation.invoked, ends[nearest]) if nearest >= 0 else operation.invoked
        if moment > operation.returned:
            culprits = [at]
            for i in _cover(spans, operation):
                culprits += held[i].positions
            return no(algorithm, "empty-while-held", culprits)
        moments.append((moment, at))
    return sorted(moments, key=lambda one: (one[0], operations[one[1]].invoked))


def stages(held: Sequence[Held], moments: Sequence[tuple[int, int]]) -> tuple[list[int], list[list[int]]]:
    """Which stage each value belongs to, and which takes end each stage by finding nothing. Nothing need be
    held at the moments between stages, so an order of each makes an order of all."""
    cuts = sorted({moment for moment, _ in moments})
    found_nothing: list[list[int]] = [[] for _ in range(len(cuts) + 1)]
    for moment, at in moments:
        found_nothing[bisect_left(cuts, moment)].append(at)
    return [bisect_left(cuts, max(one.put_invoked, one.take_invoked)) for one in held], found_nothing


def lasts(one: Held) -> bool:
    return one.put_returned < one.take_invoked


def _cover(spans: Sequence[tuple[int, int, int]], operation: Operation) -> list[int]:
    """As few of the spans, sorted by their starts, as leave no moment of the operation uncovered."""
    chosen: list[int] = []
    reached, furthest, best = operation.invoked, operation.invoked, -1
    for start, end, i in spans:
        if start > reached:
            chosen.append(best)
            reached = furthest
            if reached > operation.returned:
                return chosen
        if end > furthest:
            furthest, best = end, i
    return [*chosen, best]


def decide(
    operations: Sequence[Operation], found: Contents, judge: Judge, deadlines: Deadlines, algorithm: str
) -> Decision | None:
    """A take that crashed may have taken any value that is left, at any time since. Exact where it is enough
    that none of them happened, or the needed ones, or all, or where no choice of theirs helps; else None."""
    taken, left, empties, spares = found
    none_happened = judge(operations, [*taken, *left], empties)
    if none_happened.validity is Validity.YES or not spares or not left:
        return none_happened
    without_left = judge(operations, taken, empties)
    if without_left.validity is Validity.NO:
        return without_left
    due = deadlines(operations, taken, left, empties)
    spares = sorted(spares, key=lambda at: operations[at].invoked)
    needed = sorted((at for at, rank in enumerate(due) if rank < NEVER), key=lambda at: due[at])
    for nth, at in enumerate(needed):
        # Earliest deadlines first: where that fails, more values have to be gone by then than could be.
        if nth >= len(spares) or operations[spares[nth]].invoked > due[at]:
            culprits = _until(operations, found, due[at])
            return no(algorithm, "left-too-long", culprits)
    idle = sorted(set(range(len(left))) - set(needed), key=lambda at: left[at].put_returned)
    for order in (needed, [*needed, *idle]):
        guess = [stay(operations, left[at].put, spare) for at, spare in zip(order, spares, strict=False)]
        kept = [left[at] for at in sorted(set(range(len(left))) - set(order[: len(spares)]))]
        decision = judge(operations, [*taken, *guess, *kept], empties)
        if decision.validity is Validity.YES:
            return decision
    return None


def _until(operations: Sequence[Operation], found: Contents, rank: int) -> list[int]:
    """What was invoked before a moment, and the other half of what was taken by then."""
    culprits = [at for at, operation in enumerate(operations) if operation.invoked < rank]
    for one in found.taken:
        if one.put_invoked < rank or one.take_invoked < rank:
            culprits += one.positions
    return culprits
