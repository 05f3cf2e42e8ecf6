"""Why operations contradict each other, in plain English."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from checkers.linear.contradictions import impasse
from checkers.linear.contradictions.contents import lists, sets, texts
from checkers.linear.contradictions.elements import queue, stack
from checkers.linear.contradictions.locks import fenced_mutex, mutex
from checkers.linear.contradictions.numbers import numbers
from checkers.linear.contradictions.registers import registers
from checkers.linear.contradictions.telling import FEW, Scene, Told, sentence
from checkers.linear.operations import Model, Operation


def _keys(scene: Scene) -> Iterator[Told]:
    yield from registers(scene)
    yield from texts(scene)


_PATTERNS: dict[str, Callable[[Scene], Iterator[Told]]] = {
    "register": registers,
    "cas-register": registers,
    "kv": _keys,
    "append": lists,
    "counter": numbers,
    "fetch-add": numbers,
    "set": sets,
    "queue": queue,
    "stack": stack,
    "mutex": mutex,
    "fenced-mutex": fenced_mutex,
}


def explain(
    model: Model, operations: Sequence[Operation], positions: Sequence[int], hint: Sequence[int] = ()
) -> Told:
    """The kind of a contradiction, a short stable name, and what happened and why that is impossible.

    operations: all of one object's
    positions:  of those that contradict each other, such as a core's
    hint:       where to look for what to tell of, if positions are too many to look through
    """
    found = None
    patterns = _PATTERNS.get(model.name)
    if patterns is not None:
        of = hint if hint and len(positions) > FEW else positions
        found = next(patterns(Scene.of(model, operations, of)), None)
    if found is None:
        core = sorted((operations[at] for at in positions), key=lambda op: op.invoked)
        found = impasse.told(Scene.of(model, operations, positions), core)
    return Told(found.kind, sentence(found.message))
