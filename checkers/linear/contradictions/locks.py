"""Locks: held by two at once, released while free, or handed out with a token that does not grow.

Every condition is checked against all operations of the object, not only those of the core.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, permutations

from checkers.linear.contradictions.telling import Scene, Told, before, by, did, named, said
from checkers.linear.operations import NEVER, Operation


def mutex(scene: Scene) -> Iterator[Told]:
    releases = [op for op in scene.operations if op.f == "release"]
    acquires = scene.returned("acquire")
    for one, two in combinations(acquires, 2):
        latest = max(one.returned, two.returned)
        if not any(op.returned > min(one.invoked, two.invoked) and op.invoked < latest for op in releases):
            yield Told(
                "two-holders",
                f"{by(one)} and {by(two)} were both acknowledged, and no release was open at any time from"
                " the"
                " beginning of the first to the end of the last of them, so both held the lock at once",
            )
    yield from _counted(scene)


def _counted(scene: Scene) -> Iterator[Told]:
    """Acquires and releases take turns, so neither can get ahead of the other by more than the first."""
    functions = ("acquire", "release")
    begins = {f: sorted(op.invoked for op in scene.operations if op.f == f) for f in functions}
    ends = {f: sorted(op.returned for op in scene.operations if op.f == f) for f in functions}
    for op in sorted(scene.returned(*functions), key=lambda op: op.returned):
        ended = bisect_right(ends[op.f], op.returned)
        begun = bisect_right(begins["release" if op.f == "acquire" else "acquire"], op.returned)
        if op.f == "acquire" and ended > begun + 1:
            yield Told(
                "two-holders",
                f"when {by(op)} was acknowledged, {ended} acquires had been, but only {begun} releases had"
                f" begun, so two held the lock at once{_holder(scene, op)}",
            )
        elif op.f == "release" and ended > begun:
            yield Told(
                "released-while-free",
                f"when {by(op)} was acknowledged, {ended} releases had been, but only {begun} acquires had"
                " begun, so the lock was free",
            )


def _holder(scene: Scene, late: Operation) -> str:
    early = [op for op in scene.returned("acquire") if op.returned < late.returned]
    if not early:
        return ""
    holder = max(early, key=lambda op: op.returned)
    if any(op.f == "release" and holder.returned < op.invoked < late.returned for op in scene.operations):
        return ""
    return f": after {by(holder)} had been acknowledged, no release had begun"


def fenced_mutex(scene: Scene) -> Iterator[Told]:
    acquires = scene.returned("acquire")
    for one, two in combinations(acquires, 2):
        early, late = (one, two) if one.returned < two.returned else (two, one)
        if one.result == two.result:
            yield Told(
                "token-not-growing",
                f"{by(one)} and {by(two)} were both given the token {said(one.result)}",
            )
        elif before(early, late) and late.result < early.result:
            yield Told(
                "token-not-growing",
                f"{did(late)}, but {by(early)}, which had ended before it began, had been given"
                f" {said(early.result)}: tokens grow",
            )
    yield from _two_holders(scene, acquires)
    yield from _unheld(scene)


def _two_holders(scene: Scene, acquires: list[Operation]) -> Iterator[Told]:
    releases: defaultdict[int, list[Operation]] = defaultdict(list)
    for op in scene.operations:
        if op.f == "release":
            releases[op.process].append(op)

    def held_until(acquire: Operation) -> int:
        """The rank before which its process cannot have given up the lock."""
        mine = (op.invoked for op in releases[acquire.process] if op.returned > acquire.invoked)
        return min(mine, default=NEVER)

    for one, two in permutations(acquires, 2):
        if one.process == two.process:
            continue
        if max(one.returned, two.returned) < min(held_until(one), held_until(two)):
            yield Told(
                "two-holders",
                f"{by(one)} and {by(two)} were both acknowledged before either process had begun to release"
                " the"
                " lock, so both held it at once",
            )
        elif two.result <= one.result and one.returned < held_until(two):
            yield Told(
                "token-not-growing",
                f"{did(two)}, but {by(one)}, which returned {said(one.result)}, had been acknowledged before"
                f" process {two.process} began to release the lock, so it came first: tokens grow",
            )


def _unheld(scene: Scene) -> Iterator[Told]:
    for release in scene.returned("release"):
        mine = [op for op in scene.operations if op.process == release.process and op is not release]
        acquires = [op for op in mine if op.f == "acquire" and op.invoked < release.returned]
        if not acquires:
            yield Told(
                "released-unheld", f"{did(release)}, but its process had never begun to acquire the lock"
            )
            continue
        ended = max(op.returned for op in acquires)
        for other in mine:
            if other.f == "release" and ended < other.invoked and before(other, release):
                yield Told(
                    "released-unheld",
                    f"{did(release)}, but {named(other)} of the same process had given up the lock before,"
                    " and it"
                    " had not begun to acquire it again",
                )
