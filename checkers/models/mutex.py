"""A lock: plain, as Knossos has it, or one that hands out growing fencing tokens to its holders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from checkers.linear.deadlines import mutex
from checkers.linear.numbered import fenced_mutex
from checkers.linear.operations import IMPOSSIBLE, Effect, Model, Operation


def step(state: Any, operation: Operation) -> Any:
    """acquire while it is free; release while it is held. Who holds it is not looked at."""
    if operation.f == "acquire":
        return IMPOSSIBLE if state else True
    return False if state else IMPOSSIBLE


def fenced_step(state: Any, operation: Operation) -> Any:
    """acquire -> a token greater than every token before; release by the process that holds it. The state is
    (the holder or None, the greatest token handed out)."""
    holder, token = state
    if operation.f == "release":
        return (None, token) if holder == operation.process else IMPOSSIBLE
    if holder is not None:
        return IMPOSSIBLE
    if operation.crashed:
        return operation.process, token
    return (operation.process, operation.result) if operation.result > token else IMPOSSIBLE


def effects(operations: Sequence[Operation]) -> list[Effect]:
    """An acquire leaves with the release that follows it in every order, and with what comes between the two.

    While one more acquire has returned than releases have begun, exactly these have taken effect, and the
    lock
    is held: one release less, or one acquire more, and they could not take turns. Such moments cut the
    history into sections that every order keeps apart, each with as many releases as acquires, but for the
    first, which has one acquire more. In a section with one acquire it comes last, and its release, if any,
    comes first. So from such an acquire to such a release nothing comes between but the sections between
    theirs, and without all of these the rest still takes turns. Everything else stays."""
    effects: list[Effect] = [(None, ())] * len(operations)
    unit: list[int] | None = None
    for number, section in enumerate(_sections(operations)):
        acquires = [at for at in section if operations[at].f == "acquire"]
        if len(acquires) > 1:
            if unit is not None:
                unit += section
            continue
        if unit is not None:
            unit += [at for at in section if at not in acquires]
            for at in unit:
                effects[at] = ((unit[0],), (unit[0],))
        unit = list(acquires) if number or len(section) == 1 else None
    return effects


def _sections(operations: Sequence[Operation]) -> list[list[int]]:
    """Positions of the operations that took effect from one moment at which the lock is surely held to the
    next; those after the last are left out."""
    moments = [
        (op.returned if op.f == "acquire" else op.invoked, at)
        for at, op in enumerate(operations)
        if op.f == "release" or not op.crashed
    ]
    sections: list[list[int]] = []
    section: list[int] = []
    held = 0
    for _, at in sorted(moments):
        section.append(at)
        held += 1 if operations[at].f == "acquire" else -1
        if held == 1:
            sections.append(section)
            section = []
    return sections


def needless(operations: Sequence[Operation]) -> Collection[int]:
    """Acquires and releases take turns, so there is a bound on how many crashed ones can have taken effect
    and been of use: a release needs an acquire before it, and a crashed acquire that no release follows and
    that does not come before one that returned may as well never have happened. Of more than that, those
    invoked first will do: they can do all that the later ones can."""
    returned = Counter(op.f for op in operations if not op.crashed)
    crashed: dict[str, list[int]] = {"acquire": [], "release": []}
    for at in sorted(range(len(operations)), key=lambda at: operations[at].invoked):
        if operations[at].crashed:
            crashed[operations[at].f].append(at)
    acquires, releases = crashed["acquire"], crashed["release"]
    useful = max(0, returned["release"] + len(releases) + 1 - returned["acquire"])
    spare = acquires[useful:]
    useful = max(0, returned["acquire"] + min(useful, len(acquires)) - returned["release"])
    return {*spare, *releases[useful:]}


def fenced_effects(operations: Sequence[Operation]) -> list[Effect]:
    """An acquire leaves with its process' next release: while one process holds the lock no other operation
    is possible but this release, so no order has anything between them; without it the acquire is the last of
    all. Later tokens still grow. The operations of a process that overlap one another stay: nobody knows
    their order.
    """
    effects: list[Effect] = [(None, ())] * len(operations)
    by_process: defaultdict[int, list[int]] = defaultdict(list)
    for at in sorted(range(len(operations)), key=lambda at: operations[at].invoked):
        by_process[operations[at].process].append(at)
    for mine in by_process.values():
        if any(operations[one].returned > operations[two].invoked for one, two in pairwise(mine)):
            continue
        unit = -1
        for at in mine:
            if operations[at].f == "acquire":
                unit = at
            if unit >= 0:
                effects[at] = ((unit,), (unit,))
            if operations[at].f == "release":
                unit = -1
    return effects


MUTEX = Model(
    "mutex",
    "a lock: acquire and release",
    False,
    step,
    functions=frozenset({"acquire", "release"}),
    effects=effects,
    needless=needless,
    algorithms=(mutex,),
)
FENCED_MUTEX = Model(
    "fenced-mutex",
    "a lock whose holders get growing fencing tokens: acquire and release",
    (None, -1),
    fenced_step,
    functions=frozenset({"acquire", "release"}),
    effects=fenced_effects,
    by_process=True,
    algorithms=(fenced_mutex,),
)
