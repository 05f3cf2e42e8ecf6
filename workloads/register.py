"""Registers that clients read, write and compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from system.client import Answer, CompareAndSet, Put, Read, Request
from workloads.workload import Outcome, Value, number

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
    seen_at: int  # the log index that the last of `seen` was seen at


class Registers:
    """write [key, value]; read [key, null] -> [key, value or null]; cas [key, [expected, new]]."""

    name = "register"
    checkers: tuple[str, ...] = ("linearizability",)

    def __init__(self) -> None:
        self._live = {f"r{number}": _Register(0, [None], 0) for number in range(LIVE_REGISTERS)}
        self._registers = LIVE_REGISTERS
        self._values = 0
        self._written: dict[str, None] = {}

    def draw(self, rng: Random, *, reads_only: bool = False) -> tuple[str, Value]:
        key = rng.choice(list(self._live))
        register = self._live[key]
        f = "read" if reads_only else rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self._count(key)
        if f == "read":
            return f, [key, None]
        self._values += 1
        self._written[key] = None
        if f == "write":
            return f, [key, self._values]
        expected = register.seen[-1] if rng.random() < EXPECTS_LATEST else rng.choice(register.seen)
        return f, [key, [expected, self._values]]

    def request(self, f: str, value: Value) -> Request:
        key, what = value
        if f == "write":
            return Put(key, str(what))
        if f == "read":
            return Read(key)
        expected, new = what
        return CompareAndSet(key, None if expected is None else str(expected), str(new))

    def outcome(self, f: str, value: Value, answer: Answer) -> tuple[Outcome, Value]:
        key, what = value
        if f == "read":
            what = None if answer.value is None else number(answer.value)
            self._note(key, what, answer.index)
            return "ok", [key, what]
        if not answer.swapped:
            return "fail", value
        self._note(key, what[1] if f == "cas" else what, answer.index)
        return "ok", value

    def final_reads(self) -> Sequence[tuple[str, Value]]:
        return [("read", [key, None]) for key in self._written]

    def _count(self, key: str) -> None:
        self._live[key].drawn += 1
        if self._live[key].drawn == OPERATIONS_A_REGISTER:
            del self._live[key]
            self._live[f"r{self._registers}"] = _Register(0, [None], 0)
            self._registers += 1

    def _note(self, key: str, value: Value, index: int) -> None:
        """Remembers what a register holds, if that is news."""
        register = self._live.get(key)
        if register is not None and index >= register.seen_at:
            register.seen_at = index
            register.seen = [*register.seen[-3:], value]
