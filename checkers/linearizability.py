"""Linearizability of registers, from what the clients saw alone: a search for an order that explains it.

Wing and Gong's search (1993) with Lowe's improvements ("Testing for linearizability", 2017): an operation
takes effect only when one must have (just in time), and no configuration is visited twice. Each key is a
register of its own, since linearizability is local (Herlihy and Wing, 1990). An operation whose fate is
unknown may take effect at any time after its invocation, or never; equal ones are counted rather than told
apart, so they do not multiply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from checkers.history import Call, History, Op, order
from checkers.verdict import Anomaly, Verdict, conclude
from checkers.words import asker, listed, name_call, shown

NAME = "linearizability"
# Configurations to visit for one register before giving up: a few seconds.
BUDGET = 300_000
FUNCTIONS = ("read", "write", "cas")


def linearizability(history: History) -> Verdict:
    registers: dict[str, list[Call]] = {}
    for call in history.calls():
        if call.invoke.f in FUNCTIONS and not _is_list_read(call):
            registers.setdefault(str(call.invoke.value[0]), []).append(call)
    searches = {key: search(calls) for key, calls in registers.items()}
    answered = sum(call.type == "ok" for calls in registers.values() for call in calls)
    return conclude(
        NAME,
        f"{answered} operations on {len(registers)} registers have an order that explains them",
        anomalies=[
            *(_altered(call) for calls in registers.values() for call in calls if _is_altered(call)),
            *(_anomaly(key, found) for key, found in searches.items() if found.blocked is not None),
        ],
        unknown=[
            f"{key}: no order found and none excluded after {found.configurations} configurations"
            for key, found in searches.items()
            if found.gave_up
        ],
        vacuous=[] if answered else ["no operation on a register was acknowledged"],
        evidence={
            "registers": len(registers),
            "answered": answered,
            "configurations": sum(found.configurations for found in searches.values()),
        },
    )


def _is_altered(call: Call) -> bool:
    """Whether another value was acknowledged than was to be written."""
    completion = call.completion
    return (
        call.type == "ok"
        and call.invoke.f != "read"
        and call.invoke.value != (completion and completion.value)
    )


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found. blocked: the first operation that no order explains; None where there is an order,
    or the search gave up. possible: what the register may have held when that operation had to take
    effect."""

    blocked: Call | None = None
    possible: tuple[Any, ...] = ()
    gave_up: bool = False
    configurations: int = 0


def search(calls: Sequence[Call], initial: Any = None, budget: int = BUDGET) -> Search:
    """Searches the calls of one register, with values [key, …], in order of invocation."""
    return _Searcher(_steps(calls), initial, budget).run()


def _is_list_read(call: Call) -> bool:
    completion = call.completion
    return call.invoke.f == "read" and completion is not None and isinstance(completion.value[1], list)


# A step is one of: a read of `old`; a write of `new`; a cas from `old` to `new`; a miss, which saw something
# other than `old`.
@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    call: Call
    kind: str
    old: Any = None
    new: Any = None

    @property
    def crashed(self) -> bool:
        return self.call.type == "info"


# Stands for every value that nobody ever looks for: such values are all alike.
_UNSEEN = ("unseen",)


def _steps(calls: Sequence[Call]) -> list[_Step]:
    """The calls that matter, in order of invocation. What was refused, or read without an answer, does
    not."""
    steps = [step for call in calls if (step := _step(call)) is not None]
    # What a crashed operation wrote, somebody must look for, or else it may as well never have happened. Only
    # a miss could tell, and to a miss all values that nobody looks for are alike.
    has_miss = any(step.kind == "miss" for step in steps)
    while True:
        wanted = {_key(step.old) for step in steps if step.kind in ("read", "cas", "miss")}
        kept = []
        for step in steps:
            if not step.crashed or _key(step.new) in wanted or step.new is _UNSEEN:
                kept.append(step)
            elif has_miss:
                kept.append(_Step(step.call, step.kind, step.old, _UNSEEN))
        if len(kept) == len(steps):
            return kept
        steps = kept


def _step(call: Call) -> _Step | None:
    f, argument = call.invoke.f, call.invoke.value[1]
    completion = call.completion
    if f == "read":
        if completion is None or completion.type != "ok":
            return None
        return _Step(call, "read", old=completion.value[1])
    if f == "write":
        return None if call.type == "fail" else _Step(call, "write", new=argument)
    old, new = argument
    if completion is not None and completion.type == "fail":
        return _Step(call, "miss", old=old) if completion.error == "mismatch" else None
    if old == new and call.type == "info":
        return None  # whether it happened makes no difference to anyone
    return _Step(call, "read", old=old) if old == new else _Step(call, "cas", old=old, new=new)


