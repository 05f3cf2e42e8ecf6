"""Of a history that is not linearizable, a small part that is not linearizable either, and that proves it.

Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), where
only such parts are tried as checkers/linear/removals.py allows: a part that is invalid then shows that the
whole is, for no reason that was made up by leaving something out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from checkers.linear.brute_force import brute_force
from checkers.linear.contradiction import explain
from checkers.linear.operations import Decision, Limits, Model, Operation
from checkers.linear.removals import Removals, cut
from checkers.linear.wing_gong import wing_gong
from checkers.verdict import Validity

Decide = Callable[[Sequence[Operation]], Decision]

BRUTE_FORCE = "brute force"
SEARCH = "search of Wing, Gong and Lowe"
# Up to so many operations are judged again by trying every order.
SMALL = 9
# A hint that takes in more than this tells little more than where to look.
_SMALL_HINT = 256
# How many operations to look at with hindsight for each that is looked at without.
_MOST_HINDSIGHT = 16
# The most that is spent on making a core smaller, and on judging it again.
_SHRINK_S = 10.0
_JUDGE_S = 5.0
_JUDGE_CONFIGURATIONS = 300_000


@dataclass(frozen=True, slots=True)
class Core:
    """positions:  of the core's operations, in order
    widened:    whether it holds more than the hint: what it took to be invalid by itself
    checked_by: who judged the core by itself and agreed; empty where time or memory did not allow it
    refuted:    whether that judge found the core valid: then one of the judges is wrong
    kind, message: the contradiction, in plain English
    """

    positions: tuple[int, ...]
    widened: bool
    checked_by: str
    message: str
    kind: str
    refuted: bool = False


def core(
    model: Model,
    operations: Sequence[Operation],
    decide: Decide,
    hint: Sequence[int],
    limits: Limits,
) -> Core:
    """A small invalid part of one object's operations, which are known to be invalid.

    decide: judges any part of them
    hint:   positions to try first; may be wrong, more than needed, or none
    limits: when time runs short, the smallest part found so far is returned
    """
    allowed = Limits.of(min(_SHRINK_S, limits.left_s() / 2), limits.memory_bytes)
    positions = _Shrinking(model, operations, decide, allowed).run(hint)
    checked_by, refuted = _judged_again(model, [operations[at] for at in positions], limits)
    kind, message = explain(model, operations, positions, hint)
    widened = not set(positions) <= set(hint)
    return Core(tuple(positions), widened, checked_by, message, kind, refuted)


def _judged_again(model: Model, operations: Sequence[Operation], limits: Limits) -> tuple[str, bool]:
    """Who judged the core again, and whether they found it valid after all."""
    if len(operations) <= SMALL:
        return BRUTE_FORCE, brute_force(model, operations)
    budget = Limits.of(min(_JUDGE_S, limits.left_s()), limits.memory_bytes)
    validity = wing_gong(model, operations, budget, _JUDGE_CONFIGURATIONS).validity
    return "" if validity is Validity.UNKNOWN else SEARCH, validity is Validity.YES


def _latest(operation: Operation) -> int:
    return operation.invoked if operation.crashed else operation.returned


class _Known:
    """What was known of the operations at some moment: their positions in the whole history, the operations
    as they were known then, and what may leave these."""

    def __init__(self, at: Sequence[int], operations: Sequence[Operation], model: Model) -> None:
        self.at = at
        self.operations = operations
        self.removals = Removals(model, operations)


class _Shrinking:
    def __init__(self, model: Model, operations: Sequence[Operation], decide: Decide, limits: Limits) -> None:
        self._model = model
        self._operations = operations
        self._decide = decide
        self._limits = limits
        # What the search for the end of a contradiction leaves for making it smaller.
        self._rest_s = limits.left_s() / 2

    def run(self, hint: Sequence[int]) -> list[int]:
        """Positions of a small invalid part, or of all where none was found in time."""
        whole = _Known(range(len(self._operations)), self._operations, self._model)
        if hint:
            hinted = whole.removals.closure(hint)
            if len(hinted) <= _SMALL_HINT and self._fails(whole, hinted):
                return self._minimal(whole, hinted, None)
        ended = self._ended(hint)
        if ended is None:
            return list(whole.at)
        cut_off = _Known(*cut(self._model, self._operations, ended), self._model)
        last = next(i for i, operation in enumerate(cut_off.operations) if operation.returned == ended)
        known, near = self._near(whole, cut_off, last)
        return self._widened(
            whole, self._minimal(known, near, last if known is cut_off else cut_off.at[last])
        )

    def _fails(self, known: _Known, kept: Collection[int]) -> bool:
        part = known.removals.part(kept)
        return self._decide([known.operations[at] for at in part]).validity is Validity.NO

    def _late(self) -> bool:
        return self._limits.left_s() <= 0

    def _ended(self, hint: Sequence[int]) -> int | None:
        """The rank of the first return up to which the history is invalid; a later one where time is short,
        or where the judge could not decide. None where no part of the history is known to be invalid."""
        returns = sorted(operation.returned for operation in self._operations if not operation.crashed)
        valid, invalid = -1, len(returns) - 1
        guesses = self._guesses(hint, returns)
        if invalid < 0 or not self._fails_by(returns[invalid]):
            return None
        while invalid - valid > 1 and self._limits.left_s() > self._rest_s:
            guess = next(guesses, -1)
            middle = guess if valid < guess < invalid else (valid + invalid) // 2
            if self._fails_by(returns[middle]):
                invalid = middle
            else:
                valid = middle
        return returns[invalid]

    def _fails_by(self, rank: int) -> bool:
        return self._decide(cut(self._model, self._operations, rank)[1]).validity is Validity.NO

    def _guesses(self, hint: Sequence[int], returns: Sequence[int]) -> Iterator[int]:
        """Returns by which a hint may have contradicted itself: the first one after its last invocation,
        which is as far as a search gets, and its last one."""
        if not hint:
            return
        hinted = [self._operations[at] for at in hint]
        first = bisect_left(returns, max(operation.invoked for operation in hinted))
        last = bisect_left(returns, max((op.returned for op in hinted if not op.crashed), default=0))
        yield from (first, first - 1, last, last - 1)

    def _near(self, whole: _Known, cut_off: _Known, last: int) -> tuple[_Known, set[int]]:
        """What happened shortly before the end, and all that it hangs on: as much of it as is invalid, with
        what was known then; or, where that is little, with all that was known later of the same
        operations."""
        recent = sorted(range(len(cut_off.at)), key=lambda at: _latest(cut_off.operations[at]), reverse=True)
        size = 1
        while size < len(recent) and not self._late():
            seeds = [last, *recent[:size]]
            kept = cut_off.removals.closure(seeds)
            if len(kept) < len(recent) and self._fails(cut_off, kept):
                return cut_off, kept
            later = whole.removals.closure(cut_off.at[at] for at in seeds)
            if len(later) <= _MOST_HINDSIGHT * size and self._fails(whole, later):
                return whole, later
            if len(kept) == len(recent):
                break
            size *= 2
        return cut_off, set(range(len(recent)))

    def _minimal(self, known: _Known, kept: set[int], last: int | None) -> list[int]:
        """Positions in the whole history of a part of an invalid one from which nothing can leave without
        making it valid, as far as time allows. `last` stays in any case: most often nothing is wrong without
        it."""
        movable = [at for at in sorted(kept) if at not in known.removals.fixed and at != last]
        size = math.ceil(len(movable) / 2)
        while size and not self._late():
            smaller = self._without_chunks(known, kept, last, movable, size)
            progress = len(smaller) < len(kept)
            kept = smaller
            movable = [at for at in movable if at in kept]
            if size > 1 or not progress:
                size = min(size, len(movable)) // 2
        return [known.at[at] for at in known.removals.part(kept)]

    def _without_chunks(
        self, known: _Known, kept: set[int], last: int | None, movable: Sequence[int], size: int
    ) -> set[int]:
        for start in range(0, len(movable), size):
            chunk = [at for at in movable[start : start + size] if at in kept]
            if not chunk or self._late():
                continue
            smaller = known.removals.without(kept, chunk)
            if smaller is None or (last is not None and last not in smaller):
                continue
            if self._fails(known, smaller):
                kept = smaller
        return kept

    def _widened(self, whole: _Known, positions: Sequence[int]) -> list[int]:
        """With what the cut took away of the values that are observed in the core: an operation whose result
        was not looked at any more, or a write that came too late. Where a part is invalid up to some moment,
        what is invoked later changes nothing; and where the wider part is not invalid, the core stays as it
        is."""
        closed = sorted(whole.removals.with_values(positions))
        if len(closed) > len(positions):
            decision = self._decide([self._operations[at] for at in closed])
            if decision.validity is Validity.NO:
                return closed
        return sorted(positions)
