"""One object's operations, as every algorithm that looks for an order of them takes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from checkers.compile_time import COMPILING
from checkers.verdict import Validity

State = Hashable


class _Sentinel:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


# An operation that never returned has no result; a step that cannot happen has no state after it.
UNKNOWN: Any = _Sentinel("UNKNOWN")
IMPOSSIBLE: Any = _Sentinel("IMPOSSIBLE")
# The rank of a return that never came. Every other rank is smaller.
NEVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Operation:
    """A call on one object that happened, or may have.

    argument: what it was invoked with, without the object's key
    result:   what an acknowledged call returned, without the key; UNKNOWN where it crashed
    invoked:  its invocation's rank in the history's order; ranks are unique over invocations and returns, so
              a precedes b exactly when a.returned < b.invoked
    returned: its return's rank, or NEVER: it stays concurrent with everything after its invocation
    index:    the invocation's Op.index;  completed: the completion's, where there is one
    witness:  the log index it took, where it reported one
    """

    f: str
    argument: Any
    result: Any
    invoked: int
    returned: int
    index: int
    process: int = 0
    completed: int | None = None
    witness: int | None = None

    @property
    def crashed(self) -> bool:
        return self.returned == NEVER


@dataclass(frozen=True, slots=True)
class Decision:
    """What an algorithm found out about one object.

    validity:  YES, NO or UNKNOWN
    algorithm: its name, such as "zones"
    order:     of a yes, the certificate: positions in the given operations, in an order that explains them;
               holds every operation that returned, and those crashed ones that took effect
    culprits:  of a no, positions of operations that contradict each other; may be more than needed, and empty
               where the algorithm cannot tell
    kind:      of a no, a short stable name, such as "stale-read", where the algorithm can tell
    reason:    of an unknown, why, and how far it got
    """

    validity: Validity
    algorithm: str
    order: Sequence[int] | None = None
    culprits: Sequence[int] = ()
    kind: str = "not-linearizable"
    reason: str = ""
    configurations: int = 0


# Of one operation: the names of what it changed, and of what its result or its effect hung on. None instead
# of the first: nobody can say, so it stays in every part of the history; of the second: on everything.
Effect = tuple[Sequence[Hashable] | None, Sequence[Hashable] | None]

# Returns None where it does not apply, such as for values that repeat.
Algorithm = Callable[[Sequence[Operation]], Decision | None]


@dataclass(frozen=True, slots=True)
class Model:
    """What an object may do: an initial state, and a step.

    step(state, operation) gives the state after the operation, or IMPOSSIBLE where it cannot have had its
    result in that state. A result that is UNKNOWN constrains nothing. It is pure; states are hashable.

    functions: names of the operations it understands, empty for any
    reads:     those that never change the state
    blind:     those that are always possible and leave a state that does not depend on the one before
    produces:  the values that an operation brings into the object, so that observing them needs it
    observes:  the values that an operation saw; None: it may have depended on any operation at all
    effects:   instead of the two, where it takes a whole history to tell: each operation's Effect. With all
               that hangs on a name that it changed, an operation may leave a valid history, which stays
               valid: the model argues why
    settle:    of one object's operations, what makes one state of all those that none of them can tell apart
    needless:  positions of crashed operations that a history is as valid without
    by_process: whether the step looks at the operation's process
    keyed:     whether values are [key, …] of many independent objects: always, never, or as the history looks
    algorithms: exact and polynomial, tried in order before any search
    compiled:  whether one of them is compiled, so that few operations are rather searched at once
    """

    name: str
    summary: str
    initial: State
    step: Callable[[Any, Operation], Any]
    functions: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    blind: frozenset[str] = frozenset()
    produces: Callable[[Operation], Sequence[Hashable]] | None = None
    observes: Callable[[Operation], Sequence[Hashable] | None] | None = None
    effects: Callable[[Sequence[Operation]], Sequence[Effect]] | None = None
    settle: Callable[[Sequence[Operation]], Callable[[Any], Any]] | None = None
    needless: Callable[[Sequence[Operation]], Collection[int]] | None = None
    by_process: bool = False
    keyed: bool | None = None
    algorithms: tuple[Algorithm, ...] = ()
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What judging one history may take. `deadline_s` is on time.monotonic()'s clock, and moves on by what
    is spent compiling since: a judge's first history on a machine has as much time as any other."""

    deadline_s: float = field(default_factory=lambda: time.monotonic() + 30.0)
    memory_bytes: int = 2_000_000_000
    compiled_s: float = field(default_factory=COMPILING.spent_s)

    @classmethod
    def of(cls, budget_s: float, memory_bytes: int = 2_000_000_000) -> Limits:
        return cls(time.monotonic() + budget_s, memory_bytes)

    def left_s(self) -> float:
        return self.deadline_s - time.monotonic() + COMPILING.spent_s() - self.compiled_s
