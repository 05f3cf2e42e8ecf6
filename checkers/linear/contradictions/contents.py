"""Lists, sets and texts that are read whole: something is missing, or there that cannot be.

Every condition is checked against all operations of the object, not only those of the core.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, combinations, pairwise
from typing import Any

from checkers.linear.contradictions.telling import Scene, Told, all_named, before, by, did, said
from checkers.linear.operations import Operation


def lists(scene: Scene) -> Iterator[Told]:
    appends: defaultdict[Any, list[Operation]] = defaultdict(list)
    for op in sorted(scene.operations, key=lambda op: op.invoked):
        if op.f == "append":
            appends[op.argument].append(op)
    reads = scene.returned("read")
    for read in reads:
        yield from _out_of_nowhere(read, appends)
        yield from _lost(scene, read)
        yield from _misplaced(read, appends)
    yield from _diverging(reads)


def _elements(read: Operation) -> tuple[Any, ...]:
    return read.result or ()


def _out_of_nowhere(read: Operation, appends: dict[Any, list[Operation]]) -> Iterator[Told]:
    for element, times in Counter(_elements(read)).items():
        mine = appends.get(element, [])
        if not mine:
            yield Told("never-appended", f"{did(read)}, but nobody ever appended {said(element)}")
        elif mine[0].invoked > read.returned:
            yield Told(
                "read-before-append",
                f"{did(read)}, but {by(mine[0])}, the first of {said(element)}, began only after it had"
                " ended",
            )
        elif times > len(mine):
            yield Told(
                "duplicate-element",
                f"{did(read)}, which has {said(element)} {times} times, but it was appended only by"
                f" {all_named(mine, by)}",
            )


def _lost(scene: Scene, read: Operation) -> Iterator[Told]:
    there = set(_elements(read))
    for op in scene.returned("append"):
        if before(op, read) and op.argument not in there:
            yield Told(
                "lost-append",
                f"{did(read)} without {said(op.argument)}, but {by(op)} had been acknowledged before it"
                " began",
            )


def _misplaced(read: Operation, appends: dict[Any, list[Operation]]) -> Iterator[Told]:
    """Elements that were appended once each, in another order than that of their appends."""
    single = [appends[e][0] for e in _elements(read) if len(appends.get(e, ())) == 1]
    latest = list(accumulate(single, _later))
    for (earlier, _), op in zip(pairwise(latest), single[1:], strict=True):
        if before(op, earlier):
            yield Told(
                "append-order",
                f"{did(read)}, which has {said(earlier.argument)} before {said(op.argument)}, but {by(op)}"
                " had"
                f" been acknowledged before {by(earlier)} began",
            )


def _later(one: Operation, two: Operation) -> Operation:
    return max(one, two, key=lambda op: op.invoked)


def _longer(one: Operation, two: Operation) -> Operation:
    return max(one, two, key=lambda op: len(_elements(op)))


def _diverging(reads: Sequence[Operation]) -> Iterator[Told]:
    ordered = sorted(reads, key=lambda op: len(_elements(op)))
    for short, long in pairwise(ordered):
        if _elements(long)[: len(_elements(short))] != _elements(short):
            yield Told(
                "reads-diverge",
                f"{did(short)}, and {did(long)}: neither is the beginning of the other",
            )
    by_end = sorted(reads, key=lambda op: op.returned)
    ends = [op.returned for op in by_end]
    longest = list(accumulate(by_end, _longer))
    for late in by_end:
        earlier = bisect_left(ends, late.invoked)
        if earlier and len(_elements(longest[earlier - 1])) > len(_elements(late)):
            early = longest[earlier - 1]
            yield Told(
                "reads-go-back",
                f"{did(late)}, but {did(early)} before it began, and nothing is ever taken away",
            )


def sets(scene: Scene) -> Iterator[Told]:
    adds: defaultdict[Any, list[Operation]] = defaultdict(list)
    removes: defaultdict[Any, list[Operation]] = defaultdict(list)
    for op in sorted(scene.operations, key=lambda op: op.invoked):
        if op.f in ("add", "remove"):
            (adds if op.f == "add" else removes)[op.argument].append(op)
    looks = [_Look(op) for op in scene.returned("read", "contains")]
    touched = dict.fromkeys(op.argument for op in scene.core if op.f in ("add", "remove"))
    for look in looks:
        for element in dict.fromkeys([*touched, *look.named()]):
            if (has := look.has(element)) is not None:
                tell = _there if has else _missing
                yield from tell(look.op, element, adds.get(element, []), removes.get(element, []))
    for one, two in combinations(looks, 2):
        yield from _two_looks(one, two, removes)


class _Look:
    """What a read of a set, or of one element, saw."""

    def __init__(self, op: Operation) -> None:
        self.op = op

    def named(self) -> Sequence[Any]:
        if self.op.f == "contains":
            return (self.op.argument,)
        return sorted(self.op.result, key=repr)

    def has(self, element: Any) -> bool | None:
        """None where it did not look for it."""
        if self.op.f == "read":
            return element in self.op.result
        return bool(self.op.result == (element, True)) if self.op.argument == element else None


def _there(look: Operation, element: Any, adds: list[Operation], removes: list[Operation]) -> Iterator[Told]:
    begun = [op for op in adds if op.invoked < look.returned]
    if not adds:
        yield Told("never-added", f"{did(look)}, but nobody ever added {said(element)}")
    elif not begun:
        yield Told(
            "read-before-add",
            f"{did(look)}, but {by(adds[0])}, the first of {said(element)}, began only after it had ended",
        )
    else:
        last = max(op.returned for op in begun)
        for op in removes:
            if op.invoked > last and before(op, look):
                yield Told(
                    "removed-yet-there",
                    f"{did(look)}, but {by(op)} had been acknowledged before it began, and"
                    f" {all_named(begun)} had"
                    f" been acknowledged before the removal began, so {said(element)} was gone",
                )


def _missing(
    look: Operation, element: Any, adds: list[Operation], removes: list[Operation]
) -> Iterator[Told]:
    begun = [op for op in removes if op.invoked < look.returned]
    last = max((op.returned for op in begun), default=-1)
    for op in adds:
        if op.invoked > last and before(op, look):
            gone = (
                f"{all_named(begun)} had been acknowledged before that began"
                if begun
                else ("nobody had begun to remove it")
            )
            yield Told(
                "lost-element",
                f"{did(look)} without {said(element)}, but {by(op)} had been acknowledged before it began,"
                " and"
                f" {gone}",
            )


def _two_looks(one: _Look, two: _Look, removes: dict[Any, list[Operation]]) -> Iterator[Told]:
    """Of elements that nobody removed, each saw one that the other did not; or the later saw less."""
    until = max(one.op.returned, two.op.returned)
    only: list[Any] = []
    for look, other in ((one, two), (two, one)):
        lasting = (
            element
            for element in look.named()
            if look.has(element)
            and other.has(element) is False
            and not any(op.invoked < until for op in removes.get(element, ()))
        )
        element = next(lasting, None)
        if element is not None and before(look.op, other.op):
            yield Told(
                "reads-go-back",
                f"{did(other.op)} without {said(element)}, but {did(look.op)} before it began, and nobody"
                " had begun"
                f" to remove {said(element)}",
            )
        only.append(element)
    if None not in only:
        yield Told(
            "reads-diverge",
            f"{did(one.op)}, with {said(only[0])} and without {said(only[1])}, and {did(two.op)}, with"
            f" {said(only[1])} and without {said(only[0])}, though nobody had begun to remove either",
        )


def texts(scene: Scene) -> Iterator[Told]:
    """Texts on a kv key: what was appended is gone, or what is there nobody wrote."""
    parts = {text for op in scene.operations if isinstance(text := _written(op), str) and text}
    for get in scene.returned("get", "read"):
        if isinstance(get.result, str) and not _adds_up(get.result, parts):
            yield Told(
                "never-written", f"{did(get)}, but no texts that were ever written or appended add up to that"
            )
    yield from _only_appended(scene)


def _written(op: Operation) -> Any:
    if op.f == "cas":
        return op.argument[1]
    return op.argument if op.f in ("put", "write", "append") else None


def _adds_up(text: str, parts: Collection[str]) -> bool:
    lengths = {len(part) for part in parts}
    reached = [True, *[False] * len(text)]
    for end in range(1, len(text) + 1):
        reached[end] = any(
            length <= end and reached[end - length] and text[end - length : end] in parts
            for length in lengths
        )
    return reached[-1]


def _only_appended(scene: Scene) -> Iterator[Told]:
    if any(op.f in ("put", "write", "cas") for op in scene.operations):
        return
    gets = [op for op in scene.returned("get") if isinstance(op.result or "", str)]
    for get in gets:
        for op in scene.returned("append"):
            if before(op, get) and op.argument not in (get.result or ""):
                yield Told(
                    "lost-append",
                    f"{did(get)}, which lacks {said(op.argument)}, but {by(op)} had been acknowledged before"
                    " it"
                    " began, and nothing but appends was ever done",
                )
    for one, two in combinations(gets, 2):
        short, long = sorted((one, two), key=lambda op: len(op.result or ""))
        if not (long.result or "").startswith(short.result or ""):
            yield Told(
                "reads-diverge", f"{did(short)}, and {did(long)}: neither is the beginning of the other"
            )
        elif before(long, short) and long.result != short.result:
            yield Told(
                "reads-go-back",
                f"{did(short)}, but {did(long)} before it began, and nothing but appends was ever done",
            )