def _key(value: Any) -> Any:
    """A value as a key: 1, 1.0 and True are three values, and lists are values too."""
    return value if value is _UNSEEN else (type(value).__name__, repr(value))


# A configuration: the register's value (as a number), which of the open operations have taken effect (a bit
# each), and how many of each group of crashed operations have (packed into one number, see _Crashed).
_Frontier = dict[tuple[int, int], list[int]]


@dataclass
class _Open:
    """The operations that are open at one moment. Bits belong to operations that will return.

    readers: value -> bits of open reads of it
    missers: bits of all open misses; missing: value -> bits of misses of it
    writers: bit -> (old, or None for a write; new)
    """

    readers: dict[int, int] = field(default_factory=dict)
    missers: int = 0
    missing: dict[int, int] = field(default_factory=dict)
    writers: dict[int, tuple[int | None, int]] = field(default_factory=dict)

    def absorb(self, value: int, mask: int) -> int:
        """The mask once everything that only looks, and would see what it saw, has taken effect: there is no
        better time for it than any time."""
        return mask | self.readers.get(value, 0) | (self.missers & ~self.missing.get(value, 0))

    def wanted(self, mask: int) -> list[int]:
        """Values that an operation waits to see."""
        found = [value for value, bits in self.readers.items() if bits & ~mask]
        return found + [old for bit, (old, _) in self.writers.items() if old is not None and not bit & mask]


class _Crashed:
    """Operations of unknown fate, in groups of equal ones, of which each configuration has used some.

    The counts are fields of one number, each a bit wider than its counts need, so that one subtraction
    compares them all: a field that would borrow clears its spare bit.
    """

    def __init__(self, groups: Sequence[tuple[int | None, int]]) -> None:
        counts = Counter(groups)
        self._width = max(counts.values(), default=0).bit_length() + 1
        self._field = (1 << self._width) - 1
        self._shifts = {group: at * self._width for at, group in enumerate(counts)}
        self._spare = sum(1 << shift + self._width - 1 for shift in self._shifts.values())
        self._by_new: dict[int, list[tuple[int | None, int]]] = {}
        for old, new in counts:
            self._by_new.setdefault(new, []).append((old, new))
        # How many of each group have been invoked; what their compare-and-sets wait to see.
        self._invoked = dict.fromkeys(counts, 0)
        self._wanted: list[int] = []

    def invoke(self, old: int | None, new: int) -> None:
        self._invoked[old, new] += 1
        if old is not None and old not in self._wanted:
            self._wanted.append(old)

    def no_more(self, one: int, other: int) -> bool:
        """Whether `one` has used no more of any group than `other`."""
        return (other | self._spare) - one & self._spare == self._spare

    def next(self, value: int, used: int, wanted: Sequence[int], *, any_value: bool) -> list[tuple[int, int]]:
        """(new value, used) for each that may take effect, and whose value is then waited for: one that
        nobody sees may as well never happen, and one that is seen later can happen later."""
        found = []
        for new in self._by_new if any_value else dict.fromkeys([*wanted, *self._wanted]):
            for old, _ in self._by_new.get(new, ()) if new != value else ():
                shift = self._shifts[old, new]
                if old in (None, value) and used >> shift & self._field < self._invoked[old, new]:
                    found.append((new, used + (1 << shift)))
        return found


class _OutOfBudget(Exception):
    pass


