"""Linearizability of registers, from what the clients saw alone: a search for an order that explains it.

Wing and Gong's search (1993) with Lowe's improvements ("Testing for linearizability", 2017): an operation
takes effect only when one must have (just in time), and no configuration is visited twice. Each key is a
register of its own, since linearizability is local (Herlihy and Wing, 1990). An operation whose fate is
unknown may take effect at any time after its invocation, or never; equal ones are counted rather than told
apart, so they do not multiply.
"""

from __future__ import annotations

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
        anomalies=[_anomaly(key, found) for key, found in searches.items() if found.blocked is not None],
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
# each), and how many of each group of crashed operations have.
_Used = tuple[int, ...]
_Frontier = dict[tuple[int, int], list[_Used]]


@dataclass
class _Open:
    """The operations that are open at one moment. Bits belong to operations that will return.

    readers:  value -> bits of open reads of it; missers: bits of all open misses; missing: value -> bits of
    misses of it writers:  (bit, old or None for a write, new)
    crashed:  how many of each group may have taken effect by now
    """

    readers: dict[int, int] = field(default_factory=dict)
    missers: int = 0
    missing: dict[int, int] = field(default_factory=dict)
    writers: dict[int, tuple[int | None, int]] = field(default_factory=dict)
    crashed: list[int] = field(default_factory=list)

    def absorb(self, value: int, mask: int) -> int:
        """The mask once everything that only looks, and would see what it saw, has taken effect: there is no
        better time for it than any time."""
        return mask | self.readers.get(value, 0) | (self.missers & ~self.missing.get(value, 0))


class _OutOfBudget(Exception):  # noqa: N818 - nothing went wrong
    pass


class _Searcher:
    def __init__(self, steps: list[_Step], initial: Any, budget: int) -> None:
        self._steps = steps
        self._budget = budget
        self._numbers: dict[Any, int] = {}
        self._values: list[Any] = []
        self._initial = self._number(initial)
        groups = dict.fromkeys((s.kind, _key(s.old), _key(s.new)) for s in steps if s.crashed)
        self._group = {group: at for at, group in enumerate(groups)}
        # For each group: (old or None for a write, new).
        self._effects: list[tuple[int | None, int]] = [(None, 0)] * len(groups)
        self._open = _Open(crashed=[0] * len(groups))
        self._bits: dict[_Step, int] = {}
        self._width = 0
        self._free: list[int] = []
        self._visited = 0

    def run(self) -> Search:
        frontier: _Frontier = {(self._initial, 0): [(0,) * len(self._group)]}
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

    def _invoke(self, step: _Step) -> None:
        now = self._open
        if step.crashed:
            group = self._group[step.kind, _key(step.old), _key(step.new)]
            now.crashed[group] += 1
            old = self._number(step.old) if step.kind == "cas" else None
            self._effects[group] = (old, self._number(step.new))
            return
        if not self._free:
            self._free.append(1 << self._width)
            self._width += 1
        bit = self._bits[step] = self._free.pop()
        if step.kind == "write":
            now.writers[bit] = (None, self._number(step.new))
        elif step.kind == "cas":
            now.writers[bit] = (self._number(step.old), self._number(step.new))
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
                _keep(reached, (value, mask & ~bit), used)
                continue
            if not _keep(seen, (value, mask), used):
                continue
            values.add(value)
            self._visited += 1
            if self._visited > self._budget:
                raise _OutOfBudget
            stack += self._next(value, mask, used)
        return reached, values

    def _next(self, value: int, mask: int, used: _Used) -> list[tuple[int, int, _Used]]:
        """One more write or cas takes effect. Crashed ones come first, so they are tried last."""
        found = []
        for group, (old, new) in enumerate(self._effects):
            if used[group] < self._open.crashed[group] and old in (None, value) and new != value:
                found.append((new, mask, (*used[:group], used[group] + 1, *used[group + 1 :])))
        for bit, (old, new) in self._open.writers.items():
            if not mask & bit and old in (None, value):
                found.append((new, mask | bit, used))
        return found


def _keep(frontier: _Frontier, at: tuple[int, int], used: _Used) -> bool:
    """Adds a configuration unless one is there that differs only in having used no more crashed operations:
    it can do all that this one can. Those that it makes needless go."""
    known = frontier.get(at)
    if known is None:
        frontier[at] = [used]
        return True
    if any(all(map(int.__le__, other, used)) for other in known):
        return False
    frontier[at] = [other for other in known if not all(map(int.__le__, used, other))] + [used]
    return True


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
