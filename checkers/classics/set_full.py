"""The life of every element of a set, over all reads: when it was known to be there, and whether it stayed.

After Jepsen's set-full. An element is known from the end of its add, or of the first read that shows it. It
is, with reads in the order in which they began,
  stable      from some read on, every read shows it
  lost        the last read, which began after it was known, does not show it
  never-read  neither: it was never known, or nobody looked since
A stable element is stale where a read that began after it was known did not show it yet; that is wrong only
of a set that should be linearizable. An element shown twice by one read is a duplicate (Jepsen's own count of
those looks for less than one), and one that nobody added is unexpected; both are always wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from checkers.classics.calls import acknowledged, elements, identity, is_recorded, named, precedes
from checkers.classics.latency import quantile
from checkers.classics.sets import REMOVES, Added, added, unexpected
from checkers.history import History, Op, order
from checkers.verdict import Anomaly, Verdict, conclude

NAME = "set-full"
_QUANTILES = (0.0, 0.5, 0.95, 0.99, 1.0)
# How many elements of each kind the evidence names.
_NAMED = 20


def set_full(history: History, *, linearizable: bool = False) -> Verdict:
    """Raises HistoryError for a read of no list."""
    calls = list(history.calls())
    if any(call.invoke.f == "remove" and call.type != "fail" for call in calls):
        return conclude(NAME, "", unknown=[REMOVES])
    asked = added(calls)
    reads = [
        _Read(read, done, {identity(value): value for value in elements(done)})
        for read, done in acknowledged(calls, "read")
        if is_recorded(history, done)
    ]
    first_shown: dict[Hashable, _Read] = {}
    for read in sorted(reads, key=lambda read: order(read.done)):
        for key in read.shown:
            first_shown.setdefault(key, read)
    lives = _lives(asked, reads, first_shown)
    kinds = Counter(life.outcome for life in lives)
    stale = [life for life in lives if life.outcome == "stable" and life.missed is not None]
    anomalies = [
        *(_lost(life) for life in lives if life.outcome == "lost"),
        *_duplicates(reads),
        *_unexpected(asked, first_shown),
        *(_stale(life) for life in stale if linearizable),
    ]
    looked = kinds["stable"] + kinds["lost"]
    return conclude(
        NAME,
        f"{kinds['stable']} elements stayed once they were known, {len(stale)} of them stale at first",
        anomalies=anomalies,
        vacuous=[] if looked else ["no read began after an element was known, so none could be missed"],
        evidence={
            "linearizable": linearizable,
            "reads": len(reads),
            "attempted": len(lives),
            "stable": kinds["stable"],
            "lost": kinds["lost"],
            "never_read": kinds["never-read"],
            "stale": len(stale),
            "lost_elements": _named(lives, "lost"),
            "never_read_elements": _named(lives, "never-read"),
            "stale_elements": [life.element.value for life in stale[:_NAMED]],
            "stable_latency_ms": _spread(lives, "stable"),
            "lost_latency_ms": _spread(lives, "lost"),
        },
    )


@dataclass(frozen=True, slots=True)
class _Read:
    invoke: Op
    done: Op
    shown: dict[Hashable, Any]


@dataclass(frozen=True, slots=True)
class _Life:
    """known: the completion that first proved it there
    shown:  the last read to begin, of those that show it
    missed: the last read to begin after it was known, of those that do not show it
    latency_ns: from known to the last read before it was stable, or to the last that showed it before it was
            lost
    """

    element: Added
    outcome: str
    known: Op | None
    shown: Op | None
    missed: Op | None
    latency_ns: int = 0


def _lives(
    asked: dict[Hashable, Added], reads: Sequence[_Read], first_shown: dict[Hashable, _Read]
) -> list[_Life]:
    shown: dict[Hashable, Op] = {}
    absent: dict[Hashable, Op] = {}
    never_absent = set(asked)
    # Backwards from the last read to begin, so that an element is looked at until it is first found missing.
    for read in sorted(reads, key=lambda read: order(read.invoke), reverse=True):
        for key in read.shown:
            shown.setdefault(key, read.invoke)
        gone = never_absent.difference(read.shown)
        never_absent -= gone
        absent.update(dict.fromkeys(gone, read.invoke))
    return [
        _life(element, _known(element, first_shown.get(key)), shown.get(key), absent.get(key))
        for key, element in asked.items()
        if element.invoke is not None
    ]


def _known(element: Added, first: _Read | None) -> Op | None:
    proofs = [op for op in (element.acknowledged, first.done if first else None) if op is not None]
    return min(proofs, key=order, default=None)


def _life(element: Added, known: Op | None, shown: Op | None, absent: Op | None) -> _Life:
    assert element.invoke is not None  # it may have been added
    if absent is not None and precedes(absent, element.invoke):
        absent = None
    missed = absent if known is not None and absent is not None and precedes(known, absent) else None
    if shown is not None and (absent is None or precedes(absent, shown)):
        outcome, until = "stable", missed
    elif missed is not None:
        outcome, until = "lost", shown
    else:
        return _Life(element, "never-read", known, shown, missed)
    latency_ns = 0 if until is None or known is None else max(0, until.time_ns - known.time_ns)
    return _Life(element, outcome, known, shown, missed, latency_ns)


def _lost(life: _Life) -> Anomaly:
    assert life.element.invoke is not None and life.known is not None and life.missed is not None
    last = f"; {named(life.shown)} was the last to show it" if life.shown is not None else ""
    message = (
        f"element {life.element.value!r} of {named(life.element.invoke)} was known to be there (op"
        f" {life.known.index}), but {named(life.missed)}, which began later, does not show it, nor does any"
        f" after it{last}"
    )
    ops = (life.element.invoke.index, *([life.shown.index] if life.shown else []), life.missed.index)
    return Anomaly("lost-element", message, ops, time_ns=life.missed.time_ns)


def _stale(life: _Life) -> Anomaly:
    assert life.element.invoke is not None and life.known is not None and life.missed is not None
    message = (
        f"element {life.element.value!r} of {named(life.element.invoke)} was known to be there (op"
        f" {life.known.index}), but {named(life.missed)}, which began later, does not show it; a linearizable"
        " set never forgets"
    )
    ops = (life.element.invoke.index, life.missed.index)
    return Anomaly("stale-read", message, ops, time_ns=life.missed.time_ns)


def _duplicates(reads: Sequence[_Read]) -> list[Anomaly]:
    anomalies = []
    for read in reads:
        every = elements(read.done)
        if len(every) == len(read.shown):
            continue
        for key, times in Counter(map(identity, every)).items():
            if times > 1:
                message = f"{named(read.invoke)} shows element {read.shown[key]!r} {times} times"
                ops = (read.invoke.index,)
                anomalies.append(Anomaly("duplicate-element", message, ops, time_ns=read.invoke.time_ns))
    return anomalies


def _unexpected(asked: dict[Hashable, Added], first_shown: dict[Hashable, _Read]) -> list[Anomaly]:
    """Judged by the first read to end that shows the element: an add that came in time for it came in time
    for all."""
    found = (
        unexpected(read.shown[key], asked.get(key), read.invoke, read.done)
        for key, read in first_shown.items()
    )
    return [anomaly for anomaly in found if anomaly is not None]


def _named(lives: Sequence[_Life], outcome: str) -> list[Any]:
    return [life.element.value for life in lives if life.outcome == outcome][:_NAMED]


def _spread(lives: Sequence[_Life], outcome: str) -> dict[str, float]:
    ordered = sorted(life.latency_ns for life in lives if life.outcome == outcome)
    return {f"p{q * 100:g}": round(quantile(ordered, q) / 1e6, 3) for q in _QUANTILES} if ordered else {}