class _Searcher:
    def __init__(self, steps: list[_Step], initial: Any, budget: int) -> None:
        self._steps = steps
        self._budget = budget
        self._numbers: dict[Any, int] = {}
        self._values: list[Any] = []
        self._initial = self._number(initial)
        self._crashed = _Crashed([self._effect(step) for step in steps if step.crashed])
        self._open = _Open()
        self._bits: dict[_Step, int] = {}
        self._width = 0
        self._free: list[int] = []
        self._visited = 0

    def run(self) -> Search:
        frontier: _Frontier = {(self._initial, 0): [0]}
        try:
            for step, returns in self._moments():
                if not returns:
                    self._invoke(step)
                    continue
                bit = self._bits[step]
                after, values = self._after(frontier, bit)
                if not after:
                    possible = tuple(self._values[value] for value in sorted(values))
                    return Search(step.call, possible, configurations=self._visited)
                self._return(step)
                frontier = after
        except _OutOfBudget:
            return Search(gave_up=True, configurations=self._visited)
        return Search(configurations=self._visited)

    def _moments(self) -> Iterable[tuple[_Step, bool]]:
        """Invocations and returns in the history's order. What crashed never returns."""
        moments: list[tuple[Op, _Step, bool]] = [(step.call.invoke, step, False) for step in self._steps]
        for step in self._steps:
            if step.call.completion is not None and not step.crashed:
                moments.append((step.call.completion, step, True))
        moments.sort(key=lambda moment: order(moment[0]))
        return [(step, returns) for _, step, returns in moments]

    def _number(self, value: Any) -> int:
        key = _key(value)
        if key not in self._numbers:
            self._numbers[key] = len(self._values)
            self._values.append(value)
        return self._numbers[key]

    def _effect(self, step: _Step) -> tuple[int | None, int]:
        """(what a cas expects, or None for a write; what it leaves)."""
        return (self._number(step.old) if step.kind == "cas" else None, self._number(step.new))

    def _invoke(self, step: _Step) -> None:
        now = self._open
        if step.crashed:
            self._crashed.invoke(*self._effect(step))
            return
        if not self._free:
            self._free.append(1 << self._width)
            self._width += 1
        bit = self._bits[step] = self._free.pop()
        if step.kind in ("write", "cas"):
            now.writers[bit] = self._effect(step)
        else:
            value = self._number(step.old)
            if step.kind == "miss":
                now.missers |= bit
            which = now.readers if step.kind == "read" else now.missing
            which[value] = which.get(value, 0) | bit

    def _return(self, step: _Step) -> None:
        bit = self._bits[step]
        self._free.append(bit)
        now = self._open
        now.writers.pop(bit, None)
        now.missers &= ~bit
        for which in (now.readers, now.missing):
            value = self._number(step.old)
            if value in which:
                which[value] &= ~bit

    def _after(self, frontier: _Frontier, bit: int) -> tuple[_Frontier, set[int]]:
        """The configurations in which the operation of this bit has taken effect, its bit cleared; and every
        value that the register may have held until then."""
        reached: _Frontier = {}
        seen: _Frontier = {}
        stack = [(value, mask, used) for (value, mask), many in frontier.items() for used in many]
        values: set[int] = set()
        while stack:
            value, mask, used = stack.pop()
            mask = self._open.absorb(value, mask)
            if mask & bit:
                self._keep(reached, (value, mask & ~bit), used)
                continue
            if not self._keep(seen, (value, mask), used):
                continue
            values.add(value)
            self._visited += 1
            if self._visited > self._budget:
                raise _OutOfBudget
            stack += self._next(value, mask, used)
        return reached, values

    def _next(self, value: int, mask: int, used: int) -> list[tuple[int, int, int]]:
        """One more write or cas takes effect. Crashed ones come first, so they are tried last."""
        now = self._open
        crashed = self._crashed.next(value, used, now.wanted(mask), any_value=bool(now.missers & ~mask))
        found = [(new, mask, more) for new, more in crashed]
        for bit, (old, new) in now.writers.items():
            if not mask & bit and old in (None, value):
                found.append((new, mask | bit, used))
        return found

    def _keep(self, frontier: _Frontier, at: tuple[int, int], used: int) -> bool:
        """Adds a configuration unless one is there that differs only in having used no more crashed
        operations: it can do all that this one can. Those that it makes needless go."""
        known = frontier.get(at)
        if known is None:
            frontier[at] = [used]
            return True
        no_more = self._crashed.no_more
        if any(no_more(other, used) for other in known):
            return False
        frontier[at] = [other for other in known if not no_more(used, other)] + [used]
        return True


def _altered(call: Call) -> Anomaly:
    assert call.completion is not None  # it is ok
    value = call.completion.value[1]
    written = value[1] if call.invoke.f == "cas" else value
    message = f"{name_call(call)} ({asker(call)}) was acknowledged as {shown(written)}"
    return Anomaly(
        "altered-write", message[0].upper() + message[1:], (call.invoke.index,), (), call.invoke.time_ns
    )


def _anomaly(key: str, found: Search) -> Anomaly:
    call = found.blocked
    assert call is not None  # only such are told of
    completion = call.completion
    did = name_call(call)
    if call.invoke.f == "read" and completion is not None:
        did += f" returned {shown(completion.value[1])}"
    elif call.type == "fail":
        did += " found something else"
    else:
        did += " succeeded"
    could = listed("a value that nobody looked for" if v is _UNSEEN else shown(v) for v in found.possible)
    message = (
        f"{did} ({asker(call)}), which no order of the operations on {key} explains: whatever order"
        " agrees with"
        f" everything that had returned before, {key} can have held only {could} during it"
    )
    return Anomaly(
        "not-linearizable", message[0].upper() + message[1:], (call.invoke.index,), (), call.invoke.time_ns
    )
