"""What may leave a history without making a valid one invalid, so that what is left and invalid proves it
invalid.

Every argument goes the same way: take an order that explains the whole history, and show that what stays is
explained by the same order without what left.

- An operation that changes nothing (Model.reads) leaves no trace in any state, so it may always leave.
- An operation that brings a value into the object leaves together with every operation that observed this
  value. Whatever an operation that stays observed was brought by something that stays, and nothing has come
  between the two. An operation that may have observed anything forbids every such removal until it leaves
  itself.
- Where that is too coarse or not enough (registers, queue, stack, set, locks, kv), the model says what hangs
  on what for the whole history at once (Model.effects), and which crashed operations are more than could have
  been of use (Model.needless); the arguments are given there.
- The end may be cut off at any moment: what was invoked later leaves, and what was open then may take effect
  later or never, as if it had crashed. An order of the whole explains this as far as the last operation that
  had returned, and what takes effect after that is not missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import replace

from checkers.linear.operations import NEVER, UNKNOWN, Effect, Model, Operation

# Who saw more than so many, as a reader of a long list has, is looked through rather than found by name.
_MANY_NAMES = 64


def effects(model: Model, operations: Sequence[Operation]) -> Sequence[Effect]:
    """What each operation changed, and what it hung on, as far as the model tells. Without a model's word an
    operation that is no read may have changed anything, so it stays."""
    if model.effects is not None:
        return model.effects(operations)
    return [_effect(model, operation) for operation in operations]


def _effect(model: Model, operation: Operation) -> Effect:
    observed = model.observes(operation) if model.observes is not None else None
    if operation.f in model.reads:
        return (), observed
    produced = model.produces(operation) if model.produces is not None else ()
    return produced or None, observed


def cut(model: Model, operations: Sequence[Operation], rank: int) -> tuple[list[int], list[Operation]]:
    """The history up to a rank: positions, and the operations as they were known then. Reads that were open
    are left out: they tell nothing."""
    positions = [
        at
        for at, operation in enumerate(operations)
        if operation.returned <= rank or (operation.invoked <= rank and operation.f not in model.reads)
    ]
    known = [_as_known(operations[at], rank) for at in positions]
    return positions, known


def _as_known(operation: Operation, rank: int) -> Operation:
    if operation.returned <= rank:
        return operation
    return replace(operation, result=UNKNOWN, returned=NEVER, completed=None)


class Removals:
    """The parts of one history that prove something of the whole: those that are closed, with every operation
    that anything in them hangs on."""

    def __init__(self, model: Model, operations: Sequence[Operation]) -> None:
        self._model = model
        self._operations = operations
        found = effects(model, operations)
        self._produced = [names for names, _ in found]
        self._observed = [names for _, names in found]
        self.fixed = frozenset(at for at, names in enumerate(self._produced) if names is None)
        self._opaque = [at for at, names in enumerate(self._observed) if names is None]
        self._wide: list[int] = []
        self._producers: defaultdict[Hashable, list[int]] = defaultdict(list)
        self._observers: defaultdict[Hashable, list[int]] = defaultdict(list)
        for at, (produced, observed) in enumerate(found):
            for name in produced or ():
                self._producers[name].append(at)
            if len(observed or ()) > _MANY_NAMES:
                self._wide.append(at)
                continue
            for name in observed or ():
                self._observers[name].append(at)

    def closure(self, positions: Iterable[int]) -> set[int]:
        """The smallest closed part that has these positions, and those that never leave."""
        kept = self.with_values([*positions, *self.fixed])
        if any(self._observed[at] is None for at in kept):
            producers = (at for mine in self._producers.values() for at in mine)
            kept = self.with_values([*kept, *producers])
        return kept

    def without(self, kept: set[int], leaving: Iterable[int]) -> set[int] | None:
        """A closed part without `leaving` and all that hangs on it; None where something of that never
        leaves."""
        gone: set[int] = set()
        names: set[Hashable] = set()
        waiting = list(leaving)
        changed = False
        while waiting:
            at = waiting.pop()
            if at not in kept or at in gone:
                continue
            produced = self._produced[at]
            if produced is None:
                return None
            gone.add(at)
            if produced and not changed:
                changed = True
                waiting += self._opaque
            for name in produced:
                if name not in names:
                    names.add(name)
                    waiting += self._observers.get(name, ())
            if not waiting:
                waiting += (
                    at for at in self._wide if at not in gone and not names.isdisjoint(self._seen(at))
                )
        return kept - gone

    def _seen(self, at: int) -> Collection[Hashable]:
        return self._observed[at] or ()

    def part(self, kept: Iterable[int]) -> list[int]:
        """The closed part in order of position, without the crashed operations that it has no need of."""
        positions = sorted(kept)
        if self._model.needless is None:
            return positions
        needless = self._model.needless([self._operations[at] for at in positions])
        return [at for index, at in enumerate(positions) if index not in set(needless)]

    def with_values(self, positions: Iterable[int]) -> set[int]:
        """With everything that produced a value that one of them observed, and so on."""
        kept: set[int] = set()
        names: set[Hashable] = set()
        waiting = list(positions)
        while waiting:
            at = waiting.pop()
            kept.add(at)
            if names.issuperset(self._seen(at)):
                continue
            for name in self._seen(at):
                if name not in names:
                    names.add(name)
                    waiting += self._producers.get(name, ())
        return kept
