"""Histories of one object whose calls each take effect at an instant of their own, and last for a random time
around it. Unlike simulated ones they say how much overlaps, and any call can be what the test wants."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from checkers.linear.certificate import verify
from checkers.linear.operations import NEVER, UNKNOWN, Algorithm, Model, Operation
from checkers.verdict import Validity
from tests.checkers.atomic_objects import OBJECTS, READS

# (the generator, how many calls there were) -> the next one's name and argument
Choose = Callable[[random.Random, int], tuple[str, Any]]


@dataclass
class _Timed:
    f: str
    argument: Any
    result: Any
    start: float
    end: float | None
    index: int
    witness: int | None


def spread(
    rng: random.Random,
    model: Model,
    choose: Choose,
    length: int,
    *,
    width: float,
    crash: float = 0.0,
    damage: int = 0,
) -> list[Operation]:
    """`length` calls, one an instant, that last up to 2 * width. With damage 0 it is a valid history; else so
    many calls were moved, hurried, or swapped with another's result or time. Appends and reads of a log
    tell their log index."""
    state, call = OBJECTS[model.name]
    calls: list[_Timed] = []
    for at in range(length):
        f, argument = choose(rng, at)
        crashed = rng.random() < crash
        result: Any = UNKNOWN
        if not crashed or rng.random() < 0.6:
            effect = call(state, f, argument, at)
            assert effect is not None
            _, result, state = effect
        start, end = at - rng.random() * width, at + rng.random() * width
        if not crashed:
            witness = len(state) if model.name == "append" else None
            calls.append(_Timed(f, argument, result, start, end, at, witness))
        elif f not in READS:
            calls.append(_Timed(f, argument, UNKNOWN, start, None, at, None))
    for _ in range(damage):
        _damage(rng, calls)
    return _ranked(calls)


def _damage(rng: random.Random, calls: list[_Timed]) -> None:
    returned = [one for one in calls if one.end is not None]
    if not returned:
        return
    one, other = rng.choice(returned), rng.choice(returned)
    assert one.end is not None
    how = rng.randrange(3)
    if how == 0:
        shift = rng.uniform(-3, 3)
        one.start, one.end = one.start + shift, one.end + shift
    elif how == 1:
        one.end = one.start + (one.end - one.start) * rng.random()
    elif one.f == other.f and one.argument == other.argument:
        one.result, other.result = other.result, one.result
    else:
        one.start, one.end, other.start, other.end = other.start, other.end, one.start, one.end


def _ranked(calls: list[_Timed]) -> list[Operation]:
    moments = sorted(
        [(one.start, i, 0) for i, one in enumerate(calls)]
        + [(one.end, i, 1) for i, one in enumerate(calls) if one.end is not None]
    )
    rank = {(i, side): at for at, (_, i, side) in enumerate(moments)}
    operations = [
        Operation(
            one.f,
            one.argument,
            one.result,
            rank[i, 0],
            rank.get((i, 1), NEVER),
            one.index,
            process=one.index,
            witness=one.witness,
        )
        for i, one in enumerate(calls)
    ]
    return sorted(operations, key=lambda operation: operation.invoked)


def ops(*rows: tuple[Any, ...]) -> list[Operation]:
    """Of (f, argument, result, invoked, returned, process?), with returned None for one that crashed."""
    return [
        Operation(
            f,
            argument,
            UNKNOWN if returned is None else result,
            invoked,
            NEVER if returned is None else returned,
            index,
            process=process[0] if process else index,
        )
        for index, (f, argument, result, invoked, returned, *process) in enumerate(rows)
    ]


def agree(
    algorithm: Algorithm, model: Model, operations: list[Operation], oracle: Callable[..., bool]
) -> Validity | None:
    """What the algorithm says, held against the oracle; a yes must prove itself, and what is to blame for a
    no must be among the operations."""
    decision = algorithm(operations)
    if decision is None:
        return None
    assert (decision.validity is Validity.YES) == oracle(model, operations), (decision, operations)
    if decision.validity is Validity.YES:
        assert decision.order is not None
        assert verify(model, operations, decision.order) is None, (decision, operations)
    else:
        assert set(decision.culprits) <= set(range(len(operations)))
        assert not oracle(model, [operations[at] for at in decision.culprits]), (decision, operations)
    return decision.validity


def kind(algorithm: Algorithm, operations: list[Operation]) -> str | None:
    """Of a no its kind, of a yes "yes", of neither None."""
    decision = algorithm(operations)
    if decision is None:
        return None
    return decision.kind if decision.validity is Validity.NO else "yes"


def seen_all(tally: Collection[Validity | None]) -> bool:
    return {Validity.YES, Validity.NO} <= set(tally)
