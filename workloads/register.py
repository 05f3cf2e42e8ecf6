"""Registers that clients read, write and compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from random import Random

from system.client import Answer, CompareAndSet, Put, Read, Request, Service
from workloads.drawn_registers import DrawnRegisters
from workloads.workload import Outcome, Value, number


class Registers:
    """write [key, value]; read [key, null] -> [key, value or null]; cas [key, [expected, new]]."""

    name = "register"
    checkers: tuple[str, ...] = ("committed-log", "at-most-once", "linearizability")
    service: Service = "control-plane"
    needs: frozenset[str] = frozenset()

    def __init__(self, keys: int | None = None) -> None:
        values = count(1)
        self._registers = DrawnRegisters("r", lambda rng: next(values), keys)

    def draw(self, rng: Random, *, reads_only: bool = False) -> tuple[str, Value]:
        return self._registers.draw(rng, reads_only=reads_only)

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
            self._registers.note(key, what, answer.index)
            return "ok", [key, what]
        if not answer.swapped:
            return "fail", value
        self._registers.note(key, what[1] if f == "cas" else what, answer.index)
        return "ok", value

    def final_reads(self) -> Sequence[tuple[str, Value]]:
        return [("read", [key, None]) for key in self._registers.written]
