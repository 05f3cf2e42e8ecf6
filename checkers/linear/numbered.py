"""Numbers and tokens that tell the order of the operations that they were handed to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from checkers.linear.operations import Decision, Operation
from checkers.linear.places import decide, no
from checkers.verdict import Validity

ALGORITHM = "places-by-number"


class _Known(NamedTuple):
    """What an operation that returned found, and left. It is a read where these are equal."""

    found: int
    left: int
    at: int


def fetch_add(operations: Sequence[Operation]) -> Decision | None:
    """Additions that return the number before. None where one adds no positive integer, and where additions
    of different numbers crashed and something is missing: which of them it was would have to be guessed."""
    if not all(map(_is_numbered, operations)):
        return None
    known: list[_Known] = []
    for at, operation in enumerate(operations):
        if operation.crashed:
            continue
        if operation.f == "read":
            known.append(_Known(operation.result, operation.result, at))
        else:
            found = operation.result[1]
            known.append(_Known(found, found + operation.argument, at))
    known.sort()
    before = _Known(0, 0, -1)
    missing: list[tuple[int, int]] = []
    for one in known:
        if one.found < before.left:
            return no(ALGORITHM, "number-given-twice", [at for at in (before.at, one.at) if at >= 0])
        if one.found > before.left:
            missing.append((before.left, one.found))
        before = one
    fillers = _fillers(operations, missing)
    if fillers is None:
        return None
    if sum(end - start for start, end in missing) != sum(operations[at].argument for at, _ in fillers):
        return no(ALGORITHM, "number-from-nowhere", range(len(operations)))
    places: list[int | None] = [None] * len(operations)
    for found, left, at in known:
        places[at] = 2 * found + (left > found)
    for at, found in fillers:
        places[at] = 2 * found + 1
    return decide(ALGORITHM, operations, places, lambda earlier, later: "real-time-order")


def _is_numbered(operation: Operation) -> bool:
    if operation.f == "read":
        return operation.crashed or type(operation.result) is int
    if operation.f != "fetch-add" or type(operation.argument) is not int or operation.argument <= 0:
        return False
    result = operation.result
    return operation.crashed or (type(result) is tuple and len(result) == 2 and type(result[1]) is int)


def _fillers(
    operations: Sequence[Operation], missing: Sequence[tuple[int, int]]
) -> list[tuple[int, int]] | None:
    """(position, number before) of crashed additions that account for what is missing, as far as they can.
    Those that add the same are alike but for when they were invoked, so the first go first."""
    crashed = [at for at, one in enumerate(operations) if one.crashed and one.f == "fetch-add"]
    total = sum(end - start for start, end in missing)
    if total == 0 or sum(operations[at].argument for at in crashed) < total:
        return []
    deltas = {operations[at].argument for at in crashed}
    if len(deltas) > 1:
        return None
    delta = deltas.pop()
    crashed.sort(key=lambda at: operations[at].invoked)
    numbers = (number for start, end in missing for number in range(start, end - delta + 1, delta))
    return list(zip(crashed, numbers, strict=False))


def fenced_mutex(operations: Sequence[Operation]) -> Decision | None:
    """A lock that hands out growing tokens. None where a process has two operations at a time, or one after a
    crash, or where a token is no integer."""
    by_process = _by_process(operations)
    if by_process is None:
        return None
    released_by = _releases(operations, by_process)
    if isinstance(released_by, Decision):
        return released_by
    # Who crashed while acquiring never releases, so that it got the lock explains nothing.
    acquires = [at for at, one in enumerate(operations) if one.f == "acquire" and not one.crashed]
    acquires.sort(key=lambda at: operations[at].result)
    places: list[int | None] = [None] * len(operations)
    acquired_by: dict[int, int] = {}
    before = -1
    for nth, at in enumerate(acquires):
        token = operations[at].result
        if token <= (operations[before].result if before >= 0 else -1):
            return no(ALGORITHM, "token-reused", [before, at] if before >= 0 else [at])
        if before >= 0 and before not in released_by:
            return no(ALGORITHM, "held-twice", [before, at])
        places[at] = 2 * nth
        release = released_by.get(at)
        if release is not None and (not operations[release].crashed or nth < len(acquires) - 1):
            places[release] = 2 * nth + 1
            acquired_by[release] = at
        before = at
    decision = decide(ALGORITHM, operations, places, lambda earlier, later: "real-time-order")
    if decision.validity is Validity.YES:
        return decision
    pair = decision.culprits
    return no(ALGORITHM, decision.kind, [*pair, *(acquired_by[at] for at in pair if at in acquired_by)])


def _by_process(operations: Sequence[Operation]) -> list[list[int]] | None:
    """Positions of each process' operations, in order, where it is known and their results can be used."""
    mine: dict[int, list[int]] = {}
    for at in sorted(range(len(operations)), key=lambda at: operations[at].invoked):
        operation = operations[at]
        if operation.f not in ("acquire", "release"):
            return None
        if operation.f == "acquire" and not operation.crashed and type(operation.result) is not int:
            return None
        own = mine.setdefault(operation.process, [])
        if own and operations[own[-1]].returned > operation.invoked:
            return None
        own.append(at)
    return list(mine.values())


def _releases(
    operations: Sequence[Operation], by_process: Iterable[Sequence[int]]
) -> dict[int, int] | Decision:
    """The release of each acquire: its process' next operation, since no other can come between them."""
    released_by: dict[int, int] = {}
    for own in by_process:
        acquire: int | None = None
        for nth, at in enumerate(own):
            before = own[nth - 1 : nth]
            if operations[at].f == "release" and acquire is not None:
                released_by[acquire], acquire = at, None
            elif operations[at].crashed:
                continue  # it did not happen
            elif operations[at].f == "release":
                return no(ALGORITHM, "released-unheld", [*before, at])
            elif acquire is not None:
                return no(ALGORITHM, "held-twice", [*before, at])
            else:
                acquire = at
    return released_by
