"""Last-in, first-out stacks whose values are all different, in n log n.

A legal order of a stack falls apart where the stack is empty; what lies between two such moments is a
value that goes in first and comes out last, and a legal order of the others. Leaving out values keeps an
order legal, so any value that can be the outermost may be taken for it, and what is left falls apart
again: the decrease and conquer of Lee and Mathur ("Efficient Decrease-and-Conquer Linearizability
Monitoring", arXiv 2410.04581), on the spans in which values were certainly held of Abdulla, Grahn,
Jonsson, Krishna and Mishra ("Efficient Linearizability Monitoring", PLDI 2025).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from checkers.linear.containers import Contents, Held, contents, decide, empty_moments, lasts, stages
from checkers.linear.operations import NEVER, Decision, Operation
from checkers.linear.places import no
from checkers.verdict import Validity

ALGORITHM = "lifo"


def lifo(operations: Sequence[Operation]) -> Decision | None:
    """None where a value was pushed twice, and where it would have to be guessed which values the pops that
    crashed took."""
    found = contents(operations, "push", "pop", ALGORITHM)
    if not isinstance(found, Contents):
        return found
    return decide(operations, found, _judge, _deadlines, ALGORITHM)


def _judge(operations: Sequence[Operation], held: Sequence[Held], empties: Sequence[int]) -> Decision:
    import numpy as np

    from checkers.linear.lifo_kernels import peel

    moments = empty_moments(operations, held, empties, ALGORITHM)
    if isinstance(moments, Decision):
        return moments
    lasting = sorted((one for one in held if lasts(one)), key=lambda one: one.put_returned)
    ranks = np.array([one[2:] for one in lasting], np.int64).reshape(-1, 4)
    edges = np.concatenate((ranks[:, 1], ranks[:, 2]))
    order, low, high = peel(ranks[:, 0].copy(), ranks[:, 3].copy(), edges, np.argsort(edges, kind="stable"))
    if low >= 0:
        stuck = set(range(low, high)) - set(order.tolist())
        return no(ALGORITHM, "out-of-order", [at for i in stuck for at in lasting[i].positions])
    steps = [
        (lasting[i], True) if i < len(lasting) else (lasting[i - len(lasting)], False) for i in order.tolist()
    ]
    return Decision(Validity.YES, ALGORITHM, order=_staged(steps, held, moments))


def _staged(
    steps: Sequence[tuple[Held, bool]], held: Sequence[Held], moments: Sequence[tuple[int, int]]
) -> list[int]:
    """The order with what found nothing between its stages, and with the values that need not have lasted:
    each is taken as it is put, and at that moment so it fits in any order."""
    values = [one for one, _ in steps]
    brief = [one for one in held if not lasts(one)]
    stage_of, found_nothing = stages([*values, *brief], moments)
    # Within a stage: the moment, where of several at the same, and what.
    staged: list[list[tuple[int, int, int]]] = [[] for _ in found_nothing]
    for (one, is_put), stage in zip(steps, stage_of, strict=False):
        moment = staged[stage][-1][0] if staged[stage] else -1
        invoked = one.put_invoked if is_put else one.take_invoked
        if is_put or one.take is not None:
            at = one.positions[0 if is_put else -1]
            staged[stage].append((max(moment, invoked), len(staged[stage]), at))
    for one, stage in zip(brief, stage_of[len(steps) :], strict=True):
        moment = max(one.put_invoked, one.take_invoked)
        staged[stage] += [(moment, nth, at) for nth, at in enumerate(one.positions)]
    order: list[int] = []
    for parts, nothing in zip(staged, found_nothing, strict=True):
        order += [at for _, _, at in sorted(parts)]
        order += nothing
    return order


def _deadlines(
    operations: Sequence[Operation], taken: Sequence[Held], left: Sequence[Held], empties: Sequence[int]
) -> list[int]:
    """What went in after a value was put and before it was taken was gone by the time that it was taken; and
    so was everything before a pop that found nothing."""
    by_put_end = sorted(taken, key=lambda one: one.put_returned)
    # Of the values put so far, those that no other outlasts and precedes: both ascending.
    take_begins: list[int] = []
    take_ends: list[int] = []
    due = [NEVER] * len(left)
    done = 0
    for at in sorted(range(len(left)), key=lambda at: left[at].put_invoked):
        while done < len(by_put_end) and by_put_end[done].put_returned < left[at].put_invoked:
            _keep(take_begins, take_ends, by_put_end[done])
            done += 1
        first = bisect_right(take_begins, left[at].put_returned)
        if first < len(take_ends):
            due[at] = take_ends[first]
    nothing = sorted((operations[at].invoked, operations[at].returned) for at in empties)
    soonest = [NEVER]
    for _, returned in reversed(nothing):
        soonest.append(min(soonest[-1], returned))
    soonest.reverse()
    return [
        min(rank, soonest[bisect_left(nothing, (one.put_returned, 0))])
        for rank, one in zip(due, left, strict=True)
    ]


def _keep(take_begins: list[int], take_ends: list[int], one: Held) -> None:
    place = bisect_left(take_begins, one.take_invoked)
    if place < len(take_ends) and take_ends[place] < one.take_returned:
        return
    first = place
    while first > 0 and take_ends[first - 1] > one.take_returned:
        first -= 1
    take_begins[first:place] = [one.take_invoked]
    take_ends[first:place] = [one.take_returned]
