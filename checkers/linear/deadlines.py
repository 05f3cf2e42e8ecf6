"""Operations that are alike but for when they must have happened: the most urgent first.

Where what can come next is one of a class of operations with one and the same effect, an order that
takes another one than the first to return stays an order when the two are exchanged (Jackson's rule,
1955). So nothing has to be searched for, and what crashed, which is never urgent, is used only where
nothing else will do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from heapq import heappop, heappush

from checkers.linear.operations import Decision, Operation
from checkers.linear.places import no
from checkers.verdict import Validity

ALGORITHM = "deadlines"


def mutex(operations: Sequence[Operation]) -> Decision | None:
    """A lock whose acquires and releases take turns, whoever makes them."""
    if any(operation.f not in ("acquire", "release") for operation in operations):
        return None
    return _most_urgent_first(
        operations,
        lambda operation: operation.f,
        lambda done: ("release",) if done % 2 else ("acquire",),
        "held-twice",
    )


def counter(operations: Sequence[Operation]) -> Decision | None:
    """Additions of one and the same number, and reads of the sum. None where the numbers differ, or are 0."""
    deltas = {operation.argument for operation in operations if operation.f == "add"}
    if len(deltas) > 1 or any(operation.f not in ("add", "read") for operation in operations):
        return None
    delta = deltas.pop() if deltas else 1
    if type(delta) is not int or delta == 0:
        return None
    return _most_urgent_first(
        operations,
        lambda operation: (operation.f, operation.result if operation.f == "read" else None),
        lambda done: (("read", done * delta), ("add", None)),
        "impossible-sum",
    )


def _most_urgent_first(
    operations: Sequence[Operation],
    class_of: Callable[[Operation], Hashable],
    wanted: Callable[[int], Sequence[Hashable]],
    kind: str,
) -> Decision:
    """wanted(how many operations other than reads were done) gives the classes of which one must be next,
    those that change nothing first."""
    by_invocation = sorted(
        (at for at, one in enumerate(operations) if not (one.crashed and one.f == "read")),
        key=lambda at: operations[at].invoked,
    )
    by_return = sorted(
        (at for at, one in enumerate(operations) if not one.crashed),
        key=lambda at: operations[at].returned,
    )
    open_of: dict[Hashable, list[tuple[int, int]]] = {}
    gone = [False] * len(operations)
    order: list[int] = []
    changes = invoked = returned = 0
    while True:
        while returned < len(by_return) and gone[by_return[returned]]:
            returned += 1
        if returned == len(by_return):
            return Decision(Validity.YES, ALGORITHM, order=order)
        until = operations[by_return[returned]].returned
        while invoked < len(by_invocation) and operations[by_invocation[invoked]].invoked < until:
            at = by_invocation[invoked]
            heappush(open_of.setdefault(class_of(operations[at]), []), (operations[at].returned, at))
            invoked += 1
        ready = next((open_of[one] for one in wanted(changes) if open_of.get(one)), None)
        if ready is None:
            return no(ALGORITHM, kind, by_invocation[:invoked])
        at = heappop(ready)[1]
        gone[at] = True
        order.append(at)
        changes += operations[at].f != "read"
