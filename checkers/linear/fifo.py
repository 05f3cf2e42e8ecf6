"""First-in, first-out queues whose values are all different, in n log n.

Henzinger, Sezgin and Vafeiadis ("Aspect-Oriented Linearizability Proofs", CONCUR 2013, §3) and
Bouajjani, Emmi, Enea and Hamza (ICALP 2015): such a history is wrong only if a value comes from nowhere
or twice, two values come out in the wrong order, or a dequeue found nothing although something was in
the queue all the time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from checkers.linear.containers import Contents, Held, contents, decide, empty_moments, stages
from checkers.linear.operations import NEVER, Decision, Operation
from checkers.linear.places import no
from checkers.verdict import Validity

ALGORITHM = "fifo"


def fifo(operations: Sequence[Operation]) -> Decision | None:
    """None where a value was enqueued twice, and where it would have to be guessed which values the dequeues
    that crashed took."""
    found = contents(operations, "enqueue", "dequeue", ALGORITHM)
    if not isinstance(found, Contents):
        return found
    return decide(operations, found, _judge, _deadlines, ALGORITHM)


def _judge(operations: Sequence[Operation], held: Sequence[Held], empties: Sequence[int]) -> Decision:
    if overtaken := _overtaken(held):
        return no(ALGORITHM, "out-of-order", [at for one in overtaken for at in one.positions])
    moments = empty_moments(operations, held, empties, ALGORITHM)
    if isinstance(moments, Decision):
        return moments
    return Decision(Validity.YES, ALGORITHM, order=_order(held, moments))


def _overtaken(held: Sequence[Held]) -> tuple[Held, Held] | None:
    """Two values of which the one certainly put first was certainly taken last."""
    entered = sorted(held, key=lambda one: one.put_returned)
    last: Held | None = None
    done = 0
    for one in sorted(held, key=lambda one: one.put_invoked):
        while entered[done].put_returned < one.put_invoked:
            if last is None or entered[done].take_invoked > last.take_invoked:
                last = entered[done]
            done += 1
        if last is not None and one.take_returned < last.take_invoked:
            return last, one
    return None


def _order(held: Sequence[Held], moments: Sequence[tuple[int, int]]) -> list[int]:
    """Every operation as early as the order of the values allows. The queue is empty at each moment, so no
    value's stay is split by one: those before it come first."""
    stage_of, found_nothing = stages(held, moments)
    staged: list[list[Held]] = [[] for _ in found_nothing]
    for one, stage in zip(held, stage_of, strict=True):
        staged[stage].append(one)
    order: list[int] = []
    for values, nothing in zip(staged, found_nothing, strict=True):
        order += _merged(_in_order(values))
        order += nothing
    return order


def _in_order(held: Sequence[Held]) -> list[Held]:
    """The values in an order in which they can have come and gone: always one that nothing left has to come
    before. There is one, since the relation has no cycle where no value overtakes another."""
    numbered = range(len(held))
    puts = sorted(((held[i].put_invoked, i) for i in numbered), reverse=True)
    put_ends = sorted(((held[i].put_returned, i) for i in numbered), reverse=True)
    takes = sorted(((held[i].take_invoked, i) for i in numbered), reverse=True)
    take_ends = sorted(((held[i].take_returned, i) for i in numbered), reverse=True)
    gone = [False] * len(held)
    half_ready = [False] * len(held)
    ready: list[int] = []
    order: list[Held] = []
    while len(order) < len(held):
        while gone[put_ends[-1][1]]:
            put_ends.pop()
        while gone[take_ends[-1][1]]:
            take_ends.pop()
        take_by = take_ends[-1][0]
        put_by = min(put_ends[-1][0], take_by)
        for waiting, until in ((puts, put_by), (takes, take_by)):
            while waiting and waiting[-1][0] < until:
                one = waiting.pop()[1]
                if half_ready[one]:
                    ready.append(one)
                half_ready[one] = True
        one = ready.pop()
        gone[one] = True
        order.append(held[one])
    return order


def _merged(values: Sequence[Held]) -> list[int]:
    """Puts and takes in the values' order, each right after the last invocation that it has to wait for."""
    moments: list[tuple[int, bool, int]] = []
    put_at = take_at = 0
    for one in values:
        put_at = max(put_at, one.put_invoked)
        moments.append((put_at, False, one.put))
        if one.take is not None:
            take_at = max(take_at, put_at, one.take_invoked)
            moments.append((take_at, True, one.take))
    return [at for _, _, at in sorted(moments, key=lambda moment: moment[:2])]


def _deadlines(
    operations: Sequence[Operation], taken: Sequence[Held], left: Sequence[Held], empties: Sequence[int]
) -> list[int]:
    """What was put in before a value that was taken, or before a dequeue that found nothing, was gone by the
    time that one returned."""
    later = sorted(
        [(one.put_invoked, one.take_returned) for one in taken]
        + [(operations[at].invoked, operations[at].returned) for at in empties]
    )
    soonest = [NEVER]
    for _, returned in reversed(later):
        soonest.append(min(soonest[-1], returned))
    soonest.reverse()
    return [soonest[bisect_left(later, (one.put_returned, 0))] for one in left]
