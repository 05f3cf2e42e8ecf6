"""Queues and stacks: what was taken cannot have been there, or cannot have been next.

Every condition is checked against all operations of the object, not only those of the core.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checkers.linear.contradictions.telling import Scene, Told, all_named, before, by, did, said
from checkers.linear.operations import NEVER, Operation


@dataclass(frozen=True)
class _Words:
    name: str
    bring: str
    take: str
    brought: str
    taken: str


_QUEUE = _Words("queue", "enqueue", "dequeue", "enqueued", "dequeued")
_STACK = _Words("stack", "push", "pop", "pushed", "popped")


def queue(scene: Scene) -> Iterator[Told]:
    container = _Container(scene, _QUEUE)
    yield from _taken(container)
    yield from _empty(container)
    yield from _overtaken(container)


def stack(scene: Scene) -> Iterator[Told]:
    container = _Container(scene, _STACK)
    yield from _taken(container)
    yield from _empty(container)
    yield from _from_below(container)


class _Container:
    def __init__(self, scene: Scene, words: _Words) -> None:
        self.words = words
        self.bringers: defaultdict[Any, list[Operation]] = defaultdict(list)
        self.takers: defaultdict[Any, list[Operation]] = defaultdict(list)
        self._crashed_since = NEVER
        for op in sorted(scene.operations, key=lambda op: op.invoked):
            if op.f == words.bring:
                self.bringers[op.argument].append(op)
            elif op.crashed:
                self._crashed_since = min(self._crashed_since, op.invoked)
            else:
                self.takers[op.result].append(op)
        self.takes = scene.returned(words.take)
        # Elements that were brought once and whose bringing was acknowledged.
        self.single = [
            op
            for op in scene.returned(words.bring)
            if len(self.bringers[op.argument]) == 1 and op.argument is not None
        ]

    def still_there(self, element: Any, rank: int) -> str:
        """How it is known that a single element, once brought, was not taken before the rank; empty where it
        is not known."""
        takers = self.takers.get(element, [])
        if takers:
            first = takers[0]
            return (
                f"was {self.words.taken} only by {by(first)}, which began later"
                if first.invoked > rank
                else ""
            )
        return f"was not {self.words.taken} by anyone" if self._crashed_since > rank else ""


def _taken(container: _Container) -> Iterator[Told]:
    words = container.words
    for op in container.takes:
        if op.result is None:
            continue
        bringers = container.bringers.get(op.result, [])
        takers = container.takers[op.result]
        if not bringers:
            yield Told(f"never-{words.brought}", f"{did(op)}, which nobody ever {words.brought}")
        elif bringers[0].invoked > op.returned:
            yield Told(
                f"{words.taken}-before-{words.brought}",
                f"{did(op)}, but {by(bringers[0])}, the first of that element, began only after it had ended",
            )
        elif len(takers) > len(bringers):
            times = "once" if len(bringers) == 1 else f"{len(bringers)} times"
            yield Told(
                f"{words.taken}-twice" if len(bringers) == 1 else f"{words.taken}-too-often",
                f"{said(op.result)} was {words.taken} {len(takers)} times, by {all_named(takers, by)}, but"
                f" {words.brought} only {times}, by {all_named(bringers, by)}",
            )


def _empty(container: _Container) -> Iterator[Told]:
    words = container.words
    if None in container.bringers:
        return
    for op in container.takes:
        if op.result is not None:
            continue
        for bringer in container.single:
            there = container.still_there(bringer.argument, op.returned)
            if before(bringer, op) and there:
                yield Told(
                    f"{words.name}-not-empty",
                    f"{by(op)} found the {words.name} empty, but {by(bringer)} had been acknowledged before"
                    " it"
                    f" began, and {said(bringer.argument)} {there}",
                )


def _overtaken(container: _Container) -> Iterator[Told]:
    for second in container.single:
        for taker in container.takers.get(second.argument, []):
            for first in container.single:
                there = container.still_there(first.argument, taker.returned)
                if before(first, second) and there:
                    yield Told(
                        "fifo-order",
                        f"{did(taker)}, but {by(first)} had been acknowledged before {by(second)} began, so"
                        f" {said(first.argument)} was ahead of it, and {said(first.argument)} {there}",
                    )


def _from_below(container: _Container) -> Iterator[Told]:
    for low in container.single:
        for taker in container.takers.get(low.argument, []):
            for high in container.single:
                there = container.still_there(high.argument, taker.returned)
                if before(low, high) and before(high, taker) and there:
                    yield Told(
                        "lifo-order",
                        f"{did(taker)}, but {by(high)} began after {by(low)} had been acknowledged, and was"
                        f" acknowledged before this pop began, so {said(high.argument)} was above it, and"
                        f" {said(high.argument)} {there}",
                    )
