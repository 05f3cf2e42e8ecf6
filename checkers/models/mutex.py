"""A lock: plain, as Knossos has it, or one that hands out growing fencing tokens to its holders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from checkers.linear.operations import IMPOSSIBLE, NEVER, Effect, Model, Operation


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

    While no release is open, and one more acquire than releases has returned, the lock is held, and exactly what
    has returned has taken effect: an open acquire cannot have, for want of a release. Such moments cut the
    history into sections that every order keeps apart, each with as many releases as acquires, the first apart.
    In a section with one acquire it comes last, and its release, if any, comes first. So from such an acquire to
    such a release nothing comes between but the sections between theirs, and without all of these the rest still
    takes turns. Everything else stays.
    """
    units: list[Effect] = [(None, ())] * len(operations)
    holds = [section for section in _sections(operations) if _acquires(operations, section) == 1]
    sections = _sections(operations)
    bounds = [i for i, section in enumerate(sections) if _acquires(operations, section) == 1]
    if bounds and bounds[0] == 0 and len(sections[0]) != 1:
        del bounds[0]
    return units


MUTEX = Model(
    "mutex",
    "a lock: acquire and release",
    False,
    step,
    functions=frozenset({"acquire", "release"}),
    effects=effects,
    needless=needless,
)
FENCED_MUTEX = Model(
    "fenced-mutex",
    "a lock whose holders get growing fencing tokens: acquire and release",
    (None, -1),
    fenced_step,
    functions=frozenset({"acquire", "release"}),
    by_process=True,
)
