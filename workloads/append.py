"""Lists that clients append to and read, after Jepsen's list-append: every list tells its own history."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from system.client import Answer, Append, Read, Request, Service
from workloads.workload import Outcome, Value, number

LIVE_LISTS = 4
# A list is retired after so many appends: reads answer with all of it.
APPENDS_A_LIST = 100
APPENDS = 0.6


class Lists:
    """append [key, element]; read [key, null] -> [key, elements]."""

    name = "append"
    checkers: tuple[str, ...] = ("committed-log", "at-most-once", "list-append")
    service: Service = "control-plane"
    needs: frozenset[str] = frozenset()

    def __init__(self, keys: int | None = None) -> None:
        self._lists = LIVE_LISTS if keys is None else keys
        self._appends = {f"k{number}": 0 for number in range(self._lists)}  # of the live lists
        self._elements = 0
        self._written: dict[str, None] = {}

    def draw(self, rng: Random, *, reads_only: bool = False) -> tuple[str, Value]:
        key = rng.choice(list(self._appends))
        if reads_only or rng.random() >= APPENDS:
            return "read", [key, None]
        self._elements += 1
        self._written[key] = None
        self._appends[key] += 1
        if self._appends[key] == APPENDS_A_LIST:
            del self._appends[key]
            self._appends[f"k{self._lists}"] = 0
            self._lists += 1
        return "append", [key, self._elements]

    def request(self, f: str, value: Value) -> Request:
        key, element = value
        return Append(key, str(element)) if f == "append" else Read(key)

    def outcome(self, f: str, value: Value, answer: Answer) -> tuple[Outcome, Value]:
        if f == "append":
            return "ok", value
        return "ok", [value[0], [number(item) for item in answer.items]]

    def final_reads(self) -> Sequence[tuple[str, Value]]:
        return [("read", [key, None]) for key in self._written]
