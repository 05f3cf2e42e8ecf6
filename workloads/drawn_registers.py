"""Reads, writes and compare-and-sets of registers, whatever a register is and whatever its values are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from workloads.workload import Value

LIVE_REGISTERS = 5
# A register is retired after so many operations, since long histories of one are hard to judge.
OPERATIONS_A_REGISTER = 60
WEIGHTS = {"read": 35, "write": 25, "cas": 40}
# The share of compare-and-sets that expect what was last seen there; the others expect something older.
EXPECTS_LATEST = 0.85


@dataclass(slots=True)
class _Register:
    """What is known of a live register. seen: values it held, the latest last; None before any write."""

    drawn: int
    seen: list[Value]
    seen_at: int  # when the last of `seen` was seen


class DrawnRegisters:
    """prefix: of the registers' names. make: a new value, unique in a run. keys: as Workload has it. written:
    names, in order of their first write."""

    def __init__(self, prefix: str, make: Callable[[Random], Value], keys: int | None) -> None:
        self._prefix = prefix
        self._make = make
        self._registers = LIVE_REGISTERS if keys is None else keys
        self._live = {f"{prefix}{number}": _Register(0, [None], 0) for number in range(self._registers)}
        self.written: dict[str, None] = {}

    def draw(self, rng: Random, *, reads_only: bool = False) -> tuple[str, Value]:
        """write [key, value]; read [key, null]; cas [key, [expected, new]]."""
        key = rng.choice(list(self._live))
        register = self._live[key]
        f = "read" if reads_only else rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self._count(key)
        if f == "read":
            return f, [key, None]
        new = self._make(rng)
        self.written[key] = None
        if f == "write":
            return f, [key, new]
        expected = register.seen[-1] if rng.random() < EXPECTS_LATEST else rng.choice(register.seen)
        return f, [key, [expected, new]]

    def note(self, key: str, value: Value, at: int) -> None:
        """Remembers what a register held, if that is news. at: a number that grows with time."""
        register = self._live.get(key)
        if register is not None and at >= register.seen_at:
            register.seen_at = at
            register.seen = [*register.seen[-3:], value]

    def _count(self, key: str) -> None:
        self._live[key].drawn += 1
        if self._live[key].drawn == OPERATIONS_A_REGISTER:
            del self._live[key]
            self._live[f"{self._prefix}{self._registers}"] = _Register(0, [None], 0)
            self._registers += 1
