"""Operations whose places in the only possible order are known.

Then they are linearizable exactly if none that stands later had returned before one that stands earlier
was invoked (Herlihy and Wing, TOPLAS 1990, §2): one sort and a running minimum. For lists that are
appended to and read whole, a read tells the places of all that came before it (the idea of Elle:
Kingsbury and Alvaro, VLDB 2020, §4), and an append that reports its log index tells its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from checkers.linear.operations import NEVER, Decision, Operation
from checkers.verdict import Validity

BY_CONTENT = "places-by-content"
BY_WITNESS = "places-by-witness"
# Names what is wrong with (an operation that had returned, one that stands earlier but was invoked later).
Name = Callable[[Operation, Operation], str]


def out_of_order(places: Any, invoked: Any, returned: Any) -> tuple[int, int]:
    """Positions (a, b) where a's place is greater than b's although a had returned before b was invoked, or
    (-1, -1) where there are none. Takes three int64 numpy arrays of one length: places, and ranks as an
    Operation has them; in linear time where places are about as dense as their number."""
    from checkers.linear.places_kernels import out_of_order as compiled

    return compiled(places, invoked, returned)


def in_places(operations: Sequence[Operation], places: Sequence[int | None]) -> list[int] | tuple[int, int]:
    """The order that the places tell, without those that have none; or (a, b) as out_of_order gives them.
    Operations that share a place must be possible in any order there."""
    order = sorted(
        (at for at, place in enumerate(places) if place is not None),
        key=lambda at: (places[at], operations[at].invoked),
    )
    soonest, which = NEVER, -1
    for at in reversed(order):
        operation = operations[at]
        if operation.invoked > soonest:
            return which, at
        if operation.returned < soonest:
            soonest, which = operation.returned, at
    return order


def decide(
    algorithm: str,
    operations: Sequence[Operation],
    places: Sequence[int | None],
    name: Name,
    witnesses: Iterable[int] = (),
) -> Decision:
    """Of operations that can have no other places; `witnesses` are positions that tell so."""
    order = in_places(operations, places)
    if isinstance(order, list):
        return Decision(Validity.YES, algorithm, order=order)
    earlier, later = order
    kind = name(operations[earlier], operations[later])
    return no(algorithm, kind, [earlier, later, *witnesses])


def no(algorithm: str, kind: str, culprits: Iterable[int]) -> Decision:
    return Decision(Validity.NO, algorithm, culprits=tuple(sorted(set(culprits))), kind=kind)


def append_by_content(operations: Sequence[Operation]) -> Decision | None:
    """Appends to a list, and reads of all of it. None where an element was appended twice."""
    appends: dict[Hashable, int] = {}
    reads: list[int] = []
    for at, operation in enumerate(operations):
        if operation.f == "append":
            if appends.setdefault(operation.argument, at) != at:
                return None
        elif operation.f != "read" or not _is_list(operation):
            return None
        elif not operation.crashed:
            reads.append(at)
    longest = max(reads, key=lambda at: len(operations[at].result or ()), default=None)
    content: tuple[Hashable, ...] = () if longest is None else operations[longest].result or ()
    shown = () if longest is None else (longest,)
    place_of: dict[Hashable, int] = {}
    for nth, element in enumerate(content, 1):
        if element not in appends:
            return no(BY_CONTENT, "never-appended", shown)
        if place_of.setdefault(element, 2 * nth) != 2 * nth:
            return no(BY_CONTENT, "duplicate-element", (*shown, appends[element]))
    places: list[int | None] = [None] * len(operations)
    for at in reads:
        seen = operations[at].result or ()
        if seen != content[: len(seen)]:
            differing = [element for element in (*seen, *content) if element in appends]
            culprits = [appends[element] for element in differing] if len(differing) < 10 else []
            return no(BY_CONTENT, "incompatible-reads", (at, *shown, *culprits))
        places[at] = 2 * len(seen) + 1
    for element, at in appends.items():
        # What was acknowledged and never read came after every read; a read would show it otherwise.
        unread = None if operations[at].crashed else 2 * len(content) + 2
        places[at] = place_of.get(element, unread)

    def name(earlier: Operation, later: Operation) -> str:
        if later.f == "append":
            return "real-time-order" if earlier.f == "append" else "read-before-append"
        lost = earlier.f == "append" and earlier.argument not in place_of
        return "lost-append" if lost else "stale-read"

    return decide(BY_CONTENT, operations, places, name, shown)


def _is_list(read: Operation) -> bool:
    return read.crashed or read.result is None or isinstance(read.result, tuple)


def append_by_witness(operations: Sequence[Operation]) -> Decision | None:
    """The same where the acknowledged appends tell their log indices, which orders equal elements too. A yes,
    or None: an order that the log indices do not explain may have another explanation."""
    acknowledged: list[int] = []
    crashed: dict[Hashable, list[int]] = {}
    reads: list[int] = []
    for at in sorted(range(len(operations)), key=lambda at: -operations[at].invoked):
        operation = operations[at]
        if operation.f == "read" and _is_list(operation):
            reads += [] if operation.crashed else [at]
        elif operation.f != "append" or (operation.witness is None and not operation.crashed):
            return None
        elif operation.witness is None:
            crashed.setdefault(operation.argument, []).append(at)
        else:
            acknowledged.append(at)
    acknowledged.sort(key=lambda at: operations[at].witness or 0)
    reads.sort(key=lambda at: len(operations[at].result or ()))
    content: tuple[Hashable, ...] = operations[reads[-1]].result or () if reads else ()
    log = _log(operations, acknowledged, crashed, content, _read_by(operations, reads, len(content)))
    if log is None:
        return None
    places: list[int | None] = [None] * len(operations)
    for nth, at in enumerate(log, 1):
        places[at] = 2 * nth
    for at in reads:
        seen = operations[at].result or ()
        if seen != content[: len(seen)]:
            return None
        places[at] = 2 * len(seen) + 1
    order = in_places(operations, places)
    return Decision(Validity.YES, BY_WITNESS, order=order) if isinstance(order, list) else None


def _read_by(operations: Sequence[Operation], reads: Sequence[int], length: int) -> list[int]:
    """For each element of the content, the least log index that a read showing it reports."""
    least = [NEVER] * (length + 1)
    for at in reads:
        shown = len(operations[at].result or ())
        witness = operations[at].witness
        least[shown] = min(least[shown], NEVER if witness is None else witness)
    for shown in range(length - 1, -1, -1):
        least[shown] = min(least[shown], least[shown + 1])
    return least[1:]


def _log(
    operations: Sequence[Operation],
    acknowledged: Sequence[int],
    crashed: dict[Hashable, list[int]],
    content: Sequence[Hashable],
    read_by: Sequence[int],
) -> list[int] | None:
    """The acknowledged appends by their log indices, with crashed ones where the content shows them."""
    log: list[int] = []
    done = 0
    for element, latest in zip(content, read_by, strict=True):
        known = operations[acknowledged[done]] if done < len(acknowledged) else None
        if known is not None and known.argument == element and (known.witness or 0) <= latest:
            log.append(acknowledged[done])
            done += 1
        elif crashed.get(element):
            log.append(crashed[element].pop())
        else:
            return None
    # Crashed appends that tell their log index but that no read shows need not have happened.
    return log + [at for at in acknowledged[done:] if not operations[at].crashed]
