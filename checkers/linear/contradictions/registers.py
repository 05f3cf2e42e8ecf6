"""Registers: what was read or replaced cannot have been there then.
 Every condition is checked against all operations of the object, not only those of the core, so that what is
said of a value is true of the whole history.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checkers.linear.contradictions.telling import Scene, Told, all_named, before, by, did, named, said
from checkers.linear.operations import Operation
from checkers.models.register import ANYTHING

_WRITES = ("write", "put")
_READS = ("read", "get")


def registers(scene: Scene) -> Iterator[Told]:
    values = Values(scene)
    for observer in values.observers:
        yield from _impossible(values, observer)
    yield from _back(values)
    yield from _replaced_twice(values)
    yield from _back_and_forth(values)
    yield from _overlapping(values)
    yield from _missed(values)


@dataclass(frozen=True)
class _Appended:
    """Some text that an append left."""

    index: int


class Values:
    """What all operations on one register wrote and saw.

    On a kv key nil and "" are one value, and a text may be put together by appends. A text that ends in none
    that was ever appended was not, and nothing is said of any other.
    """

    def __init__(self, scene: Scene) -> None:
        self._one_nothing = scene.model.name == "kv"
        appended = {op.argument for op in scene.operations if op.f == "append" and op.argument != ""}
        self._endings = tuple(text for text in appended if isinstance(text, str))
        self.initial = self.of(scene.model.initial)
        self.makers: defaultdict[Any, list[Operation]] = defaultdict(list)
        self.seers: defaultdict[Any, list[Operation]] = defaultdict(list)
        for op in sorted(scene.operations, key=lambda op: op.invoked):
            if self.changes(op):
                self.makers[self.left(op)].append(op)
            if self.sees(op):
                self.seers[self.seen(op)].append(op)
        self.observers = [op for op in scene.core if self.sees(op)]
        self.core = scene.core
        self.changers = [op for op in scene.core if self.changes(op) and not op.crashed]
        self._acknowledged = sorted(
            (op for made in self.makers.values() for op in made if not op.crashed), key=lambda op: op.invoked
        )
        self._invoked = [op.invoked for op in self._acknowledged]
        # Of those invoked from here on, the one that returned first.
        self._first_of_later: list[Operation] = []
        for op in reversed(self._acknowledged):
            first = self._first_of_later[-1] if self._first_of_later else op
            self._first_of_later.append(min(first, op, key=lambda one: one.returned))
        self._first_of_later.reverse()

    def of(self, value: Any) -> Any:
        return None if self._one_nothing and value == "" else value

    def ambiguous(self, value: Any) -> bool:
        """Whether it may stand for another value, too."""
        return self._one_nothing and value is None

    def changes(self, op: Operation) -> bool:
        if op.f == "append":
            return bool(op.argument != "")
        return op.f in _WRITES or (op.f == "cas" and bool(self.seen(op) != self.left(op)))

    def put_together(self, value: Any) -> bool:
        return isinstance(value, _Appended) or (isinstance(value, str) and value.endswith(self._endings))

    def left(self, op: Operation) -> Any:
        if op.f == "append":
            return _Appended(op.index)
        return self.of(op.argument[1] if op.f == "cas" else op.argument)

    def sees(self, op: Operation) -> bool:
        if op.crashed or (op.f != "cas" and (op.f not in _READS or op.result is ANYTHING)):
            return False
        return not self.put_together(self.seen(op))

    def seen(self, op: Operation) -> Any:
        return self.of(op.argument[0] if op.f == "cas" else op.result)

    def overwritten(self, rank: int, seer: Operation) -> Operation | None:
        """An acknowledged write or cas that began after the rank and had ended when `seer` began."""
        for op in self.changers:
            if op.invoked > rank and before(op, seer):
                return op
        at = bisect_right(self._invoked, rank)
        if at < len(self._acknowledged) and before(self._first_of_later[at], seer):
            return self._first_of_later[at]
        return None

    def once(self, value: Any) -> bool:
        """Whether the register can have come to the value only once."""
        return not self.put_together(value) and len(self.makers.get(value, ())) == (
            0 if value == self.initial else 1
        )

    def written_once(self, value: Any) -> str:
        if value == self.initial:
            return f"nobody wrote {said(value)}, which was there at first"
        return f"{said(value)} was written only once ({named(self.makers[value][0])})"


def _kind(observer: Operation, kind: str) -> str:
    return "impossible-cas" if observer.f == "cas" else kind


def _impossible(values: Values, observer: Operation) -> Iterator[Told]:
    value = values.seen(observer)
    makers = values.makers.get(value, [])
    possible = [op for op in makers if op.invoked < observer.returned]
    if value != values.initial and not makers:
        yield Told(_kind(observer, "never-written"), f"{did(observer)}, but nobody ever wrote {said(value)}")
    elif value != values.initial and not possible:
        yield Told(
            _kind(observer, "read-before-write"),
            f"{did(observer)}, but {by(makers[0])}, the first of that value, began only after it had ended",
        )
    else:
        yield from _stale(values, observer, possible)


def _stale(values: Values, observer: Operation, makers: list[Operation]) -> Iterator[Told]:
    value = values.seen(observer)
    # What crashed has no return that anything could come after.
    last = max((op.returned for op in makers), default=-1)
    later = values.overwritten(last, observer)
    if later is None:
        return
    text = f"{did(observer)}, but {by(later)} had been acknowledged before it began"
    if makers:
        each = named(makers[0]) if len(makers) == 1 else f"each of {all_named(makers)}"
        text += f", and {each} had been acknowledged before {later.f} {later.index} began"
    else:
        text += f", and nobody had written {said(value)}"
    yield Told(_kind(observer, "stale-read"), f"{text}, so {said(value)} was gone")


def _back(values: Values) -> Iterator[Told]:
    """Of two observers, the later one saw the earlier value."""
    for late in values.observers:
        old = values.seen(late)
        makers = [op for op in values.makers.get(old, ()) if op.invoked < late.returned]
        last = max((op.returned for op in makers), default=-1)
        for early in values.observers:
            new = values.seen(early)
            if not before(early, late) or new in (old, values.initial):
                continue
            news = values.makers.get(new)
            if not news or news[0].invoked < last:
                continue
            if not makers:
                why = f"nobody had written {said(old)}"
            else:
                each = named(makers[0]) if len(makers) == 1 else f"each of {all_named(makers)}"
                why = f"{each} had been acknowledged before {named(news[0])} began"
            yield Told(
                _kind(late, "reads-go-back"),
                f"{did(early)}, and after it had ended {did(late)}, though {why}, so {said(old)} was gone",
            )
        yield from _replaced(values, late)


def _replaced(values: Values, late: Operation) -> Iterator[Told]:
    """A cas replaced the only one there was of a value that was seen later."""
    value = values.seen(late)
    if not values.once(value):
        return
    for op in values.observers:
        if op.f == "cas" and values.seen(op) == value != values.left(op) and before(op, late):
            yield Told(
                _kind(late, "stale-read"),
                f"{did(late)}, but {by(op)} had succeeded before it began, and"
                f" {values.written_once(value)}, so {said(value)} was gone",
            )


def _replaced_twice(values: Values) -> Iterator[Told]:
    for value, seers in values.seers.items():
        swaps = [op for op in seers if op.f == "cas" and values.left(op) != value]
        makers = values.makers.get(value, [])
        at_first = value == values.initial
        if len(swaps) <= len(makers) + at_first or not any(op in swaps for op in values.core):
            continue
        times = "once" if len(makers) == 1 else f"{len(makers)} times"
        written = f"was written only {times} ({all_named(makers)})" if makers else "was never written"
        also = ", apart from being there at first" if at_first else ""
        yield Told(
            "impossible-cas",
            f"{all_named(swaps, by)} all succeeded in replacing {said(value)}, but it {written}{also}",
        )


def _back_and_forth(values: Values) -> Iterator[Told]:
    for middle in values.observers:
        for value in dict.fromkeys(values.seen(op) for op in values.observers):
            if value == values.seen(middle):
                continue
            mine = [op for op in values.observers if values.seen(op) == value]
            early = next((op for op in mine if before(op, middle)), None)
            late = next((op for op in mine if before(middle, op)), None)
            if early is not None and late is not None and values.once(value):
                yield Told(
                    _kind(late, "reads-go-back"),
                    f"{did(early)}, after it had ended {did(middle)}, and after that {did(late)}: back to"
                    f" {said(value)}, but {values.written_once(value)}",
                )


@dataclass(frozen=True)
class _Stay:
    """Of a value that came only once: the operation that returned first and the one that was invoked last of
    those that wrote or saw it. first is None for what was there at first."""

    value: Any
    first: Operation | None
    last: Operation

    @property
    def start(self) -> int:
        return self.first.returned if self.first is not None else -1

    @property
    def lasts(self) -> bool:
        return self.start < self.last.invoked

    def told(self) -> str:
        since = f"the end of {by(self.first)}" if self.first is not None else "the first"
        return f"{said(self.value)} from {since} to the beginning of {by(self.last)}"


def _overlapping(values: Values) -> Iterator[Told]:
    """Gibbons and Korach's zones (1997): a value that came only once was there from the first return to the
    last invocation of those that had to do with it."""
    concerned = {values.seen(op) for op in values.observers} | {
        values.left(op) for op in values.core if values.changes(op)
    }
    stays = [stay for value in sorted(concerned, key=repr) if (stay := _stay(values, value)) is not None]
    for number, one in enumerate(stays):
        for other in stays[:number]:
            if (
                one.lasts
                and other.lasts
                and max(one.start, other.start) < min(one.last.invoked, other.last.invoked)
            ):
                yield Told(
                    "two-values-at-once",
                    f"the register must have held {other.told()}, and {one.told()}: these times overlap, and"
                    f" {values.written_once(one.value)}, and {values.written_once(other.value)}",
                )
    for long in stays:
        for short in stays:
            if long.lasts and not short.lasts and short is not long and _within(short, long):
                yield _no_room(values, long, short)


def _stay(values: Values, value: Any) -> _Stay | None:
    """None where the value came more than once, or may never have come."""
    seers = values.seers.get(value, [])
    makers = values.makers.get(value, [])
    if not values.once(value) or (not seers and all(op.crashed for op in makers)):
        return None
    concerned = [*makers, *seers]
    if not concerned:
        return None
    first = min(concerned, key=lambda op: op.returned) if makers else None
    return _Stay(value, first, max(concerned, key=lambda op: op.invoked))


def _within(short: _Stay, long: _Stay) -> bool:
    return (
        short.first is not None
        and short.last.invoked > long.start
        and short.first.returned < long.last.invoked
    )


def _no_room(values: Values, long: _Stay, short: _Stay) -> Told:
    assert short.first is not None  # _within
    since = f"{by(short.last)} began only after the end of {named(long.first)}, and " if long.first else ""
    return Told(
        "two-values-at-once",
        f"the register must have held {long.told()}, which leaves no time for {said(short.value)}: {since}"
        f"{by(short.first)} had ended before the beginning of {named(long.last)}; and"
        f" {values.written_once(short.value)}, and {values.written_once(long.value)}",
    )


def _missed(values: Values) -> Iterator[Told]:
    """A cas found another value than it expected, while no other can have been there. To a cas on a kv key
    nil and "" are two."""
    for miss in (op for op in values.core if op.f == "miss" and not op.crashed):
        value = miss.argument[0]
        if values.of(value) != value or values.ambiguous(value):
            continue
        others = [
            op
            for left, makers in values.makers.items()
            if left != value
            for op in makers
            if op.invoked < miss.returned
        ]
        last = max((op.returned for op in others), default=-1)
        if not others and value == values.initial:
            yield Told(
                "impossible-miss",
                f"{did(miss)} than {said(value)}, but nobody had begun to write anything else",
            )
        for maker in values.makers.get(value, ()):
            if before(maker, miss) and maker.invoked > last:
                yield Told(
                    "impossible-miss",
                    f"{did(miss)} than {said(value)}, but {by(maker)} had been acknowledged before it began,"
                    " and"
                    " everything that wrote another value had ended before that or began after it",
                )
                break
